/* imig_encoding.c - a Python file's encoding (PEP 263) and its UTF-8.
 *
 * Source of the rules: decode_str, check_coding_spec, get_coding_spec and
 * get_normal_name in Parser/tokenizer.c, CPython 3.11 to 3.14. */
#include "imig_encoding.h"

#include <string.h>

#define NAME_SIZE 13 /* get_normal_name looks at twelve characters */

static size_t
line_length(const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len && bytes[at] != '\n' && bytes[at] != '\r')
        at++;
    return at;
}

static bool
blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\f';
}

/* Where the comment of a line starts; `len` when the line is blank; SIZE_MAX when it
 * has something else on it. */
static size_t
comment_start(const char *line, size_t len)
{
    size_t at = 0;
    while (at < len && blank(line[at]))
        at++;
    return at == len || line[at] == '#' ? at : SIZE_MAX;
}

static bool
name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
}

/* Find "coding" followed by : or = and a name, as get_coding_spec does.
 * An empty result: the line has none. */
static imig_str
find_cookie(const char *line, size_t len)
{
    for (size_t i = 0; i + 6 < len; i++) {
        if (memcmp(line + i, "coding", 6) != 0)
            continue;
        size_t at = i + 6;
        if (line[at] != ':' && line[at] != '=')
            continue;
        do
            at++;
        while (at < len && (line[at] == ' ' || line[at] == '\t'));
        size_t first = at;
        while (at < len && name_byte(line[at]))
            at++;
        if (at > first)
            return (imig_str){line + first, at - first};
    }
    return (imig_str){NULL, 0};
}

static bool
same(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

static bool
starts(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

/* True and `latin1` set when the cookie names an encoding that is read here. */
static bool
known(bool *latin1, imig_str cookie, bool has_bom)
{
    char name[NAME_SIZE] = {0};
    for (size_t i = 0; i < cookie.len && i < NAME_SIZE - 1; i++) {
        char byte = cookie.ptr[i];
        bool upper = byte >= 'A' && byte <= 'Z';
        name[i] = byte == '_' ? '-' : upper ? (char)(byte + 32) : byte;
    }
    *latin1 = same(name, "latin-1") || same(name, "iso-8859-1") ||
              same(name, "iso-latin-1") || starts(name, "latin-1-") ||
              starts(name, "iso-8859-1-") || starts(name, "iso-latin-1-");
    if (same(name, "utf-8") || starts(name, "utf-8-"))
        return true;
    /* Python takes no other name than utf-8 beside a byte order mark. */
    return !has_bom && (*latin1 || (cookie.len == 4 && same(name, "utf8")));
}

bool
imig_encoding_detect(imig_encoding *out, const char *bytes, size_t len)
{
    bool has_bom = len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0;
    size_t at = has_bom ? 3 : 0;
    out->start = at;
    out->latin1 = false;
    for (int line = 0; line < 2 && at < len; line++) {
        size_t end = at + line_length(bytes + at, len - at);
        size_t comment = comment_start(bytes + at, end - at);
        if (comment == SIZE_MAX)
            break;
        imig_str cookie = find_cookie(bytes + at + comment, end - at - comment);
        if (cookie.len != 0)
            return known(&out->latin1, cookie, has_bom);
        bool crlf = end + 1 < len && bytes[end] == '\r' && bytes[end + 1] == '\n';
        at = end + (crlf ? 2 : 1);
    }
    return true;
}

/* Bits of a lead byte and length of its sequence; 0 for what leads nothing. */
static size_t
lead(uint32_t *code, uint32_t *least, unsigned char byte)
{
    if (byte < 0x80) {
        *code = byte;
        *least = 0;
        return 1;
    }
    if (byte >= 0xC2 && byte < 0xE0) {
        *code = byte & 0x1Fu;
        *least = 0x80;
        return 2;
    }
    if (byte >= 0xE0 && byte < 0xF0) {
        *code = byte & 0x0Fu;
        *least = 0x800;
        return 3;
    }
    if (byte >= 0xF0 && byte < 0xF5) {
        *code = byte & 0x07u;
        *least = 0x10000;
        return 4;
    }
    return 0;
}

size_t
imig_utf8_next(uint32_t *out, const char *bytes, size_t len)
{
    uint32_t code = 0;
    uint32_t least = 0;
    size_t need = len != 0 ? lead(&code, &least, (unsigned char)bytes[0]) : 0;
    if (need == 0 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if ((byte & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (byte & 0x3Fu);
    }
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return 0;
    *out = code;
    return need;
}

size_t
imig_utf8_put(char out[4], uint32_t code)
{
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint32_t marks[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(marks[len] | code);
    return len;
}
