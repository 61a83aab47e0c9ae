/* imig_sql_ddl.c - what CREATE, ALTER, DROP, REINDEX and REFRESH are about, and which
 * of them PostgreSQL refuses in a transaction block (the callers of
 * PreventInTransactionBlock). */
#include "imig_sql_read.h"

typedef struct object_row {
    imig_sql_word word;
    imig_sql_object object;
} object_row;

#define OBJECT(name) {IMIG_SQL_WORD(#name), IMIG_SQL_OBJECT_##name}

/* Objects whose name follows the word, after IF [NOT] EXISTS. */
static const object_row objects[] = {
    OBJECT(DATABASE), OBJECT(DOMAIN), OBJECT(EXTENSION),    OBJECT(FUNCTION),
    OBJECT(INDEX),    OBJECT(POLICY), OBJECT(PROCEDURE),    OBJECT(PUBLICATION),
    OBJECT(RULE),     OBJECT(SCHEMA), OBJECT(SEQUENCE),     OBJECT(STATISTICS),
    OBJECT(SYSTEM),   OBJECT(TABLE),  OBJECT(TABLESPACE),   OBJECT(TRIGGER),
    OBJECT(TYPE),     OBJECT(VIEW),   OBJECT(SUBSCRIPTION),
};

/* Words that may stand between CREATE and the object's. */
static const imig_sql_word modifiers[] = {
    IMIG_SQL_WORD("OR"),         IMIG_SQL_WORD("REPLACE"), IMIG_SQL_WORD("GLOBAL"),
    IMIG_SQL_WORD("LOCAL"),      IMIG_SQL_WORD("TEMP"),    IMIG_SQL_WORD("TEMPORARY"),
    IMIG_SQL_WORD("UNLOGGED"),   IMIG_SQL_WORD("UNIQUE"),  IMIG_SQL_WORD("RECURSIVE"),
    IMIG_SQL_WORD("CONSTRAINT"),
};

static bool
accept_modifier(imig_sql_reader *r)
{
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++)
        if (imig_sql_accept(r, modifiers[i].text, modifiers[i].len))
            return true;
    return false;
}

static imig_sql_object
accept_object(imig_sql_reader *r)
{
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        if (imig_sql_accept(r, objects[i].word.text, objects[i].word.len))
            return objects[i].object;
    return IMIG_SQL_OBJECT_OTHER;
}

/* Take the words that say what kind of object this is about. */
static imig_sql_object
take_object(imig_sql_reader *r)
{
    bool materialized = ACCEPT(r, "MATERIALIZED");
    bool foreign = !materialized && ACCEPT(r, "FOREIGN");
    imig_sql_object object = accept_object(r);
    if (materialized || foreign) {
        if (materialized && object == IMIG_SQL_OBJECT_VIEW)
            object = IMIG_SQL_OBJECT_MATERIALIZED_VIEW;
        else if (foreign && object == IMIG_SQL_OBJECT_TABLE)
            object = IMIG_SQL_OBJECT_FOREIGN_TABLE;
        else
            object = IMIG_SQL_OBJECT_OTHER;
    }
    r->st.object = object;
    return object;
}

/* CONCURRENTLY right here: the word cannot be a relation's name (ColId). */
static void
take_concurrently(imig_sql_reader *r)
{
    if (ACCEPT(r, "CONCURRENTLY"))
        r->st.concurrently = r->st.own = true;
}

/* WITH (...) further on. */
static imig_sql_options
with_options(imig_sql_reader *r)
{
    imig_sql_options o = {0};
    if (SKIP_TO(r, "WITH")) {
        imig_sql_advance(r);
        imig_sql_take_options(r, &o);
    }
    return o;
}

/* CreateSubscription asks for its own transaction where it makes a slot on the
 * publisher; create_slot = false and connect = false make none. */
static void
look_create_subscription(imig_sql_reader *r)
{
    imig_sql_options o = with_options(r);
    r->st.own = !o.no_connect && !o.no_slot;
}

void
imig_sql_look_create(imig_sql_reader *r)
{
    while (accept_modifier(r))
        continue;
    imig_sql_object object = take_object(r);
    r->st.rule = object == IMIG_SQL_OBJECT_RULE;
    r->st.routine =
        object == IMIG_SQL_OBJECT_FUNCTION || object == IMIG_SQL_OBJECT_PROCEDURE;
    if (object == IMIG_SQL_OBJECT_OTHER)
        return;
    if (object == IMIG_SQL_OBJECT_INDEX)
        take_concurrently(r);
    /* CREATE INDEX ON t, CREATE STATISTICS ON a, b FROM t: the server finds a name. */
    if (!AT(r, "ON"))
        imig_sql_take_name_if(r);
    if (object == IMIG_SQL_OBJECT_DATABASE || object == IMIG_SQL_OBJECT_TABLESPACE)
        r->st.own = true;
    else if (object == IMIG_SQL_OBJECT_SUBSCRIPTION)
        look_create_subscription(r);
}

/* DropSubscription asks for its own transaction unless the catalogue says that there
 * is no slot, which the text does not tell. */
void
imig_sql_look_drop(imig_sql_reader *r)
{
    imig_sql_object object = take_object(r);
    if (object == IMIG_SQL_OBJECT_OTHER)
        return;
    if (object == IMIG_SQL_OBJECT_INDEX)
        take_concurrently(r);
    imig_sql_take_name_if(r);
    if (object == IMIG_SQL_OBJECT_DATABASE || object == IMIG_SQL_OBJECT_TABLESPACE ||
        object == IMIG_SQL_OBJECT_SUBSCRIPTION)
        r->st.own = true;
}

/* ALTER TABLE t DETACH PARTITION p CONCURRENTLY: always alone (partition_cmd). */
static void
look_alter_table(imig_sql_reader *r)
{
    size_t begin = r->st.name_begin, end = r->st.name_end;
    (void)imig_sql_accept_symbol(r, '*');
    if (!ACCEPT(r, "DETACH") || !ACCEPT(r, "PARTITION"))
        return;
    imig_sql_take_name(r);
    take_concurrently(r);
    r->st.name_begin = begin;
    r->st.name_end = end;
}

/* ALTER DATABASE d SET TABLESPACE s, and not the setting in d SET tablespace = s;
 * also d [WITH] TABLESPACE [=] s, which only the grammar knows. */
static void
look_alter_database(imig_sql_reader *r)
{
    if (ACCEPT(r, "SET")) {
        if (ACCEPT(r, "TABLESPACE"))
            r->st.own = imig_sql_at_name(r) && !AT(r, "TO");
    } else {
        (void)ACCEPT(r, "WITH");
        r->st.own = AT(r, "TABLESPACE");
    }
}

/* AlterSubscription: REFRESH always; SET, ADD and DROP PUBLICATION unless they say
 * refresh = false; SET (failover) and SET (two_phase) since PostgreSQL 17 and 18. */
static void
look_alter_subscription(imig_sql_reader *r)
{
    if (ACCEPT(r, "REFRESH")) {
        r->st.own = true;
    } else if (ACCEPT(r, "SET") || ACCEPT(r, "ADD") || ACCEPT(r, "DROP")) {
        imig_sql_options o = {0};
        imig_sql_take_options(r, &o);
        r->st.own = o.slot_property;
        if (AT(r, "PUBLICATION"))
            r->st.own = !with_options(r).no_refresh;
    }
}

void
imig_sql_look_alter(imig_sql_reader *r)
{
    imig_sql_object object = take_object(r);
    /* ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b: no name. */
    if (object == IMIG_SQL_OBJECT_OTHER || AT(r, "ALL"))
        return;
    if (object == IMIG_SQL_OBJECT_SYSTEM) {
        r->st.own = true;
        return;
    }
    imig_sql_take_name_if(r);
    if (object == IMIG_SQL_OBJECT_TABLE)
        look_alter_table(r);
    else if (object == IMIG_SQL_OBJECT_DATABASE)
        look_alter_database(r);
    else if (object == IMIG_SQL_OBJECT_SUBSCRIPTION)
        look_alter_subscription(r);
}

/* REINDEX [(options)] kind [CONCURRENTLY] [name].  One that goes over many relations
 * (ReindexMultipleTables) begins transactions itself, as the concurrent one does. */
void
imig_sql_look_reindex(imig_sql_reader *r)
{
    imig_sql_options o = {0};
    imig_sql_take_options(r, &o);
    imig_sql_object object = take_object(r);
    r->st.concurrently = o.concurrently;
    r->st.own = o.concurrently || object == IMIG_SQL_OBJECT_SCHEMA ||
                object == IMIG_SQL_OBJECT_DATABASE || object == IMIG_SQL_OBJECT_SYSTEM;
    take_concurrently(r);
    imig_sql_take_name(r);
}

/* REFRESH MATERIALIZED VIEW [CONCURRENTLY] name, allowed in a transaction. */
void
imig_sql_look_refresh(imig_sql_reader *r)
{
    (void)take_object(r);
    r->st.concurrently = ACCEPT(r, "CONCURRENTLY");
    imig_sql_take_name(r);
}

/* TRUNCATE and LOCK: [TABLE] [ONLY] name. */
void
imig_sql_look_relation(imig_sql_reader *r)
{
    (void)ACCEPT(r, "TABLE");
    r->st.object = IMIG_SQL_OBJECT_TABLE;
    imig_sql_take_name(r);
}
