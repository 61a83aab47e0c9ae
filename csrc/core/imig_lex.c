/* imig_lex.c - Python's tokens from bytes; f-strings are in imig_lex_fstring.c.
 *
 * Source of the rules: Parser/tokenizer.c (3.11) and Parser/lexer/lexer.c (3.13). */
#include "imig_lex.h"

#include <string.h>

#include "imig_word.h"

/* Classes of bytes.  Everything that is not one of them is no Python.  Their order
 * makes the two tight loops one comparison each: a name goes on up to DIGIT, what is
 * plain in a string is below QUOTE. */
enum {
    ALPHA, /* letters and _ */
    DIGIT,
    HIGH,  /* beyond ASCII: part of a name */
    SPACE, /* blank, tab, form feed */
    POINT,
    OTHER, /* operators */
    OPENS,
    CLOSES,
    HASH,
    NONE,
    QUOTE,
    LINE, /* LF, CR */
    BACKSLASH,
};

#define X NONE
#define S SPACE
#define L LINE
#define A ALPHA
#define D DIGIT
#define H HIGH
#define Q QUOTE
#define P POINT
#define O OTHER
#define B OPENS
#define E CLOSES
#define C HASH
#define K BACKSLASH
static const uint8_t class_of[256] = {
    X, X, X, X, X, X, X, X, X, S, L, X, S, L, X, X, /* 00 */
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, /* 10 */
    S, O, Q, C, X, O, O, Q, B, E, O, O, O, O, P, O, /* 20  !"#$%&'()*+,-./ */
    D, D, D, D, D, D, D, D, D, D, O, O, O, O, O, X, /* 30 0123456789:;<=>? */
    O, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* 40 @ABC */
    A, A, A, A, A, A, A, A, A, A, A, B, K, E, O, A, /* 50 XYZ[\]^_ */
    X, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* 60 `abc */
    A, A, A, A, A, A, A, A, A, A, A, B, O, E, O, X, /* 70 xyz{|}~ */
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, /* 80 */
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, /* 90 */
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, /* A0 */
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, /* B0 */
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, /* C0 */
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, /* D0 */
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, /* E0 */
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, /* F0 */
};
#undef X
#undef S
#undef L
#undef A
#undef D
#undef H
#undef Q
#undef P
#undef O
#undef B
#undef E
#undef C
#undef K

void
imig_lex_init(imig_lex *lex, const char *bytes, size_t len, size_t at)
{
    lex->bytes = bytes;
    lex->len = len;
    lex->at = at;
    lex->indent = 0;
    lex->line_start = true;
    lex->in_text = false;
    lex->depth = 0;
    lex->fstring_count = 0;
}

uint32_t
imig_lex_line(const char *bytes, size_t at)
{
    uint32_t line = 1;
    for (size_t i = 0; i < at; i++) {
        bool before_lf = i + 1 < at && bytes[i + 1] == '\n';
        if (bytes[i] == '\n' || (bytes[i] == '\r' && !before_lf))
            line++;
    }
    return line;
}

static uint8_t
class_at(const imig_lex *lex, size_t at)
{
    return at < lex->len ? class_of[(unsigned char)lex->bytes[at]] : (uint8_t)NONE;
}

/* The byte at `at`; NUL, which is in no Python file, beyond the end. */
static char
peek(const imig_lex *lex, size_t at)
{
    return at < lex->len ? lex->bytes[at] : '\0';
}

/* Step over one line end, CRLF as one. */
static size_t
after_line_end(const imig_lex *lex, size_t at)
{
    return at + (lex->bytes[at] == '\r' && peek(lex, at + 1) == '\n' ? 2 : 1);
}

void
imig_lex_stop(imig_token *out, imig_token_kind kind, const imig_lex *lex,
              const char *why)
{
    out->kind = kind;
    /* An escape at the very end may have stepped over it. */
    out->start = lex->at < lex->len ? lex->at : lex->len;
    out->len = 0;
    out->why = why;
}

static size_t
comment_end(const imig_lex *lex, size_t at)
{
    const char *bytes = lex->bytes;
    size_t len = lex->len;
    while (at < len && bytes[at] != '\n' && bytes[at] != '\r')
        at++;
    return at;
}

/* Columns of white space from lex->at on: tabs go to the next eighth column and a form
 * feed starts again, as in CPython's tokenizer. */
static size_t
measure_indent(imig_lex *lex)
{
    size_t column = 0;
    size_t at = lex->at;
    for (; at < lex->len; at++) {
        char byte = lex->bytes[at];
        if (byte == ' ')
            column++;
        else if (byte == '\t')
            column = (column / 8 + 1) * 8;
        else if (byte == '\f')
            column = 0;
        else
            break;
    }
    lex->at = at;
    return column;
}

/* Go to the first token of the next logical line, over blank and comment lines.
 * False when `out` is already the answer. */
static bool
begin_line(imig_token *out, imig_lex *lex)
{
    for (;;) {
        lex->indent = measure_indent(lex);
        if (peek(lex, lex->at) == '#')
            lex->at = comment_end(lex, lex->at);
        if (class_at(lex, lex->at) != LINE)
            break;
        lex->at = after_line_end(lex, lex->at);
    }
    if (peek(lex, lex->at) == '\\') {
        /* CPython has special rules for the indentation of such a line. */
        imig_lex_stop(out, IMIG_TOKEN_UNKNOWN, lex,
                      "a line starts with a line continuation");
        return false;
    }
    lex->line_start = false;
    return true;
}

/* Skip what separates tokens.  False when `out` is already the answer. */
static bool
skip_space(imig_token *out, imig_lex *lex)
{
    for (;;) {
        switch (class_at(lex, lex->at)) {
        case SPACE:
            lex->at++;
            break;
        case HASH:
            lex->at = comment_end(lex, lex->at);
            break;
        case LINE:
            if (lex->depth == 0)
                return true;
            lex->at = after_line_end(lex, lex->at);
            break;
        case BACKSLASH:
            if (class_at(lex, lex->at + 1) != LINE) {
                imig_lex_stop(out, IMIG_TOKEN_BROKEN, lex,
                              "text follows a line continuation");
                return false;
            }
            lex->at = after_line_end(lex, lex->at + 1);
            break;
        default:
            return true;
        }
    }
}

/* The prefix of a string in name[0 .. len), -1 when it is none. */
static int
string_prefix(const char *name, size_t len)
{
    int prefix = 0;
    bool alone = false; /* u stands alone */
    if (len > 2)
        return -1;
    for (size_t i = 0; i < len; i++) {
        int letter = 0;
        switch (name[i] | 0x20) {
        case 'r':
            letter = IMIG_PREFIX_RAW;
            break;
        case 'b':
            letter = IMIG_PREFIX_BYTES;
            break;
        case 'f':
        case 't':
            letter = IMIG_PREFIX_FORMAT;
            break;
        case 'u':
            alone = true;
            break;
        default:
            return -1;
        }
        if (prefix & letter)
            return -1;
        prefix |= letter;
    }
    bool both = (prefix & IMIG_PREFIX_BYTES) && (prefix & IMIG_PREFIX_FORMAT);
    return both || (alone && len == 2) ? -1 : prefix;
}

static bool
triple_at(const imig_lex *lex, size_t at, char quote)
{
    return peek(lex, at) == quote && peek(lex, at + 1) == quote &&
           peek(lex, at + 2) == quote;
}

/* The first byte from `at` on that is no ASCII part of a name. */
static size_t
name_end(const imig_lex *lex, size_t at)
{
    const char *bytes = lex->bytes;
    size_t len = lex->len;
    while (at < len && class_of[(unsigned char)bytes[at]] <= DIGIT)
        at++;
    return at;
}

/* The first byte from `at` on that may end a string, a line or an escape. */
static size_t
plain_end(const imig_lex *lex, size_t at)
{
    const char *bytes = lex->bytes;
    size_t len = lex->len;
    while (at < len && class_of[(unsigned char)bytes[at]] < QUOTE)
        at++;
    return at;
}

/* A string literal from its opening quote on. */
static void
read_string(imig_token *out, imig_lex *lex)
{
    char quote = lex->bytes[lex->at];
    bool triple = triple_at(lex, lex->at, quote);
    size_t at = lex->at + (triple ? 3 : 1);
    out->kind = IMIG_TOKEN_STRING;
    out->start = at;
    while ((at = plain_end(lex, at)) < lex->len) {
        char byte = lex->bytes[at];
        if (byte == '\\') {
            at++;
            if (at < lex->len)
                at = after_line_end(lex, at);
        } else if (byte == quote) {
            if (!triple || triple_at(lex, at, quote)) {
                out->len = at - out->start;
                lex->at = at + (triple ? 3 : 1);
                return;
            }
            at++;
        } else if (!triple && (byte == '\n' || byte == '\r')) {
            break;
        } else {
            at++;
        }
    }
    imig_lex_stop(out, IMIG_TOKEN_BROKEN, lex, "a string is not closed");
}

/* A name, a keyword, or the prefix of a string with the string. */
static void
read_name(imig_token *out, imig_lex *lex)
{
    size_t at = name_end(lex, lex->at);
    bool wide = class_at(lex, at) == HIGH;
    while (class_at(lex, at) == HIGH)
        at = name_end(lex, at + 1);
    uint8_t kind = class_at(lex, at);
    out->start = lex->at;
    out->len = at - lex->at;
    if (kind == QUOTE) {
        int prefix = string_prefix(lex->bytes + lex->at, out->len);
        if (prefix >= 0) {
            out->prefix = (uint8_t)prefix;
            lex->at = at;
            if (prefix & IMIG_PREFIX_FORMAT)
                imig_lex_fstring_open(out, lex);
            else
                read_string(out, lex);
            return;
        }
    }
    out->kind = IMIG_TOKEN_NAME;
    out->wide = wide;
    lex->at = at;
}

/* A number and whatever clings to it: `1if x` is two tokens in Python, but no keyword
 * that may follow a number matters to the scanner. */
static void
read_number(imig_token *out, imig_lex *lex)
{
    size_t at = lex->at;
    uint8_t kind = class_at(lex, at);
    for (; kind == ALPHA || kind == DIGIT || kind == POINT; kind = class_at(lex, ++at))
        continue;
    out->kind = IMIG_TOKEN_NUMBER;
    out->start = lex->at;
    out->len = at - lex->at;
    lex->at = at;
}

bool
imig_lex_push(imig_lex *lex, char bracket)
{
    if (lex->depth == IMIG_LEX_BRACKETS)
        return false;
    lex->brackets[lex->depth++] = bracket;
    return true;
}

static void
read_opening(imig_token *out, imig_lex *lex)
{
    out->op = lex->bytes[lex->at];
    if (!imig_lex_push(lex, out->op)) {
        imig_lex_stop(out, IMIG_TOKEN_BROKEN, lex,
                      "more than 200 brackets within each other");
        return;
    }
    lex->at++;
}

static void
read_closing(imig_token *out, imig_lex *lex)
{
    char byte = lex->bytes[lex->at];
    char opening = byte == ')' ? '(' : byte == ']' ? '[' : '{';
    if (lex->depth == 0 || lex->brackets[lex->depth - 1] != opening) {
        imig_lex_stop(out, IMIG_TOKEN_BROKEN, lex, "a bracket closes nothing");
        return;
    }
    if (byte == '}' && imig_lex_fstring_expr(lex)) {
        lex->fstrings[lex->fstring_count - 1].exprs--;
        lex->in_text = true;
    }
    lex->depth--;
    lex->at++;
    out->op = byte;
}

/* An operator that is no bracket. */
static void
read_operator(imig_token *out, imig_lex *lex)
{
    char byte = lex->bytes[lex->at];
    bool equals = peek(lex, lex->at + 1) == '=';
    size_t len = 1;
    out->op = byte;
    if (byte == ':' && imig_lex_fstring_expr(lex)) {
        lex->in_text = true; /* its format specification */
    } else if (equals && strchr("=!<>", byte) != NULL) {
        out->op = IMIG_OP_COMPARE;
        len = 2;
    } else if (byte == '!' && !imig_lex_fstring_expr(lex)) {
        imig_lex_stop(out, IMIG_TOKEN_UNKNOWN, lex,
                      "a character that Python does not know");
        return;
    } else if (equals && byte == ':') {
        out->op = IMIG_OP_WALRUS;
        len = 2;
    } else if (equals && strchr("+-*/%@&|^", byte) != NULL) {
        out->op = IMIG_OP_UPDATE;
        len = 2;
    } else if ((byte == '<' || byte == '>') && peek(lex, lex->at + 1) == byte) {
        out->op = peek(lex, lex->at + 2) == '=' ? IMIG_OP_UPDATE : byte;
        len = out->op == byte ? 2 : 3;
    }
    lex->at += len;
}

static void
read_end(imig_token *out, imig_lex *lex)
{
    if (lex->depth != 0)
        imig_lex_stop(out, IMIG_TOKEN_BROKEN, lex, "a bracket is not closed");
    else
        imig_lex_stop(out, IMIG_TOKEN_END, lex, NULL);
}

static void
read_token(imig_token *out, imig_lex *lex)
{
    out->kind = IMIG_TOKEN_OP;
    out->start = lex->at;
    switch (class_at(lex, lex->at)) {
    case ALPHA:
    case HIGH:
        read_name(out, lex);
        break;
    case DIGIT:
        read_number(out, lex);
        break;
    case QUOTE:
        read_string(out, lex);
        break;
    case POINT:
        if (class_at(lex, lex->at + 1) == DIGIT) {
            read_number(out, lex);
            break;
        }
        out->op = '.';
        lex->at++;
        break;
    case OTHER:
        read_operator(out, lex);
        break;
    case OPENS:
        read_opening(out, lex);
        break;
    case CLOSES:
        read_closing(out, lex);
        break;
    case LINE:
        out->kind = IMIG_TOKEN_NEWLINE;
        lex->at = after_line_end(lex, lex->at);
        lex->line_start = true;
        break;
    default:
        imig_lex_stop(out, IMIG_TOKEN_UNKNOWN, lex,
                      "a character that Python does not know");
    }
}

void
imig_lex_next(imig_token *out, imig_lex *lex)
{
    out->op = '\0';
    out->prefix = 0;
    out->wide = false;
    if (lex->in_text) {
        imig_lex_fstring_text(out, lex);
        return;
    }
    if (lex->line_start && !begin_line(out, lex))
        return;
    if (!skip_space(out, lex))
        return;
    if (lex->at >= lex->len)
        read_end(out, lex);
    else
        read_token(out, lex);
}

/* True when the name bytes[at .. end) is ASCII, no word that matters, and no prefix of
 * a string. */
static inline bool
is_idle_name(const imig_lex *lex, size_t at, size_t end)
{
    uint8_t next = class_at(lex, end);
    return next != HIGH && next != QUOTE &&
           !imig_word_possible(lex->bytes + at, end - at);
}

/* Bytes of an operator that may be skipped; 0 for a `;` and the `=` of a statement. */
static inline size_t
idle_operator(const imig_lex *lex, size_t at)
{
    char byte = lex->bytes[at];
    bool equals = peek(lex, at + 1) == '=';
    if (byte == ';' || (byte == '!' && !equals) ||
        (byte == '=' && !equals && lex->depth == 0))
        return 0;
    return equals && byte != ',' && byte != '~' ? 2 : 1;
}

static inline bool
skip_bracket(imig_lex *lex, char byte)
{
    char opening = byte == ')' ? '(' : byte == ']' ? '[' : '{';
    if (class_of[(unsigned char)byte] == OPENS)
        return imig_lex_push(lex, byte);
    if (lex->depth == 0 || lex->brackets[lex->depth - 1] != opening)
        return false;
    lex->depth--;
    return true;
}

/* Where the string or number at `at` ends; `at` itself when it is broken. */
static size_t
literal_end(imig_lex *lex, size_t at)
{
    imig_token token;
    lex->at = at;
    read_token(&token, lex);
    return token.kind != IMIG_TOKEN_BROKEN ? lex->at : at;
}

/* Where the token of class `kind` at `at` ends; `at` itself when imig_lex_next must
 * read it. */
static inline size_t
idle_end(imig_lex *lex, size_t at, uint8_t kind)
{
    size_t end;
    switch (kind) {
    case ALPHA:
        end = name_end(lex, at + 1);
        return is_idle_name(lex, at, end) ? end : at;
    case OTHER:
        return at + idle_operator(lex, at);
    case OPENS:
    case CLOSES:
        return skip_bracket(lex, lex->bytes[at]) ? at + 1 : at;
    case QUOTE:
    case DIGIT:
        return literal_end(lex, at);
    case POINT:
        return at + 1;
    default:
        return at;
    }
}

void
imig_lex_skip(bool *dot, imig_lex *lex)
{
    const size_t len = lex->len;
    size_t at = lex->at;
    bool point = *dot;
    if (lex->line_start || lex->fstring_count != 0)
        return;
    while (at < len) {
        uint8_t kind = class_of[(unsigned char)lex->bytes[at]];
        if (kind == SPACE || (kind == LINE && lex->depth != 0)) {
            at++;
        } else if (kind == HASH) {
            at = comment_end(lex, at);
        } else {
            size_t end = idle_end(lex, at, kind);
            if (end == at)
                break;
            at = end;
            point = kind == POINT;
        }
    }
    lex->at = at;
    *dot = point;
}
