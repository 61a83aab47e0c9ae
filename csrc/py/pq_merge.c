/* pq_merge.c - placeholders of a statement replaced by literals.
 *
 * As psycopg2's _mogrify and Bytes_Format: quotes and comments are not looked at, so
 * that '%s' within them is a placeholder too. `%`, `(` and `)` are no byte of any
 * longer character in the client encodings that PostgreSQL has. */
#include "pq_adapt.h"

#include <string.h>

#include "pq_decode.h"

typedef struct merger {
    imigpy_writer writer;
    imig_buf *out;
    const char *sql;
    const char *at;
    const char *end;
    PyObject *params;
    bool mapping;
    bool named;       /* a %(name)s was seen */
    Py_ssize_t used;  /* %s seen */
    PyObject *values; /* of names seen, if a look-up may run Python code; or NULL */
} merger;

/* ProgrammingError about the `%` at `place`. -1. */
static int
refuse_at(const merger *m, const char *place, const char *message)
{
    const size_t most = 20;
    const size_t left = (size_t)(m->end - place);
    const imig_str near = {place, left < most ? left : most};
    size_t offset = 1;
    for (const char *p = m->sql; p < place; p++)
        offset += m->writer.codec->py_encoding != NULL || (*p & 0xC0) != 0x80;
    PyObject *text = PyUnicode_DecodeUTF8(near.ptr, (Py_ssize_t)near.len, "replace");
    if (text != NULL)
        PyErr_Format(m->writer.codec->values->ProgrammingError,
                     "%s, at character %zu of the statement: %R", message, offset,
                     text);
    Py_XDECREF(text);
    return -1;
}

/* Append the literal of `value`, which is of the parameter that the writer names. */
static int
add_literal(merger *m, PyObject *value)
{
    imigpy_writer_begin(&m->writer, m->out);
    const int done = imigpy_write_literal(&m->writer, value, 0);
    return imigpy_writer_end(&m->writer, m->out, done);
}

static int
add_positional(merger *m, const char *place)
{
    if (m->named)
        return refuse_at(m, place, "%s and %(name)s in one statement");
    if (m->mapping)
        return refuse_at(m, place, "%s needs a sequence of parameters, not a mapping");
    const Py_ssize_t index = m->used;
    const Py_ssize_t count = PySequence_Size(m->params);
    if (count < 0)
        return -1;
    if (index >= count)
        return refuse_at(m, place, "more placeholders than parameters");
    PyObject *value = PySequence_GetItem(m->params, index);
    if (value == NULL)
        return -1;
    m->used++;
    m->writer.index = m->used;
    const int done = add_literal(m, value);
    Py_DECREF(value);
    return done;
}

/* The value of a name, new reference: the same one for all its placeholders. */
static PyObject *
look_up(merger *m, PyObject *name, const char *place)
{
    PyObject *value =
        m->values != NULL ? PyDict_GetItemWithError(m->values, name) : NULL;
    if (value != NULL)
        return Py_NewRef(value);
    if (PyErr_Occurred())
        return NULL;
    value = PyObject_GetItem(m->params, name);
    if (value == NULL) {
        if (PyErr_ExceptionMatches(PyExc_KeyError)) {
            PyErr_Clear();
            (void)refuse_at(m, place, "a parameter is missing");
        }
        return NULL;
    }
    if (!PyDict_CheckExact(m->params)) {
        if (m->values == NULL)
            m->values = PyDict_New();
        if (m->values == NULL || PyDict_SetItem(m->values, name, value) < 0)
            Py_CLEAR(value);
    }
    return value;
}

static int
add_named(merger *m, const char *place)
{
    if (m->used > 0)
        return refuse_at(m, place, "%s and %(name)s in one statement");
    if (!m->mapping)
        return refuse_at(m, place, "%(name)s needs a mapping of parameters");
    const char *start = m->at;
    const char *close = memchr(start, ')', (size_t)(m->end - start));
    if (close == NULL || close + 1 == m->end || close[1] != 's')
        return refuse_at(m, place, "a placeholder is %(name)s, a percent sign is %%");
    m->at = close + 2;
    m->named = true;
    const imig_str name = {start, (size_t)(close - start)};
    PyObject *key = imigpy_decode_str(m->writer.codec, name);
    PyObject *value = key != NULL ? look_up(m, key, place) : NULL;
    Py_XDECREF(key);
    if (value == NULL)
        return -1;
    m->writer.name = name;
    const int done = add_literal(m, value);
    Py_DECREF(value);
    return done;
}

/* At a `%`, behind which m->at is moved. */
static int
add_placeholder(merger *m)
{
    const char *place = m->at;
    const char kind = m->end - place > 1 ? place[1] : '\0';
    m->at = kind != '\0' ? place + 2 : place;
    switch (kind) {
    case '%':
        imig_buf_byte(m->out, '%');
        return 0;
    case 's':
        return add_positional(m, place);
    case '(':
        return add_named(m, place);
    default:
        return refuse_at(m, place, "a placeholder is %s, a percent sign is %%");
    }
}

static int
check_all_used(const merger *m)
{
    if (m->mapping)
        return 0;
    const Py_ssize_t count = PySequence_Size(m->params);
    if (count < 0)
        return -1;
    if (count == m->used)
        return 0;
    PyErr_Format(m->writer.codec->values->ProgrammingError,
                 "the statement has %zd placeholders, but %zd parameters are given",
                 m->used, count);
    return -1;
}

static int
merge(merger *m)
{
    while (m->at < m->end) {
        const char *percent = memchr(m->at, '%', (size_t)(m->end - m->at));
        const char *stop = percent != NULL ? percent : m->end;
        imig_buf_add(m->out, m->at, (size_t)(stop - m->at));
        m->at = stop;
        if (percent != NULL && add_placeholder(m) < 0)
            return -1;
    }
    if (check_all_used(m) < 0)
        return -1;
    if (m->out->failed) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* A dict, or what has keys(); a tuple answers to PyMapping_Check() too. 0 or 1, -1 with
 * an exception. */
static int
is_mapping(PyObject *params)
{
    if (PyTuple_Check(params) || PyList_Check(params))
        return 0;
    if (PyDict_Check(params))
        return 1;
    /* Not PyObject_HasAttrString(), which loses a MemoryError. */
    PyObject *keys = PyObject_GetAttrString(params, "keys");
    if (keys != NULL) {
        Py_DECREF(keys);
        return PyMapping_Check(params);
    }
    if (!PyErr_ExceptionMatches(PyExc_AttributeError))
        return -1;
    PyErr_Clear();
    return 0;
}

int
imigpy_merge(const imigpy_codec *c, imig_buf *out, const char *sql, Py_ssize_t len,
             PyObject *params)
{
    const int mapping = is_mapping(params);
    if (mapping < 0)
        return -1;
    merger m = {
        .writer = IMIGPY_WRITER_INIT(c),
        .out = out,
        .sql = sql,
        .at = sql,
        .end = sql + len,
        .params = params,
        .mapping = mapping == 1,
    };
    if (!m.mapping && !PySequence_Check(params)) {
        PyErr_Format(PyExc_TypeError,
                     "parameters must be a sequence or a mapping, not %.80s",
                     Py_TYPE(params)->tp_name);
        return -1;
    }
    const int done = merge(&m);
    Py_XDECREF(m.values);
    imigpy_writer_clear(&m.writer);
    return done;
}
