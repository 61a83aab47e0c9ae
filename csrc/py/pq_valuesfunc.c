/* pq_valuesfunc.c - the conversions as functions of the module. */
#include "pq_state.h"

/* The codec of a connection with a server in its default settings. */
static imigpy_codec
default_codec(PyObject *module)
{
    imigpy_codec c;
    imigpy_codec_init(&c, &pq_get_state(module)->values);
    return c;
}

/* bytes of what an emitter wrote, if it succeeded. Empties the buffer. */
static PyObject *
take_bytes(imig_buf *out, int done)
{
    PyObject *bytes = NULL;
    if (done == 0)
        bytes = PyBytes_FromStringAndSize(out->data, (Py_ssize_t)out->len);
    imig_buf_clear(out);
    return bytes;
}

PyDoc_STRVAR(decode_doc,
             "decode(oid, text, /, *, clamp_infinity=False, encoding=None,\n"
             "       hstore_oid=0, hstore_array_oid=0)\n--\n\n"
             "The Python value of a type's text, given as bytes.");

static PyObject *
values_decode(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static const char *const keywords[] = {
        "", "", "clamp_infinity", "encoding", "hstore_oid", "hstore_array_oid", NULL};
    imigpy_codec c = default_codec(module);
    unsigned int oid;
    const char *text;
    Py_ssize_t len;
    int clamp = 0;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "Iy#|$pzII:decode", (char **)(uintptr_t)keywords, &oid, &text,
            &len, &clamp, &c.py_encoding, &c.hstore_oid, &c.hstore_array_oid))
        return NULL;
    c.clamp_infinity = clamp != 0;
    return imigpy_decode(&c, oid, text, len);
}

PyDoc_STRVAR(literal_doc, "literal(value, /, *, encoding=None, conforming=True)\n--\n\n"
                          "A value as an SQL literal. `conforming` is what the server "
                          "says of\nstandard_conforming_strings.");

static PyObject *
values_literal(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static const char *const keywords[] = {"", "encoding", "conforming", NULL};
    imigpy_codec c = default_codec(module);
    imig_buf out = IMIG_BUF_INIT;
    PyObject *value;
    int conforming = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$zp:literal",
                                     (char **)(uintptr_t)keywords, &value,
                                     &c.py_encoding, &conforming))
        return NULL;
    c.standard_conforming_strings = conforming != 0;
    return take_bytes(&out, imigpy_literal(&c, &out, value));
}

PyDoc_STRVAR(merge_doc, "merge(sql, params, /)\n--\n\n"
                        "A statement in UTF-8 with its placeholders replaced by "
                        "literals.");

static PyObject *
values_merge(PyObject *module, PyObject *args)
{
    const imigpy_codec c = default_codec(module);
    imig_buf out = IMIG_BUF_INIT;
    const char *sql;
    Py_ssize_t len;
    PyObject *params;
    if (!PyArg_ParseTuple(args, "s#O:merge", &sql, &len, &params))
        return NULL;
    return take_bytes(&out, imigpy_merge(&c, &out, sql, len, params));
}

PyDoc_STRVAR(param_doc, "param(value, /)\n--\n\n"
                        "A value as a bound parameter: type's OID or 0, format, bytes "
                        "or None.");

static PyObject *
values_param(PyObject *module, PyObject *value)
{
    const imigpy_codec c = default_codec(module);
    imig_buf out = IMIG_BUF_INIT;
    unsigned int oid;
    int format;
    bool is_null;
    const int done = imigpy_param(&c, value, &oid, &format, &out, &is_null);
    if (is_null)
        return Py_BuildValue("IiO", oid, format, Py_None);
    PyObject *bytes = take_bytes(&out, done);
    return bytes != NULL ? Py_BuildValue("IiN", oid, format, bytes) : NULL;
}

PyDoc_STRVAR(copy_field_doc, "copy_field(value, /)\n--\n\n"
                             "A value as a field of COPY's text format.");

static PyObject *
values_copy_field(PyObject *module, PyObject *value)
{
    const imigpy_codec c = default_codec(module);
    imig_buf out = IMIG_BUF_INIT;
    return take_bytes(&out, imigpy_copy_field(&c, &out, value));
}

#define KEYWORDS(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
    {"decode", KEYWORDS(values_decode), METH_VARARGS | METH_KEYWORDS, decode_doc},
    {"literal", KEYWORDS(values_literal), METH_VARARGS | METH_KEYWORDS, literal_doc},
    {"merge", values_merge, METH_VARARGS, merge_doc},
    {"param", values_param, METH_O, param_doc},
    {"copy_field", values_copy_field, METH_O, copy_field_doc},
    {NULL, NULL, 0, NULL},
};

int
imigpy_values_add(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
