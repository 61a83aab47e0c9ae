/* pq_conn.h - connection, cursor and result objects of the driver.
 *
 *     cursor --> connection --> imig_pq_conn (csrc/pq)
 *        |
 *        +--> result (rows that have arrived; outlives the connection)
 *
 * The GIL guards the objects.  While it is released around a wait, `busy` guards the
 * imig_pq_conn: whoever finds it set is refused, not made to wait. */
#ifndef PQ_CONN_H
#define PQ_CONN_H

#include "pq_state.h"

#include "imig_pq.h"
#include "pq_queue.h"

/* Keyword names for PyArg_ParseTupleAndKeywords, whose prototype before 3.13 has no
 * const. */
#define IMIGPY_NAMES(names) ((char **)(uintptr_t)(names))

/* ---- Results (pq_result.c) ---- */

/* A PGresult that several may hold: a json_loads called for one of its rows may run
 * another statement on the same cursor. */
typedef struct imigpy_result {
    Py_ssize_t holders;
    PGresult *pg;
    Py_ssize_t rows, columns;
    unsigned int oids[]; /* of the columns */
} imigpy_result;

/* Takes `pg`, also on failure: NULL with MemoryError. */
IMIG_NODISCARD imigpy_result *imigpy_result_new(PGresult *pg);
imigpy_result *imigpy_result_hold(imigpy_result *r);
/* NULL is accepted. */
void imigpy_result_release(imigpy_result *r);
/* Row `n` as a tuple of decoded values. */
IMIG_NODISCARD PyObject *imigpy_result_row(const imigpy_result *r, Py_ssize_t n,
                                           const imigpy_codec *codec);
/* Rows `first` to `first + count` as a list of tuples. */
IMIG_NODISCARD PyObject *imigpy_result_rows(imigpy_result *r, Py_ssize_t first,
                                            Py_ssize_t count,
                                            const imigpy_codec *codec);
/* PEP 249's description: a tuple of Column. */
IMIG_NODISCARD PyObject *imigpy_result_description(const imigpy_result *r,
                                                   const imigpy_codec *codec,
                                                   pq_state *state);

/* ---- Connections (pq_conn*.c) ---- */

enum { IMIGPY_UNSET = -1 }; /* of read_only and deferrable: the server's default */

typedef struct imigpy_conn {
    PyObject_HEAD pq_state *state; /* of the module that the type holds */
    imig_pq_conn *pq;              /* NULL: closed */
    imigpy_codec codec;
    PyObject *json_loads;
    PyObject *notices;   /* list of str; the newest 50 */
    PyObject *notifies;  /* list of Notify */
    PyObject *isolation; /* str, or NULL for the server's default */
    PyObject *xid;       /* of the transaction begun by tpc_begin, or NULL */
    PyObject *dsn;       /* without password */
    PyObject *weakrefs;
    int read_only, deferrable; /* 0, 1 or IMIGPY_UNSET */
    imigpy_queue queue;
    bool pipeline; /* execute() may queue */
    bool autocommit;
    bool begun;        /* we sent BEGIN and not yet COMMIT or ROLLBACK */
    bool prepared;     /* tpc_prepare was called */
    bool busy;         /* a call is under way */
    bool close_wanted; /* close() was called meanwhile */
    bool lost;         /* closed because the connection broke */
} imigpy_conn;

/* First thing in each call that uses the server: 0, and the connection is ours until
 * imigpy_conn_leave(); -1 with an exception: closed, of another process, or busy. */
IMIG_NODISCARD int imigpy_conn_enter(imigpy_conn *self);
void imigpy_conn_leave(imigpy_conn *self);

/* As imigpy_conn_enter but for calls that only look. */
IMIG_NODISCARD int imigpy_conn_check(imigpy_conn *self);

/* Close without waiting; never fails. */
void imigpy_conn_close(imigpy_conn *self);

/* Run `sql` between enter and leave, BEGIN before it where a transaction is due.
 * `cursor` (may be NULL) is named in the exception. NULL with an exception. */
IMIG_NODISCARD PGresult *imigpy_conn_execute(imigpy_conn *self, PyObject *cursor,
                                             const imig_buf *sql);
/* The same without BEGIN. */
IMIG_NODISCARD PGresult *imigpy_conn_command(imigpy_conn *self, PyObject *cursor,
                                             const imig_buf *sql);

/* As imigpy_conn_execute for a COPY statement: the connection is in the COPY when this
 * returns 1, and not when it returns 0 (*result is what came instead). */
IMIG_NODISCARD int imigpy_conn_start_copy(imigpy_conn *self, PyObject *cursor,
                                          const imig_buf *sql, PGresult **result);
/* Wait for the end of what is under way. */
IMIG_NODISCARD PGresult *imigpy_conn_finish(imigpy_conn *self, PyObject *cursor,
                                            const imig_buf *sql);

/* A COPY FROM STDIN that has begun (pq_copy.c). */
typedef struct imigpy_copy {
    imigpy_conn *conn;
    PyObject *cursor;
    const imig_buf *sql;
    /* Of the step that is being waited for: */
    const char *bytes;
    size_t len;
    const char *reason;
} imigpy_copy;

/* Send data, when what was sent before has left. 0, or -1 with an exception. */
IMIG_NODISCARD int imigpy_copy_put(imigpy_copy *copy, const char *bytes, size_t len);
/* End it, and await the outcome. NULL with an exception. */
IMIG_NODISCARD PGresult *imigpy_copy_end(imigpy_copy *copy);
/* Have the server fail it. The exception that is raised is kept; without one there is
 * none afterwards, or KeyboardInterrupt. */
void imigpy_copy_give_up(imigpy_copy *copy, const char *reason);

/* Learn encoding and styles from what the server reported (pq_conn_attr.c). */
void imigpy_conn_read_settings(imigpy_conn *self);
/* Take notices, notifications and changed settings over; keeps the exception. */
void imigpy_conn_after(imigpy_conn *self);

/* The Python side of transactions (pq_tx.c). */
IMIG_NODISCARD int imigpy_conn_begin(imigpy_conn *self);
/* The same as a part of the queue. */
IMIG_NODISCARD int imigpy_conn_begin_queued(imigpy_conn *self);
PyObject *imigpy_conn_commit(PyObject *conn, PyObject *unused);
PyObject *imigpy_conn_rollback(PyObject *conn, PyObject *unused);
PyObject *imigpy_conn_tpc_begin(PyObject *conn, PyObject *xid);
PyObject *imigpy_conn_tpc_prepare(PyObject *conn, PyObject *unused);
PyObject *imigpy_conn_tpc_commit(PyObject *conn, PyObject *const *args,
                                 Py_ssize_t count);
PyObject *imigpy_conn_tpc_rollback(PyObject *conn, PyObject *const *args,
                                   Py_ssize_t count);
PyObject *imigpy_conn_tpc_recover(PyObject *conn, PyObject *unused);
PyObject *imigpy_conn_xid(PyObject *conn, PyObject *args);

/* Attributes (pq_conn_attr.c). */
extern PyGetSetDef imigpy_conn_getset[];
PyObject *imigpy_info_new(imigpy_conn *conn);

/* ---- Waiting (pq_wait.c) ---- */

typedef imig_pq_step (*imigpy_step)(void *arg, int *want, imig_error *err);

/* Take steps until they end, with the GIL released while waiting: IMIG_PQ_DONE, or
 * IMIG_PQ_FAILED with `err` filled and no exception, or IMIG_PQ_AGAIN with an exception
 * of a signal handler (KeyboardInterrupt) after what was under way has been cancelled:
 * the connection is then idle within its transaction, or closed. */
IMIG_NODISCARD imig_pq_step imigpy_wait(imigpy_conn *self, imigpy_step step, void *arg,
                                        imig_error *err);
/* Cancel what is under way, take what still comes, and keep the exception that is
 * raised.  Where that takes longer than `limit_ms`, the connection will be closed. */
void imigpy_stop(imigpy_conn *self, int limit_ms);
enum {
    IMIGPY_INTERRUPT_MS = 800, /* after Ctrl-C: who types it waits for it */
    IMIGPY_SKIP_MS = 5000,
};
/* Connect; an interrupt leaves the connection closed. Result as imigpy_wait. */
IMIG_NODISCARD imig_pq_step imigpy_wait_connect(imigpy_conn *self, imig_error *err);
/* Send a cancel request and wait for its arrival, at most `timeout_ms` (-1: for
 * ever).  Needs no enter: another thread may be waiting on the connection. */
IMIG_NODISCARD int imigpy_wait_cancel(imigpy_conn *self, int timeout_ms);

/* ---- Exceptions (pq_raise.c) ---- */

/* Raise errors.<name>; always NULL. */
PyObject *imigpy_raise_named(const pq_state *state, const char *name, const char *fmt,
                             ...);
/* Raise what an error result says; `pg` stays the caller's. */
void imigpy_raise_result(imigpy_conn *self, PyObject *cursor, const PGresult *pg,
                         const imig_buf *sql);
/* Raise the loss of the connection, or IMIG_E_NOMEM and so on. */
void imigpy_raise_failed(imigpy_conn *self, PyObject *cursor, const imig_error *err,
                         const imig_buf *sql);
/* Raise the refusal of a connection that never was. */
void imigpy_raise_connect(imigpy_conn *self, const imig_error *err);
/* Server text in the connection's encoding, never failing for what it contains. */
IMIG_NODISCARD PyObject *imigpy_text(const imigpy_codec *codec, const char *text,
                                     Py_ssize_t len);

/* ---- Cursors (pq_cursor*.c) ---- */

typedef struct imigpy_cursor {
    PyObject_HEAD imigpy_conn *conn;
    imigpy_result *result;   /* NULL: no rows to fetch */
    imigpy_pending *pending; /* queued, and not looked at yet; or NULL */
    PyObject *description;   /* made when asked for; Py_None: there is none */
    PyObject *status;        /* command tag, str or NULL */
    PyObject *query;         /* what was sent, bytes or NULL */
    PyObject *name;          /* of a server-side cursor, or NULL */
    PyObject *quoted;        /* ... as SQL, bytes */
    PyObject *weakrefs;
    Py_ssize_t at; /* next row of result */
    Py_ssize_t rowcount;
    Py_ssize_t arraysize;
    Py_ssize_t itersize;
    Py_ssize_t passed; /* rows before `result`, of a server-side cursor */
    int scrollable;    /* 0, 1 or IMIGPY_UNSET */
    bool withhold;
    bool declared;
    bool exhausted; /* server-side: the last FETCH came back short */
    bool closed;
} imigpy_cursor;

/* New cursor on `conn`; `name` is str or NULL. */
IMIG_NODISCARD PyObject *imigpy_cursor_new(imigpy_conn *conn, PyObject *name,
                                           int scrollable, bool withhold);
/* 0, or -1 with InterfaceError: cursor or connection closed. */
IMIG_NODISCARD int imigpy_cursor_check(const imigpy_cursor *self);
/* Make a result, which this takes, the cursor's. */
IMIG_NODISCARD int imigpy_cursor_adopt(imigpy_cursor *self, PGresult *pg);
/* Await a queued statement of this cursor, and take its count and tag over. */
IMIG_NODISCARD int imigpy_cursor_await(imigpy_cursor *self);
/* Forget the last statement. */
void imigpy_cursor_reset(imigpy_cursor *self);
/* Statement and parameters to `out`: literals in the place of placeholders. */
IMIG_NODISCARD int imigpy_cursor_merge(const imigpy_cursor *self, imig_buf *out,
                                       PyObject *sql, PyObject *params);
/* 0, or -1 with ProgrammingError: a server-side cursor, which has no `what`(). */
IMIG_NODISCARD int imigpy_cursor_check_plain(const imigpy_cursor *self,
                                             const char *what);
/* execute(), awaited. */
IMIG_NODISCARD int imigpy_cursor_run(imigpy_cursor *self, PyObject *sql,
                                     PyObject *params);
/* Server-side: FETCH `count` rows, -1 = all, into the cursor. */
IMIG_NODISCARD int imigpy_cursor_pull(imigpy_cursor *self, Py_ssize_t count);

PyObject *imigpy_cursor_execute(PyObject *cursor, PyObject *args, PyObject *kwargs);
PyObject *imigpy_cursor_enqueue(PyObject *cursor, PyObject *args, PyObject *kwargs);
PyObject *imigpy_cursor_executemany(PyObject *cursor, PyObject *args, PyObject *kwargs);
PyObject *imigpy_cursor_mogrify(PyObject *cursor, PyObject *args, PyObject *kwargs);
PyObject *imigpy_cursor_callproc(PyObject *cursor, PyObject *args, PyObject *kwargs);
PyObject *imigpy_cursor_fetchone(PyObject *cursor, PyObject *unused);
PyObject *imigpy_cursor_fetchmany(PyObject *cursor, PyObject *args, PyObject *kwargs);
PyObject *imigpy_cursor_fetchall(PyObject *cursor, PyObject *unused);
PyObject *imigpy_cursor_next(PyObject *cursor);
PyObject *imigpy_cursor_scroll(PyObject *cursor, PyObject *args, PyObject *kwargs);
PyObject *imigpy_cursor_copy_expert(PyObject *cursor, PyObject *args, PyObject *kwargs);
PyObject *imigpy_cursor_copy_rows(PyObject *cursor, PyObject *args);

#endif /* PQ_CONN_H */
