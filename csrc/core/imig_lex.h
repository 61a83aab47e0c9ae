/* imig_lex.h - Python's tokens, one after the other, from bytes.
 *
 * Called by the scanner only.  It accepts what CPython 3.11 to 3.14 accept and more
 * (it knows no grammar); what no Python accepts is IMIG_TOKEN_BROKEN, what it does not
 * know itself is IMIG_TOKEN_UNKNOWN.  State has a fixed size: nothing is allocated.
 *
 * An f-string is a token of its own, followed by the tokens within its braces, which
 * count as brackets.  PEP 701 reads every f-string of 3.11 as 3.11 does.
 *
 *     x = f"a{b:>{w}}" + "c"
 *     NAME OP FSTRING OP{ NAME OP: OP{ NAME OP} OP} FSTRING OP STRING NEWLINE
 */
#ifndef IMIG_LEX_H
#define IMIG_LEX_H

#include "imig_base.h"

#define IMIG_LEX_BRACKETS 200 /* MAXLEVEL of CPython's tokenizer */
#define IMIG_LEX_FSTRINGS 32  /* one within another; CPython allows 150 */
#define IMIG_LEX_NESTING                                                               \
    3 /* braces within a format specification, see CPython's                           \
       * MAX_EXPR_NESTING */

typedef enum imig_token_kind {
    IMIG_TOKEN_END,
    IMIG_TOKEN_NEWLINE, /* the end of a logical line */
    IMIG_TOKEN_NAME,    /* keywords too */
    IMIG_TOKEN_NUMBER,
    IMIG_TOKEN_STRING,
    IMIG_TOKEN_FSTRING, /* the start or the end of an f- or t-string */
    IMIG_TOKEN_OP,
    IMIG_TOKEN_BROKEN,
    IMIG_TOKEN_UNKNOWN,
} imig_token_kind;

/* Operators that are not told by their first byte; "->" is two tokens. */
enum {
    IMIG_OP_WALRUS = 'W',  /* := */
    IMIG_OP_UPDATE = 'U',  /* += and its like */
    IMIG_OP_COMPARE = 'C', /* == != <= >= */
};

enum {
    IMIG_PREFIX_RAW = 1,
    IMIG_PREFIX_BYTES = 2,
    IMIG_PREFIX_FORMAT = 4, /* f or t */
};

typedef struct imig_token {
    imig_token_kind kind;
    char op;        /* of an OP: its first byte, or IMIG_OP_* */
    uint8_t prefix; /* of a STRING or FSTRING: IMIG_PREFIX_* */
    bool wide;      /* of a NAME: it has bytes beyond ASCII */
    size_t start;   /* of the token; of a STRING without prefix and quotes */
    size_t len;
    const char *why; /* of BROKEN and UNKNOWN */
} imig_token;

/* One f-string that is open. */
typedef struct imig_fstring {
    char quote;
    bool triple;
    bool raw;
    uint8_t exprs;                   /* open braces */
    uint8_t depth[IMIG_LEX_NESTING]; /* brackets open within each of them */
} imig_fstring;

typedef struct imig_lex {
    const char *bytes;
    size_t len;
    size_t at;
    size_t indent;   /* columns before the current logical line, as CPython counts */
    bool line_start; /* the next token is the first of a logical line */
    bool in_text;    /* within an f-string, outside its expressions */
    uint8_t depth;
    uint8_t fstring_count;
    char brackets[IMIG_LEX_BRACKETS];
    imig_fstring fstrings[IMIG_LEX_FSTRINGS];
} imig_lex;

/* Start at bytes[at].  Keeps the pointer until the last imig_lex_next. */
void imig_lex_init(imig_lex *lex, const char *bytes, size_t len, size_t at);

/* The next token.  Not to be called again after END, BROKEN or UNKNOWN. */
void imig_lex_next(imig_token *out, imig_lex *lex);

/* Skip tokens that mean nothing to the scanner within a statement: operators, brackets,
 * strings, numbers, and names that imig_word_possible() rules out.  Stops before
 * anything else, where imig_lex_next goes on.  *dot tells whether the token before that
 * is a point; it is left alone when no token was skipped. */
void imig_lex_skip(bool *dot, imig_lex *lex);

/* 1-based physical line of a byte; CR, LF and CRLF end lines. O(at). */
uint32_t imig_lex_line(const char *bytes, size_t at);

/* Private to the lexer. */
void imig_lex_stop(imig_token *out, imig_token_kind kind, const imig_lex *lex,
                   const char *why);

/* Private to the lexer: the rest of an f-string up to its next token. */
void imig_lex_fstring_open(imig_token *out, imig_lex *lex);
void imig_lex_fstring_text(imig_token *out, imig_lex *lex);
/* True when the next `:` or `}` belongs to the innermost f-string. */
bool imig_lex_fstring_expr(const imig_lex *lex);
bool imig_lex_push(imig_lex *lex, char bracket);

#endif /* IMIG_LEX_H */
