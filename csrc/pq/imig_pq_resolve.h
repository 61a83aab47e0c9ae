/* imig_pq_resolve.h - getaddrinfo() that can be waited for, and given up.
 *
 * libpq looks names up within PQconnectPoll, where nothing can interrupt it: a dead
 * name server would hold Ctrl-C and connect_timeout for as long as it likes.  The
 * look-up runs in a thread which closes its end of a pipe when it is done.  Whoever
 * gives up first leaves the rest, and the memory, to the other. */
#ifndef IMIG_PQ_RESOLVE_H
#define IMIG_PQ_RESOLVE_H

#include "imig_base.h"
#include "imig_error.h"

typedef struct imig_pq_resolve imig_pq_resolve;

/* Begin.  IMIG_E_NOMEM, or IMIG_E_IO when no thread or pipe is to be had. */
IMIG_NODISCARD imig_status imig_pq_resolve_start(imig_pq_resolve **out,
                                                 const char *name, imig_error *err);
/* Readable when done. */
IMIG_NODISCARD int imig_pq_resolve_fd(const imig_pq_resolve *r);
IMIG_NODISCARD bool imig_pq_resolve_is_done(const imig_pq_resolve *r);

/* What was found, when done: numeric addresses, without repetition. IMIG_E_MISSING:
 * none, and `err` says why in the system's words. */
IMIG_NODISCARD imig_status imig_pq_resolve_result(imig_pq_resolve *r,
                                                  char *const **addresses,
                                                  size_t *count, imig_error *err);
/* NULL is accepted. */
void imig_pq_resolve_free(imig_pq_resolve *r);

#endif /* IMIG_PQ_RESOLVE_H */
