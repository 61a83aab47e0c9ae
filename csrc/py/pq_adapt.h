/* pq_adapt.h - a Python value as PostgreSQL's text; what the three emitters share.
 *
 *     value --imigpy_adapt--> form + text --+--> SQL literal      pq_literal.c
 *                                           +--> bound parameter  pq_param.c
 *                                           +--> COPY field       pq_copytext.c
 *
 * Text is UTF-8 until the emitter's end, where imigpy_writer_end changes it to the
 * client's encoding: in some of those (SJIS, BIG5, GBK) the byte of a backslash is
 * also the second half of other characters, so that escaping bytes there is unsafe. */
#ifndef PQ_ADAPT_H
#define PQ_ADAPT_H

#include "pq_values.h"

#define IMIGPY_MAX_DIMENSIONS 6 /* PostgreSQL's MAXDIM */
#define IMIGPY_MAX_NESTING 64   /* of tuples, which are rows */

typedef enum imigpy_style {
    IMIGPY_NULL,
    IMIGPY_BARE,   /* a number, true, false: no quotes in SQL */
    IMIGPY_QUOTED, /* everything that has text */
    IMIGPY_LIST,   /* an array; the emitter writes the elements */
    IMIGPY_TUPLE,  /* a row or the list of IN; likewise */
} imigpy_style;

/* How a value is written; all of them stand in pq_adapt.c. */
typedef struct imigpy_form {
    imigpy_style style;
    unsigned int oid;       /* 0: the server finds out */
    unsigned int array_oid; /* of arrays of it, 0: the server finds out */
    const char *cast;       /* type's name behind a literal, or NULL */
    bool binary;            /* bytes */
} imigpy_form;

typedef struct imigpy_writer {
    const imigpy_codec *codec;
    imig_str name;    /* of the parameter, in the client's encoding; for messages */
    Py_ssize_t index; /* 1-based where it has no name; 0 = not a parameter */
    const char *what; /* what it is where it is no parameter, or NULL */
    imig_str
        text; /* the adapted value; into `small`, `scratch`, `bound` or the value */
    char small[80];   /* what is short: numbers, dates */
    imig_buf scratch; /* what is not */
    imig_buf bound;   /* of a range */
    imig_buf utf8;    /* the emitter's output before its encoding is changed */
} imigpy_writer;

#define IMIGPY_WRITER_INIT(c) {.codec = (c)}

void imigpy_writer_clear(imigpy_writer *w);

/* The form of `value`, its text in w->text until the next call or the value's end.
 * NULL with ProgrammingError (no conversion) or DataError (NUL, surrogate). */
const imigpy_form *imigpy_adapt(imigpy_writer *w, PyObject *value);

/* pq_copytext.c: a number as it arrives where it is a literal: integers and numerics
 * have no negative zero, and so a float8 gets none from them. */
void imigpy_add_number(imig_buf *out, imig_str number);

/* Before anything is written to w->utf8. Where the encoding stays UTF-8, w->utf8 then
 * goes on where `out` ends, and out->data is not to be touched before the end. */
void imigpy_writer_begin(imigpy_writer *w, imig_buf *out);

/* Append w->utf8 to `out` in the client's encoding and empty it; also where memory ran
 * out in either, this is the place that notices. To be called after failures too, with
 * the -1 that is to be returned: `out` must get its memory back. */
IMIG_NODISCARD int imigpy_writer_end(imigpy_writer *w, imig_buf *out, int done);

/* Raise `class`, naming the parameter. -1. */
int imigpy_refuse(const imigpy_writer *w, PyObject *class, const char *message);

/* pq_literal.c: into w->utf8. */
IMIG_NODISCARD int imigpy_write_literal(imigpy_writer *w, PyObject *value, int depth);

/* pq_copytext.c: the value whose form was just found into w->utf8. */
IMIG_NODISCARD int imigpy_write_copy(imigpy_writer *w, const imigpy_form *form,
                                     PyObject *value);

/* pq_arraytext.c: `list` as {...} into w->utf8, and the form its elements share, NULL
 * where they share none. */
IMIG_NODISCARD int imigpy_write_array_text(imigpy_writer *w, PyObject *list,
                                           const imigpy_form **element);

/* pq_datetext.c: write at `to`, return what is behind. At most 10, 15, 15 and 16 bytes.
 */
char *imigpy_put_date(char *to, PyObject *value);
char *imigpy_put_time(char *to, PyObject *value);
char *imigpy_put_time_of_datetime(char *to, PyObject *value);
char *imigpy_put_offset(char *to, PyObject *delta);

#endif /* PQ_ADAPT_H */
