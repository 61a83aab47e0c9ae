/* pq_decode.c - server text to Python objects: the table by type OID, and scalars.
 *
 * Which type becomes what is psycopg2's choice (its typecast_builtins.c, json, uuid,
 * hstore and range extras all registered), so that a team that changes the driver
 * sees the same values. */
#include "pq_decode.h"

/* PostgreSQL's src/include/catalog/pg_type.dat. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_JSON = 114,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_DATE = 1082,
    OID_TIME = 1083,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_INTERVAL = 1186,
    OID_TIMETZ = 1266,
    OID_NUMERIC = 1700,
    OID_UUID = 2950,
    OID_JSONB = 3802,
    OID_INT4RANGE = 3904,
    OID_NUMRANGE = 3906,
    OID_TSRANGE = 3908,
    OID_TSTZRANGE = 3910,
    OID_DATERANGE = 3912,
    OID_INT8RANGE = 3926,
    OID_INT4MULTIRANGE = 4451,
    OID_NUMMULTIRANGE = 4532,
    OID_TSMULTIRANGE = 4533,
    OID_TSTZMULTIRANGE = 4534,
    OID_DATEMULTIRANGE = 4535,
    OID_INT8MULTIRANGE = 4536,
};

PyObject *
imigpy_as_data_error(const imigpy_codec *c, PyObject *kind, const char *message)
{
    if (!PyErr_ExceptionMatches(kind))
        return NULL;
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *cause = PyErr_GetRaisedException();
    PyErr_SetString(c->values->DataError, message);
    PyObject *raised = PyErr_GetRaisedException();
    PyException_SetCause(raised, cause);
    PyErr_SetRaisedException(raised);
#else
    PyObject *type, *cause, *trace, *raised;
    PyErr_Fetch(&type, &cause, &trace);
    PyErr_NormalizeException(&type, &cause, &trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    PyErr_SetString(c->values->DataError, message);
    PyErr_Fetch(&type, &raised, &trace);
    PyErr_NormalizeException(&type, &raised, &trace);
    PyException_SetCause(raised, cause);
    PyErr_Restore(type, raised, trace);
#endif
    return NULL;
}

bool
imigpy_no_codec(const imigpy_codec *c)
{
    if (!PyErr_ExceptionMatches(PyExc_LookupError))
        return false;
    PyErr_SetString(c->values->NotSupportedError,
                    "Python has no codec for the session's client_encoding; "
                    "SET client_encoding TO UTF8");
    return true;
}

/* The server's text for a message: what cannot be decoded is replaced. */
static PyObject *
for_message(imig_str s)
{
    const size_t most = 200;
    return PyUnicode_DecodeUTF8(s.ptr, (Py_ssize_t)(s.len < most ? s.len : most),
                                "backslashreplace");
}

PyObject *
imigpy_bad_text(const imigpy_codec *c, const char *type, imig_str s)
{
    PyObject *text = for_message(s);
    if (text != NULL)
        PyErr_Format(c->values->DataError, "not the text of a value of type %s: %R",
                     type, text);
    Py_XDECREF(text);
    return NULL;
}

PyObject *
imigpy_no_room(const imigpy_codec *c, const char *type, const char *why, imig_str s)
{
    PyObject *text = for_message(s);
    if (text != NULL)
        PyErr_Format(c->values->DataError, "%s %s: %R", type, why, text);
    Py_XDECREF(text);
    return NULL;
}

PyObject *
imigpy_decode_str(const imigpy_codec *c, imig_str s)
{
    PyObject *text;
    const Py_ssize_t len = (Py_ssize_t)s.len;
    if (c->py_encoding == NULL)
        text = PyUnicode_DecodeUTF8(s.ptr, len,
                                    c->ascii_server ? "surrogateescape" : NULL);
    else
        text = PyUnicode_Decode(s.ptr, len, c->py_encoding, NULL);
    if (text == NULL && !imigpy_no_codec(c))
        return imigpy_as_data_error(c, PyExc_UnicodeDecodeError,
                                    "text that is not in the client's encoding");
    return text;
}

static PyObject *
decode_bool(const imigpy_codec *c, imig_str s)
{
    if (s.len == 1 && s.ptr[0] == 't')
        Py_RETURN_TRUE;
    if (s.len == 1 && s.ptr[0] == 'f')
        Py_RETURN_FALSE;
    return imigpy_bad_text(c, "boolean", s);
}

static PyObject *
decode_int(const imigpy_codec *c, imig_str s)
{
    const bool negative = s.len != 0 && s.ptr[0] == '-';
    const size_t digits = s.len - negative;
    unsigned long long value = 0;
    /* The widest integer type has 19 digits; oid's 10 are unsigned. */
    if (digits == 0 || digits > 19)
        return imigpy_bad_text(c, "integer", s);
    for (size_t i = negative; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return imigpy_bad_text(c, "integer", s);
        value = value * 10 + (unsigned long long)(s.ptr[i] - '0');
    }
    if (!negative)
        return PyLong_FromUnsignedLongLong(value);
    if (value > (unsigned long long)LLONG_MAX + 1)
        return imigpy_bad_text(c, "integer", s);
    return PyLong_FromLongLong((long long)(0 - value));
}

static PyObject *
decode_float(const imigpy_codec *c, imig_str s)
{
    char copy[64];
    if (s.len == 0 || s.len >= sizeof copy || memchr(s.ptr, '\0', s.len) != NULL)
        return imigpy_bad_text(c, "double precision", s);
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    const double value = PyOS_string_to_double(copy, NULL, NULL);
    if (value == -1.0 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_ValueError))
            return NULL;
        PyErr_Clear();
        return imigpy_bad_text(c, "double precision", s);
    }
    return PyFloat_FromDouble(value);
}

static PyObject *
decode_numeric(const imigpy_codec *c, imig_str s)
{
    PyObject *text = imigpy_decode_str(c, s);
    if (text == NULL)
        return NULL;
    PyObject *value = PyObject_CallOneArg(c->values->Decimal, text);
    Py_DECREF(text);
    if (value == NULL)
        return imigpy_as_data_error(c, PyExc_ArithmeticError,
                                    "not the text of a value of type numeric");
    return value;
}

static int
hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    const int lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* As PostgreSQL's byteaout with bytea_output = hex; `s` is behind the \x. */
static PyObject *
decode_bytea_hex(const imigpy_codec *c, imig_str s)
{
    if (s.len % 2 != 0)
        return imigpy_bad_text(c, "bytea", s);
    PyObject *value = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(s.len / 2));
    if (value == NULL)
        return NULL;
    char *to = PyBytes_AS_STRING(value);
    for (size_t i = 0; i < s.len; i += 2) {
        const int high = hex_digit(s.ptr[i]);
        const int low = hex_digit(s.ptr[i + 1]);
        if (high < 0 || low < 0) {
            Py_DECREF(value);
            return imigpy_bad_text(c, "bytea", s);
        }
        *to++ = (char)(high << 4 | low);
    }
    return value;
}

static bool
is_octal(const char *three)
{
    return three[0] >= '0' && three[0] <= '3' && three[1] >= '0' && three[1] <= '7' &&
           three[2] >= '0' && three[2] <= '7';
}

/* As PostgreSQL's byteaout with bytea_output = escape: \\ and \ooo. */
static PyObject *
decode_bytea_escape(const imigpy_codec *c, imig_str s)
{
    PyObject *value = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)s.len);
    if (value == NULL)
        return NULL;
    char *const start = PyBytes_AS_STRING(value);
    char *to = start;
    for (size_t i = 0; i < s.len;) {
        if (s.ptr[i] != '\\') {
            *to++ = s.ptr[i++];
        } else if (s.len - i >= 2 && s.ptr[i + 1] == '\\') {
            *to++ = '\\';
            i += 2;
        } else if (s.len - i >= 4 && is_octal(s.ptr + i + 1)) {
            *to++ = (char)((s.ptr[i + 1] - '0') << 6 | (s.ptr[i + 2] - '0') << 3 |
                           (s.ptr[i + 3] - '0'));
            i += 4;
        } else {
            Py_DECREF(value);
            return imigpy_bad_text(c, "bytea", s);
        }
    }
    (void)_PyBytes_Resize(&value, to - start);
    return value;
}

static PyObject *
decode_bytea(const imigpy_codec *c, imig_str s)
{
    if (s.len >= 2 && s.ptr[0] == '\\' && s.ptr[1] == 'x')
        return decode_bytea_hex(c, (imig_str){s.ptr + 2, s.len - 2});
    return decode_bytea_escape(c, s);
}

static PyObject *
decode_json(const imigpy_codec *c, imig_str s)
{
    PyObject *text = imigpy_decode_str(c, s);
    if (text == NULL)
        return NULL;
    PyObject *loads = c->json_loads != NULL ? c->json_loads : c->values->json_loads;
    PyObject *value = PyObject_CallOneArg(loads, text);
    Py_DECREF(text);
    return value;
}

/* A UUID without its constructor, which would parse once more: its two slots are set
 * past its __setattr__, as uuid.UUID.__init__ itself does it. */
static PyObject *
make_uuid(const imigpy_values *v, PyObject *number)
{
    PyTypeObject *type = (PyTypeObject *)v->UUID;
    PyObject *value = type->tp_new(type, v->no_args, NULL);
    if (value == NULL)
        return NULL;
    if (Py_TYPE(v->uuid_int)->tp_descr_set(v->uuid_int, value, number) < 0 ||
        Py_TYPE(v->uuid_is_safe)
                ->tp_descr_set(v->uuid_is_safe, value, v->uuid_unknown) < 0)
        Py_CLEAR(value);
    return value;
}

static PyObject *
decode_uuid(const imigpy_codec *c, imig_str s)
{
    char hex[33];
    size_t digits = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '-')
            continue;
        if (digits == 32 || hex_digit(s.ptr[i]) < 0)
            return imigpy_bad_text(c, "uuid", s);
        hex[digits++] = s.ptr[i];
    }
    if (digits != 32)
        return imigpy_bad_text(c, "uuid", s);
    hex[32] = '\0';
    PyObject *number = PyLong_FromString(hex, NULL, 16);
    if (number == NULL)
        return NULL;
    PyObject *value = make_uuid(c->values, number);
    Py_DECREF(number);
    return value;
}

/* The type of a range's or multirange's bounds, 0 for all other types. */
static unsigned int
bound_type(unsigned int oid)
{
    switch (oid) {
    case OID_INT4RANGE:
    case OID_INT4MULTIRANGE:
        return OID_INT4;
    case OID_INT8RANGE:
    case OID_INT8MULTIRANGE:
        return OID_INT8;
    case OID_NUMRANGE:
    case OID_NUMMULTIRANGE:
        return OID_NUMERIC;
    case OID_DATERANGE:
    case OID_DATEMULTIRANGE:
        return OID_DATE;
    case OID_TSRANGE:
    case OID_TSMULTIRANGE:
        return OID_TIMESTAMP;
    case OID_TSTZRANGE:
    case OID_TSTZMULTIRANGE:
        return OID_TIMESTAMPTZ;
    default:
        return 0;
    }
}

/* Arrays whose elements are text, or text to psycopg2. */
static bool
is_text_array(unsigned int oid)
{
    switch (oid) {
    case 143:  /* xml */
    case 651:  /* cidr */
    case 775:  /* macaddr8 */
    case 1002: /* "char" */
    case 1003: /* name */
    case 1006: /* int2vector */
    case 1009: /* text */
    case 1013: /* oidvector */
    case 1014: /* bpchar */
    case 1015: /* varchar */
    case 1040: /* macaddr */
    case 1041: /* inet */
        return true;
    default:
        return false;
    }
}

/* The element types of other arrays that are taken apart: those that psycopg2 takes
 * apart, and those of uuid and multiranges. */
static const struct {
    unsigned int array, element;
} arrays[] = {
    {199, OID_JSON},
    {1000, OID_BOOL},
    {1001, OID_BYTEA},
    {1005, OID_INT2},
    {1007, OID_INT4},
    {1016, OID_INT8},
    {1021, OID_FLOAT4},
    {1022, OID_FLOAT8},
    {1028, OID_OID},
    {1115, OID_TIMESTAMP},
    {1182, OID_DATE},
    {1183, OID_TIME},
    {1185, OID_TIMESTAMPTZ},
    {1187, OID_INTERVAL},
    {1231, OID_NUMERIC},
    {1270, OID_TIMETZ},
    {2951, OID_UUID},
    {3807, OID_JSONB},
    {3905, OID_INT4RANGE},
    {3907, OID_NUMRANGE},
    {3909, OID_TSRANGE},
    {3911, OID_TSTZRANGE},
    {3913, OID_DATERANGE},
    {3927, OID_INT8RANGE},
    {6150, OID_INT4MULTIRANGE},
    {6151, OID_NUMMULTIRANGE},
    {6152, OID_TSMULTIRANGE},
    {6153, OID_TSTZMULTIRANGE},
    {6155, OID_DATEMULTIRANGE},
    {6157, OID_INT8MULTIRANGE},
};

/* The element type of an array type, 0 for other types and arrays left as text. */
static unsigned int
element_type(const imigpy_codec *c, unsigned int oid)
{
    if (is_text_array(oid))
        return OID_TEXT;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (arrays[i].array == oid)
            return arrays[i].element;
    }
    return c->hstore_array_oid != 0 && oid == c->hstore_array_oid ? c->hstore_oid : 0;
}

static PyObject *decode_container(const imigpy_codec *c, unsigned int element,
                                  imig_str s);

/* The server puts backslashes before it changes to the client's encoding, in some of
 * which their byte is also the second half of other characters: back to UTF-8 first. */
static PyObject *
recode_container(const imigpy_codec *c, unsigned int element, imig_str s)
{
    imigpy_codec in_utf8 = *c;
    Py_ssize_t len;
    PyObject *value = NULL;
    PyObject *text = imigpy_decode_str(c, s);
    const char *utf8 = text != NULL ? PyUnicode_AsUTF8AndSize(text, &len) : NULL;
    in_utf8.py_encoding = NULL;
    if (utf8 != NULL)
        value = decode_container(&in_utf8, element, (imig_str){utf8, (size_t)len});
    Py_XDECREF(text);
    return value;
}

/* An array of `element`; an hstore if that is 0. */
static PyObject *
decode_container(const imigpy_codec *c, unsigned int element, imig_str s)
{
    if (c->py_encoding != NULL)
        return recode_container(c, element, s);
    return element != 0 ? imigpy_decode_array(c, element, s)
                        : imigpy_decode_hstore(c, s);
}

/* Ranges, arrays and what has an OID of its own in each database; else text: enums,
 * reg*, geometric types, money, bits, networks, composites, and all types that an
 * extension or a user made. */
static PyObject *
decode_other(const imigpy_codec *c, unsigned int oid, imig_str s)
{
    const unsigned int bound = bound_type(oid);
    if (bound != 0)
        return oid < OID_INT4MULTIRANGE ? imigpy_decode_range(c, bound, s)
                                        : imigpy_decode_multirange(c, bound, s);
    const unsigned int element = element_type(c, oid);
    if (element != 0 || (c->hstore_oid != 0 && oid == c->hstore_oid))
        return decode_container(c, element, s);
    return imigpy_decode_str(c, s);
}

PyObject *
imigpy_decode_value(const imigpy_codec *c, unsigned int oid, imig_str s)
{
    switch (oid) {
    case OID_NAME:
    case OID_TEXT:
    case 1042: /* bpchar */
    case 1043: /* varchar */
        return imigpy_decode_str(c, s);
    case OID_BOOL:
        return decode_bool(c, s);
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_OID:
        return decode_int(c, s);
    case OID_FLOAT4:
    case OID_FLOAT8:
        return decode_float(c, s);
    case OID_NUMERIC:
        return decode_numeric(c, s);
    case OID_BYTEA:
        return decode_bytea(c, s);
    case OID_JSON:
    case OID_JSONB:
        return decode_json(c, s);
    case OID_UUID:
        return decode_uuid(c, s);
    case OID_DATE:
        return imigpy_decode_date(c, s);
    case OID_TIME:
    case OID_TIMETZ:
        return imigpy_decode_time(c, s);
    case OID_TIMESTAMP:
        return imigpy_decode_timestamp(c, s, false);
    case OID_TIMESTAMPTZ:
        return imigpy_decode_timestamp(c, s, true);
    case OID_INTERVAL:
        return imigpy_decode_interval(c, s);
    default:
        return decode_other(c, oid, s);
    }
}

PyObject *
imigpy_decode(const imigpy_codec *c, unsigned int oid, const char *text, Py_ssize_t len)
{
    return imigpy_decode_value(c, oid, (imig_str){text, (size_t)len});
}
