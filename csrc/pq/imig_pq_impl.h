/* imig_pq_impl.h - the connection's insides, for the files of this folder only. */
#ifndef IMIG_PQ_IMPL_H
#define IMIG_PQ_IMPL_H

#include "imig_pq.h"

#include <sys/types.h>

#include "imig_pq_hosts.h"
#include "imig_pq_resolve.h"

/* A statement that was sent and has not had its last result. */
typedef struct imig_pq_entry {
    struct imig_pq_entry *next;
    PGresult *result; /* the last so far; an error is always the last */
    bool is_sync;     /* the end of a pipeline's segment */
} imig_pq_entry;

struct imig_pq_conn {
    PGconn *pg;
    pid_t owner; /* the process that connected */
    int fd;      /* PQsocket(pg), readable by other threads; -1 without one */
    imig_pq_phase phase;
    bool broken;

    imig_pq_entry *head, *tail;
    PGresult *result; /* of the statement that ended last, until it is taken */

    bool pipeline;                   /* libpq is in pipeline mode */
    bool synced;                     /* ... and the segment's end is queued */
    imig_pq_entry *done, *done_tail; /* ended, until they are taken */
    size_t queued;                   /* from head to tail */
    size_t unsent;                   /* at most so many bytes are in libpq's buffer */

    char *notices[IMIG_PQ_NOTICES]; /* ring: `notice_count` from `notice_first` on */
    size_t notice_first, notice_count;

    imig_pq_hosts hosts;        /* what to try, one after the other */
    imig_pq_resolve *resolving; /* the look-up of a name, while connecting */
    int64_t deadline_ms;        /* of the host being tried; 0 = none */
    imig_buf message;           /* about failed hosts, or the loss */
    char sqlstate[6];
};

/* Milliseconds of a clock that is not set. */
int64_t imig_pq_now_ms(void);

/* Append an entry to the queue; NULL when out of memory. */
imig_pq_entry *imig_pq_push(imig_pq_conn *c);
/* The oldest entry has ended. */
void imig_pq_pop(imig_pq_conn *c);
/* In pipeline mode: take one result of the oldest entry, as take() of imig_pq_exec.c.
 */
imig_pq_step imig_pq_pipeline_result(imig_pq_conn *c, PGresult *result,
                                     imig_error *err);
/* Leave pipeline mode if the segment is through. */
imig_pq_step imig_pq_pipeline_end(imig_pq_conn *c, imig_error *err);
/* Free what ended and was not taken. */
void imig_pq_pipeline_clear(imig_pq_conn *c);

/* Close libpq's side and forget what was under way; the message stays. */
void imig_pq_drop(imig_pq_conn *c);

/* The receiver to give to PQsetNoticeReceiver, with the connection as its argument. */
void imig_pq_on_notice(void *conn, const PGresult *notice);

#endif /* IMIG_PQ_IMPL_H */
