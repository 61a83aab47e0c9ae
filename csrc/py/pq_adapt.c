/* pq_adapt.c - Python values to PostgreSQL's text.
 *
 * The forms are those that psycopg2's adapters give a value in SQL, so that a statement
 * means the same: what is bare there is bare here, what has a cast there has one
 * here. */
#include "pq_adapt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pq_datetime.h"
#include "pq_decode.h"

static const imigpy_form form_null = {IMIGPY_NULL, 0, 0, NULL, false};
static const imigpy_form form_list = {IMIGPY_LIST, 0, 0, NULL, false};
static const imigpy_form form_tuple = {IMIGPY_TUPLE, 0, 0, NULL, false};
static const imigpy_form form_bool = {IMIGPY_BARE, 16, 1000, NULL, false};
/* Not smallint: 32000 + 32000 is 64000 in SQL, and must be with parameters. */
static const imigpy_form form_int4 = {IMIGPY_BARE, 23, 1007, NULL, false};
static const imigpy_form form_int8 = {IMIGPY_BARE, 20, 1016, NULL, false};
/* A literal with a point is numeric: round(1.5, 2) exists, for float8 it does not. */
static const imigpy_form form_numeric = {IMIGPY_BARE, 1700, 1231, NULL, false};
static const imigpy_form form_not_a_number = {IMIGPY_QUOTED, 1700, 1231, "numeric",
                                              false};
static const imigpy_form form_infinite = {IMIGPY_QUOTED, 701, 1022, "float", false};
static const imigpy_form form_text = {IMIGPY_QUOTED, 0, 0, NULL, false};
static const imigpy_form form_bytea = {IMIGPY_QUOTED, 17, 1001, "bytea", true};
static const imigpy_form form_date = {IMIGPY_QUOTED, 1082, 1182, "date", false};
static const imigpy_form form_time = {IMIGPY_QUOTED, 1083, 1183, "time", false};
static const imigpy_form form_timetz = {IMIGPY_QUOTED, 1266, 1270, "timetz", false};
static const imigpy_form form_timestamp = {IMIGPY_QUOTED, 1114, 1115, "timestamp",
                                           false};
static const imigpy_form form_timestamptz = {IMIGPY_QUOTED, 1184, 1185, "timestamptz",
                                             false};
static const imigpy_form form_interval = {IMIGPY_QUOTED, 1186, 1187, "interval", false};
static const imigpy_form form_uuid = {IMIGPY_QUOTED, 2950, 2951, "uuid", false};
static const imigpy_form form_inet = {IMIGPY_QUOTED, 869, 1041, "inet", false};
static const imigpy_form form_cidr = {IMIGPY_QUOTED, 650, 651, "cidr", false};
static const imigpy_form form_daterange = {IMIGPY_QUOTED, 3912, 3913, "daterange",
                                           false};
static const imigpy_form form_tsrange = {IMIGPY_QUOTED, 3908, 3909, "tsrange", false};
static const imigpy_form form_tstzrange = {IMIGPY_QUOTED, 3910, 3911, "tstzrange",
                                           false};
static const imigpy_form form_datemultirange = {IMIGPY_QUOTED, 4535, 6155,
                                                "datemultirange", false};
static const imigpy_form form_tsmultirange = {IMIGPY_QUOTED, 4533, 6152, "tsmultirange",
                                              false};
static const imigpy_form form_tstzmultirange = {IMIGPY_QUOTED, 4534, 6153,
                                                "tstzmultirange", false};

void
imigpy_writer_clear(imigpy_writer *w)
{
    imig_buf_clear(&w->scratch);
    imig_buf_clear(&w->bound);
    imig_buf_clear(&w->utf8);
}

int
imigpy_refuse(const imigpy_writer *w, PyObject *class, const char *message)
{
    if (w->name.ptr != NULL) {
        PyObject *name =
            PyUnicode_DecodeUTF8(w->name.ptr, (Py_ssize_t)w->name.len, "replace");
        if (name != NULL)
            PyErr_Format(class, "parameter %R: %s", name, message);
        Py_XDECREF(name);
    } else if (w->index > 0) {
        PyErr_Format(class, "parameter %zd: %s", w->index, message);
    } else if (w->what != NULL) {
        PyErr_Format(class, "%s: %s", w->what, message);
    } else {
        PyErr_SetString(class, message);
    }
    return -1;
}

/* The raised exception is one of text that cannot be encoded: DataError instead. */
static int
refuse_encoding(const imigpy_writer *w, const char *message)
{
    if (imigpy_no_codec(w->codec) || !PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
        return -1;
    PyErr_Clear();
    return imigpy_refuse(w, w->codec->values->DataError, message);
}

void
imigpy_writer_begin(imigpy_writer *w, imig_buf *out)
{
    if (w->codec->py_encoding == NULL) {
        w->utf8 = *out;
        *out = (imig_buf)IMIG_BUF_INIT;
    }
}

/* Append w->utf8 in the client's encoding. */
static int
recode(imigpy_writer *w, imig_buf *out)
{
    int done = 0;
    PyObject *text = PyUnicode_DecodeUTF8(w->utf8.data, (Py_ssize_t)w->utf8.len, NULL);
    PyObject *bytes = text != NULL
                          ? PyUnicode_AsEncodedString(text, w->codec->py_encoding, NULL)
                          : NULL;
    if (bytes != NULL)
        imig_buf_add(out, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    else
        done = refuse_encoding(w, "text that the client's encoding does not have");
    Py_XDECREF(bytes);
    Py_XDECREF(text);
    w->utf8.len = 0;
    return done;
}

int
imigpy_writer_end(imigpy_writer *w, imig_buf *out, int done)
{
    bool failed = w->utf8.failed;
    if (w->codec->py_encoding == NULL) {
        *out = w->utf8;
        w->utf8 = (imig_buf)IMIG_BUF_INIT;
    } else if (done == 0 && !failed) {
        done = recode(w, out);
        failed = out->failed;
    }
    if (failed && done == 0) {
        PyErr_NoMemory();
        done = -1;
    }
    return done;
}

/* w->text = what was collected in scratch. */
static const imigpy_form *
from_scratch(imigpy_writer *w, const imigpy_form *form)
{
    if (w->scratch.failed) {
        PyErr_NoMemory();
        return NULL;
    }
    w->text = (imig_str){w->scratch.len != 0 ? w->scratch.data : "", w->scratch.len};
    return form;
}

/* w->text = what was written to w->small, up to `end`. */
static const imigpy_form *
from_small(imigpy_writer *w, const char *end, const imigpy_form *form)
{
    w->text = (imig_str){w->small, (size_t)(end - w->small)};
    return form;
}

static const imigpy_form *
add_word(imigpy_writer *w, const char *word, const imigpy_form *form)
{
    const size_t len = strlen(word);
    if (len >= sizeof w->small) {
        imig_buf_add(&w->scratch, word, len);
        return from_scratch(w, form);
    }
    memcpy(w->small, word, len);
    return from_small(w, w->small + len, form);
}

/* Text of a str in a database without encoding: bytes that once were read as lone
 * surrogates go back as they came. */
static const imigpy_form *
adapt_ascii_str(imigpy_writer *w, PyObject *value)
{
    PyObject *bytes = PyUnicode_AsEncodedString(value, "utf-8", "surrogateescape");
    if (bytes == NULL)
        return NULL;
    imig_buf_add(&w->scratch, PyBytes_AS_STRING(bytes),
                 (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return from_scratch(w, &form_text);
}

static const imigpy_form *
adapt_str(imigpy_writer *w, PyObject *value)
{
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(value, &len);
    const imigpy_form *form = &form_text;
    if (text != NULL) {
        w->text = (imig_str){text, (size_t)len};
    } else if (w->codec->ascii_server &&
               PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
        PyErr_Clear();
        form = adapt_ascii_str(w, value);
    } else {
        form = NULL;
    }
    if (form == NULL) {
        (void)refuse_encoding(w, "a string with lone surrogates is not text");
        return NULL;
    }
    if (memchr(w->text.ptr, '\0', w->text.len) != NULL) {
        (void)imigpy_refuse(w, w->codec->values->DataError,
                            "a string cannot contain NUL (0x00) characters");
        return NULL;
    }
    return form;
}

/* What the server takes digits without quotes for, as its make_const; the grammar has
 * joined the sign to them by then. */
static const imigpy_form *
form_of_digits(const char *text)
{
    char *end;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (*end != '\0' || errno != 0)
        return &form_numeric;
    return number >= INT32_MIN && number <= INT32_MAX ? &form_int4 : &form_int8;
}

/* Also of subclasses, whose own str() may be anything (IntEnum). */
static const imigpy_form *
adapt_int(imigpy_writer *w, PyObject *value)
{
    char digits[24];
    int overflow;
    const long long small = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (small == -1 && PyErr_Occurred())
        return NULL;
    if (overflow == 0) {
        (void)snprintf(digits, sizeof digits, "%lld", small);
        return add_word(w, digits, form_of_digits(digits));
    }
    PyObject *text = PyLong_Type.tp_repr(value);
    if (text == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_ValueError))
            return NULL;
        /* sys.set_int_max_str_digits() */
        PyErr_Clear();
        (void)imigpy_refuse(w, w->codec->values->DataError,
                            "an integer with more digits than Python writes");
        return NULL;
    }
    const char *word = PyUnicode_AsUTF8(text);
    const imigpy_form *form = word != NULL ? add_word(w, word, &form_numeric) : NULL;
    Py_DECREF(text);
    return form;
}

static const imigpy_form *
adapt_float(imigpy_writer *w, PyObject *value)
{
    const double number = PyFloat_AS_DOUBLE(value);
    if (Py_IS_NAN(number))
        return add_word(w, "NaN", &form_infinite);
    if (Py_IS_INFINITY(number))
        return add_word(w, number > 0 ? "Infinity" : "-Infinity", &form_infinite);
    char *text = PyOS_double_to_string(number, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (text == NULL)
        return NULL;
    const imigpy_form *form = add_word(w, text, &form_numeric);
    PyMem_Free(text);
    return form;
}

/* Digits, a point, an exponent: what may stand in SQL without quotes. */
static bool
is_number(const char *text)
{
    return strspn(text, "+-.0123456789E") == strlen(text);
}

static const imigpy_form *
adapt_decimal(imigpy_writer *w, PyObject *value)
{
    /* Not str(), which a subclass may have changed. */
    PyObject *text = ((PyTypeObject *)w->codec->values->Decimal)->tp_str(value);
    if (text == NULL)
        return NULL;
    const imigpy_form *form = NULL;
    const char *word = PyUnicode_AsUTF8(text);
    if (word != NULL && is_number(word))
        form = add_word(w, word, form_of_digits(word));
    else if (word != NULL && strstr(word, "Inf") != NULL)
        form =
            add_word(w, word[0] == '-' ? "-Infinity" : "Infinity", &form_not_a_number);
    else if (word != NULL)
        form = add_word(w, "NaN", &form_not_a_number); /* NaN, sNaN, -NaN12 */
    Py_DECREF(text);
    return form;
}

static const imigpy_form *
add_hex(imigpy_writer *w, const Py_buffer *view)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = view->buf;
    const size_t len = (size_t)view->len;
    char *to = len < SIZE_MAX / 4 ? imig_buf_reserve(&w->scratch, len * 2 + 2) : NULL;
    if (to == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *to++ = '\\';
    *to++ = 'x';
    for (size_t i = 0; i < len; i++) {
        *to++ = digits[from[i] >> 4];
        *to++ = digits[from[i] & 15];
    }
    imig_buf_commit(&w->scratch, len * 2 + 2);
    return from_scratch(w, &form_bytea);
}

static const imigpy_form *
adapt_bytes(imigpy_writer *w, PyObject *value)
{
    Py_buffer view;
    PyObject *bytes = NULL;
    const imigpy_form *form = NULL;
    if (PyObject_GetBuffer(value, &view, PyBUF_FULL_RO) < 0)
        return NULL;
    if (PyBuffer_IsContiguous(&view, 'C')) {
        form = add_hex(w, &view);
    } else if ((bytes = PyBytes_FromObject(value)) != NULL) {
        const Py_buffer copy = {.buf = PyBytes_AS_STRING(bytes),
                                .len = PyBytes_GET_SIZE(bytes)};
        form = add_hex(w, &copy);
    }
    Py_XDECREF(bytes);
    PyBuffer_Release(&view);
    return form;
}

/* value.utcoffset() at *to, which is moved. 1 where it is None, 0, -1. */
static int
add_offset(imigpy_writer *w, char **to, PyObject *value)
{
    const imigpy_values *v = w->codec->values;
    int done = 0;
    PyObject *offset = PyObject_CallMethodNoArgs(value, v->names[IMIGPY_NAME_OFFSET]);
    if (offset == NULL)
        return -1;
    if (PyObject_TypeCheck(offset, imigpy_datetime(v)->DeltaType))
        *to = imigpy_put_offset(*to, offset);
    else if (offset == Py_None)
        done = 1;
    else
        done = imigpy_refuse(w, v->ProgrammingError, "utcoffset() gave no timedelta");
    Py_DECREF(offset);
    return done;
}

static const imigpy_form *
adapt_datetime(imigpy_writer *w, PyObject *value)
{
    char *to = imigpy_put_date(w->small, value);
    *to++ = ' ';
    to = imigpy_put_time_of_datetime(to, value);
    if (((PyDateTime_DateTime *)value)->hastzinfo == 0)
        return from_small(w, to, &form_timestamp);
    /* A zone that does not know its offset leaves it to the session's, as psycopg2. */
    if (add_offset(w, &to, value) < 0)
        return NULL;
    return from_small(w, to, &form_timestamptz);
}

static const imigpy_form *
adapt_time(imigpy_writer *w, PyObject *value)
{
    char *to = imigpy_put_time(w->small, value);
    if (((PyDateTime_Time *)value)->hastzinfo == 0)
        return from_small(w, to, &form_time);
    const int done = add_offset(w, &to, value);
    if (done == 1)
        (void)imigpy_refuse(w, w->codec->values->DataError,
                            "a time whose zone has no offset without a date");
    return done != 0 ? NULL : from_small(w, to, &form_timetz);
}

/* With a sign at each number: IntervalStyle sql_standard would take a lone minus for
 * all of them. */
static const imigpy_form *
adapt_timedelta(imigpy_writer *w, PyObject *value)
{
    char text[80];
    (void)snprintf(text, sizeof text, "%+d days %+d seconds %+d microseconds",
                   PyDateTime_DELTA_GET_DAYS(value),
                   PyDateTime_DELTA_GET_SECONDS(value),
                   PyDateTime_DELTA_GET_MICROSECONDS(value));
    return add_word(w, text, &form_interval);
}

/* Its 128 bits, from the attribute `int`. */
static int
uuid_bits(imigpy_writer *w, PyObject *value, uint64_t *high, uint64_t *low)
{
    PyObject *number =
        PyObject_GetAttr(value, w->codec->values->names[IMIGPY_NAME_INT]);
    PyObject *shift = PyLong_FromLong(64);
    PyObject *rest = NULL;
    if (number != NULL && shift != NULL && PyLong_Check(number)) {
        *low = PyLong_AsUnsignedLongLongMask(number);
        rest = PyNumber_Rshift(number, shift);
    }
    if (rest != NULL)
        *high = PyLong_AsUnsignedLongLongMask(rest);
    else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "UUID.int is no int");
    Py_XDECREF(rest);
    Py_XDECREF(shift);
    Py_XDECREF(number);
    return PyErr_Occurred() ? -1 : 0;
}

static const imigpy_form *
adapt_uuid(imigpy_writer *w, PyObject *value)
{
    uint64_t high = 0, low = 0;
    if (uuid_bits(w, value, &high, &low) < 0)
        return NULL;
    (void)snprintf(w->small, sizeof w->small, "%08x-%04x-%04x-%04x-%012llx",
                   (unsigned int)(high >> 32), (unsigned int)(high >> 16 & 0xffff),
                   (unsigned int)(high & 0xffff), (unsigned int)(low >> 48),
                   (unsigned long long)(low & 0xffffffffffffULL));
    return from_small(w, w->small + 36, &form_uuid);
}

/* What Python has replaced: Enum members, ip addresses, psycopg2's objects; see
 * engine/adapt.py. */
static const imigpy_form *
adapt_simplified(imigpy_writer *w, PyObject *pair)
{
    static const imigpy_form *const known[] = {&form_bytea,   &form_inet,
                                               &form_cidr,    &form_daterange,
                                               &form_tsrange, &form_tstzrange};
    const imigpy_form *form = &form_text;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2)
        return NULL;
    const unsigned long oid = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(pair, 1));
    if (PyErr_Occurred() || adapt_str(w, PyTuple_GET_ITEM(pair, 0)) == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i]->oid == oid)
            form = known[i];
    }
    /* The text belongs to the pair, which goes away. */
    if (w->text.ptr != w->scratch.data)
        imig_buf_add(&w->scratch, w->text.ptr, w->text.len);
    return from_scratch(w, form);
}

static const imigpy_form *
adapt_other(imigpy_writer *w, PyObject *value)
{
    const imigpy_values *v = w->codec->values;
    char message[160];
    PyObject *pair = PyObject_CallOneArg(v->simplify, value);
    if (pair == NULL)
        return NULL;
    const imigpy_form *form = NULL;
    if (pair != Py_None) {
        form = adapt_simplified(w, pair);
    } else {
        (void)snprintf(message, sizeof message, "can't adapt type '%.80s'%s",
                       Py_TYPE(value)->tp_name,
                       PyDict_Check(value) ? "; use a bind of a JSON type, or "
                                             "json.dumps()"
                                           : "");
        (void)imigpy_refuse(w, v->ProgrammingError, message);
    }
    Py_DECREF(pair);
    return form;
}

static bool
is_a(PyObject *value, const PyObject *class)
{
    return PyObject_TypeCheck(value, (PyTypeObject *)(uintptr_t)class);
}

static const imigpy_form *
adapt_object(imigpy_writer *w, PyObject *value)
{
    const imigpy_values *v = w->codec->values;
    const PyDateTime_CAPI *api = imigpy_datetime(v);
    /* A datetime is a date, too. */
    if (PyObject_TypeCheck(value, api->DateTimeType))
        return adapt_datetime(w, value);
    if (PyObject_TypeCheck(value, api->DateType))
        return from_small(w, imigpy_put_date(w->small, value), &form_date);
    if (PyObject_TypeCheck(value, api->TimeType))
        return adapt_time(w, value);
    if (PyObject_TypeCheck(value, api->DeltaType))
        return adapt_timedelta(w, value);
    if (is_a(value, v->Decimal))
        return adapt_decimal(w, value);
    if (is_a(value, v->UUID))
        return adapt_uuid(w, value);
    return adapt_other(w, value);
}

/* All but lists, tuples and ranges. Subclasses are written as what they derive from,
 * str and int before the rest: a member of `class Color(str, Enum)` is its text. */
static const imigpy_form *
adapt_scalar(imigpy_writer *w, PyObject *value)
{
    w->scratch.len = 0;
    if (value == Py_None)
        return &form_null;
    if (PyUnicode_Check(value))
        return adapt_str(w, value);
    if (PyBool_Check(value))
        return add_word(w, value == Py_True ? "true" : "false", &form_bool);
    if (PyLong_Check(value))
        return adapt_int(w, value);
    if (PyFloat_Check(value))
        return adapt_float(w, value);
    if (PyBytes_Check(value) || PyByteArray_Check(value) || PyMemoryView_Check(value))
        return adapt_bytes(w, value);
    return adapt_object(w, value);
}

/* One bound of a range, quoted as PostgreSQL's range_bound_escape does. */
static const imigpy_form *
add_bound(imigpy_writer *w, PyObject *range, imigpy_name name)
{
    PyObject *bound = PyObject_GetAttr(range, w->codec->values->names[name]);
    if (bound == NULL)
        return NULL;
    const imigpy_form *form = adapt_scalar(w, bound);
    if (form != NULL && form->style == IMIGPY_BARE) {
        imig_buf_add(&w->bound, w->text.ptr, w->text.len);
    } else if (form != NULL && form->style != IMIGPY_NULL) {
        imig_buf_byte(&w->bound, '"');
        for (size_t i = 0; i < w->text.len; i++) {
            if (w->text.ptr[i] == '"' || w->text.ptr[i] == '\\')
                imig_buf_byte(&w->bound, w->text.ptr[i]);
            imig_buf_byte(&w->bound, w->text.ptr[i]);
        }
        imig_buf_byte(&w->bound, '"');
    }
    Py_DECREF(bound);
    return form;
}

/* Appended to w->bound. The form of its bounds; form_null where it has none. */
static const imigpy_form *
add_range(imigpy_writer *w, PyObject *range)
{
    const imigpy_values *v = w->codec->values;
    const imigpy_form *lower = NULL, *upper = NULL;
    PyObject *empty = PyObject_GetAttr(range, v->names[IMIGPY_NAME_EMPTY]);
    PyObject *bounds = PyObject_GetAttr(range, v->names[IMIGPY_NAME_BOUNDS]);
    Py_ssize_t len = 0;
    const char *two = bounds != NULL ? PyUnicode_AsUTF8AndSize(bounds, &len) : NULL;
    const int is_empty = empty != NULL ? PyObject_IsTrue(empty) : -1;
    if (two == NULL || is_empty < 0)
        goto out;
    if (is_empty || len != 2) {
        imig_buf_str(&w->bound, "empty");
        upper = &form_null;
        goto out;
    }
    imig_buf_byte(&w->bound, two[0]);
    lower = add_bound(w, range, IMIGPY_NAME_LOWER);
    imig_buf_byte(&w->bound, ',');
    if (lower != NULL)
        upper = add_bound(w, range, IMIGPY_NAME_UPPER);
    imig_buf_byte(&w->bound, two[1]);
    if (upper == &form_null)
        upper = lower;
out:
    Py_XDECREF(bounds);
    Py_XDECREF(empty);
    return upper;
}

/* What w->bound holds, with the type that bounds of this form tell; numbers tell none,
 * as with psycopg2's NumericRange: int4range, int8range and numrange take them all. */
static const imigpy_form *
from_bound(imigpy_writer *w, const imigpy_form *bounds, bool multirange)
{
    const imigpy_form *form = &form_text;
    if (bounds == NULL)
        return NULL;
    if (w->bound.failed) {
        PyErr_NoMemory();
        return NULL;
    }
    if (bounds == &form_date)
        form = multirange ? &form_datemultirange : &form_daterange;
    else if (bounds == &form_timestamp)
        form = multirange ? &form_tsmultirange : &form_tsrange;
    else if (bounds == &form_timestamptz)
        form = multirange ? &form_tstzmultirange : &form_tstzrange;
    w->text = (imig_str){w->bound.data, w->bound.len};
    return form;
}

static const imigpy_form *
adapt_multirange(imigpy_writer *w, PyObject *value)
{
    const imigpy_form *form = &form_null;
    w->bound.len = 0;
    imig_buf_byte(&w->bound, '{');
    /* Python code that a bound runs may change the list: its size is asked each time.
     */
    for (Py_ssize_t i = 0; form != NULL && i < PyList_GET_SIZE(value); i++) {
        PyObject *range = Py_NewRef(PyList_GET_ITEM(value, i));
        const imigpy_form *one = NULL;
        if (i > 0)
            imig_buf_byte(&w->bound, ',');
        if (is_a(range, w->codec->values->Range))
            one = add_range(w, range);
        else
            (void)imigpy_refuse(w, w->codec->values->ProgrammingError,
                                "a Multirange holds something that is no Range");
        Py_DECREF(range);
        form = one == &form_null ? form : one;
    }
    imig_buf_byte(&w->bound, '}');
    return from_bound(w, form, true);
}

const imigpy_form *
imigpy_adapt(imigpy_writer *w, PyObject *value)
{
    const imigpy_values *v = w->codec->values;
    if (PyTuple_Check(value))
        return &form_tuple;
    if (PyList_Check(value))
        return is_a(value, v->Multirange) ? adapt_multirange(w, value) : &form_list;
    if (is_a(value, v->Range)) {
        w->bound.len = 0;
        return from_bound(w, add_range(w, value), false);
    }
    return adapt_scalar(w, value);
}
