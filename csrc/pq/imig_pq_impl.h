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
} imig_pq_entry;

struct imig_pq_conn {
    PGconn *pg;
    pid_t owner; /* the process that connected */
    int fd;      /* PQsocket(pg), readable by other threads; -1 without one */
    imig_pq_phase phase;
    bool broken;

    imig_pq_entry *head, *tail;
    PGresult *result; /* of the statement that ended last, until it is taken */

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

/* Close libpq's side and forget what was under way; the message stays. */
void imig_pq_drop(imig_pq_conn *c);

/* The receiver to give to PQsetNoticeReceiver, with the connection as its argument. */
void imig_pq_on_notice(void *conn, const PGresult *notice);

#endif /* IMIG_PQ_IMPL_H */
