/* pq_cursor_exec.c - execute, mogrify, callproc. */
#include "pq_conn.h"

/* ---- Statement text ---- */

/* `sql` (str or bytes) in the connection's encoding. */
static int
encode_sql(const imigpy_cursor *self, imig_buf *out, PyObject *sql)
{
    if (PyUnicode_Check(sql))
        return imigpy_encode(&self->conn->codec, out, sql, "statement");
    if (!PyBytes_Check(sql)) {
        PyErr_Format(PyExc_TypeError, "a statement is str or bytes, not %s",
                     Py_TYPE(sql)->tp_name);
        return -1;
    }
    if (memchr(PyBytes_AS_STRING(sql), 0, (size_t)PyBytes_GET_SIZE(sql)) != NULL) {
        (void)imigpy_raise_named(self->conn->state, "DataError",
                                 "a statement cannot contain NUL");
        return -1;
    }
    imig_buf_add(out, PyBytes_AS_STRING(sql), (size_t)PyBytes_GET_SIZE(sql));
    return 0;
}

int
imigpy_cursor_merge(const imigpy_cursor *self, imig_buf *out, PyObject *sql,
                    PyObject *params)
{
    imig_buf text = IMIG_BUF_INIT;
    int outcome;
    if (params == NULL || params == Py_None) {
        outcome = encode_sql(self, out, sql);
    } else {
        outcome = encode_sql(self, &text, sql);
        if (outcome == 0)
            outcome = imigpy_merge(&self->conn->codec, out,
                                   text.data != NULL ? text.data : "",
                                   (Py_ssize_t)text.len, params);
        imig_buf_clear(&text);
    }
    /* An empty statement is one too; nothing appended means no terminator yet. */
    imig_buf_add(out, "", 0);
    if (outcome == 0 && out->failed) {
        PyErr_NoMemory();
        return -1;
    }
    return outcome;
}

/* ---- Running ---- */

/* The number at the end of the command tag, -1 where it has none. */
static Py_ssize_t
tag_rows(PGresult *pg)
{
    const char *count = PQcmdTuples(pg);
    return *count != '\0' ? (Py_ssize_t)strtoll(count, NULL, 10) : -1;
}

int
imigpy_cursor_adopt(imigpy_cursor *self, PGresult *pg)
{
    const char *tag = PQcmdStatus(pg);
    self->status = PyUnicode_DecodeUTF8(tag, (Py_ssize_t)strlen(tag), "replace");
    if (self->status == NULL || PQresultStatus(pg) != PGRES_TUPLES_OK) {
        self->rowcount = tag_rows(pg);
        PQclear(pg);
        return self->status != NULL ? 0 : -1;
    }
    self->rowcount = PQntuples(pg);
    self->result = imigpy_result_new(pg);
    return self->result != NULL ? 0 : -1;
}

/* How a statement is executed. */
typedef struct run_how {
    bool join;            /* in one round trip with what is queued */
    bool defer;           /* or left in the queue */
    bool rows;            /* ... also if it returns rows */
    imigpy_source source; /* origin NULL: the present frame */
} run_how;

/* (file, line, function) of the Python code that is running; NULL without exception
 * where there is none. */
static PyObject *
present_origin(void)
{
    PyFrameObject *frame = PyEval_GetFrame();
    if (frame == NULL)
        return NULL;
    PyObject *code = (PyObject *)PyFrame_GetCode(frame);
    PyObject *file = PyObject_GetAttrString(code, "co_filename");
    PyObject *name = PyObject_GetAttrString(code, "co_name");
    PyObject *origin = NULL;
    if (file != NULL && name != NULL)
        origin = Py_BuildValue("(OiO)", file, PyFrame_GetLineNumber(frame), name);
    PyErr_Clear();
    Py_XDECREF(file);
    Py_XDECREF(name);
    Py_DECREF(code);
    return origin;
}

/* Leave the statement in the queue. */
static int
defer(imigpy_cursor *self, imigpy_source source)
{
    PyObject *own = source.origin == NULL ? present_origin() : NULL;
    if (own != NULL)
        source.origin = own;
    self->pending = imigpy_queue_add(self->conn, self->query, &source, false);
    Py_XDECREF(own);
    return self->pending != NULL ? 0 : -1;
}

/* The last of a segment. */
static PGresult *
join(imigpy_cursor *self)
{
    imigpy_conn *conn = self->conn;
    imigpy_pending *p = imigpy_queue_add(conn, self->query, NULL, true);
    imigpy_pending_release(p);
    if (p == NULL || imigpy_queue_sync(conn, (PyObject *)self) < 0)
        return NULL;
    return imigpy_queue_answer(conn);
}

/* Between enter and leave: 1 when it stays in the queue, 0 with *pg, or -1. */
static int
run_somehow(imigpy_cursor *self, const imig_buf *sql, const run_how *how, PGresult **pg)
{
    imigpy_conn *conn = self->conn;
    imig_sql_facts facts;
    if (!how->join && !how->defer && !conn->queue.watching) {
        *pg = imigpy_conn_execute(conn, (PyObject *)self, sql);
        return *pg != NULL ? 0 : -1;
    }
    imigpy_queue_watch(conn);
    imig_sql_look(&facts, sql->data, sql->len, conn->codec.standard_conforming_strings);
    if (how->defer && imigpy_queue_may_defer(conn, &facts, how->rows))
        return defer(self, how->source) == 0 ? 1 : -1;
    if (imigpy_queue_may_join(conn, &facts))
        *pg = join(self);
    else
        *pg = imigpy_conn_execute(conn, (PyObject *)self, sql);
    if (*pg == NULL)
        return -1;
    imigpy_queue_note(conn, &facts);
    return 0;
}

/* Run `sql` and make what comes back the cursor's: 0, 1 when it stays in the queue. */
static int
run(imigpy_cursor *self, const imig_buf *sql, const run_how *how)
{
    imigpy_conn *conn = self->conn;
    if (imigpy_conn_enter(conn) < 0)
        return -1;
    imigpy_cursor_reset(self);
    PyObject *query = PyBytes_FromStringAndSize(sql->data, (Py_ssize_t)sql->len);
    PGresult *pg = NULL;
    int outcome = -1;
    if (query != NULL) {
        Py_XSETREF(self->query, query);
        outcome = run_somehow(self, sql, how, &pg);
    }
    imigpy_conn_leave(conn);
    return pg != NULL ? imigpy_cursor_adopt(self, pg) : outcome;
}

int
imigpy_cursor_await(imigpy_cursor *self)
{
    imigpy_pending *p = self->pending;
    int outcome = 0;
    if (p == NULL)
        return 0;
    /* A failure that has come by itself is raised as one that is waited for. */
    if (p->fate == IMIGPY_QUEUED ||
        (p->fate != IMIGPY_DONE && self->conn->queue.failed != NULL)) {
        if (imigpy_conn_enter(self->conn) < 0)
            return -1;
        outcome = imigpy_queue_sync(self->conn, (PyObject *)self);
        imigpy_conn_leave(self->conn);
    }
    if (p->fate == IMIGPY_DONE) {
        self->rowcount = p->rowcount;
        Py_XSETREF(self->status, PyUnicode_FromString(p->tag));
    }
    if (p->fate != IMIGPY_QUEUED) {
        self->pending = NULL;
        imigpy_pending_release(p);
    }
    return outcome < 0 || PyErr_Occurred() ? -1 : 0;
}

/* DECLARE name ... CURSOR ... FOR */
static int
declare(imigpy_cursor *self, imig_buf *out)
{
    const imigpy_conn *conn = self->conn;
    if (conn->autocommit && !self->withhold &&
        PQtransactionStatus(imig_pq_raw(conn->pq)) == PQTRANS_IDLE) {
        (void)imigpy_raise_named(conn->state, "ProgrammingError",
                                 "a server-side cursor needs a transaction; in "
                                 "autocommit mode use withhold=True");
        return -1;
    }
    imig_buf_str(out, "DECLARE ");
    if (imigpy_encode(&conn->codec, out, self->quoted, "name of a cursor") < 0)
        return -1;
    if (self->scrollable != IMIGPY_UNSET)
        imig_buf_str(out, self->scrollable ? " SCROLL" : " NO SCROLL");
    imig_buf_str(out, self->withhold ? " CURSOR WITH HOLD FOR " : " CURSOR FOR ");
    return 0;
}

int
imigpy_cursor_check_plain(const imigpy_cursor *self, const char *what)
{
    if (self->name == NULL)
        return 0;
    (void)imigpy_raise_named(self->conn->state, "ProgrammingError",
                             "%s() is not for a server-side cursor", what);
    return -1;
}

static int
execute_sql(imigpy_cursor *self, PyObject *sql, PyObject *params, const run_how *how)
{
    imig_buf text = IMIG_BUF_INIT;
    int outcome = -1;
    if (imigpy_cursor_check(self) < 0)
        return -1;
    if (self->name != NULL && self->declared) {
        (void)imigpy_raise_named(self->conn->state, "ProgrammingError",
                                 "a server-side cursor is executed once");
        return -1;
    }
    if ((self->name == NULL || declare(self, &text) == 0) &&
        imigpy_cursor_merge(self, &text, sql, params) == 0)
        outcome = run(self, &text, how);
    imig_buf_clear(&text);
    if (outcome == 0 && self->name != NULL)
        self->declared = true;
    return outcome;
}

int
imigpy_cursor_run(imigpy_cursor *self, PyObject *sql, PyObject *params)
{
    const run_how at_once = {0};
    return execute_sql(self, sql, params, &at_once);
}

PyObject *
imigpy_cursor_execute(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"sql", "params", NULL};
    PyObject *sql, *params = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:execute", IMIGPY_NAMES(names),
                                     &sql, &params))
        return NULL;
    const bool queue = ((imigpy_cursor *)cursor)->conn->pipeline;
    const run_how how = {.join = queue, .defer = queue};
    if (execute_sql((imigpy_cursor *)cursor, sql, params, &how) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* A copy of an origin that holds nothing but two strings and a number. */
static PyObject *
plain_origin(PyObject *origin)
{
    PyObject *file, *line, *function;
    if (!PyTuple_Check(origin)) {
        PyErr_SetString(PyExc_TypeError, "origin is (file, line, function)");
        return NULL;
    }
    if (!PyArg_ParseTuple(origin, "UO!U;origin is (file, line, function)", &file,
                          &PyLong_Type, &line, &function))
        return NULL;
    return PyTuple_Pack(3, file, line, function);
}

PyObject *
imigpy_cursor_enqueue(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"sql",  "params", "origin",
                                        "rows", "label",  NULL};
    int rows = 0;
    PyObject *sql, *params = Py_None, *given = Py_None, *label = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOpO:enqueue",
                                     IMIGPY_NAMES(names), &sql, &params, &given, &rows,
                                     &label))
        return NULL;
    PyObject *origin = given != Py_None ? plain_origin(given) : NULL;
    if (given != Py_None && origin == NULL)
        return NULL;
    const run_how how = {true, origin != NULL, rows != 0, {origin, label}};
    int outcome = execute_sql((imigpy_cursor *)cursor, sql, params, &how);
    Py_XDECREF(origin);
    return outcome < 0 ? NULL : PyBool_FromLong(outcome == 1);
}

PyObject *
imigpy_cursor_mogrify(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"sql", "params", NULL};
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    imig_buf text = IMIG_BUF_INIT;
    PyObject *sql, *params = Py_None, *merged = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:mogrify", IMIGPY_NAMES(names),
                                     &sql, &params))
        return NULL;
    if (imigpy_cursor_check(self) < 0)
        return NULL;
    if (imigpy_cursor_merge(self, &text, sql, params) == 0)
        merged = PyBytes_FromStringAndSize(text.data, (Py_ssize_t)text.len);
    imig_buf_clear(&text);
    return merged;
}

/* "SELECT * FROM name(%s, %s)", as psycopg2's callproc. */
static PyObject *
call_text(PyObject *name, Py_ssize_t count)
{
    PyObject *marks = PyUnicode_FromString("");
    for (Py_ssize_t i = 0; marks != NULL && i < count; i++)
        Py_SETREF(marks, PyUnicode_FromFormat(i == 0 ? "%U%%s" : "%U,%%s", marks));
    PyObject *text = marks != NULL
                         ? PyUnicode_FromFormat("SELECT * FROM %U(%U)", name, marks)
                         : NULL;
    Py_XDECREF(marks);
    return text;
}

PyObject *
imigpy_cursor_callproc(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"name", "params", NULL};
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    PyObject *name, *params = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|O:callproc", IMIGPY_NAMES(names),
                                     &name, &params))
        return NULL;
    if (imigpy_cursor_check(self) < 0 ||
        imigpy_cursor_check_plain(self, "callproc") < 0)
        return NULL;
    PyObject *values = params != NULL ? PySequence_Tuple(params) : PyTuple_New(0);
    PyObject *sql = values != NULL ? call_text(name, PyTuple_GET_SIZE(values)) : NULL;
    int outcome = sql != NULL ? imigpy_cursor_run(self, sql, values) : -1;
    Py_XDECREF(sql);
    Py_XDECREF(values);
    if (outcome < 0)
        return NULL;
    return Py_NewRef(params != NULL ? params : Py_None);
}
