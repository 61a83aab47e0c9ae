/* imig_sql.h - what a driver must know about one SQL text before it sends it.
 *
 *     text --> imig_sql_lex --> imig_sql --> imig_sql_facts
 *              tokens           statements
 *
 * Nothing is executed and nothing is split.  The lexer is PostgreSQL's (scan.l); of the
 * grammar (gram.y) it knows where a statement ends, how it begins, and the few clauses
 * that the facts hang on.  docs/design/sql-classifier.md says which, and why.
 *
 * The one rule: when unsure, the answer that costs time and not the one that costs
 * correctness - more than one statement, may return rows, not deferrable.  Text that
 * the server refuses may get any facts but those three. */
#ifndef IMIG_SQL_H
#define IMIG_SQL_H

#include "imig_base.h"

/* NONE: there is no statement; OTHER: none of PostgreSQL 18 begins like this. */
#define IMIG_SQL_VERBS(X)                                                              \
    X(NONE)                                                                            \
    X(OTHER)                                                                           \
    X(ALTER)                                                                           \
    X(ANALYZE)                                                                         \
    X(BEGIN) /* also START TRANSACTION */                                              \
    X(CALL)                                                                            \
    X(CHECKPOINT)                                                                      \
    X(CLOSE)                                                                           \
    X(CLUSTER)                                                                         \
    X(COMMENT)                                                                         \
    X(COMMIT) /* also END */                                                           \
    X(COMMIT_PREPARED)                                                                 \
    X(COPY_IN)    /* FROM STDIN */                                                     \
    X(COPY_OTHER) /* a file or a program of the server's */                            \
    X(COPY_OUT)   /* TO STDOUT */                                                      \
    X(CREATE)                                                                          \
    X(DEALLOCATE)                                                                      \
    X(DECLARE)                                                                         \
    X(DELETE)                                                                          \
    X(DISCARD)                                                                         \
    X(DO)                                                                              \
    X(DROP)                                                                            \
    X(EXECUTE)                                                                         \
    X(EXPLAIN)                                                                         \
    X(FETCH)                                                                           \
    X(GRANT)                                                                           \
    X(IMPORT)                                                                          \
    X(INSERT)                                                                          \
    X(LISTEN)                                                                          \
    X(LOAD)                                                                            \
    X(LOCK)                                                                            \
    X(MERGE)                                                                           \
    X(MOVE)                                                                            \
    X(NOTIFY)                                                                          \
    X(PREPARE)                                                                         \
    X(PREPARE_TRANSACTION)                                                             \
    X(REASSIGN)                                                                        \
    X(REFRESH)                                                                         \
    X(REINDEX)                                                                         \
    X(RELEASE)                                                                         \
    X(RESET)                                                                           \
    X(REVOKE)                                                                          \
    X(ROLLBACK) /* also ABORT */                                                       \
    X(ROLLBACK_PREPARED)                                                               \
    X(ROLLBACK_TO)                                                                     \
    X(SAVEPOINT)                                                                       \
    X(SECURITY)                                                                        \
    X(SELECT) /* also one in parentheses */                                            \
    X(SET)                                                                             \
    X(SHOW)                                                                            \
    X(TABLE)                                                                           \
    X(TRUNCATE)                                                                        \
    X(UNLISTEN)                                                                        \
    X(UPDATE)                                                                          \
    X(VACUUM)                                                                          \
    X(VALUES)                                                                          \
    X(WITH)

/* What CREATE, ALTER, DROP and REINDEX are about. */
#define IMIG_SQL_OBJECTS(X)                                                            \
    X(NONE) /* another verb */                                                         \
    X(OTHER)                                                                           \
    X(DATABASE)                                                                        \
    X(DOMAIN)                                                                          \
    X(EXTENSION)                                                                       \
    X(FOREIGN_TABLE)                                                                   \
    X(FUNCTION)                                                                        \
    X(INDEX)                                                                           \
    X(MATERIALIZED_VIEW)                                                               \
    X(POLICY)                                                                          \
    X(PROCEDURE)                                                                       \
    X(PUBLICATION)                                                                     \
    X(RULE)                                                                            \
    X(SCHEMA)                                                                          \
    X(SEQUENCE)                                                                        \
    X(STATISTICS)                                                                      \
    X(SUBSCRIPTION)                                                                    \
    X(SYSTEM)                                                                          \
    X(TABLE)                                                                           \
    X(TABLESPACE)                                                                      \
    X(TRIGGER)                                                                         \
    X(TYPE)                                                                            \
    X(VIEW)

typedef enum imig_sql_verb {
#define X(name) IMIG_SQL_##name,
    IMIG_SQL_VERBS(X)
#undef X
} imig_sql_verb;

typedef enum imig_sql_object {
#define X(name) IMIG_SQL_OBJECT_##name,
    IMIG_SQL_OBJECTS(X)
#undef X
} imig_sql_object;

typedef struct imig_sql_facts {
    /* Top-level statements; empty ones do not count, so 0 is a text of nothing but
     * space and comments.  2 or more when unsure. */
    uint32_t statements;

    /* The text does not read as SQL: an unfinished string, comment or parenthesis, a
     * byte that no statement has, or something servers disagree about. */
    bool unsure;

    /* Of any statement in the text: */
    bool returns_rows;          /* it may, or we cannot know (CALL, EXECUTE) */
    bool transaction_control;   /* BEGIN ... ROLLBACK PREPARED, savepoints */
    bool own_transaction;       /* refused in a transaction block (25001) */
    bool changes_text_settings; /* how text is read: client_encoding, DateStyle, ... */

    /* It is one statement, returns no rows, and nothing that follows can depend on how
     * it was answered unless it failed: it may be queued in a pipeline. */
    bool deferrable;

    /* Of the first statement: */
    imig_sql_verb verb;
    imig_sql_verb main_verb; /* as `verb`; after WITH a, b, ...: what follows them */
    imig_sql_object object;
    bool concurrently;  /* an index build, drop, reindex, detach or refresh says so */
    size_t verb_offset; /* of its first token; the text's length when there is none */
    size_t name_offset; /* of the object's or the savepoint's name as it is written, */
    size_t name_len;    /* with schema and quotes; 0: there is none */
} imig_sql_facts;

/* Look at sql[0 .. len), in UTF-8 or another encoding whose multibyte characters have
 * no ASCII bytes (all that a server may store, not SJIS, BIG5, GBK, UHC, GB18030).
 * `standard_conforming_strings` is the session's setting.  Time is linear in `len`; no
 * allocation, no recursion, cannot fail. */
void imig_sql_look(imig_sql_facts *out, const char *sql, size_t len,
                   bool standard_conforming_strings);

/* "SELECT", "COPY_IN", ...; "?" for what is none. Never NULL. */
const char *imig_sql_verb_name(imig_sql_verb verb);
const char *imig_sql_object_name(imig_sql_object object);

#endif /* IMIG_SQL_H */
