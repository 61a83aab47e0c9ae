/* imig_sql_lex.h - the tokens of a SQL text, as PostgreSQL's scan.l cuts them.
 *
 *     imig_sql_lexer lexer;
 *     imig_sql_lex_init(&lexer, sql, len, true);
 *     while (imig_sql_lex_next(&lexer, &token), token.kind != IMIG_SQL_TOKEN_END)
 *
 * Space and comments are no tokens.  Operators come byte by byte: nothing here depends
 * on which of them belong together. */
#ifndef IMIG_SQL_LEX_H
#define IMIG_SQL_LEX_H

#include "imig_base.h"

typedef enum imig_sql_token_kind {
    IMIG_SQL_TOKEN_END,
    IMIG_SQL_TOKEN_WORD,   /* identifier or keyword */
    IMIG_SQL_TOKEN_QUOTED, /* "identifier", U&"identifier" */
    IMIG_SQL_TOKEN_STRING, /* '', E'', B'', X'', U&'', $tag$$tag$, with continuations */
    IMIG_SQL_TOKEN_NUMBER,
    IMIG_SQL_TOKEN_PARAM,  /* $1 */
    IMIG_SQL_TOKEN_SYMBOL, /* one byte */
    IMIG_SQL_TOKEN_BAD,    /* unfinished, or what no statement has; goes to its end */
} imig_sql_token_kind;

typedef struct imig_sql_token {
    imig_sql_token_kind kind;
    char symbol; /* of a SYMBOL, else 0 */
    size_t begin;
    size_t end;
} imig_sql_token;

typedef struct imig_sql_lexer {
    const char *sql;
    size_t len;
    size_t pos;
    bool standard_conforming_strings;
} imig_sql_lexer;

void imig_sql_lex_init(imig_sql_lexer *lexer, const char *sql, size_t len,
                       bool standard_conforming_strings);

/* Put the next token into *out; END again and again at the end. */
void imig_sql_lex_next(imig_sql_lexer *lexer, imig_sql_token *out);

/* sql[begin .. end) is `word` (in capitals) but for the case of ASCII letters, as in
 * PostgreSQL's ScanKeywordLookup. */
bool imig_sql_is_word(const char *text, size_t len, const char *word, size_t word_len);

/* A byte that an unquoted identifier may begin or go on with. */
static inline bool
imig_sql_ident_start(unsigned char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26 || c == '_' || c >= 0x80;
}

static inline bool
imig_sql_ident_cont(unsigned char c)
{
    return imig_sql_ident_start(c) || (unsigned char)(c - '0') < 10 || c == '$';
}

#endif /* IMIG_SQL_LEX_H */
