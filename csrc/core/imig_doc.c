/* imig_doc.c - docstrings as CPython 3.13 and newer store them.
 *
 * Source: _PyCompile_CleanDoc in Python/compile.c, which is str.expandtabs() and then
 * inspect.cleandoc() without its trimming of blank lines. */
#include "imig_literal.h"

#include <string.h>

#define TAB 8

static bool
continues(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* str.expandtabs(8) of buf[start .. end): columns are characters, and both CR and LF
 * start a line.  The result takes the place of the original. */
static void
expand_tabs(imig_buf *buf, size_t start)
{
    size_t end = buf->len;
    size_t column = 0;
    if (memchr(buf->data + start, '\t', end - start) == NULL)
        return;
    for (size_t i = start; i < end && !buf->failed; i++) {
        char byte = buf->data[i];
        if (byte == '\t') {
            size_t count = TAB - column % TAB;
            imig_buf_add(buf, "        ", count);
            column += count;
            continue;
        }
        imig_buf_byte(buf, byte);
        if (byte == '\n' || byte == '\r')
            column = 0;
        else if (!continues(byte))
            column++;
    }
    if (buf->failed)
        return;
    memmove(buf->data + start, buf->data + end, buf->len - end);
    buf->len -= end - start;
}

static size_t
spaces(const char *text, size_t len)
{
    size_t count = 0;
    while (count < len && text[count] == ' ')
        count++;
    return count;
}

/* Bytes of the line at text, its line feed included. */
static size_t
line_size(const char *text, size_t len)
{
    const char *end = len != 0 ? memchr(text, '\n', len) : NULL;
    return end != NULL ? (size_t)(end - text) + 1 : len;
}

/* Spaces that every line after the first has in front, blank lines apart. */
static size_t
common_margin(const char *text, size_t len)
{
    size_t margin = SIZE_MAX;
    for (size_t at = line_size(text, len); at < len;) {
        size_t size = line_size(text + at, len - at);
        size_t indent = spaces(text + at, size);
        if (indent < size && text[at + indent] != '\n' && indent < margin)
            margin = indent;
        at += size;
    }
    return margin != SIZE_MAX ? margin : 0;
}

void
imig_doc_clean(imig_buf *doc, size_t start)
{
    if (doc->failed || doc->len == start)
        return;
    expand_tabs(doc, start);
    if (doc->failed)
        return;
    char *text = doc->data + start;
    size_t len = doc->len - start;
    size_t margin = common_margin(text, len);
    size_t to = 0;
    size_t strip = SIZE_MAX; /* the first line loses all its spaces */
    for (size_t at = 0; at < len;) {
        size_t size = line_size(text + at, len - at);
        size_t indent = spaces(text + at, size);
        size_t drop = indent < strip ? indent : strip;
        memmove(text + to, text + at + drop, size - drop);
        to += size - drop;
        at += size;
        strip = margin;
    }
    doc->len = start + to;
    doc->data[doc->len] = '\0';
}
