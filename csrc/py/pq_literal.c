/* pq_literal.c - Python values as SQL literals. */
#include "pq_adapt.h"

#include <string.h>

static size_t
count_byte(imig_str s, char byte)
{
    size_t count = 0;
    const char *end = s.ptr + s.len;
    for (const char *at = s.ptr;
         at < end && (at = memchr(at, byte, (size_t)(end - at))) != NULL; at++)
        count++;
    return count;
}

/* '...' with quotes doubled; with a backslash in it, E'...' with those doubled too, as
 * PQescapeLiteral: that means the same whatever standard_conforming_strings is when
 * the server comes to read it. */
static void
add_quoted(imig_buf *out, imig_str s)
{
    const size_t backslashes = count_byte(s, '\\');
    const size_t extra = backslashes + count_byte(s, '\'');
    size_t room;
    imig_buf_str(out, backslashes != 0 ? " E'" : "'");
    if (extra == 0) {
        imig_buf_add(out, s.ptr, s.len);
    } else {
        char *to =
            imig_add_overflow(&room, s.len, extra) ? NULL : imig_buf_reserve(out, room);
        if (to == NULL) {
            out->failed = true;
            return;
        }
        for (size_t i = 0; i < s.len; i++) {
            if (s.ptr[i] == '\\' || s.ptr[i] == '\'')
                *to++ = s.ptr[i];
            *to++ = s.ptr[i];
        }
        imig_buf_commit(out, room);
    }
    imig_buf_byte(out, '\'');
}

static void
add_scalar(imigpy_writer *w, const imigpy_form *form)
{
    imig_buf *out = &w->utf8;
    if (form->style == IMIGPY_BARE) {
        /* `1-%s` must not become a comment. */
        if (w->text.ptr[0] == '-')
            imig_buf_byte(out, ' ');
        imig_buf_add(out, w->text.ptr, w->text.len);
        return;
    }
    if (form->binary && w->codec->standard_conforming_strings) {
        imig_buf_byte(out, '\'');
        imig_buf_add(out, w->text.ptr, w->text.len);
        imig_buf_byte(out, '\'');
    } else {
        add_quoted(out, w->text);
    }
    if (form->cast != NULL) {
        imig_buf_str(out, "::");
        imig_buf_str(out, form->cast);
    }
}

/* Whether psycopg2's list_quote writes '{...}' for a list: nothing in it but None and
 * such lists. ARRAY[NULL] would be of type text. */
static bool
all_null(PyObject *list, int depth)
{
    const Py_ssize_t count = PyList_GET_SIZE(list);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *value = PyList_GET_ITEM(list, i);
        if (value == Py_None)
            continue;
        if (!PyList_CheckExact(value) || depth == IMIGPY_MAX_DIMENSIONS ||
            !all_null(value, depth + 1))
            return false;
    }
    return count != 0;
}

static void
add_nulls(imig_buf *out, PyObject *list)
{
    imig_buf_byte(out, '{');
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        if (i > 0)
            imig_buf_byte(out, ',');
        if (PyList_GET_ITEM(list, i) == Py_None)
            imig_buf_str(out, "NULL");
        else
            add_nulls(out, PyList_GET_ITEM(list, i));
    }
    imig_buf_byte(out, '}');
}

static int
write_elements(imigpy_writer *w, PyObject *list, const char *separator, int depth)
{
    /* The size is asked each time: adapting may run Python code that changes it. */
    for (Py_ssize_t i = 0; i < Py_SIZE(list); i++) {
        PyObject *value = Py_NewRef(PyList_Check(list) ? PyList_GET_ITEM(list, i)
                                                       : PyTuple_GET_ITEM(list, i));
        if (i > 0)
            imig_buf_str(&w->utf8, separator);
        const int done = imigpy_write_literal(w, value, depth + 1);
        Py_DECREF(value);
        if (done < 0)
            return -1;
    }
    return 0;
}

/* As psycopg2's list_quote: '{}' for an empty list, whose type the server finds. */
static int
write_list(imigpy_writer *w, PyObject *list, int depth)
{
    if (PyList_GET_SIZE(list) == 0) {
        imig_buf_str(&w->utf8, depth == 0 ? "'{}'" : "ARRAY[]");
        return 0;
    }
    if (all_null(list, 1)) {
        imig_buf_byte(&w->utf8, '\'');
        add_nulls(&w->utf8, list);
        imig_buf_byte(&w->utf8, '\'');
        return 0;
    }
    imig_buf_str(&w->utf8, "ARRAY[");
    if (write_elements(w, list, ",", depth) < 0)
        return -1;
    imig_buf_byte(&w->utf8, ']');
    return 0;
}

static int
write_tuple(imigpy_writer *w, PyObject *tuple, int depth)
{
    if (PyTuple_GET_SIZE(tuple) == 0)
        return imigpy_refuse(w, w->codec->values->ProgrammingError,
                             "an empty tuple has no form in SQL: `IN ()` is an error "
                             "there; for an array use a list");
    imig_buf_byte(&w->utf8, '(');
    if (write_elements(w, tuple, ", ", depth) < 0)
        return -1;
    imig_buf_byte(&w->utf8, ')');
    return 0;
}

int
imigpy_write_literal(imigpy_writer *w, PyObject *value, int depth)
{
    const imigpy_form *form = imigpy_adapt(w, value);
    if (form == NULL)
        return -1;
    if (depth > IMIGPY_MAX_NESTING)
        return imigpy_refuse(w, w->codec->values->DataError,
                             "lists and tuples nested too deep");
    switch (form->style) {
    case IMIGPY_NULL:
        imig_buf_str(&w->utf8, "NULL");
        return 0;
    case IMIGPY_LIST:
        return write_list(w, value, depth);
    case IMIGPY_TUPLE:
        return write_tuple(w, value, depth);
    case IMIGPY_BARE:
    case IMIGPY_QUOTED:
        add_scalar(w, form);
        return 0;
    }
    return 0;
}

int
imigpy_literal(const imigpy_codec *c, imig_buf *out, PyObject *value)
{
    imigpy_writer w = IMIGPY_WRITER_INIT(c);
    imigpy_writer_begin(&w, out);
    const int done = imigpy_writer_end(&w, out, imigpy_write_literal(&w, value, 0));
    imigpy_writer_clear(&w);
    return done;
}

int
imigpy_encode(const imigpy_codec *c, imig_buf *out, PyObject *text, const char *what)
{
    imigpy_writer w = IMIGPY_WRITER_INIT(c);
    int done = -1;
    w.what = what;
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %.80s", what,
                     Py_TYPE(text)->tp_name);
    } else if (imigpy_adapt(&w, text) != NULL) {
        imigpy_writer_begin(&w, out);
        imig_buf_add(&w.utf8, w.text.ptr, w.text.len);
        done = imigpy_writer_end(&w, out, 0);
    }
    imigpy_writer_clear(&w);
    return done;
}
