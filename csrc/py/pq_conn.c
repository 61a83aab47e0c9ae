/* pq_conn.c - the connection object: making, guarding, running, closing. */
#include "pq_conn.h"

#include <structmember.h>

#include "imig_alloc.h"

/* ---- Guards ---- */

int
imigpy_conn_check(imigpy_conn *self)
{
    if (self->pq == NULL || self->close_wanted) {
        (void)imigpy_raise_named(self->state, "InterfaceError",
                                 "connection already closed");
        return -1;
    }
    if (!imig_pq_is_ours(self->pq)) {
        (void)imigpy_raise_named(
            self->state, "InterfaceError",
            "the connection belongs to the process that this one was forked from; "
            "connect again");
        return -1;
    }
    return 0;
}

int
imigpy_conn_enter(imigpy_conn *self)
{
    if (imigpy_conn_check(self) < 0)
        return -1;
    if (self->busy) {
        (void)imigpy_raise_named(
            self->state, "ProgrammingError",
            "the connection is in use by another thread, or by the statement that a "
            "signal handler interrupts; only cancel() and close() are possible now");
        return -1;
    }
    self->busy = true;
    return 0;
}

/* Null the handle first: whoever comes while PQfinish waits sees a closed one. */
static void
finish(imigpy_conn *self)
{
    imig_pq_conn *pq = self->pq;
    self->pq = NULL;
    self->close_wanted = false;
    self->begun = false;
    imigpy_queue_clear(self);
    if (pq == NULL)
        return;
    Py_BEGIN_ALLOW_THREADS
        imig_pq_free(pq);
    Py_END_ALLOW_THREADS
}

void
imigpy_conn_leave(imigpy_conn *self)
{
    self->busy = false;
    if (self->pq == NULL)
        return;
    bool broken = imig_pq_is_broken(self->pq);
    if (broken && !self->close_wanted)
        self->lost = true;
    if (broken || self->close_wanted) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        finish(self);
        PyErr_Restore(type, value, traceback);
    }
}

void
imigpy_conn_close(imigpy_conn *self)
{
    if (self->pq == NULL)
        return;
    if (self->busy && imig_pq_is_ours(self->pq)) {
        /* The call that is under way finishes it. */
        self->close_wanted = true;
        imig_pq_abort(self->pq);
        return;
    }
    finish(self);
}

/* ---- What comes beside results ---- */

static void
take_notices(imigpy_conn *self)
{
    char *text;
    while ((text = imig_pq_take_notice(self->pq)) != NULL) {
        PyObject *notice = imigpy_text(&self->codec, text, (Py_ssize_t)strlen(text));
        imig_free(text);
        if (notice == NULL || PyList_Append(self->notices, notice) < 0)
            PyErr_Clear();
        Py_XDECREF(notice);
    }
    Py_ssize_t surplus = PyList_GET_SIZE(self->notices) - IMIG_PQ_NOTICES;
    if (surplus > 0 && PyList_SetSlice(self->notices, 0, surplus, NULL) < 0)
        PyErr_Clear();
}

static void
take_notifies(imigpy_conn *self)
{
    PGnotify *found;
    while ((found = imig_pq_take_notify(self->pq)) != NULL) {
        PyObject *notify = PyObject_CallFunction(
            self->state->Notify, "iss", found->be_pid, found->relname, found->extra);
        PQfreemem(found);
        if (notify == NULL || PyList_Append(self->notifies, notify) < 0)
            PyErr_Clear();
        Py_XDECREF(notify);
    }
}

void
imigpy_conn_after(imigpy_conn *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    take_notices(self);
    take_notifies(self);
    imigpy_conn_read_settings(self);
    PyErr_Restore(type, value, traceback);
}

/* ---- Running ---- */

static imig_pq_step
pump_step(void *arg, int *want, imig_error *err)
{
    return imig_pq_pump(arg, want, err);
}

/* Pump to the end of the statement or into a COPY. 0, or -1 with an exception. */
static int
pump(imigpy_conn *self, PyObject *cursor, const imig_buf *sql)
{
    imig_error err = {0};
    imig_pq_step outcome = imigpy_wait(self, pump_step, self->pq, &err);
    imigpy_conn_after(self);
    if (outcome == IMIG_PQ_DONE)
        return 0;
    if (outcome == IMIG_PQ_FAILED)
        imigpy_raise_failed(self, cursor, &err, sql);
    return -1;
}

/* The result of the statement that ended, if it is none of an error. */
static PGresult *
good_result(imigpy_conn *self, PyObject *cursor, const imig_buf *sql)
{
    PGresult *pg = imig_pq_take_result(self->pq);
    if (pg == NULL) {
        imig_error err;
        (void)imig_pq_lost(self->pq, &err);
        imigpy_raise_failed(self, cursor, &err, sql);
        return NULL;
    }
    switch (PQresultStatus(pg)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        self->state->rows += (unsigned long long)PQntuples(pg);
        return pg;
    default:
        if (self->close_wanted)
            imigpy_raise_failed(self, cursor, &(imig_error){.status = IMIG_E_LOST},
                                sql);
        else
            imigpy_raise_result(self, cursor, pg, sql);
        PQclear(pg);
        return NULL;
    }
}

static int
send_sql(imigpy_conn *self, PyObject *cursor, const imig_buf *sql)
{
    imig_error err;
    if (sql->failed || sql->data == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (imigpy_queue_is_busy(self) && imigpy_queue_sync(self, cursor) < 0)
        return -1;
    self->state->statements++;
    self->state->round_trips++;
    if (imig_pq_send(self->pq, sql->data, &err) == IMIG_OK)
        return 0;
    imigpy_raise_failed(self, cursor, &err, sql);
    return -1;
}

static imig_pq_step
end_copy_step(void *arg, int *want, imig_error *err)
{
    return imig_pq_copy_end(arg, "COPY needs a file: use copy_expert()", want, err);
}

static imig_pq_step
skip_copy_step(void *arg, int *want, imig_error *err)
{
    char *row = NULL;
    size_t len;
    imig_pq_step outcome;
    do {
        outcome = imig_pq_copy_get(arg, &row, &len, want, err);
        PQfreemem(row);
    } while (outcome == IMIG_PQ_DONE && imig_pq_get_phase(arg) == IMIG_PQ_COPY_OUT);
    return outcome;
}

/* A COPY that nobody gave a file: end it and refuse, as psycopg2 does. */
static PGresult *
refuse_copy(imigpy_conn *self, PyObject *cursor, const imig_buf *sql)
{
    while (imig_pq_get_phase(self->pq) != IMIG_PQ_READY) {
        imig_error err = {0};
        imig_pq_phase phase = imig_pq_get_phase(self->pq);
        imig_pq_step outcome = IMIG_PQ_DONE;
        if (phase != IMIG_PQ_RUNNING)
            outcome = imigpy_wait(
                self, phase == IMIG_PQ_COPY_IN ? end_copy_step : skip_copy_step,
                self->pq, &err);
        if (outcome == IMIG_PQ_FAILED)
            imigpy_raise_failed(self, cursor, &err, sql);
        if (outcome != IMIG_PQ_DONE || pump(self, cursor, sql) < 0)
            return NULL;
    }
    PQclear(imig_pq_take_result(self->pq));
    return (PGresult *)(void *)imigpy_raise_named(
        self->state, "ProgrammingError",
        "COPY FROM STDIN and COPY TO STDOUT need a file: use copy_expert()");
}

PGresult *
imigpy_conn_finish(imigpy_conn *self, PyObject *cursor, const imig_buf *sql)
{
    if (pump(self, cursor, sql) < 0)
        return NULL;
    if (imig_pq_get_phase(self->pq) != IMIG_PQ_READY)
        return refuse_copy(self, cursor, sql);
    return good_result(self, cursor, sql);
}

PGresult *
imigpy_conn_command(imigpy_conn *self, PyObject *cursor, const imig_buf *sql)
{
    if (send_sql(self, cursor, sql) < 0)
        return NULL;
    return imigpy_conn_finish(self, cursor, sql);
}

PGresult *
imigpy_conn_execute(imigpy_conn *self, PyObject *cursor, const imig_buf *sql)
{
    if (imigpy_conn_begin(self) < 0)
        return NULL;
    return imigpy_conn_command(self, cursor, sql);
}

int
imigpy_conn_start_copy(imigpy_conn *self, PyObject *cursor, const imig_buf *sql,
                       PGresult **result)
{
    *result = NULL;
    if (imigpy_conn_begin(self) < 0 || send_sql(self, cursor, sql) < 0 ||
        pump(self, cursor, sql) < 0)
        return -1;
    if (imig_pq_get_phase(self->pq) != IMIG_PQ_READY)
        return 1;
    *result = good_result(self, cursor, sql);
    return *result != NULL ? 0 : -1;
}

/* ---- Life ---- */

static int
conn_traverse(imigpy_conn *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->json_loads);
    Py_VISIT(self->notices);
    Py_VISIT(self->notifies);
    Py_VISIT(self->isolation);
    Py_VISIT(self->xid);
    return imigpy_queue_traverse(&self->queue, visit, arg);
}

static int
conn_clear(imigpy_conn *self)
{
    self->codec.json_loads = NULL;
    Py_CLEAR(self->json_loads);
    Py_CLEAR(self->notices);
    Py_CLEAR(self->notifies);
    Py_CLEAR(self->isolation);
    Py_CLEAR(self->xid);
    imigpy_queue_drop_labels(&self->queue);
    Py_CLEAR(self->dsn);
    return 0;
}

/* An open connection is being given up: say so, as sqlite3 and sockets do. */
static void
conn_finalize(PyObject *conn)
{
    imigpy_conn *self = (imigpy_conn *)conn;
    PyObject *type, *value, *traceback;
    if (self->pq == NULL)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    bool connected = imig_pq_raw(self->pq) != NULL;
    if (connected && imig_pq_is_ours(self->pq) &&
        PyErr_ResourceWarning(conn, 1, "unclosed connection %R", conn) < 0)
        PyErr_WriteUnraisable(conn);
    finish(self);
    PyErr_Restore(type, value, traceback);
}

static void
conn_dealloc(imigpy_conn *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0)
        return;
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs((PyObject *)self);
    finish(self);
    (void)conn_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- connect() ---- */

const char imigpy_connect_doc[] =
    "connect($self, options, json_loads=None, clamp_infinity=False)\n--\n\n"
    "Connect with libpq's options, a dict of str.";

/* The dict as two arrays ended by NULL, of borrowed texts. */
static int
split_options(PyObject *options, const char **keywords, const char **values)
{
    PyObject *key, *value;
    Py_ssize_t at = 0, n = 0;
    while (PyDict_Next(options, &at, &key, &value)) {
        if ((keywords[n] = PyUnicode_AsUTF8(key)) == NULL ||
            (values[n] = PyUnicode_AsUTF8(value)) == NULL)
            return -1;
        n++;
    }
    keywords[n] = values[n] = NULL;
    return 0;
}

/* Connect and wait; 0, or -1 with an exception. */
static int
open_connection(imigpy_conn *self, PyObject *options)
{
    imig_error err = {0};
    int outcome = -1;
    size_t room = (size_t)PyDict_GET_SIZE(options) + 1;
    const char **keywords = imig_alloc_array(room, sizeof *keywords);
    const char **values = imig_alloc_array(room, sizeof *values);
    if (keywords == NULL || values == NULL) {
        PyErr_NoMemory();
        goto out;
    }
    if (split_options(options, keywords, values) < 0)
        goto out;
    imig_status st;
    Py_BEGIN_ALLOW_THREADS
        st = imig_pq_connect_start(self->pq, keywords, values, &err);
    Py_END_ALLOW_THREADS
    imig_pq_step step =
        st == IMIG_OK ? imigpy_wait_connect(self, &err) : IMIG_PQ_FAILED;
    if (step == IMIG_PQ_FAILED)
        imigpy_raise_connect(self, &err);
    else if (step == IMIG_PQ_DONE)
        outcome = 0;
out:
    imig_free(keywords);
    imig_free(values);
    return outcome;
}

/* What the session must be told before it is of use; mostly nothing.  As psycopg2's
 * conn_setup: dates are exchanged in ISO style, whatever role or database have set; the
 * order of day and month stays.  A database in SQL_ASCII holds bytes that are no UTF-8,
 * and would refuse to send them as such. */
static int
settle(imigpy_conn *self)
{
    imig_buf sql = IMIG_BUF_INIT;
    imigpy_conn_after(self);
    const char *server = PQparameterStatus(imig_pq_raw(self->pq), "server_encoding");
    if (self->codec.foreign_datestyle)
        imig_buf_str(&sql, "SET DateStyle = ISO;");
    if (server != NULL && strcmp(server, "SQL_ASCII") == 0)
        imig_buf_str(&sql, "SET client_encoding = 'SQL_ASCII'");
    if (sql.len == 0)
        return 0;
    PGresult *pg = imigpy_conn_command(self, NULL, &sql);
    imig_buf_clear(&sql);
    PQclear(pg);
    return pg != NULL ? 0 : -1;
}

static imigpy_conn *
new_conn(pq_state *state, PyObject *json_loads, bool clamp)
{
    PyTypeObject *type = state->connection;
    imigpy_conn *self = (imigpy_conn *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->state = state;
    imigpy_codec_init(&self->codec, &state->values);
    self->codec.clamp_infinity = clamp;
    if (json_loads != Py_None) {
        self->json_loads = Py_NewRef(json_loads);
        self->codec.json_loads = json_loads;
    }
    self->read_only = self->deferrable = IMIGPY_UNSET;
    self->notices = PyList_New(0);
    self->notifies = PyList_New(0);
    self->pq = imig_pq_new();
    if (self->pq == NULL)
        PyErr_NoMemory();
    if (self->notices == NULL || self->notifies == NULL || self->pq == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return self;
}

PyObject *
imigpy_connect(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"options", "json_loads", "clamp_infinity",
                                        NULL};
    PyObject *options, *json_loads = Py_None;
    int clamp = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|Op:connect", IMIGPY_NAMES(names),
                                     &PyDict_Type, &options, &json_loads, &clamp))
        return NULL;
    pq_state *state = pq_get_state(module);
    imigpy_conn *self = new_conn(state, json_loads, clamp != 0);
    if (self == NULL)
        return NULL;
    self->busy = true;
    int outcome = open_connection(self, options);
    if (outcome == 0)
        outcome = settle(self);
    self->busy = false;
    if (outcome < 0) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        finish(self);
        PyErr_Restore(type, value, traceback);
        Py_DECREF(self);
        return NULL;
    }
    state->connections++;
    return (PyObject *)self;
}

/* ---- Methods ---- */

static PyObject *
conn_cursor(PyObject *conn, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"name", "scrollable", "withhold", NULL};
    imigpy_conn *self = (imigpy_conn *)conn;
    PyObject *name = Py_None, *scrollable = Py_None;
    int withhold = 0, scroll = IMIGPY_UNSET;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOp:cursor", IMIGPY_NAMES(names),
                                     &name, &scrollable, &withhold))
        return NULL;
    if (scrollable != Py_None && (scroll = PyObject_IsTrue(scrollable)) < 0)
        return NULL;
    if (name != Py_None && !PyUnicode_Check(name))
        return PyErr_Format(PyExc_TypeError, "a cursor's name is str, not %s",
                            Py_TYPE(name)->tp_name);
    if (imigpy_conn_check(self) < 0)
        return NULL;
    return imigpy_cursor_new(self, name != Py_None ? name : NULL, scroll,
                             withhold != 0);
}

static PyObject *
conn_close(PyObject *conn, PyObject *Py_UNUSED(unused))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    if (self->pq != NULL && !imig_pq_is_ours(self->pq)) {
        return imigpy_conn_check(self) < 0 ? NULL : Py_NewRef(Py_None);
    }
    int outcome = imigpy_queue_warn(self);
    imigpy_conn_close(self);
    if (outcome < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
conn_cancel(PyObject *conn, PyObject *Py_UNUSED(unused))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    if (imigpy_conn_check(self) < 0 || imigpy_wait_cancel(self, -1) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
conn_fileno(PyObject *conn, PyObject *Py_UNUSED(unused))
{
    imigpy_conn *self = (imigpy_conn *)conn;
    if (imigpy_conn_check(self) < 0)
        return NULL;
    return PyLong_FromLong(imig_pq_fd(self->pq));
}

static PyObject *
conn_enter(PyObject *conn, PyObject *Py_UNUSED(unused))
{
    if (imigpy_conn_check((imigpy_conn *)conn) < 0)
        return NULL;
    return Py_NewRef(conn);
}

/* As psycopg2: the end of the block ends the transaction, not the connection. */
static PyObject *
conn_exit(PyObject *conn, PyObject *const *args, Py_ssize_t count)
{
    PyObject *done = count > 0 && args[0] != Py_None ? imigpy_conn_rollback(conn, NULL)
                                                     : imigpy_conn_commit(conn, NULL);
    Py_XDECREF(done);
    if (done == NULL)
        return NULL;
    Py_RETURN_FALSE;
}

static PyObject *
conn_repr(PyObject *conn)
{
    imigpy_conn *self = (imigpy_conn *)conn;
    const char *closed = self->pq == NULL ? " closed" : "";
    if (self->dsn == NULL)
        return PyUnicode_FromFormat("<Connection%s at %p>", closed, (void *)self);
    return PyUnicode_FromFormat("<Connection%s %R>", closed, self->dsn);
}

PyDoc_STRVAR(cursor_doc,
             "cursor($self, name=None, scrollable=None, withhold=False)\n--\n\n"
             "A cursor; with a name a server-side one.");
PyDoc_STRVAR(commit_doc,
             "commit($self)\n--\n\nCommit the transaction, if there is one.");
PyDoc_STRVAR(rollback_doc, "rollback($self)\n--\n\n"
                           "Roll the transaction back, if there is one.");
PyDoc_STRVAR(close_doc, "close($self)\n--\n\nClose; the transaction is rolled back.");
PyDoc_STRVAR(cancel_doc, "cancel($self)\n--\n\n"
                         "Cancel what the server is doing; from any thread.");
PyDoc_STRVAR(fileno_doc, "fileno($self)\n--\n\nThe socket.");
PyDoc_STRVAR(tpc_begin_doc, "tpc_begin($self, xid, /)\n--\n\n"
                            "Begin a transaction that will be prepared.");
PyDoc_STRVAR(tpc_prepare_doc, "tpc_prepare($self)\n--\n\nPREPARE TRANSACTION.");
PyDoc_STRVAR(tpc_commit_doc, "tpc_commit($self, xid=None, /)\n--\n\n"
                             "Commit what tpc_begin began, or a prepared one.");
PyDoc_STRVAR(tpc_rollback_doc, "tpc_rollback($self, xid=None, /)\n--\n\n"
                               "Roll back what tpc_begin began, or a prepared one.");
PyDoc_STRVAR(tpc_recover_doc, "tpc_recover($self)\n--\n\nThe prepared transactions.");
PyDoc_STRVAR(xid_doc, "xid($self, format_id, gtrid, bqual, /)\n--\n\n"
                      "An identifier for tpc_begin.");

#define KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef conn_methods[] = {
    {"cursor", KEYWORDS(conn_cursor), METH_VARARGS | METH_KEYWORDS, cursor_doc},
    {"commit", imigpy_conn_commit, METH_NOARGS, commit_doc},
    {"rollback", imigpy_conn_rollback, METH_NOARGS, rollback_doc},
    {"close", conn_close, METH_NOARGS, close_doc},
    {"cancel", conn_cancel, METH_NOARGS, cancel_doc},
    {"fileno", conn_fileno, METH_NOARGS, fileno_doc},
    {"xid", imigpy_conn_xid, METH_VARARGS, xid_doc},
    {"tpc_begin", imigpy_conn_tpc_begin, METH_O, tpc_begin_doc},
    {"tpc_prepare", imigpy_conn_tpc_prepare, METH_NOARGS, tpc_prepare_doc},
    {"tpc_commit", KEYWORDS(imigpy_conn_tpc_commit), METH_FASTCALL, tpc_commit_doc},
    {"tpc_rollback", KEYWORDS(imigpy_conn_tpc_rollback), METH_FASTCALL,
     tpc_rollback_doc},
    {"tpc_recover", imigpy_conn_tpc_recover, METH_NOARGS, tpc_recover_doc},
    {"__enter__", conn_enter, METH_NOARGS, NULL},
    {"__exit__", KEYWORDS(conn_exit), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef conn_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(imigpy_conn, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot conn_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"A session on the server; PEP 249's Connection."},
    {Py_tp_dealloc, (void *)conn_dealloc},
    {Py_tp_finalize, (void *)conn_finalize},
    {Py_tp_traverse, (void *)conn_traverse},
    {Py_tp_clear, (void *)conn_clear},
    {Py_tp_repr, (void *)conn_repr},
    {Py_tp_methods, conn_methods},
    {Py_tp_members, conn_members},
    {Py_tp_getset, imigpy_conn_getset},
    {0, NULL},
};

static PyType_Spec conn_spec = {
    .name = "ibutsu_migrate._pq.Connection",
    .basicsize = sizeof(imigpy_conn),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = conn_slots,
};

int
imigpy_connection_setup(PyObject *module)
{
    pq_state *state = pq_get_state(module);
    state->connection =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &conn_spec, NULL);
    if (state->connection == NULL)
        return -1;
    return PyModule_AddType(module, state->connection);
}
