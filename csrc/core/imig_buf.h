/* imig_buf.h - growable byte buffer with sticky failure.
 *
 * Append as often as needed, look at `failed` once:
 *
 *     imig_buf b = IMIG_BUF_INIT;
 *     imig_buf_str(&b, "SELECT ");
 *     imig_buf_add(&b, name.ptr, name.len);
 *     if (b.failed) ...            // out of memory somewhere above
 *     imig_buf_clear(&b);
 */
#ifndef IMIG_BUF_H
#define IMIG_BUF_H

#include "imig_base.h"

typedef struct imig_buf {
    char *data; /* NUL-terminated once anything was appended; NULL before */
    size_t len; /* without the terminator */
    size_t capacity;
    bool failed; /* an append ran out of memory; contents are not to be used */
} imig_buf;

#define IMIG_BUF_INIT {NULL, 0, 0, false}

void imig_buf_add(imig_buf *buf, const void *bytes, size_t len);
void imig_buf_str(imig_buf *buf, const char *text);
void imig_buf_byte(imig_buf *buf, char byte);

/* Make room for `extra` more bytes and return where they go, NULL when out of memory.
 * The caller writes at most `extra` bytes and then calls imig_buf_commit. */
IMIG_NODISCARD char *imig_buf_reserve(imig_buf *buf, size_t extra);
void imig_buf_commit(imig_buf *buf, size_t written);

/* Free the contents; the buffer is empty and usable again. */
void imig_buf_clear(imig_buf *buf);

#endif /* IMIG_BUF_H */
