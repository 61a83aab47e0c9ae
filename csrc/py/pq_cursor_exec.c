/* pq_cursor_exec.c - execute, executemany, mogrify, callproc. */
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

int
imigpy_cursor_run(imigpy_cursor *self, const imig_buf *sql)
{
    imigpy_conn *conn = self->conn;
    if (imigpy_conn_enter(conn) < 0)
        return -1;
    imigpy_cursor_reset(self);
    PyObject *query = PyBytes_FromStringAndSize(sql->data, (Py_ssize_t)sql->len);
    PGresult *pg = NULL;
    if (query != NULL) {
        Py_XSETREF(self->query, query);
        pg = imigpy_conn_execute(conn, (PyObject *)self, sql);
    }
    imigpy_conn_leave(conn);
    return pg != NULL ? imigpy_cursor_adopt(self, pg) : -1;
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

/* Not a second time: as psycopg2. */
static int
check_named(const imigpy_cursor *self, const char *what)
{
    if (self->name == NULL)
        return 0;
    (void)imigpy_raise_named(self->conn->state, "ProgrammingError",
                             "%s() is not for a server-side cursor", what);
    return -1;
}

static int
execute_sql(imigpy_cursor *self, PyObject *sql, PyObject *params)
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
        outcome = imigpy_cursor_run(self, &text);
    imig_buf_clear(&text);
    if (outcome == 0 && self->name != NULL)
        self->declared = true;
    return outcome;
}

PyObject *
imigpy_cursor_execute(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"sql", "params", NULL};
    PyObject *sql, *params = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:execute", IMIGPY_NAMES(names),
                                     &sql, &params))
        return NULL;
    if (execute_sql((imigpy_cursor *)cursor, sql, params) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *
imigpy_cursor_executemany(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"sql", "seq_of_params", NULL};
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    PyObject *sql, *all, *params;
    Py_ssize_t total = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:executemany",
                                     IMIGPY_NAMES(names), &sql, &all))
        return NULL;
    if (imigpy_cursor_check(self) < 0 || check_named(self, "executemany") < 0)
        return NULL;
    imigpy_cursor_reset(self);
    PyObject *each = PyObject_GetIter(all);
    if (each == NULL)
        return NULL;
    while ((params = PyIter_Next(each)) != NULL) {
        int outcome = execute_sql(self, sql, params);
        Py_DECREF(params);
        if (outcome < 0)
            break;
        if (self->rowcount >= 0)
            total = (total > 0 ? total : 0) + self->rowcount;
    }
    Py_DECREF(each);
    if (PyErr_Occurred())
        return NULL;
    /* PEP 249 leaves rows of executemany undefined; as psycopg2, there are none. */
    imigpy_result *result = self->result;
    self->result = NULL;
    imigpy_result_release(result);
    self->rowcount = total;
    Py_RETURN_NONE;
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
    if (imigpy_cursor_check(self) < 0 || check_named(self, "callproc") < 0)
        return NULL;
    PyObject *values = params != NULL ? PySequence_Tuple(params) : PyTuple_New(0);
    PyObject *sql = values != NULL ? call_text(name, PyTuple_GET_SIZE(values)) : NULL;
    int outcome = sql != NULL ? execute_sql(self, sql, values) : -1;
    Py_XDECREF(sql);
    Py_XDECREF(values);
    if (outcome < 0)
        return NULL;
    return Py_NewRef(params != NULL ? params : Py_None);
}
