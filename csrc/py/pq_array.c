/* pq_array.c - arrays from the server's text, as PostgreSQL's array_out writes them:
 *
 *     [1:2][0:1]={{a,NULL},{"b c","\"\\"}}
 *
 * No recursion: the lists that are open stand in a small stack. */
#include "pq_decode.h"

#include <string.h>

#include "imig_buf.h"

#define MAX_DEPTH 6 /* PostgreSQL's MAXDIM */

typedef struct parser {
    const imigpy_codec *codec;
    unsigned int element;
    const char *at;
    const char *end;
    PyObject *open[MAX_DEPTH]; /* strong; open[0] is the result */
    int depth;
    imig_buf scratch; /* a quoted element without its backslashes */
} parser;

/* Step over the bounds that precede `={` where one of them is not 1. Lower bounds are
 * lost, as with psycopg2. */
static void
skip_bounds(parser *p)
{
    if (p->at == p->end || *p->at != '[')
        return;
    const char *equals = memchr(p->at, '=', (size_t)(p->end - p->at));
    if (equals != NULL)
        p->at = equals + 1;
}

static int
append(parser *p, PyObject *value)
{
    if (value == NULL)
        return -1;
    int done = -1;
    if (p->depth > 0)
        done = PyList_Append(p->open[p->depth - 1], value);
    Py_DECREF(value);
    return done;
}

/* At `{`: a new list within the last open one. 1 where there are too many. */
static int
open_list(parser *p)
{
    if (p->depth == MAX_DEPTH)
        return 1;
    PyObject *list = PyList_New(0);
    if (list == NULL)
        return -1;
    if (p->depth > 0 && PyList_Append(p->open[p->depth - 1], list) < 0) {
        Py_DECREF(list);
        return -1;
    }
    p->open[p->depth++] = list;
    p->at++;
    return 0;
}

/* At the opening quote: `out` is what stands between it and the closing one, without
 * backslashes. 0, -1 with an exception, 1 where the text ends within. */
static int
read_quoted(parser *p, imig_str *out)
{
    imig_buf *word = &p->scratch;
    const char *start = ++p->at;
    word->len = 0;
    while (p->at < p->end && *p->at != '"') {
        if (*p->at == '\\') {
            imig_buf_add(word, start, (size_t)(p->at - start));
            start = ++p->at;
            if (p->at == p->end)
                return 1;
        }
        p->at++;
    }
    if (p->at == p->end)
        return 1;
    *out = (imig_str){start, (size_t)(p->at - start)};
    p->at++;
    if (word->len != 0 || word->failed) {
        imig_buf_add(word, out->ptr, out->len);
        *out = (imig_str){word->data, word->len};
    }
    if (word->failed)
        PyErr_NoMemory();
    return word->failed ? -1 : 0;
}

static int
take_quoted(parser *p)
{
    imig_str s = {"", 0};
    const int done = read_quoted(p, &s);
    return done != 0 ? done : append(p, imigpy_decode_value(p->codec, p->element, s));
}

static bool
is_null(imig_str s)
{
    return s.len == 4 && PyOS_strnicmp(s.ptr, "NULL", 4) == 0;
}

/* 0, -1 with an exception, 1 where there is nothing. */
static int
take_plain(parser *p)
{
    const char *start = p->at;
    while (p->at < p->end && memchr(",{}\"\\", *p->at, 5) == NULL)
        p->at++;
    const imig_str s = {start, (size_t)(p->at - start)};
    if (s.len == 0)
        return 1;
    if (is_null(s))
        return append(p, Py_NewRef(Py_None));
    return append(p, imigpy_decode_value(p->codec, p->element, s));
}

/* Behind a value: close lists, until a comma asks for one more value or all are closed.
 * 1 where neither comes. */
static int
after_value(parser *p)
{
    while (p->at < p->end && *p->at == '}') {
        p->at++;
        if (p->depth == 1)
            return p->at == p->end ? 0 : 1;
        p->depth--;
        Py_CLEAR(p->open[p->depth]);
    }
    if (p->at == p->end || *p->at != ',')
        return 1;
    p->at++;
    return 0;
}

/* One value, a list included, and what follows it. 0, -1 with an exception, 1 for text
 * that no server writes. */
static int
step(parser *p)
{
    int done;
    if (p->at == p->end)
        return 1;
    if (*p->at == '{') {
        done = open_list(p);
        /* An empty list is a whole value; any other goes on with its first one. */
        if (done != 0 || p->at == p->end || *p->at != '}')
            return done;
    } else if (p->depth == 0) {
        return 1;
    } else {
        done = *p->at == '"' ? take_quoted(p) : take_plain(p);
        if (done != 0)
            return done;
    }
    return after_value(p);
}

PyObject *
imigpy_decode_array(const imigpy_codec *c, unsigned int element, imig_str s)
{
    parser p = {.codec = c, .element = element, .at = s.ptr, .end = s.ptr + s.len};
    PyObject *result = NULL;
    int done;
    skip_bounds(&p);
    do
        done = step(&p);
    while (done == 0 && p.at < p.end);
    /* The last step has closed the outermost list, or the text ended too early. */
    if (done == 0 && p.depth == 1 && p.end[-1] == '}')
        result = Py_NewRef(p.open[0]);
    else if (done >= 0)
        (void)imigpy_bad_text(c, "array", s);
    while (p.depth > 0)
        Py_DECREF(p.open[--p.depth]);
    imig_buf_clear(&p.scratch);
    return result;
}
