/* pq_hstore.c - hstore from the server's text, as contrib/hstore's hstore_out writes
 * it:
 *
 *     "a"=>"1", "b\"c"=>NULL */
#include "pq_decode.h"

#include <string.h>

#include "imig_buf.h"

typedef struct parser {
    const imigpy_codec *codec;
    const char *at;
    const char *end;
    imig_buf scratch;
} parser;

static bool
take(parser *p, const char *word, size_t len)
{
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return false;
    p->at += len;
    return true;
}

/* A quoted string as str. *ok is false, without an exception, for bad text. */
static PyObject *
take_string(parser *p, bool *ok)
{
    p->scratch.len = 0;
    *ok = take(p, "\"", 1);
    while (*ok && p->at < p->end && *p->at != '"') {
        if (*p->at == '\\' && ++p->at == p->end)
            break;
        imig_buf_byte(&p->scratch, *p->at++);
    }
    *ok = *ok && take(p, "\"", 1);
    if (!*ok)
        return NULL;
    if (p->scratch.failed)
        return PyErr_NoMemory();
    const imig_str s = {p->scratch.len != 0 ? p->scratch.data : "", p->scratch.len};
    return imigpy_decode_str(p->codec, s);
}

/* 0, -1 with an exception, 1 for bad text. */
static int
take_pair(parser *p, PyObject *dict)
{
    bool ok;
    PyObject *value = NULL;
    PyObject *key = take_string(p, &ok);
    if (key == NULL)
        return ok ? -1 : 1;
    ok = take(p, "=>", 2);
    if (ok)
        value = take(p, "NULL", 4) ? Py_NewRef(Py_None) : take_string(p, &ok);
    int done = ok ? -1 : 1;
    if (value != NULL)
        done = PyDict_SetItem(dict, key, value);
    Py_XDECREF(value);
    Py_DECREF(key);
    return done;
}

PyObject *
imigpy_decode_hstore(const imigpy_codec *c, imig_str s)
{
    parser p = {.codec = c, .at = s.ptr, .end = s.ptr + s.len};
    PyObject *dict = PyDict_New();
    if (dict == NULL || s.len == 0)
        return dict;
    int done;
    do
        done = take_pair(&p, dict);
    while (done == 0 && take(&p, ", ", 2));
    imig_buf_clear(&p.scratch);
    if (done == 0 && p.at == p.end)
        return dict;
    Py_DECREF(dict);
    return done < 0 ? NULL : imigpy_bad_text(c, "hstore", s);
}
