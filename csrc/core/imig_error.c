/* imig_error.c - filling of the caller-owned error record. */
#include "imig_error.h"

#include <stdarg.h>
#include <stdio.h>

static void
fill(imig_error *err, imig_status status, const char *fmt, va_list args)
{
    err->status = status;
    err->sys_errno = 0;
    err->line = 0;
    err->column = 0;
    if (vsnprintf(err->message, sizeof err->message, fmt, args) < 0)
        err->message[0] = '\0';
}

imig_status
imig_error_set(imig_error *err, imig_status status, const char *fmt, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, fmt);
        fill(err, status, fmt, args);
        va_end(args);
    }
    return status;
}

imig_status
imig_error_set_at(imig_error *err, imig_status status, uint32_t line, uint32_t column,
                  const char *fmt, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, fmt);
        fill(err, status, fmt, args);
        va_end(args);
        err->line = line;
        err->column = column;
    }
    return status;
}

const char *
imig_status_name(imig_status status)
{
    switch (status) {
    case IMIG_OK:
        return "IMIG_OK";
    case IMIG_E_NOMEM:
        return "IMIG_E_NOMEM";
    case IMIG_E_LIMIT:
        return "IMIG_E_LIMIT";
    case IMIG_E_ARGUMENT:
        return "IMIG_E_ARGUMENT";
    case IMIG_E_DUPLICATE:
        return "IMIG_E_DUPLICATE";
    case IMIG_E_MISSING:
        return "IMIG_E_MISSING";
    case IMIG_E_CYCLE:
        return "IMIG_E_CYCLE";
    case IMIG_E_RANGE:
        return "IMIG_E_RANGE";
    case IMIG_E_IO:
        return "IMIG_E_IO";
    case IMIG_E_LOST:
        return "IMIG_E_LOST";
    case IMIG_E_SERVER:
        return "IMIG_E_SERVER";
    }
    return "IMIG_E_UNKNOWN";
}
