/* pq_decode.h - the parts of imigpy_decode, one file each.
 *
 * Text is pointer and length and need not be NUL-terminated: elements of arrays and
 * ranges point into the whole value. All return a new reference, or NULL with an
 * exception. */
#ifndef PQ_DECODE_H
#define PQ_DECODE_H

#include "pq_values.h"

#include <string.h>

/* pq_decode.c */
PyObject *imigpy_decode_value(const imigpy_codec *c, unsigned int oid, imig_str s);
PyObject *imigpy_decode_str(const imigpy_codec *c, imig_str s);

/* pq_datetime.c */
PyObject *imigpy_decode_date(const imigpy_codec *c, imig_str s);
PyObject *imigpy_decode_time(const imigpy_codec *c, imig_str s);
PyObject *imigpy_decode_timestamp(const imigpy_codec *c, imig_str s, bool with_zone);
PyObject *imigpy_decode_interval(const imigpy_codec *c, imig_str s);

/* pq_array.c: nested lists of elements of type `element`. */
PyObject *imigpy_decode_array(const imigpy_codec *c, unsigned int element, imig_str s);

/* pq_range.c: bounds are of type `element`. */
PyObject *imigpy_decode_range(const imigpy_codec *c, unsigned int element, imig_str s);
PyObject *imigpy_decode_multirange(const imigpy_codec *c, unsigned int element,
                                   imig_str s);

/* pq_hstore.c: a dict of str to str or None. */
PyObject *imigpy_decode_hstore(const imigpy_codec *c, imig_str s);

/* DataError: the text is not what a server writes. Always NULL. */
PyObject *imigpy_bad_text(const imigpy_codec *c, const char *type, imig_str s);

/* DataError: Python's type has no room for it ("too large (after year 10K)").
 * Always NULL. */
PyObject *imigpy_no_room(const imigpy_codec *c, const char *type, const char *why,
                         imig_str s);

/* Replace the raised exception, if it is a `kind`, by a DataError with `message`, of
 * which it becomes the cause; others stay raised. Always NULL. */
PyObject *imigpy_as_data_error(const imigpy_codec *c, PyObject *kind,
                               const char *message);

/* Whether the raised exception is that of a client_encoding unknown to Python, in whose
 * place NotSupportedError is raised then. */
bool imigpy_no_codec(const imigpy_codec *c);

static inline bool
imigpy_is(imig_str s, const char *word, size_t len)
{
    return s.len == len && memcmp(s.ptr, word, len) == 0;
}

#define IMIGPY_IS(s, word) imigpy_is(s, word, sizeof(word) - 1)

#endif /* PQ_DECODE_H */
