/* imig_load.h - one revision file into the graph, from its scanned header. */
#ifndef IMIG_LOAD_H
#define IMIG_LOAD_H

#include "imig_buf.h"
#include "imig_graph.h"
#include "imig_scan.h"
#include "imig_known.h"

typedef enum imig_loaded {
    IMIG_LOADED,            /* the node is there */
    IMIG_LOADED_NOT_STATIC, /* index reserved: the file must be imported */
    IMIG_LOADED_ODD,        /* index reserved: static, but nothing a graph can hold, as
                               an id with "@" in it; Alembic knows what to say */
    IMIG_LOADED_UNREADABLE, /* index reserved: err has the reason */
} imig_loaded;

/* Storage that is used again from file to file. */
typedef struct imig_loader {
    int folder;    /* where paths start; IMIG_FILE_HERE */
    size_t prefix; /* bytes of each path that lead to that folder */
    imig_buf bytes;
    imig_header header;
    imig_known known;
    imig_str *names; /* the header's, with repeats within a set dropped */
    size_t capacity;
} imig_loader;

void imig_loader_init(imig_loader *loader);
void imig_loader_clear(imig_loader *loader);

/* Read, scan and add the file as the graph's next node.  `path` is a C string that
 * lives as long as the graph.  Blocks: call it without the GIL.
 * IMIG_OK, or IMIG_E_NOMEM or IMIG_E_LIMIT about the graph. */
IMIG_NODISCARD imig_status imig_load_file(imig_loaded *out, imig_graph *g,
                                          imig_loader *loader, const char *path,
                                          imig_error *err);

/* Whether a graph can hold that revision: an id without Alembic's reserved characters
 * that is no symbol and not its own parent, and no empty name anywhere. */
bool imig_rev_is_plain(const imig_rev *rev);

#endif /* IMIG_LOAD_H */
