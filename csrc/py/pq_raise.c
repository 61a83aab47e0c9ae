/* pq_raise.c - errors of the server and of libpq as Python exceptions. */
#include "pq_conn.h"

#include <stdarg.h>

PyObject *
imigpy_raise_named(const pq_state *state, const char *name, const char *fmt, ...)
{
    PyObject *class = PyObject_GetAttrString(state->errors, name);
    if (class != NULL) {
        va_list args;
        va_start(args, fmt);
        PyErr_FormatV(class, fmt, args);
        va_end(args);
        Py_DECREF(class);
    }
    return NULL;
}

PyObject *
imigpy_text(const imigpy_codec *codec, const char *text, Py_ssize_t len)
{
    const char *encoding = codec->py_encoding;
    if (encoding == NULL)
        return PyUnicode_DecodeUTF8(text, len, "replace");
    return PyUnicode_Decode(text, len, encoding, "replace");
}

/* The fields that the server sent, as a dict; NULL with an exception. */
static PyObject *
read_fields(const imigpy_codec *codec, const PGresult *pg)
{
    PyObject *fields = PyDict_New();
    if (fields == NULL)
        return NULL;
    for (const imig_pq_field *field = imig_pq_fields; field->name != NULL; field++) {
        const char *text = PQresultErrorField(pg, field->code);
        if (text == NULL)
            continue;
        PyObject *value = imigpy_text(codec, text, (Py_ssize_t)strlen(text));
        if (value == NULL || PyDict_SetItemString(fields, field->name, value) < 0) {
            Py_XDECREF(value);
            Py_DECREF(fields);
            return NULL;
        }
        Py_DECREF(value);
    }
    return fields;
}

/* Raise class(message, **kwargs) with the cursor noted. Steals nothing. */
static void
set_error(PyObject *class, PyObject *message, PyObject *kwargs, PyObject *cursor)
{
    PyObject *args = PyTuple_Pack(1, message);
    PyObject *error = args != NULL ? PyObject_Call(class, args, kwargs) : NULL;
    Py_XDECREF(args);
    if (error == NULL)
        return;
    if (cursor == NULL || PyObject_SetAttrString(error, "cursor", cursor) == 0)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
}

/* {"sqlstate": ..., "diag": ..., "statement": ...}; parts may be NULL. */
static PyObject *
error_kwargs(const imigpy_codec *codec, const char *sqlstate, PyObject *diag,
             const imig_buf *sql)
{
    PyObject *kwargs = PyDict_New();
    PyObject *state = NULL, *statement = NULL;
    if (kwargs == NULL)
        return NULL;
    if (sqlstate != NULL && *sqlstate != '\0' &&
        ((state = PyUnicode_FromString(sqlstate)) == NULL ||
         PyDict_SetItemString(kwargs, "sqlstate", state) < 0))
        goto failed;
    if (diag != NULL && PyDict_SetItemString(kwargs, "diag", diag) < 0)
        goto failed;
    if (sql != NULL && sql->data != NULL &&
        ((statement = imigpy_text(codec, sql->data, (Py_ssize_t)sql->len)) == NULL ||
         PyDict_SetItemString(kwargs, "statement", statement) < 0))
        goto failed;
    Py_XDECREF(state);
    Py_XDECREF(statement);
    return kwargs;
failed:
    Py_XDECREF(state);
    Py_XDECREF(statement);
    Py_DECREF(kwargs);
    return NULL;
}

void
imigpy_raise_result(imigpy_conn *self, PyObject *cursor, const PGresult *pg,
                    const imig_buf *sql)
{
    const char *sqlstate = PQresultErrorField(pg, PG_DIAG_SQLSTATE);
    imig_str text = imig_pq_result_message(pg);
    PyObject *diag = read_fields(&self->codec, pg);
    PyObject *kwargs =
        diag != NULL ? error_kwargs(&self->codec, sqlstate, diag, sql) : NULL;
    PyObject *message = kwargs != NULL
                            ? imigpy_text(&self->codec, text.ptr, (Py_ssize_t)text.len)
                            : NULL;
    PyObject *class = message != NULL
                          ? PyObject_CallFunction(self->state->class_for, "z", sqlstate)
                          : NULL;
    if (class != NULL)
        set_error(class, message, kwargs, cursor);
    Py_XDECREF(class);
    Py_XDECREF(message);
    Py_XDECREF(kwargs);
    Py_XDECREF(diag);
}

/* OperationalError, or the class of a SQLSTATE if it is one of its subclasses: as with
 * psycopg2, whatever stops a connection is an OperationalError. New reference. */
static PyObject *
operational_class(const pq_state *state, const char *sqlstate)
{
    PyObject *plain = PyObject_GetAttrString(state->errors, "OperationalError");
    if (plain == NULL || sqlstate == NULL || *sqlstate == '\0')
        return plain;
    PyObject *exact = PyObject_CallFunction(state->class_for, "s", sqlstate);
    int fits = exact != NULL ? PyObject_IsSubclass(exact, plain) : -1;
    if (fits > 0) {
        Py_DECREF(plain);
        return exact;
    }
    Py_XDECREF(exact);
    if (fits < 0)
        Py_CLEAR(plain);
    return plain;
}

/* Raise what broke or prevented the connection. */
static void
raise_operational(imigpy_conn *self, PyObject *cursor, const char *text,
                  const char *sqlstate, const imig_buf *sql)
{
    PyObject *class = operational_class(self->state, sqlstate);
    PyObject *kwargs =
        class != NULL ? error_kwargs(&self->codec, sqlstate, NULL, sql) : NULL;
    PyObject *message = kwargs != NULL
                            ? imigpy_text(&self->codec, text, (Py_ssize_t)strlen(text))
                            : NULL;
    if (message != NULL)
        set_error(class, message, kwargs, cursor);
    Py_XDECREF(message);
    Py_XDECREF(kwargs);
    Py_XDECREF(class);
}

void
imigpy_raise_failed(imigpy_conn *self, PyObject *cursor, const imig_error *err,
                    const imig_buf *sql)
{
    if (err->status == IMIG_E_NOMEM) {
        PyErr_NoMemory();
        return;
    }
    /* Who closed it himself is not told that the server has gone. */
    const char *text = self->close_wanted ? "connection already closed"
                       : self->pq != NULL ? imig_pq_message(self->pq)
                                          : "";
    if (err->status == IMIG_E_ARGUMENT)
        (void)imigpy_raise_named(self->state, "InterfaceError", "%s", err->message);
    else
        raise_operational(self, cursor, *text != '\0' ? text : err->message, NULL, sql);
}

void
imigpy_raise_connect(imigpy_conn *self, const imig_error *err)
{
    if (err->status == IMIG_E_NOMEM) {
        PyErr_NoMemory();
        return;
    }
    const char *text = imig_pq_message(self->pq);
    raise_operational(self, NULL, *text != '\0' ? text : err->message,
                      imig_pq_sqlstate(self->pq), NULL);
}
