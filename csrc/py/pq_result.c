/* pq_result.c - rows that have arrived, as Python values. */
#include "pq_conn.h"

#include "imig_alloc.h"

imigpy_result *
imigpy_result_new(PGresult *pg)
{
    int columns = PQnfields(pg);
    imigpy_result *r = imig_alloc(sizeof *r + (size_t)columns * sizeof(unsigned int));
    if (r == NULL) {
        PQclear(pg);
        PyErr_NoMemory();
        return NULL;
    }
    r->holders = 1;
    r->pg = pg;
    r->rows = PQntuples(pg);
    r->columns = columns;
    for (int i = 0; i < columns; i++)
        r->oids[i] = PQftype(pg, i);
    return r;
}

imigpy_result *
imigpy_result_hold(imigpy_result *r)
{
    r->holders++;
    return r;
}

void
imigpy_result_release(imigpy_result *r)
{
    if (r == NULL || --r->holders != 0)
        return;
    PQclear(r->pg);
    imig_free(r);
}

PyObject *
imigpy_result_row(const imigpy_result *r, Py_ssize_t n, const imigpy_codec *codec)
{
    PyObject *row = PyTuple_New(r->columns);
    if (row == NULL)
        return NULL;
    for (int i = 0; i < (int)r->columns; i++) {
        PyObject *value;
        if (PQgetisnull(r->pg, (int)n, i))
            value = Py_NewRef(Py_None);
        else
            value = imigpy_decode(codec, r->oids[i], PQgetvalue(r->pg, (int)n, i),
                                  PQgetlength(r->pg, (int)n, i));
        if (value == NULL) {
            Py_DECREF(row);
            return NULL;
        }
        PyTuple_SET_ITEM(row, i, value);
    }
    return row;
}

enum { SIGNAL_ROWS = 4096 };

PyObject *
imigpy_result_rows(imigpy_result *r, Py_ssize_t first, Py_ssize_t count,
                   const imigpy_codec *codec)
{
    PyObject *list = PyList_New(count);
    if (list == NULL)
        return NULL;
    imigpy_result_hold(r);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *row = imigpy_result_row(r, first + i, codec);
        /* Millions of rows take seconds, in which nothing else looks for signals. */
        if (row != NULL && i % SIGNAL_ROWS == SIGNAL_ROWS - 1 &&
            PyErr_CheckSignals() != 0)
            Py_CLEAR(row);
        if (row == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, row);
    }
    imigpy_result_release(r);
    return list;
}

/* ---- Descriptions ---- */

static PyStructSequence_Field column_fields[] = {
    {"name", "Of the column."},
    {"type_code", "OID of the column's type."},
    {"display_size", "None."},
    {"internal_size", "Bytes on the server, or the declared length, or -1."},
    {"precision", "Digits of a numeric, None where unlimited."},
    {"scale", "Digits behind the point of a numeric, None where unlimited."},
    {"null_ok", "None: the server does not say."},
    {NULL, NULL},
};

static PyStructSequence_Desc column_desc = {
    "ibutsu_migrate._pq.Column",
    "One column of cursor.description.",
    column_fields,
    7,
};

int
imigpy_column_setup(PyObject *module)
{
    pq_state *state = pq_get_state(module);
    state->column = PyStructSequence_NewType(&column_desc);
    if (state->column == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "Column", (PyObject *)state->column);
}

enum { NUMERIC_OID = 1700, VARIABLE_HEADER = 4 };

/* The type modifier as psycopg2 shows it: without the header that it counts in. */
static int
modifier_of(const PGresult *pg, int column)
{
    int modifier = PQfmod(pg, column);
    return modifier > 0 ? modifier - VARIABLE_HEADER : modifier;
}

/* As psycopg2: bytes on the server, else the declared length, else -1. */
static int
internal_size(const PGresult *pg, int column)
{
    int size = PQfsize(pg, column), modifier = modifier_of(pg, column);
    if (size != -1)
        return size;
    return PQftype(pg, column) == NUMERIC_OID && modifier >= 0 ? modifier >> 16
                                                               : modifier;
}

/* Precision or scale of a numeric (numeric.c, make_numeric_typmod), else None. */
static PyObject *
numeric_part(const PGresult *pg, int column, bool scale)
{
    int modifier = modifier_of(pg, column);
    if (PQftype(pg, column) != NUMERIC_OID || modifier < 0)
        return Py_NewRef(Py_None);
    if (!scale)
        return PyLong_FromLong((modifier >> 16) & 0xffff);
    /* Since PostgreSQL 15 a signed number of eleven bits. */
    return PyLong_FromLong(((modifier & 0x7ff) ^ 0x400) - 0x400);
}

static PyObject *
describe_column(const PGresult *pg, int i, const imigpy_codec *codec, pq_state *state)
{
    const char *name = PQfname(pg, i);
    PyObject *column = PyStructSequence_New(state->column);
    if (column == NULL)
        return NULL;
    PyObject *items[] = {
        imigpy_text(codec, name, (Py_ssize_t)strlen(name)),
        PyLong_FromUnsignedLong(PQftype(pg, i)),
        Py_NewRef(Py_None),
        PyLong_FromLong(internal_size(pg, i)),
        numeric_part(pg, i, false),
        numeric_part(pg, i, true),
        Py_NewRef(Py_None),
    };
    bool failed = false;
    for (Py_ssize_t k = 0; k < 7; k++) {
        failed = failed || items[k] == NULL;
        PyStructSequence_SET_ITEM(column, k, items[k]);
    }
    if (failed)
        Py_CLEAR(column);
    return column;
}

PyObject *
imigpy_result_description(const imigpy_result *r, const imigpy_codec *codec,
                          pq_state *state)
{
    PyObject *description = PyTuple_New(r->columns);
    for (int i = 0; description != NULL && i < (int)r->columns; i++) {
        PyObject *column = describe_column(r->pg, i, codec, state);
        if (column == NULL)
            Py_CLEAR(description);
        else
            PyTuple_SET_ITEM(description, i, column);
    }
    return description;
}
