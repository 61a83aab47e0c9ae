/* imig_tail.h - whether the rest of a file can say anything about its header.
 *
 * Every way to a module's names that the scanner knows needs a word: one of the names,
 * `exec`, `setattr` and so on, or a star import; or letters beyond ASCII, which Python
 * may normalise to one of them.  A rest of the file without any of them, in code, text
 * or comment, changes nothing, whatever else it is, and need not be read as Python. */
#ifndef IMIG_TAIL_H
#define IMIG_TAIL_H

#include "imig_base.h"

/* Made once, for any number of files. */
typedef struct imig_tail {
    uint64_t misses[256]; /* by byte: see imig_tail.c */
} imig_tail;

void imig_tail_init(imig_tail *tail);

/* True when bytes[0 .. len), which start no name in the middle, hold no such word.
 * False may be wrong.  Linear in `len`. */
bool imig_tail_silent(const imig_tail *tail, const char *bytes, size_t len);

#endif /* IMIG_TAIL_H */
