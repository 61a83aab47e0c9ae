/* imig_sql_read.h - a walk over the tokens of a SQL text; private to imig_sql*.c.
 *
 * The reader looks at one token.  imig_sql_advance() steps over it and is the only way
 * forward, so that it sees every token once: it counts parentheses and notes what may
 * stand anywhere in a statement (RETURNING, set_config). */
#ifndef IMIG_SQL_READ_H
#define IMIG_SQL_READ_H

#include "imig_sql.h"
#include "imig_sql_lex.h"

/* What one statement has told so far. */
typedef struct imig_sql_statement {
    bool rows;       /* may return rows, whatever RETURNING says */
    bool returning;  /* has a RETURNING clause that is not of a WITH query */
    bool control;    /* transaction_control of imig_sql_facts, for this statement */
    bool own;        /* own_transaction */
    bool settings;   /* changes_text_settings */
    bool queueable;  /* its verb is one of those that may be deferred */
    bool reads_code; /* DO: its strings are code that runs now */
    bool routine;    /* CREATE FUNCTION or PROCEDURE: BEGIN ATOMIC is a body */
    bool rule;       /* CREATE RULE: semicolons in parentheses are its own */
    bool concurrently;
    imig_sql_verb verb;
    imig_sql_verb main_verb; /* NONE: as `verb` */
    imig_sql_object object;
    size_t name_begin;
    size_t name_end;
} imig_sql_statement;

typedef struct imig_sql_reader {
    imig_sql_lexer lexer;
    imig_sql_token token; /* the one that is looked at */
    bool after_dot;       /* what stands before it */
    bool after_as;
    bool unsure;
    size_t parens; /* open before `token` */
    size_t bodies; /* BEGIN ATOMIC open before `token` */
    imig_sql_statement st;
} imig_sql_reader;

/* Options in parentheses that somebody here asks about; the last mention counts. */
typedef struct imig_sql_options {
    bool concurrently;
    bool no_connect;
    bool no_slot;
    bool no_refresh;
    bool slot_property; /* failover or two_phase, whatever the value */
} imig_sql_options;

/* A word in capitals and its length. */
typedef struct imig_sql_word {
    const char *text;
    size_t len;
} imig_sql_word;

#define IMIG_SQL_WORD(text) {(text), sizeof(text) - 1}

/* At the keyword `word`, which must not be quoted; and step over it. */
#define AT(r, word) imig_sql_at((r), (word), sizeof(word) - 1)
#define ACCEPT(r, word) imig_sql_accept((r), (word), sizeof(word) - 1)
/* At the setting, option or function `word`, quoted or not, in any case. */
#define AT_NAMED(r, word) imig_sql_at_named((r), (word), sizeof(word) - 1)
/* Skip to the keyword `word` at this depth of parentheses; false: the statement ends
 * before. */
#define SKIP_TO(r, word) imig_sql_skip_to((r), (word), sizeof(word) - 1)

static inline bool
imig_sql_at(const imig_sql_reader *r, const char *word, size_t len)
{
    const imig_sql_token *t = &r->token;
    return t->kind == IMIG_SQL_TOKEN_WORD && t->end - t->begin == len &&
           imig_sql_is_word(r->lexer.sql + t->begin, len, word, len);
}

static inline bool
imig_sql_at_symbol(const imig_sql_reader *r, char symbol)
{
    return r->token.symbol == symbol;
}

static inline bool
imig_sql_at_end(const imig_sql_reader *r)
{
    return r->token.kind == IMIG_SQL_TOKEN_END;
}

/* At the end of a statement, with nothing open in it. */
static inline bool
imig_sql_at_statement_end(const imig_sql_reader *r)
{
    return imig_sql_at_end(r) ||
           (imig_sql_at_symbol(r, ';') && r->parens == 0 && r->bodies == 0);
}

static inline bool
imig_sql_at_name(const imig_sql_reader *r)
{
    return r->token.kind == IMIG_SQL_TOKEN_WORD ||
           r->token.kind == IMIG_SQL_TOKEN_QUOTED;
}

void imig_sql_advance(imig_sql_reader *r);
bool imig_sql_accept(imig_sql_reader *r, const char *word, size_t len);
bool imig_sql_accept_symbol(imig_sql_reader *r, char symbol);
bool imig_sql_skip_to(imig_sql_reader *r, const char *word, size_t len);
bool imig_sql_at_named(const imig_sql_reader *r, const char *word, size_t len);

/* Skip a list in parentheses; false: none begins here. */
bool imig_sql_skip_parens(imig_sql_reader *r);

/* At the name of a setting that changes how text is read, on either side. */
bool imig_sql_at_text_setting(const imig_sql_reader *r);

/* Take [ONLY] name, maybe with schema, as the statement's name, if it stands here. */
void imig_sql_take_name(imig_sql_reader *r);

/* Take [IF [NOT] EXISTS] [ONLY] name. */
void imig_sql_take_name_if(imig_sql_reader *r);

/* Take [SAVEPOINT] name. */
void imig_sql_take_savepoint(imig_sql_reader *r);

/* Take a list of options in parentheses, if one begins here. */
void imig_sql_take_options(imig_sql_reader *r, imig_sql_options *o);

/* What follows the verb, in imig_sql_ddl.c. */
void imig_sql_look_create(imig_sql_reader *r);
void imig_sql_look_alter(imig_sql_reader *r);
void imig_sql_look_drop(imig_sql_reader *r);
void imig_sql_look_reindex(imig_sql_reader *r);
void imig_sql_look_refresh(imig_sql_reader *r);
void imig_sql_look_relation(imig_sql_reader *r); /* TRUNCATE, LOCK */

#endif /* IMIG_SQL_READ_H */
