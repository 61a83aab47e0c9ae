/* imig_literal.c - the text of one Python string literal.
 *
 * Source of the rules: decode_unicode_with_escapes in Parser/string_parser.c and
 * _PyUnicode_DecodeUnicodeEscapeInternal in Objects/unicodeobject.c. */
#include "imig_literal.h"

#include <string.h>

#include "imig_encoding.h"

typedef struct reader {
    imig_buf *out;
    const char *bytes;
    size_t len;
    size_t at;
    bool latin1;
    const char *why; /* NULL while all is well */
} reader;

static void
put(reader *r, uint32_t code)
{
    char utf8[4];
    imig_buf_add(r->out, utf8, imig_utf8_put(utf8, code));
}

static int
hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return -1;
}

/* \x, \u and \U: exactly `digits` hexadecimal digits. */
static void
read_hex(reader *r, size_t digits)
{
    uint32_t code = 0;
    if (r->len - r->at < digits) {
        r->why = "a string has an escape that Python refuses";
        return;
    }
    for (size_t i = 0; i < digits; i++) {
        int digit = hex_digit(r->bytes[r->at++]);
        if (digit < 0 || code > 0x10FFFF) {
            r->why = "a string has an escape that Python refuses";
            return;
        }
        code = code << 4 | (uint32_t)digit;
    }
    if (code > 0x10FFFF)
        r->why = "a string has an escape that Python refuses";
    else if (code >= 0xD800 && code < 0xE000)
        r->why = "a string has a surrogate";
    else
        put(r, code);
}

/* Up to three octal digits, the first of which is at r->at; up to U+01FF. */
static void
read_octal(reader *r)
{
    uint32_t code = 0;
    for (int i = 0; i < 3 && r->at < r->len; i++) {
        char byte = r->bytes[r->at];
        if (byte < '0' || byte > '7')
            break;
        code = code << 3 | (uint32_t)(byte - '0');
        r->at++;
    }
    put(r, code);
}

static void
read_named(reader *r)
{
    const char *open = r->bytes + r->at;
    size_t left = r->len - r->at;
    const char *close = left != 0 && *open == '{' ? memchr(open, '}', left) : NULL;
    uint32_t code = 0;
    if (close != NULL)
        code = imig_name_lookup(open + 1, (size_t)(close - open) - 1);
    if (code == 0) {
        r->why = "a string has a \\N{...} that the scanner does not know";
        return;
    }
    put(r, code);
    r->at += (size_t)(close - open) + 1;
}

/* Step over a line end inside the literal; CRLF is one. */
static void
skip_line_end(reader *r)
{
    if (r->bytes[r->at] == '\r' && r->at + 1 < r->len && r->bytes[r->at + 1] == '\n')
        r->at++;
    r->at++;
}

/* What a one-letter escape stands for, 0 for none of them. */
static char
simple_escape(char byte)
{
    static const char letters[] = "\\'\"bftnrva";
    static const char values[] = "\\'\"\b\f\t\n\r\v\a";
    const char *found = byte != '\0' ? strchr(letters, byte) : NULL;
    return found != NULL ? values[found - letters] : '\0';
}

/* An escape whose backslash is at r->at. */
static void
read_escape(reader *r)
{
    char byte = r->at + 1 < r->len ? r->bytes[r->at + 1] : '\0';
    char simple = simple_escape(byte);
    r->at += 2;
    if (simple != '\0') {
        imig_buf_byte(r->out, simple);
    } else if (byte >= '0' && byte <= '7') {
        r->at--;
        read_octal(r);
    } else if (byte == 'x') {
        read_hex(r, 2);
    } else if (byte == 'u') {
        read_hex(r, 4);
    } else if (byte == 'U') {
        read_hex(r, 8);
    } else if (byte == 'N') {
        read_named(r);
    } else if (byte == '\n' || byte == '\r') {
        r->at--;
        skip_line_end(r);
    } else {
        /* No escape: the backslash stays (with a warning from Python). */
        r->at--;
        imig_buf_byte(r->out, '\\');
    }
}

/* The character beyond ASCII at r->at. */
static void
read_wide(reader *r)
{
    uint32_t code = (unsigned char)r->bytes[r->at];
    size_t step = 1;
    if (!r->latin1)
        step = imig_utf8_next(&code, r->bytes + r->at, r->len - r->at);
    if (step == 0) {
        r->why = "a string is not valid UTF-8";
        return;
    }
    put(r, code);
    r->at += step;
}

/* Bytes that stand for themselves, from r->at on. */
static size_t
plain_run(const reader *r, bool raw)
{
    size_t at = r->at;
    for (; at < r->len; at++) {
        unsigned char byte = (unsigned char)r->bytes[at];
        if (byte >= 0x80 || byte == '\r' || (byte == '\\' && !raw))
            break;
    }
    return at - r->at;
}

const char *
imig_literal_add(imig_buf *out, const char *bytes, size_t len, bool raw, bool latin1)
{
    reader r = {out, bytes, len, 0, latin1, NULL};
    while (r.at < len && r.why == NULL) {
        size_t run = plain_run(&r, raw);
        if (run != 0) {
            imig_buf_add(out, bytes + r.at, run);
            r.at += run;
        } else if (bytes[r.at] == '\\') {
            read_escape(&r);
        } else if (bytes[r.at] == '\r') {
            skip_line_end(&r);
            imig_buf_byte(out, '\n');
        } else {
            read_wide(&r);
        }
    }
    return r.why;
}
