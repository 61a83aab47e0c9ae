/* imig_base.h - compiler seams shared by every layer.
 *
 * Includes libc only.  Nothing here has state. */
#ifndef IMIG_BASE_H
#define IMIG_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define IMIG_NODISCARD __attribute__((warn_unused_result))
#define IMIG_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define IMIG_NODISCARD
#define IMIG_PRINTF(fmt, first)
#endif

/* Bytes that are not NUL-terminated; `ptr` may be NULL when `len` is 0. */
typedef struct imig_str {
    const char *ptr;
    size_t len;
} imig_str;

/* True, leaving *out alone, when a * b or a + b does not fit a size_t. */
static inline bool
imig_mul_overflow(size_t *out, size_t a, size_t b)
{
    return __builtin_mul_overflow(a, b, out);
}

static inline bool
imig_add_overflow(size_t *out, size_t a, size_t b)
{
    return __builtin_add_overflow(a, b, out);
}

#endif /* IMIG_BASE_H */
