/* imig_error.h - caller-owned error record.
 *
 * Fixed size, no allocation, so that running out of memory can be reported too.
 * Every fallible function takes one as its last argument and may be given NULL. */
#ifndef IMIG_ERROR_H
#define IMIG_ERROR_H

#include "imig_base.h"
#include "imig_status.h"

#define IMIG_ERROR_MESSAGE_SIZE 256

typedef struct imig_error {
    imig_status status;
    int sys_errno;   /* errno of an IMIG_E_IO, else 0 */
    uint32_t line;   /* 1-based place in the input, 0 when not about a place */
    uint32_t column; /* 1-based, in bytes */
    char message[IMIG_ERROR_MESSAGE_SIZE]; /* NUL-terminated; cut on overflow */
} imig_error;

/* Fill `err` (may be NULL) and return `status`, so that callers can write
 * `return imig_error_set(err, IMIG_E_X, ...)`. */
imig_status imig_error_set(imig_error *err, imig_status status, const char *fmt, ...)
    IMIG_PRINTF(3, 4);

/* As imig_error_set with a place in the input. */
imig_status imig_error_set_at(imig_error *err, imig_status status, uint32_t line,
                              uint32_t column, const char *fmt, ...) IMIG_PRINTF(5, 6);

#endif /* IMIG_ERROR_H */
