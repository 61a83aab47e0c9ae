/* pq_copytext.c - Python values as fields of COPY's text format. */
#include "pq_adapt.h"

#include <string.h>

/* The letter behind the backslash, '\0' for bytes that stand for themselves: as
 * PostgreSQL's CopyAttributeOutText. */
static char
escape_letter(char byte)
{
    switch (byte) {
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    case '\\':
        return '\\';
    default:
        return '\0';
    }
}

static void
add_escaped(imig_buf *out, imig_str s)
{
    const char *end = s.ptr + s.len;
    const char *start = s.ptr;
    for (const char *at = s.ptr; at < end; at++) {
        if ((unsigned char)*at > '\r' && *at != '\\')
            continue; /* nearly all */
        const char letter = escape_letter(*at);
        if (letter == '\0')
            continue;
        imig_buf_add(out, start, (size_t)(at - start));
        imig_buf_byte(out, '\\');
        imig_buf_byte(out, letter);
        start = at + 1;
    }
    imig_buf_add(out, start, (size_t)(end - start));
}

/* "-0", "-0.00", "-0E-7". */
static bool
is_negative_zero(imig_str s)
{
    size_t i = 1;
    while (i < s.len && (s.ptr[i] == '0' || s.ptr[i] == '.'))
        i++;
    return s.len > 1 && s.ptr[0] == '-' && (i == s.len || s.ptr[i] == 'E');
}

void
imigpy_add_number(imig_buf *out, imig_str number)
{
    const size_t sign = is_negative_zero(number) ? 1 : 0;
    imig_buf_add(out, number.ptr + sign, number.len - sign);
}

/* An array's text is collected in a writer of its own, and then escaped as a whole. */
static int
add_array(imigpy_writer *w, PyObject *list)
{
    imigpy_writer inner = IMIGPY_WRITER_INIT(w->codec);
    const imigpy_form *element;
    const int done = imigpy_write_array_text(&inner, list, &element);
    if (done == 0 && !inner.utf8.failed)
        add_escaped(&w->utf8, (imig_str){inner.utf8.data, inner.utf8.len});
    w->utf8.failed = w->utf8.failed || inner.utf8.failed;
    imigpy_writer_clear(&inner);
    return done;
}

int
imigpy_write_copy(imigpy_writer *w, const imigpy_form *form, PyObject *value)
{
    switch (form->style) {
    case IMIGPY_NULL:
        imig_buf_str(&w->utf8, "\\N");
        return 0;
    case IMIGPY_LIST:
        return add_array(w, value);
    case IMIGPY_TUPLE:
        return imigpy_refuse(w, w->codec->values->ProgrammingError,
                             "a tuple cannot be copied; for an array use a list");
    case IMIGPY_BARE:
        imigpy_add_number(&w->utf8, w->text);
        return 0;
    case IMIGPY_QUOTED:
        add_escaped(&w->utf8, w->text);
        return 0;
    }
    return 0;
}

int
imigpy_copy_field(const imigpy_codec *c, imig_buf *out, PyObject *value)
{
    imigpy_writer w = IMIGPY_WRITER_INIT(c);
    imigpy_writer_begin(&w, out);
    const imigpy_form *form = imigpy_adapt(&w, value);
    int done = form != NULL ? imigpy_write_copy(&w, form, value) : -1;
    done = imigpy_writer_end(&w, out, done);
    imigpy_writer_clear(&w);
    return done;
}
