/* imig_buf.c - growable byte buffer with sticky failure. */
#include "imig_buf.h"

#include <string.h>

#include "imig_alloc.h"

#define FIRST_CAPACITY 64

char *
imig_buf_reserve(imig_buf *buf, size_t extra)
{
    size_t need;
    if (buf->failed)
        return NULL;
    if (imig_add_overflow(&need, buf->len, extra) ||
        imig_add_overflow(&need, need, 1)) {
        buf->failed = true;
        return NULL;
    }
    if (need > buf->capacity) {
        size_t capacity = buf->capacity != 0 ? buf->capacity : FIRST_CAPACITY;
        while (capacity < need)
            capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
        char *grown = imig_realloc_array(buf->data, capacity, 1);
        if (grown == NULL) {
            buf->failed = true;
            return NULL;
        }
        buf->data = grown;
        buf->capacity = capacity;
    }
    return buf->data + buf->len;
}

void
imig_buf_commit(imig_buf *buf, size_t written)
{
    buf->len += written;
    buf->data[buf->len] = '\0';
}

void
imig_buf_add(imig_buf *buf, const void *bytes, size_t len)
{
    char *end = imig_buf_reserve(buf, len);
    if (end == NULL)
        return;
    if (len != 0)
        memcpy(end, bytes, len);
    imig_buf_commit(buf, len);
}

void
imig_buf_str(imig_buf *buf, const char *text)
{
    imig_buf_add(buf, text, strlen(text));
}

void
imig_buf_byte(imig_buf *buf, char byte)
{
    imig_buf_add(buf, &byte, 1);
}

void
imig_buf_clear(imig_buf *buf)
{
    imig_free(buf->data);
    *buf = (imig_buf)IMIG_BUF_INIT;
}
