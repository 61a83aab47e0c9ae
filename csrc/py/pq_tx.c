/* pq_tx.c - transactions: the BEGIN that nobody wrote, commit, rollback, two phases.
 *
 * As psycopg2: BEGIN goes before the first statement, and not again before commit() or
 * rollback() was called, even if a COMMIT came as text: migrations that say COMMIT and
 * then CREATE INDEX CONCURRENTLY live on that. */
#include "pq_conn.h"

static bool
is_idle(const imigpy_conn *self)
{
    return PQtransactionStatus(imig_pq_raw(self->pq)) == PQTRANS_IDLE;
}

/* Run SQL of our own. 0, or -1 with an exception. */
static int
run(imigpy_conn *self, imig_buf *sql)
{
    PGresult *pg = imigpy_conn_command(self, NULL, sql);
    imig_buf_clear(sql);
    PQclear(pg);
    return pg != NULL ? 0 : -1;
}

static int
run_text(imigpy_conn *self, const char *text)
{
    imig_buf sql = IMIG_BUF_INIT;
    imig_buf_str(&sql, text);
    return run(self, &sql);
}

/* Whether a BEGIN goes before the next statement. */
static bool
is_begin_due(const imigpy_conn *self)
{
    return !self->autocommit && !self->begun && !imigpy_queue_is_open(self) &&
           is_idle(self);
}

/* BEGIN with what has been set for the transactions to come. */
static int
begin_text(const imigpy_conn *self, imig_buf *sql)
{
    imig_buf_str(sql, "BEGIN");
    if (self->isolation != NULL) {
        const char *level = PyUnicode_AsUTF8(self->isolation);
        if (level == NULL) {
            imig_buf_clear(sql);
            return -1;
        }
        imig_buf_str(sql, " ISOLATION LEVEL ");
        imig_buf_str(sql, level);
    }
    if (self->read_only != IMIGPY_UNSET)
        imig_buf_str(sql, self->read_only ? " READ ONLY" : " READ WRITE");
    if (self->deferrable != IMIGPY_UNSET)
        imig_buf_str(sql, self->deferrable ? " DEFERRABLE" : " NOT DEFERRABLE");
    return 0;
}

int
imigpy_conn_begin(imigpy_conn *self)
{
    imig_buf sql = IMIG_BUF_INIT;
    if (!is_begin_due(self))
        return 0;
    if (begin_text(self, &sql) < 0 || run(self, &sql) < 0)
        return -1;
    self->begun = true;
    return 0;
}

int
imigpy_conn_begin_queued(imigpy_conn *self)
{
    imig_buf sql = IMIG_BUF_INIT;
    if (!is_begin_due(self))
        return 0;
    if (begin_text(self, &sql) < 0)
        return -1;
    int outcome = sql.data != NULL ? imigpy_queue_add_text(self, sql.data) : -1;
    if (sql.data == NULL)
        PyErr_NoMemory();
    imig_buf_clear(&sql);
    self->begun = outcome == 0;
    return outcome;
}

/* ROLLBACK where it is needed and possible; keeps the exception. */
static void
take_back(imigpy_conn *self)
{
    PyObject *type, *value, *traceback;
    if (self->pq == NULL || imig_pq_is_broken(self->pq) || self->close_wanted ||
        is_idle(self))
        return;
    PyErr_Fetch(&type, &value, &traceback);
    if (run_text(self, "ROLLBACK") < 0 && type != NULL)
        PyErr_Clear();
    if (type != NULL)
        PyErr_Restore(type, value, traceback);
}

/* COMMIT travels with what is queued. */
static int
commit_queued(imigpy_conn *self)
{
    int outcome = 0;
    if (self->queue.failed == NULL)
        outcome = imigpy_queue_add_text(self, "COMMIT");
    if (outcome == 0)
        outcome = imigpy_queue_sync(self, NULL);
    imigpy_queue_forget(self);
    if (outcome < 0)
        take_back(self);
    return outcome;
}

/* What is queued was sent already and is awaited.  Its failure is raised, because
 * nobody has heard of it, except where it was raised before or another exception is why
 * all this is rolled back. */
static int
rollback_queued(imigpy_conn *self)
{
    PyObject *handled = PyErr_GetHandledException();
    bool told = self->queue.raised || (handled != NULL && handled != Py_None);
    Py_XDECREF(handled);
    if (imigpy_queue_sync(self, NULL) < 0 && told &&
        PyErr_ExceptionMatches(PyExc_Exception))
        PyErr_Clear();
    imigpy_queue_forget(self);
    take_back(self);
    return PyErr_Occurred() ? -1 : 0;
}

/* COMMIT.  Of a transaction in which a statement failed it is a ROLLBACK, and no error;
 * as with psycopg2, but that a warning is logged. */
static int
run_commit(imigpy_conn *self)
{
    imig_buf sql = IMIG_BUF_INIT;
    imig_buf_str(&sql, "COMMIT");
    PGresult *pg = imigpy_conn_command(self, NULL, &sql);
    imig_buf_clear(&sql);
    if (pg == NULL)
        return -1;
    bool undone = strcmp(PQcmdStatus(pg), "ROLLBACK") == 0;
    PQclear(pg);
    PyObject *warned =
        undone ? PyObject_CallNoArgs(self->state->warn_not_committed) : NULL;
    Py_XDECREF(warned);
    return undone && warned == NULL ? -1 : 0;
}

/* End the transaction, if there is one.  One that cannot be committed is rolled back:
 * a caller that sees the exception believes it is over. */
static int
end(imigpy_conn *self, bool commit)
{
    self->begun = false;
    if (imigpy_queue_is_busy(self))
        return commit ? commit_queued(self) : rollback_queued(self);
    imigpy_queue_forget(self);
    if (is_idle(self))
        return 0;
    int outcome = commit ? run_commit(self) : run_text(self, "ROLLBACK");
    if (outcome < 0)
        take_back(self);
    return outcome;
}

/* commit() and rollback(), which two-phase transactions do not allow. */
static PyObject *
end_call(PyObject *conn, bool commit)
{
    const char *name = commit ? "commit" : "rollback";
    imigpy_conn *self = (imigpy_conn *)conn;
    if (imigpy_conn_enter(self) < 0)
        return NULL;
    int outcome = -1;
    if (self->xid != NULL)
        (void)imigpy_raise_named(self->state, "ProgrammingError",
                                 "%s() is not for a transaction of tpc_begin(); use "
                                 "tpc_%s()",
                                 name, name);
    else
        outcome = end(self, commit);
    imigpy_conn_leave(self);
    if (outcome < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *
imigpy_conn_commit(PyObject *conn, PyObject *Py_UNUSED(unused))
{
    return end_call(conn, true);
}

PyObject *
imigpy_conn_rollback(PyObject *conn, PyObject *Py_UNUSED(unused))
{
    return end_call(conn, false);
}

/* ---- Two phases ---- */

PyObject *
imigpy_conn_xid(PyObject *conn, PyObject *args)
{
    return PyObject_Call(((imigpy_conn *)conn)->state->Xid, args, NULL);
}

/* `command` with the identifier as a literal. */
static int
run_with_xid(imigpy_conn *self, const char *command, PyObject *xid)
{
    imig_buf sql = IMIG_BUF_INIT;
    PyObject *text = PyObject_Str(xid);
    int outcome = -1;
    if (text == NULL)
        return -1;
    imig_buf_str(&sql, command);
    if (imigpy_literal(&self->codec, &sql, text) == 0)
        outcome = run(self, &sql);
    else
        imig_buf_clear(&sql);
    Py_DECREF(text);
    return outcome;
}

PyObject *
imigpy_conn_tpc_begin(PyObject *conn, PyObject *xid)
{
    imigpy_conn *self = (imigpy_conn *)conn;
    int outcome = -1;
    if (imigpy_conn_enter(self) < 0)
        return NULL;
    if (self->xid != NULL || self->begun || !is_idle(self)) {
        (void)imigpy_raise_named(self->state, "ProgrammingError",
                                 "tpc_begin() within a transaction");
    } else if (self->autocommit) {
        (void)imigpy_raise_named(self->state, "ProgrammingError",
                                 "tpc_begin() in autocommit mode");
    } else if ((outcome = imigpy_conn_begin(self)) == 0) {
        self->xid = Py_NewRef(xid);
        self->prepared = false;
    }
    imigpy_conn_leave(self);
    if (outcome < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *
imigpy_conn_tpc_prepare(PyObject *conn, PyObject *Py_UNUSED(unused))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    int outcome = -1;
    if (imigpy_conn_enter(self) < 0)
        return NULL;
    if (self->xid == NULL || self->prepared) {
        (void)imigpy_raise_named(self->state, "ProgrammingError",
                                 "tpc_prepare() without tpc_begin()");
    } else if ((outcome = run_with_xid(self, "PREPARE TRANSACTION ", self->xid)) == 0) {
        self->prepared = true;
        self->begun = false;
    }
    imigpy_conn_leave(self);
    if (outcome < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* The transaction that tpc_begin() began. */
static int
end_own(imigpy_conn *self, bool commit, const char *prepared)
{
    if (self->xid == NULL) {
        (void)imigpy_raise_named(self->state, "ProgrammingError",
                                 "no transaction of tpc_begin(), and no identifier");
        return -1;
    }
    int outcome =
        self->prepared ? run_with_xid(self, prepared, self->xid) : end(self, commit);
    /* What stays prepared can be ended by its identifier. */
    Py_CLEAR(self->xid);
    self->prepared = self->begun = false;
    return outcome;
}

/* A prepared transaction, maybe of another connection. */
static int
end_other(imigpy_conn *self, const char *prepared, PyObject *xid)
{
    if (self->xid == NULL && !self->begun && is_idle(self))
        return run_with_xid(self, prepared, xid);
    (void)imigpy_raise_named(self->state, "ProgrammingError",
                             "a prepared transaction is ended outside a transaction");
    return -1;
}

static PyObject *
tpc_end(PyObject *conn, PyObject *const *args, Py_ssize_t count, bool commit)
{
    imigpy_conn *self = (imigpy_conn *)conn;
    const char *prepared = commit ? "COMMIT PREPARED " : "ROLLBACK PREPARED ";
    if (count > 1)
        return PyErr_Format(PyExc_TypeError, "at most one identifier, not %zd", count);
    if (imigpy_conn_enter(self) < 0)
        return NULL;
    int outcome = count == 0 || args[0] == Py_None ? end_own(self, commit, prepared)
                                                   : end_other(self, prepared, args[0]);
    imigpy_conn_leave(self);
    if (outcome < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *
imigpy_conn_tpc_commit(PyObject *conn, PyObject *const *args, Py_ssize_t count)
{
    return tpc_end(conn, args, count, true);
}

PyObject *
imigpy_conn_tpc_rollback(PyObject *conn, PyObject *const *args, Py_ssize_t count)
{
    return tpc_end(conn, args, count, false);
}

static const char *const PREPARED =
    "SELECT gid, prepared, owner, database FROM pg_catalog.pg_prepared_xacts "
    "WHERE database = pg_catalog.current_database() ORDER BY prepared";

/* Rows of pg_prepared_xacts as a list of Xid. */
static PyObject *
recovered(imigpy_conn *self, PGresult *pg)
{
    imigpy_result *result = imigpy_result_new(pg);
    if (result == NULL)
        return NULL;
    PyObject *rows = imigpy_result_rows(result, 0, result->rows, &self->codec);
    imigpy_result_release(result);
    for (Py_ssize_t i = 0; rows != NULL && i < PyList_GET_SIZE(rows); i++) {
        PyObject *xid = PyObject_CallMethod(self->state->Xid, "of_row", "(O)",
                                            PyList_GET_ITEM(rows, i));
        if (xid == NULL || PyList_SetItem(rows, i, xid) < 0)
            Py_CLEAR(rows);
    }
    return rows;
}

PyObject *
imigpy_conn_tpc_recover(PyObject *conn, PyObject *Py_UNUSED(unused))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    imig_buf sql = IMIG_BUF_INIT;
    if (imigpy_conn_enter(self) < 0)
        return NULL;
    imig_buf_str(&sql, PREPARED);
    PGresult *pg = imigpy_conn_command(self, NULL, &sql);
    imig_buf_clear(&sql);
    PyObject *found = pg != NULL ? recovered(self, pg) : NULL;
    imigpy_conn_leave(self);
    return found;
}
