/* pq_queue.h - statements whose answers are awaited later.
 *
 * While statements are queued libpq is in pipeline mode, and only then: whatever is not
 * queued ends the segment first.  Everything here is called between enter and leave.
 * docs/design/pipeline.md says which statements are queued, and what must hold. */
#ifndef PQ_QUEUE_H
#define PQ_QUEUE_H

#include "py_common.h"

#include "imig_buf.h"
#include "imig_sql.h"

#include <libpq-fe.h>

typedef struct imigpy_conn imigpy_conn;

typedef enum imigpy_fate {
    IMIGPY_QUEUED,
    IMIGPY_DONE,
    IMIGPY_FAILED,
    IMIGPY_SKIPPED, /* one before it failed, or the connection was closed */
} imigpy_fate;

/* Whose statement it is. */
typedef struct imigpy_source {
    PyObject *origin; /* (file, line, function) or NULL; strings and a number */
    PyObject *label;  /* what the caller wants to have back with an error, or NULL */
} imigpy_source;

/* One statement in the queue; the queue and the cursor that executed it hold it. */
typedef struct imigpy_pending {
    Py_ssize_t holders;
    struct imigpy_pending *next;
    PyObject *query; /* bytes */
    /* The label, which may be anything, only until it is known that it is not needed:
     * the collector finds it through the connection. */
    imigpy_source source;
    imigpy_fate fate;
    bool internal; /* BEGIN and COMMIT of our own */
    bool wanted;   /* the answer is awaited now: kept for the caller */
    bool here;     /* its error is raised by the call that queued it */
    Py_ssize_t rowcount;
    char tag[64];
} imigpy_pending;

typedef struct imigpy_queue {
    imigpy_pending *first, *last;
    imigpy_pending *failed; /* the first that failed, until the transaction ends */
    PGresult *failure;      /* its error */
    PGresult *answer;       /* of the one that was wanted */
    Py_ssize_t skipped;     /* statements behind it that did not run */
    Py_ssize_t unheard;     /* queued since the last sync, without BEGIN and COMMIT */
    Py_ssize_t savepoints;  /* at most so many are open */
    bool raised;            /* the failure was raised once */
    bool watching;          /* savepoints are counted */
    bool uncertain;         /* ... and may have been missed in this transaction */
} imigpy_queue;

/* NULL is accepted. */
void imigpy_pending_release(imigpy_pending *p);

/* Whether a segment is open: statements were queued, and there was no sync since. Their
 * answers may have come already. */
IMIG_NODISCARD bool imigpy_queue_is_open(const imigpy_conn *self);
/* Whether something is to be said that nobody has heard. */
IMIG_NODISCARD bool imigpy_queue_has_news(const imigpy_conn *self);
/* Whether a segment is open, or a failure is to be raised. */
IMIG_NODISCARD bool imigpy_queue_is_busy(const imigpy_conn *self);
/* Before close(): log how many statements nobody has waited for. -1: the log raised. */
IMIG_NODISCARD int imigpy_queue_warn(imigpy_conn *self);
/* Begin to count savepoints. */
void imigpy_queue_watch(imigpy_conn *self);
/* Note what a statement that has been executed says about savepoints. */
void imigpy_queue_note(imigpy_conn *self, const imig_sql_facts *facts);
/* Whether a statement may stay in the queue; with `rows` also one that returns some,
 * which nobody wants. */
IMIG_NODISCARD bool imigpy_queue_may_defer(const imigpy_conn *self,
                                           const imig_sql_facts *facts, bool rows);
/* Whether a statement may be the last of a segment: its answer is awaited, in one round
 * trip with all that is queued. */
IMIG_NODISCARD bool imigpy_queue_may_join(const imigpy_conn *self,
                                          const imig_sql_facts *facts);

/* Queue a statement, BEGIN before it where a transaction is due.  A new reference, or
 * NULL with an exception: of an earlier statement too.  `source` may be NULL. */
IMIG_NODISCARD imigpy_pending *imigpy_queue_add(imigpy_conn *self, PyObject *query,
                                                const imigpy_source *source,
                                                bool wanted);
/* The same for one of many statements of a call, which ends with a sync.  Now and then
 * `look`: send, read what has come, run signal handlers. */
IMIG_NODISCARD imigpy_pending *imigpy_queue_add_one(imigpy_conn *self, PyObject *query,
                                                    bool look);
/* Whether a statement may be one of those. */
IMIG_NODISCARD bool imigpy_queue_may_batch(const imigpy_conn *self,
                                           const imig_sql_facts *facts);
/* The same for SQL of our own, without BEGIN. */
IMIG_NODISCARD int imigpy_queue_add_text(imigpy_conn *self, const char *text);
/* End the segment and await it all.  Where a statement failed that was queued before
 * `cursor`'s: its exception; once more at each call until the transaction ends. */
IMIG_NODISCARD int imigpy_queue_sync(imigpy_conn *self, PyObject *cursor);
/* The result of the wanted statement, after a sync. */
IMIG_NODISCARD PGresult *imigpy_queue_answer(imigpy_conn *self);
/* The transaction is over: its failure is forgotten. */
void imigpy_queue_forget(imigpy_conn *self);
/* For the connection's traverse and clear: labels. */
IMIG_NODISCARD int imigpy_queue_traverse(const imigpy_queue *q, visitproc visit,
                                         void *arg);
void imigpy_queue_drop_labels(imigpy_queue *q);
/* The connection is being closed: nothing of it will be answered. */
void imigpy_queue_clear(imigpy_conn *self);

#endif /* PQ_QUEUE_H */
