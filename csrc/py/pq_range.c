/* pq_range.c - ranges and multiranges from the server's text.
 *
 *     empty    [1,5)    (,"2026-01-01 00:00:00"]    {[1,3),[5,)}
 *
 * As PostgreSQL's range_out and range_bound_escape: a bound that needs it stands in
 * quotes, in which quotes and backslashes are doubled; like range_in, a backslash is
 * read before any character. */
#include "pq_decode.h"

#include <string.h>

#include "imig_buf.h"

typedef struct parser {
    const imigpy_codec *codec;
    unsigned int element;
    const char *at;
    const char *end;
    imig_buf scratch; /* one bound without quotes and backslashes */
} parser;

/* A bound up to the `,`, `]` or `)` behind it, into scratch. False where the text ends
 * before that. */
static bool
read_bound(parser *p)
{
    bool quoted = false;
    p->scratch.len = 0;
    while (p->at < p->end) {
        char byte = *p->at++;
        if (byte == '\\') {
            if (p->at == p->end)
                return false;
            byte = *p->at++;
        } else if (byte == '"') {
            /* Two within quotes are one, and end nothing. */
            if (!quoted || p->at == p->end || *p->at != '"') {
                quoted = !quoted;
                continue;
            }
            p->at++;
        } else if (!quoted && (byte == ',' || byte == ']' || byte == ')')) {
            p->at--;
            return true;
        }
        imig_buf_byte(&p->scratch, byte);
    }
    return false;
}

/* The bound's value; None where nothing stands there. *ok is false, without an
 * exception, for text that no server writes. */
static PyObject *
take_bound(parser *p, bool *ok)
{
    const char *start = p->at;
    *ok = read_bound(p);
    if (!*ok)
        return NULL;
    if (p->at == start)
        return Py_NewRef(Py_None);
    if (p->scratch.failed)
        return PyErr_NoMemory();
    const imig_str s = {p->scratch.len != 0 ? p->scratch.data : "", p->scratch.len};
    return imigpy_decode_value(p->codec, p->element, s);
}

static PyObject *
make_range(const imigpy_values *v, PyObject *lower, PyObject *upper,
           const char *two_bounds, PyObject *empty)
{
    PyObject *bounds = PyUnicode_FromStringAndSize(two_bounds, 2);
    if (bounds == NULL)
        return NULL;
    PyObject *args[] = {lower, upper, bounds, empty};
    PyObject *value = PyObject_Vectorcall(v->Range, args, 4, NULL);
    Py_DECREF(bounds);
    return value;
}

/* One range. NULL with an exception, or without one (*ok false) for bad text. */
static PyObject *
take_range(parser *p, bool *ok)
{
    PyObject *lower = NULL, *upper = NULL, *value = NULL;
    char bounds[2];
    *ok = p->at < p->end && (*p->at == '[' || *p->at == '(');
    if (!*ok)
        return NULL;
    bounds[0] = *p->at++;
    if ((lower = take_bound(p, ok)) == NULL)
        goto out;
    if (*p->at++ != ',') {
        *ok = false;
        goto out;
    }
    if ((upper = take_bound(p, ok)) == NULL)
        goto out;
    bounds[1] = *p->at++;
    *ok = bounds[1] != ',';
    if (*ok)
        value = make_range(p->codec->values, lower, upper, bounds, Py_False);
out:
    Py_XDECREF(upper);
    Py_XDECREF(lower);
    return value;
}

static parser
parser_of(const imigpy_codec *c, unsigned int element, imig_str s)
{
    return (parser){.codec = c, .element = element, .at = s.ptr, .end = s.ptr + s.len};
}

PyObject *
imigpy_decode_range(const imigpy_codec *c, unsigned int element, imig_str s)
{
    parser p = parser_of(c, element, s);
    bool ok;
    if (IMIGPY_IS(s, "empty"))
        return make_range(c->values, Py_None, Py_None, "[)", Py_True);
    PyObject *value = take_range(&p, &ok);
    imig_buf_clear(&p.scratch);
    if (!ok || (value != NULL && p.at != p.end)) {
        Py_XDECREF(value);
        return imigpy_bad_text(c, "range", s);
    }
    return value;
}

/* The ranges of a multirange, appended to `list`, up to and with the closing brace.
 * 0, -1 with an exception, 1 for bad text. */
static int
take_ranges(parser *p, PyObject *list)
{
    if (p->at < p->end && *p->at == '}') {
        p->at++;
        return 0;
    }
    while (p->at < p->end) {
        bool ok;
        PyObject *range = take_range(p, &ok);
        if (range == NULL)
            return ok ? -1 : 1;
        const int done = PyList_Append(list, range);
        Py_DECREF(range);
        if (done < 0)
            return -1;
        if (p->at == p->end)
            return 1;
        const char byte = *p->at++;
        if (byte != ',')
            return byte == '}' ? 0 : 1;
    }
    return 1;
}

PyObject *
imigpy_decode_multirange(const imigpy_codec *c, unsigned int element, imig_str s)
{
    parser p = parser_of(c, element, s);
    PyObject *value = NULL;
    if (p.at == p.end || *p.at++ != '{')
        return imigpy_bad_text(c, "multirange", s);
    PyObject *list = PyList_New(0);
    if (list == NULL)
        return NULL;
    const int done = take_ranges(&p, list);
    if (done == 0 && p.at == p.end)
        value = PyObject_CallOneArg(c->values->Multirange, list);
    else if (done >= 0)
        (void)imigpy_bad_text(c, "multirange", s);
    Py_DECREF(list);
    imig_buf_clear(&p.scratch);
    return value;
}
