/* pq_cursor_fetch.c - rows to the caller, from memory or from a server-side cursor. */
#include "pq_conn.h"

#include <stdio.h>

/* ---- Server-side cursors ---- */

/* Run `command` on the cursor, such as FETCH FORWARD 5; NULL with an exception. */
static PGresult *
command(imigpy_cursor *self, const char *words)
{
    imigpy_conn *conn = self->conn;
    imig_buf sql = IMIG_BUF_INIT;
    imig_buf_str(&sql, words);
    imig_buf_str(&sql, " FROM ");
    if (imigpy_encode(&conn->codec, &sql, self->quoted, "name of a cursor") < 0 ||
        imigpy_conn_enter(conn) < 0) {
        imig_buf_clear(&sql);
        return NULL;
    }
    PGresult *pg = imigpy_conn_command(conn, (PyObject *)self, &sql);
    imigpy_conn_leave(conn);
    imig_buf_clear(&sql);
    return pg;
}

int
imigpy_cursor_pull(imigpy_cursor *self, Py_ssize_t count)
{
    char words[48];
    if (count < 0)
        (void)snprintf(words, sizeof words, "FETCH FORWARD ALL");
    else
        (void)snprintf(words, sizeof words, "FETCH FORWARD %lld", (long long)count);
    PGresult *pg = command(self, words);
    imigpy_result *fresh = pg != NULL ? imigpy_result_new(pg) : NULL;
    if (fresh == NULL)
        return -1;
    imigpy_result *before = self->result;
    self->passed += self->at;
    self->at = 0;
    self->result = fresh;
    self->exhausted = count != 0 && (count < 0 || fresh->rows < count);
    if (count != 0)
        self->rowcount = fresh->rows;
    imigpy_result_release(before);
    return 0;
}

/* ---- Fetching ---- */

static int
check_rows(const imigpy_cursor *self)
{
    if (self->closed) {
        (void)imigpy_raise_named(self->conn->state, "InterfaceError",
                                 "cursor already closed");
        return -1;
    }
    if (self->result != NULL || self->declared)
        return 0;
    (void)imigpy_raise_named(self->conn->state, "ProgrammingError",
                             "no results to fetch");
    return -1;
}

static Py_ssize_t
rows_left(const imigpy_cursor *self)
{
    return self->result != NULL ? self->result->rows - self->at : 0;
}

/* Have `count` rows at hand (-1: all), as far as a server-side cursor has them.  Rows
 * that were fetched before are handed out first. */
static int
provide(imigpy_cursor *self, Py_ssize_t count)
{
    if (!self->declared || self->exhausted || rows_left(self) > 0)
        return 0;
    if (imigpy_conn_check(self->conn) < 0)
        return -1;
    return imigpy_cursor_pull(self, count);
}

/* The next row, or NULL: with an exception, or there is none. */
static PyObject *
next_row(imigpy_cursor *self)
{
    if (rows_left(self) <= 0)
        return NULL;
    imigpy_result *result = imigpy_result_hold(self->result);
    PyObject *row = imigpy_result_row(result, self->at++, &self->conn->codec);
    imigpy_result_release(result);
    return row;
}

PyObject *
imigpy_cursor_fetchone(PyObject *cursor, PyObject *Py_UNUSED(unused))
{
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    if (check_rows(self) < 0 || provide(self, 1) < 0)
        return NULL;
    PyObject *row = next_row(self);
    if (row == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return row;
}

PyObject *
imigpy_cursor_next(PyObject *cursor)
{
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    if (check_rows(self) < 0 ||
        provide(self, self->itersize > 0 ? self->itersize : 1) < 0)
        return NULL;
    return next_row(self);
}

/* At most `count` rows of those at hand, -1 = all, as a list. */
static PyObject *
take_rows(imigpy_cursor *self, Py_ssize_t count)
{
    Py_ssize_t first = self->at, left = rows_left(self);
    if (count < 0 || count > left)
        count = left;
    if (self->result == NULL || count == 0)
        return PyList_New(0);
    self->at += count;
    return imigpy_result_rows(self->result, first, count, &self->conn->codec);
}

/* At most `count` rows (-1: all), also where only some of them are at hand. */
static PyObject *
fetch(imigpy_cursor *self, Py_ssize_t count)
{
    if (check_rows(self) < 0 || provide(self, count) < 0)
        return NULL;
    PyObject *rows = take_rows(self, count);
    while (rows != NULL && self->declared && !self->exhausted &&
           (count < 0 || PyList_GET_SIZE(rows) < count)) {
        Py_ssize_t missing = count < 0 ? -1 : count - PyList_GET_SIZE(rows);
        PyObject *more = provide(self, missing) == 0 ? take_rows(self, missing) : NULL;
        Py_ssize_t end = PyList_GET_SIZE(rows);
        if (more == NULL || PyList_SetSlice(rows, end, end, more) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(more);
    }
    return rows;
}

PyObject *
imigpy_cursor_fetchmany(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"size", NULL};
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    PyObject *size = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:fetchmany", IMIGPY_NAMES(names),
                                     &size))
        return NULL;
    Py_ssize_t count = self->arraysize;
    if (size != Py_None) {
        count = PyNumber_AsSsize_t(size, PyExc_OverflowError);
        if (count == -1 && PyErr_Occurred())
            return NULL;
    }
    return fetch(self, count > 0 ? count : 0);
}

PyObject *
imigpy_cursor_fetchall(PyObject *cursor, PyObject *Py_UNUSED(unused))
{
    return fetch((imigpy_cursor *)cursor, -1);
}

/* ---- Moving ---- */

/* MOVE on the server, and forget the rows at hand. */
static int
move(imigpy_cursor *self, Py_ssize_t value, bool absolute)
{
    char words[48];
    if (absolute)
        (void)snprintf(words, sizeof words, "MOVE ABSOLUTE %lld", (long long)value);
    else
        /* The server stands behind the rows at hand. */
        (void)snprintf(words, sizeof words, "MOVE FORWARD %lld",
                       (long long)(value - rows_left(self)));
    PGresult *pg = command(self, words);
    if (pg == NULL)
        return -1;
    PQclear(pg);
    imigpy_result *before = self->result;
    self->result = NULL;
    self->passed = absolute ? value : self->passed + self->at + value;
    self->at = 0;
    self->exhausted = false;
    imigpy_result_release(before);
    return 0;
}

PyObject *
imigpy_cursor_scroll(PyObject *cursor, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"value", "mode", NULL};
    imigpy_cursor *self = (imigpy_cursor *)cursor;
    const char *mode = "relative";
    Py_ssize_t value;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n|s:scroll", IMIGPY_NAMES(names),
                                     &value, &mode))
        return NULL;
    bool absolute = strcmp(mode, "absolute") == 0;
    if (!absolute && strcmp(mode, "relative") != 0)
        return imigpy_raise_named(self->conn->state, "ProgrammingError",
                                  "mode is 'relative' or 'absolute', not '%s'", mode);
    if (check_rows(self) < 0)
        return NULL;
    if (self->declared) {
        if (move(self, value, absolute) < 0)
            return NULL;
        Py_RETURN_NONE;
    }
    Py_ssize_t target = absolute ? value : self->at + value;
    if (target < 0 || target >= self->result->rows) {
        PyErr_SetString(PyExc_IndexError, "there is no such row");
        return NULL;
    }
    self->at = target;
    Py_RETURN_NONE;
}
