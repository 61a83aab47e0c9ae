/* imig_known.h - what a scanner has learned from the files before.
 *
 * The files of one history come of one template.  What lies between the parts that
 * differ is read once; where the next file has the same bytes in the same place, the
 * outcome is the same too:
 *
 *     """doc"""                          read
 *     imports, `revision: str =`         stretch 0
 *     "b2"                               read
 *     `down_revision: ... =`             stretch 1
 *     "a1"                               read
 *     `branch_labels: ... = None` ...    stretch 2
 *     def upgrade() ...                  imig_tail.h
 */
#ifndef IMIG_KNOWN_H
#define IMIG_KNOWN_H

#include "imig_buf.h"
#include "imig_tail.h"

#define IMIG_STRETCHES 3
#define IMIG_STRETCH_LONGEST 4096

/* All that a scan knows between two statements, but for values.  Bytes only: two of
 * them are compared as memory. */
typedef struct imig_scan_facts {
    uint8_t bound;
    uint8_t mentions[5];
    uint8_t saw_sys;
    uint8_t saw_modules;
    uint8_t latin1;
    uint8_t branch_labels; /* an imig_value_kind: ABSENT or NONE */
    uint8_t depends_on;
} imig_scan_facts;

typedef struct imig_stretch {
    imig_buf text; /* empty: nothing learned yet */
    imig_scan_facts before;
    imig_scan_facts after;
} imig_stretch;

typedef struct imig_known {
    imig_tail tail;
    imig_stretch stretches[IMIG_STRETCHES];
} imig_known;

void imig_known_init(imig_known *known);
void imig_known_clear(imig_known *known);

#endif /* IMIG_KNOWN_H */
