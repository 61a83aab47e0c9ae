/* test_sql.c - the SQL classifier: one row per rule, with the facts it must give.
 *
 * Facts are letters: ? unsure, R returns_rows, T transaction_control, O
 * own_transaction, S changes_text_settings, D deferrable, C concurrently. */
#include "imig_sql.h"
#include "imig_test.h"

typedef struct row {
    const char *sql;
    uint32_t statements;
    imig_sql_verb verb;
    const char *facts;
    const char *name; /* NULL: none */
} row;

static void
letters(char out[8], const imig_sql_facts *f)
{
    size_t n = 0;
    const struct {
        bool set;
        char letter;
    } all[] = {
        {f->unsure, '?'},
        {f->returns_rows, 'R'},
        {f->transaction_control, 'T'},
        {f->own_transaction, 'O'},
        {f->changes_text_settings, 'S'},
        {f->deferrable, 'D'},
        {f->concurrently, 'C'},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].set)
            out[n++] = all[i].letter;
    out[n] = '\0';
}

static imig_sql_facts
look(const char *sql, size_t len, bool conforming)
{
    imig_sql_facts facts;
    char *copy = imig_test_copy(sql, len);
    imig_sql_look(&facts, copy, len, conforming);
    free(copy);
    return facts;
}

static bool
has_name(const imig_sql_facts *f, const row *want)
{
    if (want->name == NULL)
        return f->name_len == 0;
    return f->name_len == strlen(want->name) &&
           memcmp(want->sql + f->name_offset, want->name, f->name_len) == 0;
}

static void
check_rows(imig_test *t, const row *rows, size_t count, bool conforming)
{
    for (size_t i = 0; i < count; i++) {
        const row *want = &rows[i];
        char found[8];
        imig_sql_facts f = look(want->sql, strlen(want->sql), conforming);
        letters(found, &f);
        bool ok = f.statements == want->statements && f.verb == want->verb &&
                  strcmp(found, want->facts) == 0 && has_name(&f, want);
        if (!ok)
            fprintf(stderr, "%s\n  found %u %s %s, name %.*s\n", want->sql,
                    f.statements, imig_sql_verb_name(f.verb), found, (int)f.name_len,
                    want->sql + f.name_offset);
        CHECK(t, ok);
    }
}

#define CHECK_ROWS(t, rows, conforming)                                                \
    check_rows((t), (rows), sizeof(rows) / sizeof *(rows), (conforming))

static void
test_counting(imig_test *t)
{
    static const row rows[] = {
        {"", 0, IMIG_SQL_NONE, "", NULL},
        {" \t\r\n\f\v", 0, IMIG_SQL_NONE, "", NULL},
        {"-- no newline", 0, IMIG_SQL_NONE, "", NULL},
        {";;/* a */;-- b\n;", 0, IMIG_SQL_NONE, "", NULL},
        {"SELECT 1", 1, IMIG_SQL_SELECT, "R", NULL},
        {";;SELECT 1;;-- end", 1, IMIG_SQL_SELECT, "R", NULL},
        {"DROP TABLE a;DROP TABLE b;;DROP TABLE c", 3, IMIG_SQL_DROP, "", "a"},
        {"GRANT a TO b;SELECT 1", 2, IMIG_SQL_GRANT, "R", NULL},
        {"GRANT a TO b;SET client_encoding TO x;COMMIT;VACUUM", 4, IMIG_SQL_GRANT,
         "TOS", NULL},
        {"CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)", 1,
         IMIG_SQL_CREATE, "D", "r"},
        {"CREATE OR REPLACE RULE r AS ON UPDATE TO t DO ALSO (NOTIFY a; NOTIFY b;);"
         "SELECT 1",
         2, IMIG_SQL_CREATE, "R", "r"},
        {"DELETE FROM t WHERE (a; b)", 2, IMIG_SQL_DELETE, "?R", NULL},
        {"SELECT (1", 2, IMIG_SQL_SELECT, "?R", NULL},
        {"DROP TABLE a)", 2, IMIG_SQL_DROP, "?R", "a"},
    };
    CHECK_ROWS(t, rows, true);
}

static void
test_bodies(imig_test *t)
{
    static const row rows[] = {
        {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END", 1,
         IMIG_SQL_CREATE, "D", "f"},
        {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; DROP TABLE t", 2,
         IMIG_SQL_CREATE, "", "f"},
        {"CREATE PROCEDURE s.p(a int) BEGIN/**/ATOMIC END", 1, IMIG_SQL_CREATE, "D",
         "s.p"},
        {"CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC\n"
         "SELECT CASE WHEN a THEN 1 ELSE 2 END; SELECT 1 AS end; END;",
         1, IMIG_SQL_CREATE, "D", "f"},
        {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT begin atomic; END; END",
         2, IMIG_SQL_CREATE, "T", "f"},
        {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC CREATE FUNCTION g() RETURNS int "
         "BEGIN ATOMIC SELECT 1; END; END",
         1, IMIG_SQL_CREATE, "D", "f"},
        {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC CREATE RULE r AS ON INSERT TO t "
         "DO (NOTIFY a; NOTIFY b); END",
         1, IMIG_SQL_CREATE, "D", "f"},
        {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;", 2, IMIG_SQL_CREATE,
         "?R", "f"},
        {"CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT 1", 2,
         IMIG_SQL_CREATE, "R", "begin"},
        {"CREATE FUNCTION f(begin atomic) RETURNS int LANGUAGE sql AS ''; DROP TABLE t",
         2, IMIG_SQL_CREATE, "", "f"},
        {"CREATE VIEW v AS SELECT begin atomic; DROP TABLE t", 2, IMIG_SQL_CREATE, "",
         "v"},
        {"BEGIN; END", 2, IMIG_SQL_BEGIN, "T", NULL},
    };
    CHECK_ROWS(t, rows, true);
}

static void
test_quoting(imig_test *t)
{
    static const row rows[] = {
        {"NOTIFY a, 'it''s; 1'", 1, IMIG_SQL_NOTIFY, "D", NULL},
        {"NOTIFY a, 'x\\'; NOTIFY b, 'y'", 2, IMIG_SQL_NOTIFY, "", NULL},
        {"NOTIFY a, e'\\'; 1'", 1, IMIG_SQL_NOTIFY, "D", NULL},
        {"NOTIFY a, E'\\\\'; NOTIFY b", 2, IMIG_SQL_NOTIFY, "", NULL},
        {"NOTIFY a, E'a'\n'\\'; 1'", 1, IMIG_SQL_NOTIFY, "D", NULL},
        {"NOTIFY a, E'a' -- c\r  -- d '\n'\\'; 1'", 1, IMIG_SQL_NOTIFY, "D", NULL},
        {"NOTIFY a, E'a' '\\'; NOTIFY b", 2, IMIG_SQL_NOTIFY, "", NULL},
        {"NOTIFY a, E'a'/*\n*/'\\'; NOTIFY b", 2, IMIG_SQL_NOTIFY, "", NULL},
        {"NOTIFY a, b'1\\'; NOTIFY b", 2, IMIG_SQL_NOTIFY, "", NULL},
        {"NOTIFY a, X'1'';'", 1, IMIG_SQL_NOTIFY, "D", NULL},
        {"NOTIFY a, N'\\'; NOTIFY b", 2, IMIG_SQL_NOTIFY, "", NULL},
        {"NOTIFY a, U&'\\'; NOTIFY b", 2, IMIG_SQL_NOTIFY, "", NULL},
        {"NOTIFY ae'\\'; NOTIFY b", 2, IMIG_SQL_NOTIFY, "", NULL},
        {"NOTIFY a, 'x", 2, IMIG_SQL_NOTIFY, "?R", NULL},
        {"NOTIFY a, E'x\\", 2, IMIG_SQL_NOTIFY, "?R", NULL},
        {"DROP TABLE \"a;\"\"b\"", 1, IMIG_SQL_DROP, "D", "\"a;\"\"b\""},
        {"DROP TABLE U&\"a;\"\"b\" . c", 1, IMIG_SQL_DROP, "D", "U&\"a;\"\"b\" . c"},
        {"DROP TABLE \"a", 2, IMIG_SQL_DROP, "?R", NULL},
        {"DO $$ a; ' $ $a$ b $$", 1, IMIG_SQL_DO, "D", NULL},
        {"DO $a1_$ $$;$a$;$a1_ $a1_$", 1, IMIG_SQL_DO, "D", NULL},
        {"DO $\xc3\xa4$;$\xc3\xa4$", 1, IMIG_SQL_DO, "D", NULL},
        {"DO $a$ ; $A$", 2, IMIG_SQL_DO, "?R", NULL},
        {"DO a$$;$$", 2, IMIG_SQL_DO, "?R", NULL},
        {"DO $1a$;", 2, IMIG_SQL_DO, "?R", NULL},
        {"DELETE FROM t WHERE a=$1;", 1, IMIG_SQL_DELETE, "D", NULL},
    };
    CHECK_ROWS(t, rows, true);
}

static void
test_without_conforming_strings(imig_test *t)
{
    static const row rows[] = {
        {"NOTIFY a, 'x\\'; NOTIFY b'", 1, IMIG_SQL_NOTIFY, "D", NULL},
        {"NOTIFY a, N'x\\'; NOTIFY b'", 1, IMIG_SQL_NOTIFY, "D", NULL},
        {"NOTIFY a, B'1\\'; NOTIFY b", 2, IMIG_SQL_NOTIFY, "", NULL},
        {"DELETE FROM t WHERE a&'1'=b", 1, IMIG_SQL_DELETE, "D", NULL},
        {"NOTIFY a, U&'1'", 2, IMIG_SQL_NOTIFY, "?R", NULL},
        {"NOTIFY U&\"\\\"", 1, IMIG_SQL_NOTIFY, "D", NULL},
    };
    CHECK_ROWS(t, rows, false);
}

static void
test_comments_operators_numbers(imig_test *t)
{
    static const row rows[] = {
        {"/* a /* b; */ c; */DROP/**/TABLE--x;\nt", 1, IMIG_SQL_DROP, "D", "t"},
        {"/*/*/**/*/*/ DROP TABLE t /***/", 1, IMIG_SQL_DROP, "D", "t"},
        {"DROP TABLE t /* /* */", 2, IMIG_SQL_DROP, "?R", "t"},
        {"DELETE FROM t WHERE a <--1;\n 2", 1, IMIG_SQL_DELETE, "D", NULL},
        {"DELETE FROM t WHERE a */*;*/ 2=4", 1, IMIG_SQL_DELETE, "D", NULL},
        {"DELETE FROM t WHERE a @- 1.5e-3 AND b[1:2] <> .5 AND c::int ~ 0x1F", 1,
         IMIG_SQL_DELETE, "D", NULL},
        {"DELETE FROM t WHERE a = 1 -2 /3; DROP TABLE t", 2, IMIG_SQL_DELETE, "", NULL},
        {"DELETE FROM t WHERE a = 0b1 + 0O17 - 0xfF", 1, IMIG_SQL_DELETE, "D", NULL},
        {"DELETE FROM t WHERE a = 1_", 2, IMIG_SQL_DELETE, "?R", NULL},
        {"DELETE FROM t WHERE a = 1and b", 2, IMIG_SQL_DELETE, "?R", NULL},
        {"DELETE FROM t WHERE a = 1_000 AND b = $1", 1, IMIG_SQL_DELETE, "D", NULL},
        {"DO $$;$$ \\ x", 2, IMIG_SQL_DO, "?R", NULL},
        {"DROP TABLE t {", 2, IMIG_SQL_DROP, "?R", "t"},
    };
    CHECK_ROWS(t, rows, true);
    imig_sql_facts f = look("DROP TABLE a\0b", 14, true);
    CHECK(t, f.unsure && f.statements == 2 && !f.deferrable);
    f = look(NULL, 0, true);
    CHECK(t, f.statements == 0 && f.verb_offset == 0);
    f = look(" /**/ drop", 10, true);
    CHECK(t, f.verb_offset == 6);
}

static void
test_rows(imig_test *t)
{
    static const row rows[] = {
        {"INSERT INTO t VALUES (1)", 1, IMIG_SQL_INSERT, "D", NULL},
        {"insert into t values (1) ReTuRnInG a", 1, IMIG_SQL_INSERT, "R", NULL},
        {"INSERT INTO t SELECT 1 AS returning", 1, IMIG_SQL_INSERT, "D", NULL},
        {"INSERT INTO t SELECT a.returning FROM a", 1, IMIG_SQL_INSERT, "D", NULL},
        {"INSERT INTO t SELECT 'returning', \"returning\" FROM a -- returning", 1,
         IMIG_SQL_INSERT, "D", NULL},
        {"INSERT INTO t SELECT * FROM (SELECT 1 AS a) AS b RETURNING 1", 1,
         IMIG_SQL_INSERT, "R", NULL},
        {"DELETE FROM a.as RETURNING 1", 1, IMIG_SQL_DELETE, "R", NULL},
        {"INSERT INTO t SELECT 1 AS as RETURNING 1", 1, IMIG_SQL_INSERT, "R", NULL},
        {"UPDATE t SET a = 1 WHERE b = 1.RETURNING a", 2, IMIG_SQL_UPDATE, "?R", NULL},
        {"DELETE FROM t USING u WHERE t.a = u.a RETURNING t.*", 1, IMIG_SQL_DELETE, "R",
         NULL},
        {"MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", 1,
         IMIG_SQL_MERGE, "D", NULL},
        {"MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE RETURNING "
         "merge_action()",
         1, IMIG_SQL_MERGE, "R", NULL},
        {"WITH a AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM a", 1,
         IMIG_SQL_WITH, "D", NULL},
        {"WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", 1, IMIG_SQL_WITH, "R",
         NULL},
        {"WITH insert AS (SELECT 1) SELECT 1", 1, IMIG_SQL_WITH, "R", NULL},
        {"WITH recursive (update) AS NOT MATERIALIZED (SELECT 1), b AS MATERIALIZED "
         "(SELECT 2) UPDATE t SET a = 1",
         1, IMIG_SQL_WITH, "D", NULL},
        {"WITH recursive AS (SELECT 1) DELETE FROM t", 1, IMIG_SQL_WITH, "D", NULL},
        {"WITH RECURSIVE a(x) AS (SELECT 1 UNION SELECT x FROM a) SEARCH DEPTH FIRST "
         "BY "
         "x, y SET o CYCLE x, y SET c TO 1 DEFAULT 2 USING p DELETE FROM t",
         1, IMIG_SQL_WITH, "D", NULL},
        {"WITH a AS (SELECT 1) SEARCH DEPTH FIRST BY set SET insert SELECT 1", 1,
         IMIG_SQL_WITH, "R", NULL},
        {"WITH a AS (SELECT 1) SEARCH BREADTH FIRST BY x, set SET set CYCLE set SET "
         "set "
         "USING insert DELETE FROM t",
         1, IMIG_SQL_WITH, "D", NULL},
        {"WITH a AS (SELECT 1) SEARCH FIRST BY x SET y DELETE FROM t", 1, IMIG_SQL_WITH,
         "R", NULL},
        {"WITH a AS (SELECT 1) CYCLE x SET c USING p, b AS (SELECT 1) INSERT INTO t "
         "TABLE a RETURNING 1",
         1, IMIG_SQL_WITH, "R", NULL},
        {"WITH a AS (SELECT 1) (SELECT 2)", 1, IMIG_SQL_WITH, "R", NULL},
        {"WITH a (SELECT 1) DELETE FROM t", 1, IMIG_SQL_WITH, "R", NULL},
        {"((SELECT 1) UNION SELECT 2)", 1, IMIG_SQL_SELECT, "R", NULL},
        {"SELECT 1 INTO t", 1, IMIG_SQL_SELECT, "R", NULL},
        {"VALUES (1)", 1, IMIG_SQL_VALUES, "R", NULL},
        {"TABLE t", 1, IMIG_SQL_TABLE, "R", NULL},
        {"SHOW ALL", 1, IMIG_SQL_SHOW, "R", NULL},
        {"EXPLAIN DELETE FROM t", 1, IMIG_SQL_EXPLAIN, "R", NULL},
        {"CALL p()", 1, IMIG_SQL_CALL, "R", NULL},
        {"EXECUTE p", 1, IMIG_SQL_EXECUTE, "R", NULL},
        {"FETCH 1 FROM c", 1, IMIG_SQL_FETCH, "R", NULL},
        {"MOVE 1 IN c", 1, IMIG_SQL_MOVE, "", NULL},
        {"FROBNICATE t", 1, IMIG_SQL_OTHER, "R", NULL},
        {"CREATE TABLE t AS SELECT 1 AS returning", 1, IMIG_SQL_CREATE, "D", "t"},
        {"COPY t (a) FROM STDIN", 1, IMIG_SQL_COPY_IN, "", NULL},
        {"COPY s.from FROM stdout WITH (FORMAT csv)", 1, IMIG_SQL_COPY_IN, "", NULL},
        {"COPY (SELECT 1 FROM a) TO STDOUT", 1, IMIG_SQL_COPY_OUT, "", NULL},
        {"COPY t TO PROGRAM 'x'", 1, IMIG_SQL_COPY_OTHER, "", NULL},
        {"COPY t FROM 'stdin'", 1, IMIG_SQL_COPY_OTHER, "", NULL},
    };
    CHECK_ROWS(t, rows, true);
}

static void
test_transactions(imig_test *t)
{
    static const row rows[] = {
        {"-- a\n/* b */ begin", 1, IMIG_SQL_BEGIN, "T", NULL},
        {"START TRANSACTION READ ONLY", 1, IMIG_SQL_BEGIN, "T", NULL},
        {"COMMIT AND CHAIN", 1, IMIG_SQL_COMMIT, "T", NULL},
        {"END", 1, IMIG_SQL_COMMIT, "T", NULL},
        {"ABORT", 1, IMIG_SQL_ROLLBACK, "T", NULL},
        {"ROLLBACK WORK", 1, IMIG_SQL_ROLLBACK, "T", NULL},
        {"ROLLBACK TRANSACTION TO SAVEPOINT a", 1, IMIG_SQL_ROLLBACK_TO, "T", "a"},
        {"ROLLBACK TO savepoint", 1, IMIG_SQL_ROLLBACK_TO, "T", "savepoint"},
        {"ROLLBACK TO \"b c\"", 1, IMIG_SQL_ROLLBACK_TO, "T", "\"b c\""},
        {"SAVEPOINT a", 1, IMIG_SQL_SAVEPOINT, "T", "a"},
        {"RELEASE a", 1, IMIG_SQL_RELEASE, "T", "a"},
        {"RELEASE SAVEPOINT savepoint", 1, IMIG_SQL_RELEASE, "T", "savepoint"},
        {"PREPARE TRANSACTION 'a'", 1, IMIG_SQL_PREPARE_TRANSACTION, "T", NULL},
        {"PREPARE transaction AS SELECT 1", 1, IMIG_SQL_PREPARE, "", NULL},
        {"COMMIT PREPARED 'a'", 1, IMIG_SQL_COMMIT_PREPARED, "TO", NULL},
        {"ROLLBACK PREPARED 'a'", 1, IMIG_SQL_ROLLBACK_PREPARED, "TO", NULL},
    };
    CHECK_ROWS(t, rows, true);
}

static void
test_own_transaction(imig_test *t)
{
    static const row rows[] = {
        {"CREATE INDEX CONCURRENTLY ON t (a)", 1, IMIG_SQL_CREATE, "OC", NULL},
        {"CREATE UNIQUE INDEX concurrently IF NOT EXISTS i ON t (a)", 1,
         IMIG_SQL_CREATE, "OC", "i"},
        {"CREATE INDEX i ON t (concurrently)", 1, IMIG_SQL_CREATE, "D", "i"},
        {"CREATE INDEX \"concurrently\" ON t (a)", 1, IMIG_SQL_CREATE, "D",
         "\"concurrently\""},
        {"DROP INDEX CONCURRENTLY IF EXISTS s.i", 1, IMIG_SQL_DROP, "OC", "s.i"},
        {"DROP INDEX i", 1, IMIG_SQL_DROP, "D", "i"},
        {"REINDEX INDEX CONCURRENTLY i", 1, IMIG_SQL_REINDEX, "OC", "i"},
        {"REINDEX (VERBOSE, CONCURRENTLY) TABLE t", 1, IMIG_SQL_REINDEX, "OC", "t"},
        {"REINDEX (CONCURRENTLY off) TABLE t", 1, IMIG_SQL_REINDEX, "D", "t"},
        {"REINDEX (\"concurrently\" 0, TABLESPACE s) TABLE t", 1, IMIG_SQL_REINDEX, "D",
         "t"},
        {"REINDEX (CONCURRENTLY 'false') TABLE CONCURRENTLY t", 1, IMIG_SQL_REINDEX,
         "OC", "t"},
        {"REINDEX SCHEMA s", 1, IMIG_SQL_REINDEX, "O", "s"},
        {"REINDEX DATABASE", 1, IMIG_SQL_REINDEX, "O", NULL},
        {"REINDEX SYSTEM", 1, IMIG_SQL_REINDEX, "O", NULL},
        {"VACUUM t", 1, IMIG_SQL_VACUUM, "O", NULL},
        {"ANALYZE t", 1, IMIG_SQL_ANALYZE, "D", NULL},
        {"CLUSTER", 1, IMIG_SQL_CLUSTER, "O", NULL},
        {"CLUSTER (VERBOSE);", 1, IMIG_SQL_CLUSTER, "O", NULL},
        {"CLUSTER VERBOSE t USING i", 1, IMIG_SQL_CLUSTER, "D", NULL},
        {"CREATE DATABASE d", 1, IMIG_SQL_CREATE, "O", "d"},
        {"DROP DATABASE IF EXISTS d", 1, IMIG_SQL_DROP, "O", "d"},
        {"ALTER DATABASE set SET TABLESPACE x", 1, IMIG_SQL_ALTER, "O", "set"},
        {"ALTER DATABASE d SET tablespace = 1", 1, IMIG_SQL_ALTER, "D", "d"},
        {"ALTER DATABASE d WITH TABLESPACE = x", 1, IMIG_SQL_ALTER, "O", "d"},
        {"ALTER DATABASE d TABLESPACE x", 1, IMIG_SQL_ALTER, "O", "d"},
        {"ALTER DATABASE d SET tablespace TO 1", 1, IMIG_SQL_ALTER, "D", "d"},
        {"CREATE TABLESPACE s LOCATION '/a'", 1, IMIG_SQL_CREATE, "O", "s"},
        {"DROP TABLESPACE s", 1, IMIG_SQL_DROP, "O", "s"},
        {"ALTER TABLESPACE s RENAME TO b", 1, IMIG_SQL_ALTER, "D", "s"},
        {"ALTER SYSTEM SET a = 1", 1, IMIG_SQL_ALTER, "O", NULL},
        {"DISCARD ALL", 1, IMIG_SQL_DISCARD, "OS", NULL},
        {"DISCARD PLANS", 1, IMIG_SQL_DISCARD, "", NULL},
        {"ALTER TABLE ONLY t DETACH PARTITION s.p CONCURRENTLY", 1, IMIG_SQL_ALTER,
         "OC", "t"},
        {"ALTER TABLE t * DETACH PARTITION s.concurrently", 1, IMIG_SQL_ALTER, "D",
         "t"},
        {"ALTER TABLE t DETACH PARTITION p FINALIZE", 1, IMIG_SQL_ALTER, "D", "t"},
        {"CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", 1, IMIG_SQL_CREATE, "O",
         "s"},
        {"CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = false)", 1,
         IMIG_SQL_CREATE, "D", "s"},
        {"CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (binary, create_slot "
         "= off)",
         1, IMIG_SQL_CREATE, "D", "s"},
        {"DROP SUBSCRIPTION s", 1, IMIG_SQL_DROP, "O", "s"},
        {"ALTER SUBSCRIPTION s REFRESH PUBLICATION", 1, IMIG_SQL_ALTER, "O", "s"},
        {"ALTER SUBSCRIPTION s ADD PUBLICATION p", 1, IMIG_SQL_ALTER, "O", "s"},
        {"ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)", 1,
         IMIG_SQL_ALTER, "D", "s"},
        {"ALTER SUBSCRIPTION s SET (failover = true)", 1, IMIG_SQL_ALTER, "O", "s"},
        {"ALTER SUBSCRIPTION s SET (slot_name = NONE)", 1, IMIG_SQL_ALTER, "D", "s"},
        {"ALTER SUBSCRIPTION s DISABLE", 1, IMIG_SQL_ALTER, "D", "s"},
        {"REFRESH MATERIALIZED VIEW CONCURRENTLY v", 1, IMIG_SQL_REFRESH, "DC", "v"},
    };
    CHECK_ROWS(t, rows, true);
}

static void
test_settings(imig_test *t)
{
    static const row rows[] = {
        {"SET search_path TO a", 1, IMIG_SQL_SET, "D", NULL},
        {"SET LOCAL lock_timeout = '1s'", 1, IMIG_SQL_SET, "D", NULL},
        {"SET Client_Encoding TO 'x'", 1, IMIG_SQL_SET, "S", NULL},
        {"SET \"DateStyle\" TO 'x'", 1, IMIG_SQL_SET, "S", NULL},
        {"SET U&\"x\" TO 'x'", 1, IMIG_SQL_SET, "S", NULL},
        {"SET SESSION standard_conforming_strings = off", 1, IMIG_SQL_SET, "S", NULL},
        {"SET NAMES 'x'", 1, IMIG_SQL_SET, "S", NULL},
        {"SET LOCAL TIME ZONE 'UTC'", 1, IMIG_SQL_SET, "S", NULL},
        {"SET ROLE x", 1, IMIG_SQL_SET, "D", NULL},
        {"SET SESSION AUTHORIZATION x", 1, IMIG_SQL_SET, "D", NULL},
        {"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", 1, IMIG_SQL_SET, "D", NULL},
        {"RESET ALL", 1, IMIG_SQL_RESET, "S", NULL},
        {"RESET TIME ZONE", 1, IMIG_SQL_RESET, "S", NULL},
        {"RESET intervalstyle", 1, IMIG_SQL_RESET, "S", NULL},
        {"RESET work_mem", 1, IMIG_SQL_RESET, "D", NULL},
        {"SELECT set_config('a.b', 'c', false)", 1, IMIG_SQL_SELECT, "RS", NULL},
        {"UPDATE pg_catalog.pg_settings SET setting = 1", 1, IMIG_SQL_UPDATE, "S",
         NULL},
        {"DO $$BEGIN SET TimeZone=1; END$$", 1, IMIG_SQL_DO, "S", NULL},
        {"DO $a$PERFORM \"set_config\"()$a$", 1, IMIG_SQL_DO, "S", NULL},
        {"DO $$EXECUTE $x$RESET timezone$x$; END$$", 1, IMIG_SQL_DO, "S", NULL},
        {"DO $$my_timezone timezone2$$", 1, IMIG_SQL_DO, "D", NULL},
        {"DO 'set client_encoding'", 1, IMIG_SQL_DO, "S", NULL},
        {"COMMENT ON TABLE t IS 'client_encoding'", 1, IMIG_SQL_COMMENT, "D", NULL},
    };
    CHECK_ROWS(t, rows, true);
}

static void
test_names(imig_test *t)
{
    static const row rows[] = {
        {"CREATE TABLE if (a int)", 1, IMIG_SQL_CREATE, "D", "if"},
        {"CREATE TABLE if.b (a int)", 1, IMIG_SQL_CREATE, "D", "if.b"},
        {"CREATE GLOBAL TEMP TABLE IF NOT EXISTS a . \"b\" (a int)", 1, IMIG_SQL_CREATE,
         "D", "a . \"b\""},
        {"ALTER TABLE IF EXISTS ONLY a.b ADD COLUMN c int", 1, IMIG_SQL_ALTER, "D",
         "a.b"},
        {"ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b", 1, IMIG_SQL_ALTER, "D",
         NULL},
        {"DROP TABLE a, b CASCADE", 1, IMIG_SQL_DROP, "D", "a"},
        {"TRUNCATE TABLE ONLY a", 1, IMIG_SQL_TRUNCATE, "D", "a"},
        {"LOCK a.b IN SHARE MODE", 1, IMIG_SQL_LOCK, "D", "a.b"},
        {"CREATE STATISTICS ON a, b FROM t", 1, IMIG_SQL_CREATE, "D", NULL},
        {"CREATE ROLE r", 1, IMIG_SQL_CREATE, "D", NULL},
    };
    CHECK_ROWS(t, rows, true);
}

static void
test_objects(imig_test *t)
{
    static const struct {
        const char *sql;
        imig_sql_object object;
    } rows[] = {
        {"CREATE FOREIGN TABLE t (a int) SERVER s", IMIG_SQL_OBJECT_FOREIGN_TABLE},
        {"CREATE FOREIGN DATA WRAPPER w", IMIG_SQL_OBJECT_OTHER},
        {"DROP MATERIALIZED VIEW v", IMIG_SQL_OBJECT_MATERIALIZED_VIEW},
        {"CREATE OR REPLACE RECURSIVE VIEW v (a) AS SELECT 1", IMIG_SQL_OBJECT_VIEW},
        {"CREATE CONSTRAINT TRIGGER t", IMIG_SQL_OBJECT_TRIGGER},
        {"ALTER TYPE t ADD VALUE 'a'", IMIG_SQL_OBJECT_TYPE},
        {"SELECT 1", IMIG_SQL_OBJECT_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        imig_sql_facts f = look(rows[i].sql, strlen(rows[i].sql), true);
        CHECK(t, f.object == rows[i].object);
        CHECK(t, f.verb == f.main_verb);
    }
    CHECK(t, strcmp(imig_sql_verb_name(IMIG_SQL_COPY_IN), "COPY_IN") == 0);
    CHECK(t, strcmp(imig_sql_object_name(IMIG_SQL_OBJECT_TABLE), "TABLE") == 0);
    CHECK(t, look("WITH a AS (TABLE b) DELETE FROM c", 34 - 1, true).main_verb ==
                 IMIG_SQL_DELETE);
}

/* Every cut of every text is read to its end and not beyond (AddressSanitizer). */
static void
test_cuts(imig_test *t)
{
    static const char text[] =
        "WITH a AS (SELECT E'\\'' 'b'\n'c', U&\"d\", $x$ $y$ $x$, 0x1F, 1.5e-3, $1) "
        "SEARCH DEPTH FIRST BY a SET b INSERT INTO t SELECT /* /* */ */ 1 -- c\n;"
        "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END;REINDEX (CONCURRENTLY 'off') "
        "TABLE t;ROLLBACK TO SAVEPOINT a;DO 'client_encoding'";
    for (size_t len = 0; len < sizeof text; len++) {
        imig_sql_facts f = look(text, len, true);
        CHECK(t, f.statements <= 5 && f.verb_offset <= len);
        CHECK(t, f.name_offset + f.name_len <= len);
    }
}

/* Linear: a megabyte of each is a matter of milliseconds, of minutes if it were not. */
static void
test_long(imig_test *t)
{
    static const char *const units[] = {"(",  ")",     "$",    "$a$",  "'",   "''\n",
                                        "\"", "/*",    "*/",   ";",    "a.",  "IF ",
                                        "\\", "E'\\'", "--\n", "1.5e", "$a ", "BEGIN "};
    size_t size = (size_t)1 << 20;
    char *text = malloc(size);
    if (text == NULL)
        abort();
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t len = strlen(units[i]);
        for (size_t pos = 0; pos < size; pos++)
            text[pos] = units[i][pos % len];
        imig_sql_facts f;
        imig_sql_look(&f, text, size, true);
        CHECK(t, !f.deferrable);
    }
    free(text);
}

int
main(void)
{
    imig_test t = {0, 0};
    test_counting(&t);
    test_bodies(&t);
    test_quoting(&t);
    test_without_conforming_strings(&t);
    test_comments_operators_numbers(&t);
    test_rows(&t);
    test_transactions(&t);
    test_own_transaction(&t);
    test_settings(&t);
    test_names(&t);
    test_objects(&t);
    test_cuts(&t);
    test_long(&t);
    return imig_test_end(&t, "test_sql");
}
