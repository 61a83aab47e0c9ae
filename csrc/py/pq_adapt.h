/* pq_adapt.h - a Python value as PostgreSQL's text; what the three emitters share.
 *
 *     value --imigpy_adapt--> form + text --+--> SQL literal      pq_literal.c
 *                                           +--> bound parameter  pq_param.c
 *                                           +--> COPY field       pq_copytext.c
 *
 * Text is UTF-8 until the emitter's end, where imigpy_writer_finish changes it to the
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
    imig_str text;    /* the adapted value; into `scratch` or the value itself */
    imig_buf scratch;
    imig_buf bound; /* of a range */
    imig_buf utf8;  /* the emitter's output before its encoding is changed */
} imigpy_writer;

#define IMIGPY_WRITER_INIT(c) {.codec = (c)}

void imigpy_writer_clear(imigpy_writer *w);

/* The form of `value`, its text in w->text until the next call or the value's end.
 * NULL with ProgrammingError (no conversion) or DataError (NUL, surrogate). */
const imigpy_form *imigpy_adapt(imigpy_writer *w, PyObject *value);

/* Append w->utf8 to `out` in the client's encoding and empty it; also where memory ran
 * out in either, this is the place that notices. */
IMIG_NODISCARD int imigpy_writer_finish(imigpy_writer *w, imig_buf *out);

/* Raise `class`, naming the parameter. -1. */
int imigpy_refuse(const imigpy_writer *w, PyObject *class, const char *message);

/* pq_literal.c: into w->utf8. */
IMIG_NODISCARD int imigpy_write_literal(imigpy_writer *w, PyObject *value, int depth);

/* pq_arraytext.c: `list` as {...} into w->utf8, and the form its elements share, NULL
 * where they share none. */
IMIG_NODISCARD int imigpy_write_array_text(imigpy_writer *w, PyObject *list,
                                           const imigpy_form **element);

#endif /* PQ_ADAPT_H */
