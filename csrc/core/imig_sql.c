/* imig_sql.c - one pass over a SQL text: statements, and what each verb means.
 *
 * One look_*() per verb reads as much of a statement's beginning as its facts need;
 * read_rest() goes on to its end.  Names in capitals in comments are keywords or are
 * of PostgreSQL's gram.y. */
#include "imig_sql.h"

#include <string.h>

#include "imig_sql_read.h"

#define SOME(array) (sizeof(array) / sizeof *(array))

typedef void look_fn(imig_sql_reader *r);

enum {
    ROWS = 1,    /* returns rows, or may */
    QUEUE = 2,   /* may be deferred, if nothing is found that speaks against it */
    CONTROL = 4, /* of transactions */
    OWN = 8,     /* never in a transaction block */
    CODE = 16,   /* its strings are code that runs now */
};

/* SET [SESSION | LOCAL] what ...  A role's settings come with its login
 * (process_settings in postinit.c), not with SET ROLE or SESSION AUTHORIZATION. */
static void
look_set(imig_sql_reader *r)
{
    if (!ACCEPT(r, "SESSION"))
        (void)ACCEPT(r, "LOCAL");
    if (AT(r, "NAMES") || imig_sql_at_text_setting(r))
        r->st.settings = true;
    else if (ACCEPT(r, "TIME") && AT(r, "ZONE"))
        r->st.settings = true;
}

static void
look_reset(imig_sql_reader *r)
{
    if (AT(r, "ALL"))
        r->st.settings = true;
    else
        look_set(r);
}

static void
look_discard(imig_sql_reader *r)
{
    if (AT(r, "ALL"))
        r->st.own = r->st.settings = true;
}

static void
look_commit(imig_sql_reader *r)
{
    if (!AT(r, "PREPARED"))
        return;
    r->st.verb = IMIG_SQL_COMMIT_PREPARED;
    r->st.own = true;
}

/* ROLLBACK [WORK | TRANSACTION] [TO [SAVEPOINT] name | AND ...], ROLLBACK PREPARED */
static void
look_rollback(imig_sql_reader *r)
{
    if (AT(r, "PREPARED")) {
        r->st.verb = IMIG_SQL_ROLLBACK_PREPARED;
        r->st.own = true;
        return;
    }
    if (!ACCEPT(r, "WORK"))
        (void)ACCEPT(r, "TRANSACTION");
    if (ACCEPT(r, "TO")) {
        r->st.verb = IMIG_SQL_ROLLBACK_TO;
        imig_sql_take_savepoint(r);
    }
}

/* PREPARE TRANSACTION 'id'; as a statement's name TRANSACTION is followed by AS or (.
 */
static void
look_prepare(imig_sql_reader *r)
{
    if (!ACCEPT(r, "TRANSACTION") || r->token.kind != IMIG_SQL_TOKEN_STRING)
        return;
    r->st.verb = IMIG_SQL_PREPARE_TRANSACTION;
    r->st.control = true;
}

/* CLUSTER [(options)] [VERBOSE] without a table goes over many (cluster_multiple_rels)
 * and begins transactions itself. */
static void
look_cluster(imig_sql_reader *r)
{
    imig_sql_options o = {0};
    imig_sql_take_options(r, &o);
    (void)ACCEPT(r, "VERBOSE");
    r->st.own = imig_sql_at_statement_end(r);
}

/* COPY name [(columns)] | (query), then FROM or TO: both are reserved words.
 * STDIN and STDOUT mean the same (copy_file_name). */
static void
look_copy(imig_sql_reader *r)
{
    while (!imig_sql_at_statement_end(r)) {
        bool clause = r->parens == 0 && !r->after_dot;
        bool in = clause && AT(r, "FROM");
        bool out = clause && AT(r, "TO");
        imig_sql_advance(r);
        if (!in && !out)
            continue;
        if (AT(r, "STDIN") || AT(r, "STDOUT"))
            r->st.verb = in ? IMIG_SQL_COPY_IN : IMIG_SQL_COPY_OUT;
        return;
    }
}

/* ---- verbs ------------------------------------------------------------------ */

typedef struct verb_row {
    imig_sql_word word;
    imig_sql_verb verb;
    unsigned traits;
    look_fn *look; /* NULL: nothing that follows matters */
} verb_row;

#define ROW(word, verb, traits, look)                                                  \
    {IMIG_SQL_WORD(#word), IMIG_SQL_##verb, (traits), (look)}

/* Every word a statement may begin with, up to PostgreSQL 18 (gram.y: stmt), sorted. */
static const verb_row verbs[] = {
    ROW(ABORT, ROLLBACK, CONTROL, NULL),
    ROW(ALTER, ALTER, QUEUE, imig_sql_look_alter),
    ROW(ANALYSE, ANALYZE, QUEUE, NULL),
    ROW(ANALYZE, ANALYZE, QUEUE, NULL),
    ROW(BEGIN, BEGIN, CONTROL, NULL),
    ROW(CALL, CALL, ROWS, NULL),
    ROW(CHECKPOINT, CHECKPOINT, 0, NULL),
    ROW(CLOSE, CLOSE, 0, NULL),
    ROW(CLUSTER, CLUSTER, QUEUE, look_cluster),
    ROW(COMMENT, COMMENT, QUEUE, NULL),
    ROW(COMMIT, COMMIT, CONTROL, look_commit),
    ROW(COPY, COPY_OTHER, 0, look_copy),
    ROW(CREATE, CREATE, QUEUE, imig_sql_look_create),
    ROW(DEALLOCATE, DEALLOCATE, 0, NULL),
    ROW(DECLARE, DECLARE, 0, NULL),
    ROW(DELETE, DELETE, QUEUE, NULL),
    ROW(DISCARD, DISCARD, 0, look_discard),
    ROW(DO, DO, QUEUE | CODE, NULL),
    ROW(DROP, DROP, QUEUE, imig_sql_look_drop),
    ROW(END, COMMIT, CONTROL, NULL),
    ROW(EXECUTE, EXECUTE, ROWS, NULL),
    ROW(EXPLAIN, EXPLAIN, ROWS, NULL),
    ROW(FETCH, FETCH, ROWS, NULL),
    ROW(GRANT, GRANT, QUEUE, NULL),
    ROW(IMPORT, IMPORT, QUEUE, NULL),
    ROW(INSERT, INSERT, QUEUE, NULL),
    ROW(LISTEN, LISTEN, 0, NULL),
    ROW(LOAD, LOAD, 0, NULL),
    ROW(LOCK, LOCK, QUEUE, imig_sql_look_relation),
    ROW(MERGE, MERGE, QUEUE, NULL),
    ROW(MOVE, MOVE, 0, NULL),
    ROW(NOTIFY, NOTIFY, QUEUE, NULL),
    ROW(PREPARE, PREPARE, 0, look_prepare),
    ROW(REASSIGN, REASSIGN, QUEUE, NULL),
    ROW(REFRESH, REFRESH, QUEUE, imig_sql_look_refresh),
    ROW(REINDEX, REINDEX, QUEUE, imig_sql_look_reindex),
    ROW(RELEASE, RELEASE, CONTROL, imig_sql_take_savepoint),
    ROW(RESET, RESET, QUEUE, look_reset),
    ROW(REVOKE, REVOKE, QUEUE, NULL),
    ROW(ROLLBACK, ROLLBACK, CONTROL, look_rollback),
    ROW(SAVEPOINT, SAVEPOINT, CONTROL, imig_sql_take_name),
    ROW(SECURITY, SECURITY, QUEUE, NULL),
    ROW(SELECT, SELECT, ROWS, NULL),
    ROW(SET, SET, QUEUE, look_set),
    ROW(SHOW, SHOW, ROWS, NULL),
    ROW(START, BEGIN, CONTROL, NULL),
    ROW(TABLE, TABLE, ROWS, NULL),
    ROW(TRUNCATE, TRUNCATE, QUEUE, imig_sql_look_relation),
    ROW(UNLISTEN, UNLISTEN, 0, NULL),
    ROW(UPDATE, UPDATE, QUEUE, NULL),
    ROW(VACUUM, VACUUM, OWN, NULL),
    ROW(VALUES, VALUES, ROWS, NULL),
    ROW(WITH, WITH, ROWS, NULL),
};

/* The row of the word that is looked at, or NULL. */
static const verb_row *
find_verb(const imig_sql_reader *r)
{
    char key[16];
    const char *text = r->lexer.sql + r->token.begin;
    size_t len = r->token.end - r->token.begin;
    if (r->token.kind != IMIG_SQL_TOKEN_WORD || len >= sizeof key)
        return NULL;
    for (size_t i = 0; i < len; i++)
        key[i] =
            (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i]);
    key[len] = '\0';
    size_t low = 0, high = SOME(verbs);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(key, verbs[middle].word.text);
        if (order == 0)
            return &verbs[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool
is_change(imig_sql_verb verb)
{
    return verb == IMIG_SQL_INSERT || verb == IMIG_SQL_UPDATE ||
           verb == IMIG_SQL_DELETE || verb == IMIG_SQL_MERGE;
}

/* ---- WITH ------------------------------------------------------------------- */

/* columns SET column; a column may be called "set" or "insert". */
static bool
skip_columns_and_set(imig_sql_reader *r)
{
    do {
        if (!imig_sql_at_name(r))
            return false;
        imig_sql_advance(r);
    } while (imig_sql_accept_symbol(r, ','));
    if (!ACCEPT(r, "SET") || !imig_sql_at_name(r))
        return false;
    imig_sql_advance(r);
    return true;
}

/* [SEARCH order FIRST BY columns SET column]
 * [CYCLE columns SET column [TO value DEFAULT value] USING column] */
static bool
skip_search_and_cycle(imig_sql_reader *r)
{
    if (ACCEPT(r, "SEARCH")) {
        if (!ACCEPT(r, "DEPTH") && !ACCEPT(r, "BREADTH"))
            return false;
        if (!ACCEPT(r, "FIRST") || !ACCEPT(r, "BY") || !skip_columns_and_set(r))
            return false;
    }
    if (!ACCEPT(r, "CYCLE"))
        return true;
    /* USING is reserved: no value begins with it. */
    if (!skip_columns_and_set(r) || !SKIP_TO(r, "USING"))
        return false;
    imig_sql_advance(r);
    if (!imig_sql_at_name(r))
        return false;
    imig_sql_advance(r);
    return true;
}

/* One WITH query: name [(columns)] AS [[NOT] MATERIALIZED] (query).  False: it is not
 * read to its end. */
static bool
skip_with_query(imig_sql_reader *r)
{
    if (imig_sql_at_name(r) && !AT(r, "AS"))
        imig_sql_advance(r);
    (void)imig_sql_skip_parens(r);
    if (!ACCEPT(r, "AS"))
        return false;
    (void)ACCEPT(r, "NOT");
    (void)ACCEPT(r, "MATERIALIZED");
    return imig_sql_skip_parens(r) && skip_search_and_cycle(r);
}

/* Find the verb behind WITH [RECURSIVE] query, ...  A query may be called "recursive",
 * "insert" or "values", so the first such word is not good enough. */
static void
look_with(imig_sql_reader *r)
{
    /* Where it is the first query's name, skip_with_query does without one. */
    (void)ACCEPT(r, "RECURSIVE");
    do {
        if (!skip_with_query(r))
            return;
    } while (imig_sql_accept_symbol(r, ','));
    const verb_row *row = find_verb(r);
    if (row == NULL)
        return;
    r->st.main_verb = row->verb;
    if (is_change(row->verb)) {
        r->st.rows = false;
        r->st.queueable = true;
    }
}

/* ---- statements -------------------------------------------------------------- */

/* A statement in a BEGIN ATOMIC body begins here, or the body ends.  END cannot begin a
 * statement there: in gram.y it is a TransactionStmtLegacy, only of the top level. */
static void
begin_inner(imig_sql_reader *r)
{
    r->st.routine = r->st.rule = false;
    if (ACCEPT(r, "END")) {
        r->bodies--;
    } else if (ACCEPT(r, "CREATE")) {
        (void)ACCEPT(r, "OR");
        (void)ACCEPT(r, "REPLACE");
        r->st.routine = AT(r, "FUNCTION") || AT(r, "PROCEDURE");
        r->st.rule = AT(r, "RULE");
    }
}

/* Go on to the statement's end. */
static void
read_rest(imig_sql_reader *r)
{
    while (!imig_sql_at_statement_end(r)) {
        bool outside = r->parens == 0;
        if (outside && imig_sql_accept_symbol(r, ';')) {
            begin_inner(r);
        } else if (outside && r->st.routine && ACCEPT(r, "BEGIN")) {
            if (ACCEPT(r, "ATOMIC")) {
                r->bodies++;
                begin_inner(r);
            }
        } else {
            imig_sql_advance(r);
        }
    }
}

/* Read one statement from its first token. */
static void
read_statement(imig_sql_reader *r)
{
    imig_sql_statement *st = &r->st;
    *st = (imig_sql_statement){.rows = true, .verb = IMIG_SQL_OTHER};
    const verb_row *row = find_verb(r);
    if (row != NULL) {
        st->verb = row->verb;
        st->rows = (row->traits & ROWS) != 0;
        st->queueable = (row->traits & QUEUE) != 0;
        st->control = (row->traits & CONTROL) != 0;
        st->own = (row->traits & OWN) != 0;
        st->reads_code = (row->traits & CODE) != 0;
        imig_sql_advance(r);
        if (st->verb == IMIG_SQL_WITH)
            look_with(r);
        else if (row->look != NULL)
            row->look(r);
    } else if (imig_sql_at_symbol(r, '(')) {
        st->verb = IMIG_SQL_SELECT;
    }
    read_rest(r);
    if (st->main_verb == IMIG_SQL_NONE)
        st->main_verb = st->verb;
    if (is_change(st->main_verb) && st->returning)
        st->rows = true;
}

static void
take_first(imig_sql_facts *out, const imig_sql_statement *st, size_t begin)
{
    out->verb = st->verb;
    out->main_verb = st->main_verb;
    out->object = st->object;
    out->concurrently = st->concurrently;
    out->verb_offset = begin;
    out->name_offset = st->name_begin;
    out->name_len = st->name_end - st->name_begin;
    out->deferrable =
        st->queueable && !st->rows && !st->control && !st->own && !st->settings;
}

void
imig_sql_look(imig_sql_facts *out, const char *sql, size_t len,
              bool standard_conforming_strings)
{
    imig_sql_reader r = {0};
    *out = (imig_sql_facts){.verb_offset = len};
    imig_sql_lex_init(&r.lexer, sql, len, standard_conforming_strings);
    imig_sql_advance(&r);
    for (;;) {
        while (imig_sql_accept_symbol(&r, ';'))
            continue;
        if (imig_sql_at_end(&r))
            break;
        size_t begin = r.token.begin;
        read_statement(&r);
        if (out->statements == 0)
            take_first(out, &r.st, begin);
        if (out->statements != UINT32_MAX)
            out->statements++;
        out->returns_rows |= r.st.rows;
        out->transaction_control |= r.st.control;
        out->own_transaction |= r.st.own;
        out->changes_text_settings |= r.st.settings;
    }
    out->unsure = r.unsure || r.parens != 0 || r.bodies != 0;
    if (out->unsure && out->statements < 2)
        out->statements = 2;
    if (out->unsure)
        out->returns_rows = true;
    if (out->statements != 1)
        out->deferrable = false;
}

const char *
imig_sql_verb_name(imig_sql_verb verb)
{
    switch (verb) {
#define X(name)                                                                        \
    case IMIG_SQL_##name:                                                              \
        return #name;
        IMIG_SQL_VERBS(X)
#undef X
    }
    return "?";
}

const char *
imig_sql_object_name(imig_sql_object object)
{
    switch (object) {
#define X(name)                                                                        \
    case IMIG_SQL_OBJECT_##name:                                                       \
        return #name;
        IMIG_SQL_OBJECTS(X)
#undef X
    }
    return "?";
}
