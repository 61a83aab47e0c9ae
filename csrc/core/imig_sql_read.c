/* imig_sql_read.c - the walk over tokens, and the small things that many statements
 * have: names, options. */
#include "imig_sql_read.h"

/* How the server reads our text (client_encoding, standard_conforming_strings,
 * backslash_quote) or we read the server's (the others). */
static const imig_sql_word text_settings[] = {
    IMIG_SQL_WORD("BACKSLASH_QUOTE"), IMIG_SQL_WORD("BYTEA_OUTPUT"),
    IMIG_SQL_WORD("CLIENT_ENCODING"), IMIG_SQL_WORD("DATESTYLE"),
    IMIG_SQL_WORD("INTERVALSTYLE"),   IMIG_SQL_WORD("STANDARD_CONFORMING_STRINGS"),
    IMIG_SQL_WORD("TIMEZONE"),
};

static const char *
token_text(const imig_sql_reader *r)
{
    return r->lexer.sql + r->token.begin;
}

static size_t
token_len(const imig_sql_reader *r)
{
    return r->token.end - r->token.begin;
}

static bool
is_text_setting(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof text_settings / sizeof *text_settings; i++)
        if (imig_sql_is_word(text, len, text_settings[i].text, text_settings[i].len))
            return true;
    return false;
}

bool
imig_sql_at_named(const imig_sql_reader *r, const char *word, size_t len)
{
    if (imig_sql_at(r, word, len))
        return true;
    return r->token.kind == IMIG_SQL_TOKEN_QUOTED && *token_text(r) == '"' &&
           imig_sql_is_word(token_text(r) + 1, token_len(r) - 2, word, len);
}

/* Names of settings have no case, quoted or not (guc_name_compare). */
bool
imig_sql_at_text_setting(const imig_sql_reader *r)
{
    const char *text = token_text(r);
    if (r->token.kind == IMIG_SQL_TOKEN_QUOTED)
        /* What U&"" spells is not worked out: it may be one. */
        return *text != '"' || is_text_setting(text + 1, token_len(r) - 2);
    return r->token.kind == IMIG_SQL_TOKEN_WORD && is_text_setting(text, token_len(r));
}

/* A byte of a setting's name; a $ is one of a delimiter. */
static bool
is_setting_byte(char c)
{
    return c != '$' && imig_sql_ident_cont((unsigned char)c);
}

/* Code in a string names a text setting or set_config. */
static bool
code_changes_settings(const char *text, size_t len)
{
    size_t pos = 0;
    while (pos < len) {
        size_t begin = pos;
        while (pos < len && is_setting_byte(text[pos]))
            pos++;
        size_t word = pos - begin;
        if (is_text_setting(text + begin, word) ||
            imig_sql_is_word(text + begin, word, "SET_CONFIG", sizeof "SET_CONFIG" - 1))
            return true;
        pos += word == 0;
    }
    return false;
}

/* Note what may stand anywhere in a statement. */
static void
note(imig_sql_reader *r)
{
    imig_sql_statement *st = &r->st;
    if (r->token.kind == IMIG_SQL_TOKEN_STRING) {
        if (st->reads_code && code_changes_settings(token_text(r), token_len(r)))
            st->settings = true;
    } else if (imig_sql_at_name(r) && token_len(r) >= sizeof "RETURNING" - 1) {
        /* RETURNING is reserved: elsewhere it is a label (AS returning) or a field. */
        if (r->parens == 0 && !r->after_dot && !r->after_as && AT(r, "RETURNING"))
            st->returning = true;
        /* A query can change settings through these. */
        if (AT_NAMED(r, "SET_CONFIG") || AT_NAMED(r, "PG_SETTINGS"))
            st->settings = true;
    }
}

static void
count_parens(imig_sql_reader *r)
{
    switch (r->token.symbol) {
    case '(':
        r->parens++;
        break;
    case ')':
        if (r->parens == 0)
            r->unsure = true;
        else
            r->parens--;
        break;
    case ';':
        if (r->parens != 0 && !r->st.rule)
            r->unsure = true;
        break;
    default:
        break;
    }
}

void
imig_sql_advance(imig_sql_reader *r)
{
    note(r);
    count_parens(r);
    /* x.as and AS as are names. */
    r->after_as = AT(r, "AS") && !r->after_dot && !r->after_as;
    r->after_dot = imig_sql_at_symbol(r, '.');
    imig_sql_lex_next(&r->lexer, &r->token);
    if (r->token.kind == IMIG_SQL_TOKEN_BAD)
        r->unsure = true;
}

bool
imig_sql_accept(imig_sql_reader *r, const char *word, size_t len)
{
    if (!imig_sql_at(r, word, len))
        return false;
    imig_sql_advance(r);
    return true;
}

bool
imig_sql_accept_symbol(imig_sql_reader *r, char symbol)
{
    if (!imig_sql_at_symbol(r, symbol))
        return false;
    imig_sql_advance(r);
    return true;
}

bool
imig_sql_skip_to(imig_sql_reader *r, const char *word, size_t len)
{
    size_t depth = r->parens;
    while (!imig_sql_at_statement_end(r)) {
        if (r->parens == depth && !r->after_dot && imig_sql_at(r, word, len))
            return true;
        imig_sql_advance(r);
    }
    return false;
}

bool
imig_sql_skip_parens(imig_sql_reader *r)
{
    size_t depth = r->parens;
    if (!imig_sql_accept_symbol(r, '('))
        return false;
    while (r->parens > depth && !imig_sql_at_end(r))
        imig_sql_advance(r);
    return true;
}

/* The name that begins with `first`, which was stepped over. */
static void
take_name_from(imig_sql_reader *r, imig_sql_token first)
{
    size_t end = first.end;
    while (imig_sql_accept_symbol(r, '.') && imig_sql_at_name(r)) {
        end = r->token.end;
        imig_sql_advance(r);
    }
    r->st.name_begin = first.begin;
    r->st.name_end = end;
}

void
imig_sql_take_name(imig_sql_reader *r)
{
    (void)ACCEPT(r, "ONLY");
    imig_sql_token first = r->token;
    if (!imig_sql_at_name(r))
        return;
    imig_sql_advance(r);
    take_name_from(r, first);
}

/* IF alone is a name: it is no reserved word. */
void
imig_sql_take_name_if(imig_sql_reader *r)
{
    imig_sql_token first = r->token;
    if (!ACCEPT(r, "IF")) {
        imig_sql_take_name(r);
        return;
    }
    (void)ACCEPT(r, "NOT");
    if (ACCEPT(r, "EXISTS"))
        imig_sql_take_name(r);
    else
        take_name_from(r, first);
}

/* Neither is SAVEPOINT: RELEASE savepoint releases the one of that name. */
void
imig_sql_take_savepoint(imig_sql_reader *r)
{
    imig_sql_token first = r->token;
    if (ACCEPT(r, "SAVEPOINT") && !imig_sql_at_name(r))
        take_name_from(r, first);
    else
        imig_sql_take_name(r);
}

/* The value that stands here is false as defGetBoolean understands it. */
static bool
at_false(const imig_sql_reader *r)
{
    const char *text = token_text(r);
    size_t len = token_len(r);
    if (r->token.kind == IMIG_SQL_TOKEN_NUMBER)
        return len == 1 && *text == '0';
    if (r->token.kind == IMIG_SQL_TOKEN_STRING && *text == '\'') {
        text++;
        len -= 2;
    } else if (r->token.kind != IMIG_SQL_TOKEN_WORD) {
        return false;
    }
    return imig_sql_is_word(text, len, "FALSE", 5) ||
           imig_sql_is_word(text, len, "OFF", 3);
}

/* Take the beginning of an option: name [[=] value]. */
static void
take_option(imig_sql_reader *r, imig_sql_options *o)
{
    bool concurrently = AT_NAMED(r, "CONCURRENTLY");
    bool connect = AT_NAMED(r, "CONNECT");
    bool slot = AT_NAMED(r, "CREATE_SLOT");
    bool refresh = AT_NAMED(r, "REFRESH");
    if (AT_NAMED(r, "FAILOVER") || AT_NAMED(r, "TWO_PHASE"))
        o->slot_property = true;
    imig_sql_advance(r);
    (void)imig_sql_accept_symbol(r, '=');
    bool off = at_false(r);
    if (concurrently)
        o->concurrently = !off;
    if (connect)
        o->no_connect = off;
    if (slot)
        o->no_slot = off;
    if (refresh)
        o->no_refresh = off;
}

void
imig_sql_take_options(imig_sql_reader *r, imig_sql_options *o)
{
    size_t depth = r->parens;
    if (!imig_sql_accept_symbol(r, '('))
        return;
    while (r->parens > depth && !imig_sql_at_end(r)) {
        if (imig_sql_at_name(r))
            take_option(r, o);
        while (r->parens > depth && !imig_sql_at_end(r) && !imig_sql_at_symbol(r, ','))
            imig_sql_advance(r);
        (void)imig_sql_accept_symbol(r, ',');
    }
}
