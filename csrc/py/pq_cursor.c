/* pq_cursor.c - the cursor object: life, attributes, method table. */
#include "pq_conn.h"

#include <structmember.h>

PyObject *
imigpy_cursor_new(imigpy_conn *conn, PyObject *name, int scrollable, bool withhold)
{
    PyTypeObject *type = conn->state->cursor;
    imigpy_cursor *self = (imigpy_cursor *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->conn = (imigpy_conn *)Py_NewRef(conn);
    self->rowcount = -1;
    self->arraysize = 1;
    self->itersize = 2000;
    self->scrollable = scrollable;
    self->withhold = withhold;
    if (name == NULL)
        return (PyObject *)self;
    self->name = Py_NewRef(name);
    PyObject *doubled = PyObject_CallMethod(name, "replace", "ss", "\"", "\"\"");
    PyObject *quoted = doubled != NULL ? PyUnicode_FromFormat("\"%U\"", doubled) : NULL;
    self->quoted = quoted;
    Py_XDECREF(doubled);
    if (quoted == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

int
imigpy_cursor_check(const imigpy_cursor *self)
{
    if (self->closed) {
        (void)imigpy_raise_named(self->conn->state, "InterfaceError",
                                 "cursor already closed");
        return -1;
    }
    return imigpy_conn_check(self->conn);
}

void
imigpy_cursor_reset(imigpy_cursor *self)
{
    imigpy_result *result = self->result;
    self->result = NULL;
    self->at = self->passed = 0;
    self->rowcount = -1;
    self->exhausted = false;
    imigpy_pending_release(self->pending);
    self->pending = NULL;
    Py_CLEAR(self->description);
    Py_CLEAR(self->status);
    imigpy_result_release(result);
}

static int
cursor_traverse(imigpy_cursor *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->conn);
    Py_VISIT(self->description);
    return 0;
}

/* The connection stays: methods rely on it, and a cycle through it is broken by what it
 * holds itself. */
static int
cursor_clear(imigpy_cursor *self)
{
    Py_CLEAR(self->description);
    return 0;
}

static void
cursor_dealloc(imigpy_cursor *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs((PyObject *)self);
    imigpy_cursor_reset(self);
    Py_CLEAR(self->query);
    Py_CLEAR(self->name);
    Py_CLEAR(self->quoted);
    Py_CLEAR(self->conn);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- Closing ---- */

/* CLOSE on the server, where it can be done: not in a failed transaction, which ends
 * the cursor anyway. */
static int
close_declared(imigpy_cursor *self)
{
    imigpy_conn *conn = self->conn;
    imig_buf sql = IMIG_BUF_INIT;
    if (!self->declared || conn->pq == NULL || !imig_pq_is_ours(conn->pq))
        return 0;
    int status = PQtransactionStatus(imig_pq_raw(conn->pq));
    bool gone =
        status == PQTRANS_INERROR || (status == PQTRANS_IDLE && !self->withhold);
    self->declared = false;
    if (gone)
        return 0;
    imig_buf_str(&sql, "CLOSE ");
    if (imigpy_encode(&conn->codec, &sql, self->quoted, "name of a cursor") < 0 ||
        imigpy_conn_enter(conn) < 0) {
        imig_buf_clear(&sql);
        return -1;
    }
    PGresult *pg = imigpy_conn_command(conn, (PyObject *)self, &sql);
    imigpy_conn_leave(conn);
    imig_buf_clear(&sql);
    PQclear(pg);
    return pg != NULL ? 0 : -1;
}

static PyObject *
cursor_close(PyObject *cursor, PyObject *Py_UNUSED(unused))
{
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    if (self->closed)
        Py_RETURN_NONE;
    int outcome = close_declared(self);
    imigpy_result *result = self->result;
    self->result = NULL;
    imigpy_result_release(result);
    self->closed = true;
    if (outcome < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
cursor_enter(PyObject *cursor, PyObject *Py_UNUSED(unused))
{
    return Py_NewRef(cursor);
}

static PyObject *
cursor_exit(PyObject *cursor, PyObject *const *Py_UNUSED(args),
            Py_ssize_t Py_UNUSED(count))
{
    PyObject *done = cursor_close(cursor, NULL);
    Py_XDECREF(done);
    if (done == NULL)
        return NULL;
    Py_RETURN_FALSE;
}

static PyObject *
cursor_nothing(PyObject *Py_UNUSED(cursor), PyObject *Py_UNUSED(args))
{
    Py_RETURN_NONE;
}

static PyObject *
cursor_nextset(PyObject *cursor, PyObject *Py_UNUSED(unused))
{
    return imigpy_raise_named(((imigpy_cursor *)cursor)->conn->state,
                              "NotSupportedError",
                              "of several commands only the last result is kept");
}

static PyObject *
cursor_repr(PyObject *cursor)
{
    const imigpy_cursor *self = (imigpy_cursor *)cursor;
    const char *closed = self->closed ? " closed" : "";
    if (self->name != NULL)
        return PyUnicode_FromFormat("<Cursor %R%s>", self->name, closed);
    return PyUnicode_FromFormat("<Cursor%s at %p>", closed, (void *)cursor);
}

/* ---- Attributes ---- */

static PyObject *
get_description(PyObject *cursor, void *Py_UNUSED(closure))
{
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    if (self->declared && self->result == NULL && !self->closed &&
        imigpy_cursor_pull(self, 0) < 0)
        return NULL;
    if (self->description == NULL && self->result != NULL) {
        PyObject *description = imigpy_result_description(
            self->result, &self->conn->codec, self->conn->state);
        if (description == NULL)
            return NULL;
        Py_XSETREF(self->description, description);
    }
    return Py_NewRef(self->description != NULL ? self->description : Py_None);
}

static PyObject *
get_rowcount(PyObject *cursor, void *Py_UNUSED(closure))
{
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    if (imigpy_cursor_await(self) < 0)
        return NULL;
    return PyLong_FromSsize_t(self->rowcount);
}

static PyObject *
get_object(PyObject *cursor, void *closure)
{
    if (strcmp(closure, "status") == 0 &&
        imigpy_cursor_await((imigpy_cursor *)cursor) < 0)
        return NULL;
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    PyObject *object = strcmp(closure, "name") == 0     ? self->name
                       : strcmp(closure, "query") == 0  ? self->query
                       : strcmp(closure, "status") == 0 ? self->status
                                                        : (PyObject *)self->conn;
    return Py_NewRef(object != NULL ? object : Py_None);
}

static PyObject *
get_closed(PyObject *cursor, void *Py_UNUSED(closure))
{
    const imigpy_cursor *self = (imigpy_cursor *)cursor;
    return PyBool_FromLong(self->closed || self->conn->pq == NULL);
}

static PyObject *
get_rownumber(PyObject *cursor, void *Py_UNUSED(closure))
{
    const imigpy_cursor *self = (imigpy_cursor *)cursor;
    if (self->result == NULL)
        Py_RETURN_NONE;
    return PyLong_FromSsize_t(self->passed + self->at);
}

static PyObject *
get_lastrowid(PyObject *Py_UNUSED(cursor), void *Py_UNUSED(closure))
{
    Py_RETURN_NONE;
}

static PyGetSetDef cursor_getset[] = {
    {"description", get_description, NULL, "A Column for each column, or None.", NULL},
    {"connection", get_object, NULL, "Its connection.", (char[]){"connection"}},
    {"rowcount", get_rowcount, NULL,
     "Rows returned or changed, -1 where there are none to count.", NULL},
    {"name", get_object, NULL, "Of a server-side cursor, or None.", (char[]){"name"}},
    {"query", get_object, NULL, "What was sent last, bytes.", (char[]){"query"}},
    {"statusmessage", get_object, NULL, "The server's command tag.",
     (char[]){"status"}},
    {"closed", get_closed, NULL, "Whether cursor or connection is closed.", NULL},
    {"rownumber", get_rownumber, NULL, "Index of the next row, or None.", NULL},
    {"lastrowid", get_lastrowid, NULL, "None: rows have no such number.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef cursor_members[] = {
    {"arraysize", T_PYSSIZET, offsetof(imigpy_cursor, arraysize), 0,
     "Rows that fetchmany() fetches by default."},
    {"itersize", T_PYSSIZET, offsetof(imigpy_cursor, itersize), 0,
     "Rows that iterating a server-side cursor fetches at a time."},
    {"withhold", T_BOOL, offsetof(imigpy_cursor, withhold), READONLY,
     "Whether a server-side cursor outlives its transaction."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(imigpy_cursor, weakrefs), READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(execute_doc, "execute($self, sql, params=None)\n--\n\n"
                          "Run a statement, with %s or %(name)s as placeholders.");
PyDoc_STRVAR(enqueue_doc,
             "enqueue($self, sql, params=None, origin=None, rows=False, label=None)\n"
             "--\n\n"
             "execute() in one round trip with what is queued.  With an origin (file, "
             "line,\nfunction) it may stay in the queue, with rows=True even if it "
             "returns some: True if\nit does.  An error that is raised later has "
             "origin and label.");
PyDoc_STRVAR(executemany_doc, "executemany($self, sql, seq_of_params)\n--\n\n"
                              "Run a statement for each of several parameters.");
PyDoc_STRVAR(mogrify_doc, "mogrify($self, sql, params=None)\n--\n\n"
                          "What execute() would send, bytes.");
PyDoc_STRVAR(callproc_doc, "callproc($self, name, params=())\n--\n\n"
                           "SELECT * FROM name(params).");
PyDoc_STRVAR(fetchone_doc, "fetchone($self)\n--\n\nThe next row, or None.");
PyDoc_STRVAR(fetchmany_doc, "fetchmany($self, size=None)\n--\n\nThe next rows.");
PyDoc_STRVAR(fetchall_doc, "fetchall($self)\n--\n\nThe rows that are left.");
PyDoc_STRVAR(scroll_doc, "scroll($self, value, mode='relative')\n--\n\n"
                         "Move to another row.");
PyDoc_STRVAR(copy_expert_doc,
             "copy_expert($self, sql, file, size=65536)\n--\n\n"
             "COPY ... FROM STDIN from a file, or ... TO STDOUT to one.");
PyDoc_STRVAR(
    copy_rows_doc,
    "copy_rows($self, sql, targets, rows, /)\n--\n\n"
    "COPY ... FROM STDIN of rows that INSERT would store in the same way: how "
    "many, or\nNone if one of them it would not. Without `sql` nothing is sent.");
PyDoc_STRVAR(cursor_close_doc, "close($self)\n--\n\nClose the cursor.");
PyDoc_STRVAR(nothing_doc, "Does nothing.");
PyDoc_STRVAR(nextset_doc, "nextset($self)\n--\n\nNot supported.");

#define METHOD(f) ((PyCFunction)(void (*)(void))(f))
#define BOTH (METH_VARARGS | METH_KEYWORDS)

static PyMethodDef cursor_methods[] = {
    {"execute", METHOD(imigpy_cursor_execute), BOTH, execute_doc},
    {"enqueue", METHOD(imigpy_cursor_enqueue), BOTH, enqueue_doc},
    {"executemany", METHOD(imigpy_cursor_executemany), BOTH, executemany_doc},
    {"mogrify", METHOD(imigpy_cursor_mogrify), BOTH, mogrify_doc},
    {"callproc", METHOD(imigpy_cursor_callproc), BOTH, callproc_doc},
    {"fetchone", imigpy_cursor_fetchone, METH_NOARGS, fetchone_doc},
    {"fetchmany", METHOD(imigpy_cursor_fetchmany), BOTH, fetchmany_doc},
    {"fetchall", imigpy_cursor_fetchall, METH_NOARGS, fetchall_doc},
    {"scroll", METHOD(imigpy_cursor_scroll), BOTH, scroll_doc},
    {"copy_expert", METHOD(imigpy_cursor_copy_expert), BOTH, copy_expert_doc},
    {"copy_rows", imigpy_cursor_copy_rows, METH_VARARGS, copy_rows_doc},
    {"close", cursor_close, METH_NOARGS, cursor_close_doc},
    {"nextset", cursor_nextset, METH_NOARGS, nextset_doc},
    {"setinputsizes", cursor_nothing, METH_VARARGS, nothing_doc},
    {"setoutputsize", cursor_nothing, METH_VARARGS, nothing_doc},
    {"__enter__", cursor_enter, METH_NOARGS, NULL},
    {"__exit__", METHOD(cursor_exit), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot cursor_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)"Runs statements; PEP 249's Cursor."},
    {Py_tp_dealloc, (void *)cursor_dealloc},
    {Py_tp_traverse, (void *)cursor_traverse},
    {Py_tp_clear, (void *)cursor_clear},
    {Py_tp_repr, (void *)cursor_repr},
    {Py_tp_iter, (void *)PyObject_SelfIter},
    {Py_tp_iternext, (void *)imigpy_cursor_next},
    {Py_tp_methods, cursor_methods},
    {Py_tp_members, cursor_members},
    {Py_tp_getset, cursor_getset},
    {0, NULL},
};

static PyType_Spec cursor_spec = {
    .name = "ibutsu_migrate._pq.Cursor",
    .basicsize = sizeof(imigpy_cursor),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = cursor_slots,
};

int
imigpy_cursor_setup(PyObject *module)
{
    pq_state *state = pq_get_state(module);
    state->cursor =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &cursor_spec, NULL);
    if (state->cursor == NULL)
        return -1;
    return PyModule_AddType(module, state->cursor);
}
