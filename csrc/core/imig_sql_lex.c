/* imig_sql_lex.c - the lexical rules of PostgreSQL's src/backend/parser/scan.l.
 *
 * Rule names in comments (xeinside, quotecontinue, dolqdelim, ...) are scan.l's. */
#include "imig_sql_lex.h"

#include <string.h>

/* How a quoted string treats its inside. */
typedef enum quoting {
    QUOTING_PLAIN,     /* xq, xus: '' is a quote */
    QUOTING_BACKSLASH, /* xe: and \ takes the next byte along */
    QUOTING_RAW,       /* xb, xh: a quote ends it */
} quoting;

void
imig_sql_lex_init(imig_sql_lexer *lexer, const char *sql, size_t len,
                  bool standard_conforming_strings)
{
    lexer->sql = sql;
    lexer->len = len;
    lexer->pos = 0;
    lexer->standard_conforming_strings = standard_conforming_strings;
}

bool
imig_sql_is_word(const char *text, size_t len, const char *word, size_t word_len)
{
    if (len != word_len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c != word[i])
            return false;
    }
    return true;
}

static bool
is_newline(char c)
{
    return c == '\n' || c == '\r';
}

/* \v is space since PostgreSQL 16; before, no statement has it. */
static bool
is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_hex_digit(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* The byte at `pos`, 0 behind the end. */
static char
byte_at(const imig_sql_lexer *l, size_t pos)
{
    return pos < l->len ? l->sql[pos] : '\0';
}

static bool
pair_at(const imig_sql_lexer *l, size_t pos, char first, char second)
{
    return byte_at(l, pos) == first && byte_at(l, pos + 1) == second;
}

/* The end of the line that `pos` is in. */
static size_t
line_end(const imig_sql_lexer *l, size_t pos)
{
    while (pos < l->len && !is_newline(l->sql[pos]))
        pos++;
    return pos;
}

/* Skip a comment that nests, from its slash; false: it never ends. */
static bool
skip_block_comment(imig_sql_lexer *l)
{
    size_t depth = 0;
    while (l->pos < l->len) {
        if (pair_at(l, l->pos, '/', '*')) {
            depth++;
            l->pos += 2;
        } else if (pair_at(l, l->pos, '*', '/')) {
            l->pos += 2;
            if (--depth == 0)
                return true;
        } else {
            l->pos++;
        }
    }
    return false;
}

/* Skip space and comments; false: a comment never ends. */
static bool
skip_blank(imig_sql_lexer *l)
{
    while (l->pos < l->len) {
        char c = l->sql[l->pos];
        if (is_space(c)) {
            l->pos++;
        } else if (c == '-' && byte_at(l, l->pos + 1) == '-') {
            l->pos = line_end(l, l->pos);
        } else if (c == '/' && byte_at(l, l->pos + 1) == '*') {
            if (!skip_block_comment(l))
                return false;
        } else {
            break;
        }
    }
    return true;
}

/* quotecontinue: a string that ends at `pos` goes on behind the next quote if only
 * space and -- comments with a newline among them stand between.  The position of that
 * quote, or `pos` where the string does end. */
static size_t
continuation(const imig_sql_lexer *l, size_t pos)
{
    bool newline = false;
    size_t at = pos;
    while (at < l->len) {
        char c = l->sql[at];
        if (is_space(c)) {
            newline = newline || is_newline(c);
            at++;
        } else if (pair_at(l, at, '-', '-')) {
            at = line_end(l, at);
        } else {
            return newline && c == '\'' ? at : pos;
        }
    }
    return pos;
}

/* Skip one quoted part from behind its opening quote to behind the closing one. */
static bool
skip_quoted(imig_sql_lexer *l, char quote, quoting how)
{
    while (l->pos < l->len) {
        char c = l->sql[l->pos++];
        if (c == quote) {
            if (how == QUOTING_RAW || byte_at(l, l->pos) != quote)
                return true;
            l->pos++;
        } else if (c == '\\' && how == QUOTING_BACKSLASH) {
            if (l->pos < l->len)
                l->pos++;
        }
    }
    return false;
}

/* A string, from its opening quote, with all that continue it. */
static bool
skip_string(imig_sql_lexer *l, quoting how)
{
    for (;;) {
        l->pos++;
        if (!skip_quoted(l, '\'', how))
            return false;
        size_t next = continuation(l, l->pos);
        if (next == l->pos)
            return true;
        l->pos = next;
    }
}

/* What an unprefixed string is: scan.l's xqstart. */
static quoting
plain_quoting(const imig_sql_lexer *l)
{
    return l->standard_conforming_strings ? QUOTING_PLAIN : QUOTING_BACKSLASH;
}

static imig_sql_token_kind
string_kind(bool whole)
{
    return whole ? IMIG_SQL_TOKEN_STRING : IMIG_SQL_TOKEN_BAD;
}

/* A word with a quote right behind it: B'', X'', E'', U&'', U&"".  END: none of them,
 * an ordinary word (N'' is one: the word NCHAR and a plain string). */
static imig_sql_token_kind
next_prefixed(imig_sql_lexer *l)
{
    char prefix = (char)(l->sql[l->pos] | 0x20);
    char then = byte_at(l, l->pos + 1);
    if (then == '\'' && (prefix == 'b' || prefix == 'x' || prefix == 'e')) {
        l->pos++;
        return string_kind(
            skip_string(l, prefix == 'e' ? QUOTING_BACKSLASH : QUOTING_RAW));
    }
    if (prefix != 'u' || then != '&')
        return IMIG_SQL_TOKEN_END;
    char quote = byte_at(l, l->pos + 2);
    if (quote == '"') {
        l->pos += 3;
        return skip_quoted(l, '"', QUOTING_PLAIN) ? IMIG_SQL_TOKEN_QUOTED
                                                  : IMIG_SQL_TOKEN_BAD;
    }
    if (quote != '\'')
        return IMIG_SQL_TOKEN_END;
    l->pos += 2;
    bool whole = skip_string(l, QUOTING_PLAIN);
    /* Refused while standard_conforming_strings is off (xusstart). */
    return string_kind(whole && l->standard_conforming_strings);
}

static imig_sql_token_kind
next_word(imig_sql_lexer *l)
{
    size_t pos = l->pos + 1;
    char second = byte_at(l, pos);
    if (second == '\'' || second == '&') {
        imig_sql_token_kind kind = next_prefixed(l);
        if (kind != IMIG_SQL_TOKEN_END)
            return kind;
    }
    while (pos < l->len && imig_sql_ident_cont((unsigned char)l->sql[pos]))
        pos++;
    l->pos = pos;
    return IMIG_SQL_TOKEN_WORD;
}

static size_t
digits_end(const imig_sql_lexer *l, size_t pos)
{
    while (is_digit(byte_at(l, pos)) ||
           (byte_at(l, pos) == '_' && is_digit(byte_at(l, pos + 1))))
        pos++;
    return pos;
}

/* What stands right behind a number or parameter must not be able to go on with it:
 * where it is (1and, 1_, 0x$$), one server reads two tokens, another refuses. */
static imig_sql_token_kind
number_kind(const imig_sql_lexer *l, imig_sql_token_kind kind)
{
    bool junk = imig_sql_ident_cont((unsigned char)byte_at(l, l->pos));
    return junk ? IMIG_SQL_TOKEN_BAD : kind;
}

/* A number, from its first digit or from the point before it. */
static imig_sql_token_kind
next_number(imig_sql_lexer *l)
{
    char base = (char)(byte_at(l, l->pos + 1) | 0x20);
    if (l->sql[l->pos] == '0' && (base == 'x' || base == 'o' || base == 'b')) {
        l->pos += 2;
        while (is_hex_digit(byte_at(l, l->pos)) || byte_at(l, l->pos) == '_')
            l->pos++;
        return number_kind(l, IMIG_SQL_TOKEN_NUMBER);
    }
    l->pos = digits_end(l, l->pos);
    /* numericfail: 1..10 is a number and two points. */
    if (byte_at(l, l->pos) == '.' && byte_at(l, l->pos + 1) != '.')
        l->pos = digits_end(l, l->pos + 1);
    if ((byte_at(l, l->pos) | 0x20) == 'e') {
        size_t exponent = l->pos + 1;
        if (byte_at(l, exponent) == '+' || byte_at(l, exponent) == '-')
            exponent++;
        if (is_digit(byte_at(l, exponent)))
            l->pos = digits_end(l, exponent);
    }
    return number_kind(l, IMIG_SQL_TOKEN_NUMBER);
}

/* A dollar-quoted string from behind its opening delimiter `tag`, dollars included.
 * A tag has no dollar inside, so that no byte is compared twice. */
static bool
skip_dollar_quoted(imig_sql_lexer *l, imig_str tag)
{
    for (;;) {
        const char *from = l->sql + l->pos;
        const char *dollar = memchr(from, '$', l->len - l->pos);
        if (dollar == NULL)
            break;
        l->pos = (size_t)(dollar - l->sql);
        if (l->len - l->pos < tag.len)
            break;
        if (memcmp(dollar, tag.ptr, tag.len) == 0) {
            l->pos += tag.len;
            return true;
        }
        l->pos++;
    }
    l->pos = l->len;
    return false;
}

/* $1, $tag$...$tag$, or a dollar that means nothing. */
static imig_sql_token_kind
next_dollar(imig_sql_lexer *l)
{
    size_t begin = l->pos++;
    if (is_digit(byte_at(l, l->pos))) {
        while (is_digit(byte_at(l, l->pos)))
            l->pos++;
        return number_kind(l, IMIG_SQL_TOKEN_PARAM);
    }
    size_t end = l->pos;
    while (end < l->len && l->sql[end] != '$' &&
           imig_sql_ident_cont((unsigned char)l->sql[end]))
        end++;
    if (byte_at(l, end) != '$')
        return IMIG_SQL_TOKEN_BAD;
    imig_str tag = {l->sql + begin, end + 1 - begin};
    l->pos = end + 1;
    return string_kind(skip_dollar_quoted(l, tag));
}

/* The bytes that stand for themselves: scan.l's self and op_chars. */
static bool
is_symbol(char c)
{
    return c != '\0' && strchr(";,().[]:=*<>+-/%^~!@#&|`?", c) != NULL;
}

static imig_sql_token_kind
next_kind(imig_sql_lexer *l)
{
    char c = l->sql[l->pos];
    if (imig_sql_ident_start((unsigned char)c))
        return next_word(l);
    if (is_digit(c) || (c == '.' && is_digit(byte_at(l, l->pos + 1))))
        return next_number(l);
    if (c == '\'')
        return string_kind(skip_string(l, plain_quoting(l)));
    if (c == '$')
        return next_dollar(l);
    l->pos++;
    if (c == '"')
        return skip_quoted(l, '"', QUOTING_PLAIN) ? IMIG_SQL_TOKEN_QUOTED
                                                  : IMIG_SQL_TOKEN_BAD;
    return is_symbol(c) ? IMIG_SQL_TOKEN_SYMBOL : IMIG_SQL_TOKEN_BAD;
}

void
imig_sql_lex_next(imig_sql_lexer *l, imig_sql_token *out)
{
    bool whole = skip_blank(l);
    out->begin = l->pos;
    out->symbol = '\0';
    if (!whole)
        out->kind = IMIG_SQL_TOKEN_BAD;
    else if (l->pos == l->len)
        out->kind = IMIG_SQL_TOKEN_END;
    else
        out->kind = next_kind(l);
    out->end = l->pos;
    if (out->kind == IMIG_SQL_TOKEN_SYMBOL)
        out->symbol = l->sql[out->begin];
}
