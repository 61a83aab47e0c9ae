/* pq_datetext.c - dates and times as text, digit by digit: COPY writes millions. */
#include "pq_adapt.h"

#include "pq_datetime.h"

static char *
put_digits(char *to, int number, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        to[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return to + width;
}

static char *
put_clock(char *to, int hour, int minute, int second, int microsecond)
{
    to = put_digits(to, hour, 2);
    *to++ = ':';
    to = put_digits(to, minute, 2);
    *to++ = ':';
    to = put_digits(to, second, 2);
    if (microsecond == 0)
        return to;
    *to++ = '.';
    return put_digits(to, microsecond, 6);
}

char *
imigpy_put_date(char *to, PyObject *value)
{
    to = put_digits(to, PyDateTime_GET_YEAR(value), 4);
    *to++ = '-';
    to = put_digits(to, PyDateTime_GET_MONTH(value), 2);
    *to++ = '-';
    return put_digits(to, PyDateTime_GET_DAY(value), 2);
}

char *
imigpy_put_time_of_datetime(char *to, PyObject *value)
{
    return put_clock(
        to, PyDateTime_DATE_GET_HOUR(value), PyDateTime_DATE_GET_MINUTE(value),
        PyDateTime_DATE_GET_SECOND(value), PyDateTime_DATE_GET_MICROSECOND(value));
}

char *
imigpy_put_time(char *to, PyObject *value)
{
    return put_clock(
        to, PyDateTime_TIME_GET_HOUR(value), PyDateTime_TIME_GET_MINUTE(value),
        PyDateTime_TIME_GET_SECOND(value), PyDateTime_TIME_GET_MICROSECOND(value));
}

char *
imigpy_put_offset(char *to, PyObject *delta)
{
    int seconds =
        PyDateTime_DELTA_GET_DAYS(delta) * 86400 + PyDateTime_DELTA_GET_SECONDS(delta);
    int microseconds = PyDateTime_DELTA_GET_MICROSECONDS(delta);
    const bool west = seconds < 0;
    if (west) {
        /* The parts of a negative timedelta are negative days and positive rests. */
        seconds = -seconds - (microseconds != 0);
        microseconds = microseconds != 0 ? 1000000 - microseconds : 0;
    }
    *to++ = west ? '-' : '+';
    to = put_digits(to, seconds / 3600, 2);
    *to++ = ':';
    to = put_digits(to, seconds / 60 % 60, 2);
    if (seconds % 60 == 0 && microseconds == 0)
        return to;
    *to++ = ':';
    to = put_digits(to, seconds % 60, 2);
    if (microseconds == 0)
        return to;
    *to++ = '.';
    return put_digits(to, microseconds, 6);
}
