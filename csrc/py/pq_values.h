/* pq_values.h - Python values to and from PostgreSQL's text format.
 *
 *     server text --imigpy_decode--> object --+--imigpy_literal--> SQL
 *                                             +--imigpy_param----> bound parameter
 *                                             +--imigpy_copy_field-> COPY text
 *
 * psycopg2 is the oracle; docs/reference/values.md lists where we differ and why.
 * All functions need the GIL, keep no pointer to what they are given, and report
 * failure by a Python exception. */
#ifndef PQ_VALUES_H
#define PQ_VALUES_H

#include "py_common.h"

#include "imig_buf.h"

/* Attributes that are looked up often. */
typedef enum imigpy_name {
    IMIGPY_NAME_INT,
    IMIGPY_NAME_LOWER,
    IMIGPY_NAME_UPPER,
    IMIGPY_NAME_BOUNDS,
    IMIGPY_NAME_EMPTY,
    IMIGPY_NAME_OFFSET,
    IMIGPY_NAMES, /* how many */
} imigpy_name;

/* Classes and functions of other modules; all references are strong. */
typedef struct imigpy_values {
    PyObject *Decimal;
    PyObject *UUID;
    PyObject *uuid_int; /* descriptors of its two slots */
    PyObject *uuid_is_safe;
    PyObject *uuid_unknown; /* uuid.SafeUUID.unknown */
    PyObject *no_args;      /* () */
    PyObject *json_loads;
    PyObject *Range;      /* ibutsu_migrate.engine.ranges */
    PyObject *Multirange; /* ibutsu_migrate.engine.ranges */
    PyObject *simplify;   /* ibutsu_migrate.engine.adapt */
    PyObject *DataError;
    PyObject *ProgrammingError;
    PyObject *NotSupportedError;
    PyObject *names[IMIGPY_NAMES]; /* interned str, see imigpy_name */
    PyObject *last_zone;           /* datetime.timezone; NULL before the first */
    int last_zone_seconds;
    void *datetime; /* PyDateTime_CAPI of this interpreter; borrowed */
} imigpy_values;

/* Import everything. -1 with an exception; what was imported is then left to
 * imigpy_values_clear. */
IMIG_NODISCARD int imigpy_values_init(imigpy_values *v);
int imigpy_values_traverse(imigpy_values *v, visitproc visit, void *arg);
void imigpy_values_clear(imigpy_values *v);

/* What the conversion of one connection depends on; owned by the connection, which
 * changes it when the server reports a changed setting. */
typedef struct imigpy_codec {
    imigpy_values *values;
    PyObject *json_loads;    /* called with str; NULL = json.loads */
    const char *py_encoding; /* Python's name of client_encoding; NULL = UTF-8 */
    bool ascii_server;       /* client_encoding SQL_ASCII: surrogateescape */
    bool clamp_infinity;     /* infinity is date.max and so on, as in psycopg2 */
    bool standard_conforming_strings;
    bool foreign_datestyle;     /* DateStyle is not ISO: dates are not read */
    bool foreign_intervalstyle; /* IntervalStyle is not postgres */
    unsigned int hstore_oid;    /* 0 = not known */
    unsigned int hstore_array_oid;
} imigpy_codec;

/* UTF-8, standard_conforming_strings on, ISO, no hstore. */
void imigpy_codec_init(imigpy_codec *c, imigpy_values *values);

/* A value of type `oid` from the server's text, which need not be NUL-terminated.
 * New reference; NULL with DataError (a value that Python has no room for),
 * NotSupportedError (a DateStyle that is not read) or what json_loads raised. */
PyObject *imigpy_decode(const imigpy_codec *c, unsigned int oid, const char *text,
                        Py_ssize_t len);

/* `text` (str) in the connection's encoding, appended. `what` names it in messages.
 * Surrogates and NUL raise DataError. */
IMIG_NODISCARD int imigpy_encode(const imigpy_codec *c, imig_buf *out, PyObject *text,
                                 const char *what);

/* `value` as SQL, in the connection's encoding. -1 with ProgrammingError (no such
 * conversion) or DataError (NUL, surrogate, an array too deep). */
IMIG_NODISCARD int imigpy_literal(const imigpy_codec *c, imig_buf *out,
                                  PyObject *value);

/* `sql`, in the connection's encoding, with its placeholders replaced by literals:
 * %s from a sequence, %(name)s from a mapping, %% is one %. `params` is not None: a
 * statement without parameters is sent as it stands. */
IMIG_NODISCARD int imigpy_merge(const imigpy_codec *c, imig_buf *out, const char *sql,
                                Py_ssize_t len, PyObject *params);

/* `value` for PQsendQueryParams: *oid 0 leaves the type to the server, *format is 0
 * for text (NUL-terminated in `out`) and 1 for binary. */
IMIG_NODISCARD int imigpy_param(const imigpy_codec *c, PyObject *value,
                                unsigned int *oid, int *format, imig_buf *out,
                                bool *is_null);

/* `value` as one field of COPY's text format, escaped, without delimiter. */
IMIG_NODISCARD int imigpy_copy_field(const imigpy_codec *c, imig_buf *out,
                                     PyObject *value);

/* pq_valuesfunc.c: add decode(), literal(), merge(), param() and copy_field() to the
 * module, for tests and for what has no connection. */
IMIG_NODISCARD int imigpy_values_add(PyObject *module);

#endif /* PQ_VALUES_H */
