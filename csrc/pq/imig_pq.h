/* imig_pq.h - a connection to PostgreSQL that never waits.
 *
 * Everything that could block is a step function.  It answers DONE, FAILED, or AGAIN
 * with what to wait for; the caller polls imig_pq_fd() and calls again:
 *
 *     while ((step = imig_pq_pump(c, &want, err)) == IMIG_PQ_AGAIN)
 *         poll(imig_pq_fd(c), want);
 *
 * A statement that was sent is an entry of a queue until its last result has arrived:
 *
 *     send -> [ entry ][ entry ] ... -> pump takes results for the oldest entry first
 *
 * Outside pipeline mode libpq allows one entry at a time.
 *
 * No Python here.  One thread at a time per connection, except imig_pq_abort(). */
#ifndef IMIG_PQ_H
#define IMIG_PQ_H

#include <libpq-fe.h>

#include "imig_base.h"
#include "imig_buf.h"
#include "imig_error.h"

#if !defined(LIBPQ_HAS_PIPELINING)
#error "ibutsu-migrate needs libpq 14 or newer"
#endif

typedef enum imig_pq_step {
    IMIG_PQ_DONE = 0,
    IMIG_PQ_AGAIN = 1,   /* wait for `want`, then call again */
    IMIG_PQ_FAILED = -1, /* see the error, and imig_pq_message() */
} imig_pq_step;

enum {
    IMIG_PQ_WANT_READ = 1,
    IMIG_PQ_WANT_WRITE = 2,
};

typedef enum imig_pq_phase {
    IMIG_PQ_CLOSED = 0, /* no connection: not yet, or no longer */
    IMIG_PQ_CONNECTING,
    IMIG_PQ_READY,   /* nothing under way */
    IMIG_PQ_RUNNING, /* at least one entry in the queue */
    IMIG_PQ_COPY_IN, /* the server waits for rows */
    IMIG_PQ_COPY_OUT /* the server sends rows */
} imig_pq_phase;

typedef struct imig_pq_conn imig_pq_conn;

/* NULL when out of memory. */
IMIG_NODISCARD imig_pq_conn *imig_pq_new(void);

/* Close and free; NULL is accepted.  In a process that did not open the connection
 * only memory of this process is given back: PQfinish would end the parent's session.
 */
void imig_pq_free(imig_pq_conn *c);

/* Whether this process opened the connection. */
IMIG_NODISCARD bool imig_pq_is_ours(const imig_pq_conn *c);

/* Make a wait of another thread on this connection end with an error: no more can be
 * sent or received.  The one function that any thread may call at any time while the
 * connection is not being freed. */
void imig_pq_abort(const imig_pq_conn *c);

/* ---- Connecting ---- */

/* Begin.  `keywords` and `values` end with NULL, as for PQconnectStartParams; they are
 * copied.  IMIG_E_NOMEM or IMIG_E_ARGUMENT (libpq refused the options). */
IMIG_NODISCARD imig_status imig_pq_connect_start(imig_pq_conn *c,
                                                 const char *const *keywords,
                                                 const char *const *values,
                                                 imig_error *err);

/* One step.  imig_pq_fd() may change at each step.  FAILED: all hosts failed;
 * imig_pq_message() has libpq's text about each. */
IMIG_NODISCARD imig_pq_step imig_pq_connect_step(imig_pq_conn *c, int *want,
                                                 imig_error *err);

/* Milliseconds until the host being tried has had its connect_timeout, -1 = for ever.
 * When 0 the next imig_pq_connect_step() gives that host up. */
IMIG_NODISCARD int imig_pq_connect_timeout_ms(const imig_pq_conn *c);

/* ---- Running statements ---- */

/* Send `sql` (NUL-terminated, may be several commands) by the simple protocol.
 * IMIG_E_ARGUMENT when not READY, IMIG_E_LOST, IMIG_E_NOMEM. */
IMIG_NODISCARD imig_status imig_pq_send(imig_pq_conn *c, const char *sql,
                                        imig_error *err);

/* Send what is unsent and take what has arrived, until the queue is empty (DONE) or the
 * server is in a COPY (DONE; see the phase).  FAILED: the connection is lost. */
IMIG_NODISCARD imig_pq_step imig_pq_pump(imig_pq_conn *c, int *want, imig_error *err);

/* The result of the statement that ended last: the last one of several commands, or
 * the error.  The caller owns it; NULL when there is none or it was taken. */
IMIG_NODISCARD PGresult *imig_pq_take_result(imig_pq_conn *c);

/* ---- Pipelines (imig_pq_pipeline.c) ---- */

/* Statements are queued one after the other and their results awaited together:
 *
 *     enter -> send, send, ... -> sync -> pump until DONE; take the outcome of each
 *
 * This is one segment.  If a statement fails, those behind it do not run, up to the
 * sync.  The pump that reaches the sync leaves pipeline mode: the phase is READY. */

/* Begin a segment; nothing is sent.  IMIG_E_ARGUMENT when not READY. */
IMIG_NODISCARD imig_status imig_pq_pipeline_enter(imig_pq_conn *c, imig_error *err);
/* Queue one command without parameters and send what the socket takes. */
IMIG_NODISCARD imig_status imig_pq_pipeline_send(imig_pq_conn *c, const char *sql,
                                                 size_t len, imig_error *err);
/* Queue the segment's end.  Safe to call twice. */
IMIG_NODISCARD imig_status imig_pq_pipeline_sync(imig_pq_conn *c, imig_error *err);
/* Whether a segment has begun and has not ended. */
IMIG_NODISCARD bool imig_pq_in_pipeline(const imig_pq_conn *c);
/* The outcome of the oldest statement that has ended and was not taken: false, or
 * *result, which the caller owns.  PGRES_PIPELINE_ABORTED or NULL: it did not run. */
IMIG_NODISCARD bool imig_pq_pipeline_take(imig_pq_conn *c, PGresult **result);
/* Whether so much is queued that imig_pq_pipeline_relieve() should be called. */
IMIG_NODISCARD bool imig_pq_pipeline_is_full(const imig_pq_conn *c);
/* DONE when the queue is half empty. */
IMIG_NODISCARD imig_pq_step imig_pq_pipeline_relieve(imig_pq_conn *c, int *want,
                                                     imig_error *err);
enum {
    IMIG_PQ_MOST_QUEUED = 1000,    /* statements */
    IMIG_PQ_MOST_UNSENT = 1 << 20, /* bytes */
};

/* ---- COPY ---- */

/* Queue a row, or part of one, of a COPY_IN.  AGAIN: libpq's buffer is full, wait and
 * call again with the same bytes.  DONE and no longer in the COPY: the connection
 * broke, pump for what the server said of it. */
IMIG_NODISCARD imig_pq_step imig_pq_copy_put(imig_pq_conn *c, const char *bytes,
                                             size_t len, int *want, imig_error *err);

/* End a COPY_IN; with `reason` the server is told to fail.  Then pump. */
IMIG_NODISCARD imig_pq_step imig_pq_copy_end(imig_pq_conn *c, const char *reason,
                                             int *want, imig_error *err);

/* The next row of a COPY_OUT, to be freed by PQfreemem; *row NULL when that was all
 * (then pump). */
IMIG_NODISCARD imig_pq_step imig_pq_copy_get(imig_pq_conn *c, char **row, size_t *len,
                                             int *want, imig_error *err);

/* ---- Looking ---- */

IMIG_NODISCARD imig_pq_phase imig_pq_get_phase(const imig_pq_conn *c);
/* The socket to wait on, -1 without one. */
IMIG_NODISCARD int imig_pq_fd(const imig_pq_conn *c);
/* libpq's connection, for its PQ... look-ups; NULL when CLOSED. */
IMIG_NODISCARD PGconn *imig_pq_raw(const imig_pq_conn *c);
/* What libpq or the server said last about the connection. Never NULL. */
IMIG_NODISCARD const char *imig_pq_message(const imig_pq_conn *c);
/* SQLSTATE of a connection that was refused by the server, "" when there is none. */
IMIG_NODISCARD const char *imig_pq_sqlstate(const imig_pq_conn *c);
/* Note that the connection is gone, in libpq's words, and fill `err` (IMIG_E_LOST). */
imig_status imig_pq_lost(imig_pq_conn *c, imig_error *err);
/* Whether the connection is of no use any more. */
IMIG_NODISCARD bool imig_pq_is_broken(const imig_pq_conn *c);

/* Messages of the server that are not errors, oldest first; at most
 * IMIG_PQ_NOTICES are kept, the newest.  The caller frees it with imig_free(). */
#define IMIG_PQ_NOTICES 50
IMIG_NODISCARD char *imig_pq_take_notice(imig_pq_conn *c);
IMIG_NODISCARD PGnotify *imig_pq_take_notify(imig_pq_conn *c);

/* ---- Cancelling ---- */

typedef struct imig_pq_cancel imig_pq_cancel;

/* Ask the server to cancel what it is doing.  May be called by any thread that keeps
 * the connection from being freed; works on a connection of its own.  NULL when out of
 * memory or when there is nothing to cancel. */
IMIG_NODISCARD imig_pq_cancel *imig_pq_cancel_new(const imig_pq_conn *c);
IMIG_NODISCARD imig_pq_step imig_pq_cancel_step(imig_pq_cancel *k, int *want,
                                                imig_error *err);
IMIG_NODISCARD int imig_pq_cancel_fd(const imig_pq_cancel *k);
/* Stops waiting for the answer; NULL is accepted. */
void imig_pq_cancel_free(imig_pq_cancel *k);

/* ---- Errors of the server ---- */

/* One field of an error report: its letter and PostgreSQL's name in lower case. */
typedef struct imig_pq_field {
    int code; /* PG_DIAG_... */
    const char *name;
} imig_pq_field;

/* All fields, ended by a NULL name. */
extern const imig_pq_field imig_pq_fields[];

/* The message of an error result as people read it: without the severity in front and
 * without the line end, but with LINE, DETAIL, HINT and CONTEXT. */
IMIG_NODISCARD imig_str imig_pq_result_message(const PGresult *result);

#endif /* IMIG_PQ_H */
