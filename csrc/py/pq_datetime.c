/* pq_datetime.c - dates, times and intervals from the server's text.
 *
 * ISO is the only DateStyle that is read, postgres the only IntervalStyle; the text of
 * the others does not look like these, so that it is refused and never misread. As
 * PostgreSQL's EncodeDateOnly, EncodeTimeOnly, EncodeDateTime, EncodeInterval. */
#include "pq_datetime.h"

#include "pq_decode.h"

#define MICROSECONDS 1000000LL
#define DAY_US (86400LL * MICROSECONDS)

typedef struct cursor {
    const char *at;
    const char *end;
} cursor;

typedef struct clock_time {
    int hour, minute, second, microsecond;
} clock_time;

typedef struct calendar_date {
    int year, month, day;
} calendar_date;

static cursor
cursor_of(imig_str s)
{
    return (cursor){s.ptr, s.ptr + s.len};
}

static bool
at_end(const cursor *c)
{
    return c->at == c->end;
}

/* Step over `byte` if it is next. */
static bool
take(cursor *c, char byte)
{
    if (at_end(c) || *c->at != byte)
        return false;
    c->at++;
    return true;
}

static bool
next_is_digit(const cursor *c)
{
    return !at_end(c) && *c->at >= '0' && *c->at <= '9';
}

/* At least `least` and at most `most` (9 or less) digits. */
static bool
take_number(cursor *c, int *out, int least, int most)
{
    int value = 0, digits = 0;
    while (digits < most && next_is_digit(c)) {
        value = value * 10 + (*c->at++ - '0');
        digits++;
    }
    *out = value;
    return digits >= least && !next_is_digit(c);
}

static bool
take_two(cursor *c, int *out)
{
    return take_number(c, out, 2, 2);
}

/* Digits behind a decimal point, as microseconds. The server writes at most six. */
static bool
take_fraction(cursor *c, int *out)
{
    int value, digits;
    const char *start = c->at;
    if (!take_number(c, &value, 1, 6))
        return false;
    for (digits = (int)(c->at - start); digits < 6; digits++)
        value *= 10;
    *out = value;
    return true;
}

static bool
take_date(cursor *c, calendar_date *out)
{
    return take_number(c, &out->year, 4, 9) && take(c, '-') &&
           take_two(c, &out->month) && take(c, '-') && take_two(c, &out->day);
}

static bool
take_time(cursor *c, clock_time *out)
{
    out->microsecond = 0;
    if (!take_two(c, &out->hour) || !take(c, ':') || !take_two(c, &out->minute) ||
        !take(c, ':') || !take_two(c, &out->second))
        return false;
    return !take(c, '.') || take_fraction(c, &out->microsecond);
}

/* +HH, +HH:MM or +HH:MM:SS, in seconds east of Greenwich. */
static bool
take_offset(cursor *c, int *out)
{
    int hours, minutes = 0, seconds = 0;
    const bool west = take(c, '-');
    if (!west && !take(c, '+'))
        return false;
    if (!take_two(c, &hours))
        return false;
    if (take(c, ':') && !take_two(c, &minutes))
        return false;
    if (take(c, ':') && !take_two(c, &seconds))
        return false;
    *out = hours * 3600 + minutes * 60 + seconds;
    if (west)
        *out = -*out;
    return true;
}

static bool
take_bc(cursor *c)
{
    if (c->end - c->at != 3 || memcmp(c->at, " BC", 3) != 0)
        return false;
    c->at = c->end;
    return true;
}

/* datetime.timezone, as psycopg2's default tzinfo_factory; the last one is kept, since
 * the values of a column mostly share it. */
static PyObject *
zone_for(const imigpy_codec *c, int seconds)
{
    imigpy_values *v = c->values;
    PyDateTime_CAPI *api = imigpy_datetime(v);
    if (v->last_zone != NULL && v->last_zone_seconds == seconds)
        return Py_NewRef(v->last_zone);
    PyObject *delta = api->Delta_FromDelta(0, seconds, 0, 1, api->DeltaType);
    if (delta == NULL)
        return NULL;
    PyObject *zone = api->TimeZone_FromTimeZone(delta, NULL);
    Py_DECREF(delta);
    if (zone == NULL)
        return NULL;
    Py_XSETREF(v->last_zone, Py_NewRef(zone));
    v->last_zone_seconds = seconds;
    return zone;
}

/* -1 for -infinity, 1 for infinity, else 0. */
static int
infinity_sign(imig_str s)
{
    if (IMIGPY_IS(s, "infinity"))
        return 1;
    return IMIGPY_IS(s, "-infinity") ? -1 : 0;
}

/* `infinity`: the type's max or min if the connection asks for that, else DataError. */
static PyObject *
infinite(const imigpy_codec *c, PyTypeObject *class, const char *type, int sign,
         imig_str s)
{
    if (!c->clamp_infinity)
        return imigpy_no_room(
            c, type,
            sign > 0 ? "too large (after year 10K)" : "too small (before year 1)", s);
    return PyObject_GetAttrString((PyObject *)class, sign > 0 ? "max" : "min");
}

/* False with DataError where Python's calendar ends before the server's. */
static bool
in_calendar(const imigpy_codec *c, const char *type, const calendar_date *date, bool bc,
            imig_str s)
{
    if (bc || date->year < 1)
        (void)imigpy_no_room(c, type, "too small (before year 1)", s);
    else if (date->year > 9999)
        (void)imigpy_no_room(c, type, "too large (after year 10K)", s);
    else
        return true;
    return false;
}

/* What datetime's constructors raise of impossible fields is bad text. */
static PyObject *
checked(const imigpy_codec *c, PyObject *value, const char *type, imig_str s)
{
    if (value != NULL || !PyErr_ExceptionMatches(PyExc_ValueError))
        return value;
    PyErr_Clear();
    return imigpy_bad_text(c, type, s);
}

static PyObject *
refuse_style(const imigpy_codec *c, const char *setting, const char *wanted)
{
    PyErr_Format(c->values->NotSupportedError,
                 "the session's %s is not read by this driver; SET %s TO %s", setting,
                 setting, wanted);
    return NULL;
}

PyObject *
imigpy_decode_date(const imigpy_codec *c, imig_str s)
{
    PyDateTime_CAPI *api = imigpy_datetime(c->values);
    cursor text = cursor_of(s);
    calendar_date date;
    const int sign = infinity_sign(s);
    if (sign != 0)
        return infinite(c, api->DateType, "date", sign, s);
    if (c->foreign_datestyle)
        return refuse_style(c, "DateStyle", "ISO");
    if (!take_date(&text, &date))
        return imigpy_bad_text(c, "date", s);
    const bool bc = take_bc(&text);
    if (!at_end(&text))
        return imigpy_bad_text(c, "date", s);
    if (!in_calendar(c, "date", &date, bc, s))
        return NULL;
    return checked(c,
                   api->Date_FromDate(date.year, date.month, date.day, api->DateType),
                   "date", s);
}

PyObject *
imigpy_decode_time(const imigpy_codec *c, imig_str s)
{
    PyDateTime_CAPI *api = imigpy_datetime(c->values);
    cursor text = cursor_of(s);
    clock_time t;
    int offset = 0;
    if (!take_time(&text, &t))
        return imigpy_bad_text(c, "time", s);
    const bool zoned = !at_end(&text);
    if (zoned && (!take_offset(&text, &offset) || !at_end(&text)))
        return imigpy_bad_text(c, "time", s);
    /* psycopg2 makes 00:00 of it, which is the other end of the day. */
    if (t.hour == 24)
        return imigpy_no_room(c, "time", "too large (after 23:59:59.999999)", s);
    PyObject *zone = zoned ? zone_for(c, offset) : Py_NewRef(Py_None);
    if (zone == NULL)
        return checked(c, NULL, "time", s);
    PyObject *value = api->Time_FromTime(t.hour, t.minute, t.second, t.microsecond,
                                         zone, api->TimeType);
    Py_DECREF(zone);
    return checked(c, value, "time", s);
}

/* datetime.max or min for infinity; with UTC in timestamptz, as psycopg2's
 * _parse_inf_as. */
static PyObject *
infinite_timestamp(const imigpy_codec *c, int sign, bool with_zone, imig_str s)
{
    PyDateTime_CAPI *api = imigpy_datetime(c->values);
    PyObject *end = infinite(c, api->DateTimeType, "timestamp", sign, s);
    if (end == NULL || !with_zone)
        return end;
    PyObject *value = api->DateTime_FromDateAndTime(
        PyDateTime_GET_YEAR(end), PyDateTime_GET_MONTH(end), PyDateTime_GET_DAY(end),
        PyDateTime_DATE_GET_HOUR(end), PyDateTime_DATE_GET_MINUTE(end),
        PyDateTime_DATE_GET_SECOND(end), PyDateTime_DATE_GET_MICROSECOND(end),
        api->TimeZone_UTC, api->DateTimeType);
    Py_DECREF(end);
    return value;
}

PyObject *
imigpy_decode_timestamp(const imigpy_codec *c, imig_str s, bool with_zone)
{
    PyDateTime_CAPI *api = imigpy_datetime(c->values);
    cursor text = cursor_of(s);
    calendar_date date;
    clock_time t;
    int offset = 0;
    const int sign = infinity_sign(s);
    if (sign != 0)
        return infinite_timestamp(c, sign, with_zone, s);
    if (c->foreign_datestyle)
        return refuse_style(c, "DateStyle", "ISO");
    if (!take_date(&text, &date) || !take(&text, ' ') || !take_time(&text, &t) ||
        (with_zone && !take_offset(&text, &offset)))
        return imigpy_bad_text(c, "timestamp", s);
    const bool bc = take_bc(&text);
    if (!at_end(&text))
        return imigpy_bad_text(c, "timestamp", s);
    if (!in_calendar(c, "timestamp", &date, bc, s))
        return NULL;
    PyObject *zone = with_zone ? zone_for(c, offset) : Py_NewRef(Py_None);
    if (zone == NULL)
        return checked(c, NULL, "timestamp", s);
    PyObject *value =
        api->DateTime_FromDateAndTime(date.year, date.month, date.day, t.hour, t.minute,
                                      t.second, t.microsecond, zone, api->DateTimeType);
    Py_DECREF(zone);
    return checked(c, value, "timestamp", s);
}

typedef struct span {
    int64_t days;
    int64_t microseconds;
} span;

/* 365 days a year and 30 a month, as psycopg2's typecast_PYINTERVAL_cast. False where
 * the word is none of the server's. */
static bool
add_unit(span *sum, int64_t count, imig_str unit)
{
    if (IMIGPY_IS(unit, "year") || IMIGPY_IS(unit, "years"))
        sum->days += count * 365;
    else if (IMIGPY_IS(unit, "mon") || IMIGPY_IS(unit, "mons"))
        sum->days += count * 30;
    else if (IMIGPY_IS(unit, "day") || IMIGPY_IS(unit, "days"))
        sum->days += count;
    else
        return false;
    return true;
}

/* Digits that an interval of the server can have: 2562047788 hours, 178000000 years. */
static bool
take_count(cursor *c, int64_t *out)
{
    int64_t value = 0;
    int digits = 0;
    while (digits < 10 && next_is_digit(c)) {
        value = value * 10 + (*c->at++ - '0');
        digits++;
    }
    *out = value;
    return digits != 0 && !next_is_digit(c);
}

/* What follows the hours of an interval's time: :MM:SS[.ffffff]. */
static bool
take_rest_of_time(cursor *c, span *sum, int64_t hours, int sign)
{
    int minutes, seconds, fraction = 0;
    if (!take(c, ':') || !take_two(c, &minutes) || !take(c, ':') ||
        !take_two(c, &seconds))
        return false;
    if (take(c, '.') && !take_fraction(c, &fraction))
        return false;
    const int64_t rest = (minutes * 60 + seconds) * MICROSECONDS + fraction;
    /* Whole days apart: hours in microseconds alone may not fit 64 bits. */
    sum->days += sign * (hours / 24);
    sum->microseconds += sign * ((hours % 24) * 3600 * MICROSECONDS + rest);
    return true;
}

/* Fields separated by spaces, each with a sign of its own: `1 year -2 mons +01:00:00`.
 */
static bool
take_interval(cursor *c, span *sum)
{
    do {
        int64_t count;
        const int sign = take(c, '-') ? -1 : 1;
        if (sign > 0)
            (void)take(c, '+');
        if (!take_count(c, &count))
            return false;
        if (!take(c, ' '))
            return take_rest_of_time(c, sum, count, sign) && at_end(c);
        const char *start = c->at;
        while (!at_end(c) && *c->at != ' ')
            c->at++;
        if (!add_unit(sum, sign * count, (imig_str){start, (size_t)(c->at - start)}))
            return false;
    } while (take(c, ' '));
    return at_end(c);
}

PyObject *
imigpy_decode_interval(const imigpy_codec *c, imig_str s)
{
    PyDateTime_CAPI *api = imigpy_datetime(c->values);
    cursor text = cursor_of(s);
    span sum = {0, 0};
    const int sign = infinity_sign(s); /* PostgreSQL 17 */
    if (sign != 0)
        return c->clamp_infinity ? PyObject_GetAttrString((PyObject *)api->DeltaType,
                                                          sign > 0 ? "max" : "min")
                                 : imigpy_no_room(c, "interval", "is infinite", s);
    if (c->foreign_intervalstyle)
        return refuse_style(c, "IntervalStyle", "postgres");
    if (!take_interval(&text, &sum))
        return imigpy_bad_text(c, "interval", s);
    sum.days += sum.microseconds / DAY_US;
    sum.microseconds %= DAY_US;
    if (sum.days > 999999999 || sum.days < -999999999)
        return imigpy_no_room(c, "interval", "too large (beyond 999999999 days)", s);
    PyObject *value =
        api->Delta_FromDelta((int)sum.days, (int)(sum.microseconds / MICROSECONDS),
                             (int)(sum.microseconds % MICROSECONDS), 1, api->DeltaType);
    if (value == NULL)
        return imigpy_as_data_error(c, PyExc_OverflowError,
                                    "interval too large (beyond 999999999 days)");
    return value;
}
