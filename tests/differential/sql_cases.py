"""SQL texts for the classifier: every kind of statement, and what may be done to it.

``tests/data/sql/statements.sql`` has one statement in each line, with keywords in
capitals and names in small letters, which is how the mutations tell them apart.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).resolve().parents[1] / "data" / "sql"
STATEMENTS: Final[Sequence[str]] = (
    (DATA / "statements.sql").read_text(encoding="utf-8").splitlines()
)

# What the statements of tests/data/sql/statements.sql name.
SCHEMA: Final = """
CREATE TABLE t (a int PRIMARY KEY, b text);
CREATE INDEX t_b ON t (b);
CREATE TABLE u (a int, b text);
CREATE TABLE arr (a int[]);
CREATE TABLE ruled (a int);
CREATE RULE rul AS ON INSERT TO ruled DO INSTEAD SELECT 1;
CREATE TABLE parted (a int) PARTITION BY RANGE (a);
CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE loose (a int);
CREATE VIEW v AS SELECT a FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT a FROM t;
CREATE UNIQUE INDEX ON mv (a);
CREATE SEQUENCE seq;
CREATE SCHEMA s;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE comp AS (a int, b text);
CREATE DOMAIN dom AS int;
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE PROCEDURE p_none(int) LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE p_out(OUT a int) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION etrg() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trg();
CREATE EVENT TRIGGER etr ON ddl_command_end EXECUTE FUNCTION etrg();
CREATE AGGREGATE agg (int) (SFUNC = int4pl, STYPE = int);
CREATE OPERATOR FAMILY opf USING btree;
CREATE CONVERSION conv FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
CREATE TEXT SEARCH CONFIGURATION tsc (PARSER = "default");
CREATE TEXT SEARCH DICTIONARY tsd (TEMPLATE = simple);
CREATE POLICY pol ON t USING (true);
CREATE STATISTICS st ON a, b FROM t;
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER srv FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE ft (a int) SERVER srv;
CREATE USER MAPPING FOR CURRENT_USER SERVER srv;
CREATE PUBLICATION pub;
"""

_TOKEN: Final = re.compile(
    r"""
      \$(\w*)\$ .*? \$\1\$
    | [eEbBxXnN]?' (?: [^'\\] | '' | \\. )* '
    | [uU]& (?: '[^']*' | "[^"]*" )
    | "[^"]*"
    | \w+
    | \s+
    | <>|<=|>=|::|:=|\|\|
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANKS: Final = (
    *(" ", "  ", "\n", "\t", "\r\n", "\f"),
    *("/**/", " /* ; */ ", "/* a /* ' */ $$ */", " -- ';\n", "--\n", "/*--*/"),
    *("/*\n*/\n", "\n-- returning\n-- /*\n", "/*/**/*/", " /***/ "),
)
_NAMES: Final = (
    *('"t"', '"T;"', '"a""b"', 'U&"t"', 'U&"a;""\\0041"', 'u&"begin"', "täble", "_"),
    *("begin", "atomic", "insert", "update", "recursive", "values", "materialized"),
    *("if", "exists", "savepoint", "transaction", "prepared", "rule", "function"),
    *("search", "cycle", "set", "detach", "partition", "names", "e", "b", "x", "n"),
    *('"returning"', '"concurrently"', "stdin", "stdout", "zone", "a$b$", "a$1", "u"),
    *("merge", "no", "row", "temp", "local", "session", "at", "depth", "breadth"),
)
_QUERIES: Final = (
    *(
        "q9 AS (DELETE FROM u RETURNING a)",
        "insert AS (SELECT 1)",
        "q9(x) AS (TABLE t)",
    ),
    *("values AS NOT MATERIALIZED (VALUES (1), (2))", "recursive AS (SELECT 1)"),
    *(
        '"update" AS MATERIALIZED (SELECT 1 AS returning)',
        "set AS (SELECT (1)), b AS (TABLE c)",
    ),
    "q9 AS (SELECT 1) SEARCH DEPTH FIRST BY insert, b SET update",
    "q9 AS (SELECT 1) CYCLE a, values SET delete TO 'x' DEFAULT 'y' USING insert",
    "q9 AS (SELECT 1) SEARCH BREADTH FIRST BY a SET b CYCLE a SET c USING d",
)

_VALUES: Final = (
    *("$1", "1.5e-3", ".5", "1.", "(1)", "b'01'", "X'1f'", "0x1F", "1_000", "- -1"),
    *("1*-1", "(SELECT 1 AS returning)", "ARRAY[1]", "CASE WHEN true THEN 1 END"),
    *("interval '1' day", "a.returning", "a.as", "1 AS as"),
)

Mutation = Callable[[random.Random, str], str]


def tokens(sql: str) -> list[str]:
    """Cut a text of ours; blanks are tokens too."""
    return [found[0] for found in _TOKEN.finditer(sql)]


def _blanks(rng: random.Random, sql: str) -> str:
    parts: list[str] = []
    for token in tokens(sql):
        if token.isspace():
            parts.append(rng.choice(_BLANKS))
        else:
            parts.append(token)
            # Between words there is a blank already; between symbols there may be one.
            if not token[-1:].isalnum() and rng.random() < 0.2:
                parts.append(rng.choice(_BLANKS))
    return "".join(parts)


def _edges(rng: random.Random, sql: str) -> str:
    before = rng.choice(("", ";", rng.choice(_BLANKS), " ; ;"))
    return before + sql + rng.choice(("", ";", rng.choice(_BLANKS), ";;-- x", ";/**/"))


def _case(rng: random.Random, sql: str) -> str:
    change: Callable[[str], str] = rng.choice((str.lower, str.title, str.swapcase))
    words = [t if t[:1] in "'\"$" or "'" in t else change(t) for t in tokens(sql)]
    return "".join(words)


def _names(rng: random.Random, sql: str) -> str:
    chance = rng.choice((0.15, 0.5))
    return "".join(
        rng.choice(_NAMES)
        if token.islower() and token[0].isalpha() and rng.random() < chance
        else token
        for token in tokens(sql)
    )


def _schema(rng: random.Random, sql: str) -> str:
    """Put a schema before a name."""
    parts = tokens(sql)
    places = [i for i, t in enumerate(parts) if t.islower() and t.isidentifier()]
    if places:
        dot = rng.choice((".", " . ", "/**/./**/"))
        parts[rng.choice(places)] = (
            rng.choice(_NAMES)
            + dot
            + rng.choice(
                (
                    "from",
                    "to",
                    "returning",
                    "concurrently",
                    "select",
                    "t",
                    '"a;b"',
                    "as",
                )
            )
        )
    return "".join(parts)


def _string(rng: random.Random) -> str:
    inside = rng.choice(("a;b", "", "returning", "/*", "--", "$$", "x y", '"', "\\"))
    tag = rng.choice(("$$", "$a$", "$ä1$", "$_$"))
    forms = (
        f"'{inside}'",
        f"'{inside}''; '",
        f"'{inside}'\n'{inside}'",
        f"'{inside}' -- ' \n\t'{inside}'",
        "E'\\'; '",
        "E'a\\\\'",
        "e'a'\n'\\';'",
        f"{tag}{inside.replace('$$', '$b$')}; ' {tag}",
        f"$q${inside}$$ ;$q$",
        "U&'\\0041;'",
        "U&'!0041' UESCAPE '!'",
        "N'a;'",
    )
    return rng.choice(forms)


def _strings(rng: random.Random, sql: str) -> str:
    parts = tokens(sql)
    quoted = [i for i, t in enumerate(parts) if t[:1] == "'" or t[:1] == "$"]
    for i in quoted:
        parts[i] = _string(rng)
    return "".join(parts)


def _literals(rng: random.Random, sql: str) -> str:
    """Numbers become strings, parameters, expressions."""
    parts = tokens(sql)
    for i, token in enumerate(parts):
        if token.isdigit() and rng.random() < 0.5:
            parts[i] = rng.choice((_string(rng), *_VALUES))
    return "".join(parts)


def _with(rng: random.Random, sql: str) -> str:
    word = rng.choice(("WITH ", "WITH RECURSIVE "))
    queries = rng.sample(_QUERIES, rng.choice((1, 1, 2, 3)))
    return word + ", ".join(queries) + " " + sql


def _returning(rng: random.Random, sql: str) -> str:
    return sql + rng.choice((" RETURNING a", " RETURNING *", "/**/RETURNING 1 AS b"))


def _embed(rng: random.Random, sql: str) -> str:
    other = rng.choice(STATEMENTS)
    forms = (
        "CREATE FUNCTION f9() RETURNS int BEGIN ATOMIC {a}; END",
        "CREATE OR REPLACE PROCEDURE p9(begin int) BEGIN ATOMIC {a}; {b}; END",
        "CREATE FUNCTION f9() RETURNS int BEGIN/**/ATOMIC {a}; END; {b}",
        "CREATE FUNCTION f9() RETURNS int STABLE BEGIN ATOMIC; {a}; END",
        "CREATE RULE r9 AS ON INSERT TO t DO ({a}; {b})",
        "CREATE RULE r9 AS ON INSERT TO t DO ALSO ({a};); {b}",
        "CREATE RULE r9 AS ON INSERT TO t DO INSTEAD {a}",
        "CREATE TABLE t9 AS {a}",
        "CREATE VIEW v9 AS {a}",
        "CREATE MATERIALIZED VIEW v9 AS {a} WITH NO DATA",
        "CREATE SCHEMA s9 {a} {b}",
        "EXPLAIN {a}",
        "EXPLAIN (ANALYZE) {a}",
        "PREPARE p9 AS {a}",
        "DECLARE c9 CURSOR FOR {a}",
        "COPY ({a}) TO STDOUT",
        "INSERT INTO u {a}",
        "INSERT INTO u ({a}) RETURNING a",
        "SELECT * FROM ({a}) AS q",
        "({a})",
        "({a}) UNION ({b})",
        "DO $embed$ {a} $embed$",
        "WITH q9 AS ({a}) SELECT 1",
        "WITH q9 AS ({a}), q8 AS ({b}) DELETE FROM t",
        "MERGE INTO u USING ({a}) AS q ON true WHEN MATCHED THEN DELETE",
    )
    return rng.choice(forms).format(a=sql, b=other)


def _chain(rng: random.Random, sql: str) -> str:
    others = rng.choices(STATEMENTS, k=rng.choice((1, 1, 2)))
    between = rng.choice((";", " ; ", ";;", ";\n--;\n", "/**/;/*;*/"))
    texts = [sql, *others]
    rng.shuffle(texts)
    return between.join(texts)


def _damage(rng: random.Random, sql: str) -> str:
    """Drop, double, swap or replace a token."""
    parts = tokens(sql) or [" "]
    place = rng.randrange(len(parts))
    other = rng.choice(tokens(rng.choice(STATEMENTS)))
    forms = (
        parts[:place] + parts[place + 1 :],
        parts[: place + 1] + parts[place:],
        [*parts[:place], other, " ", *parts[place:]],
        [*parts[:place], other, *parts[place + 1 :]],
        [*parts[:place], rng.choice(";()'\"$.,\\-*/"), *parts[place:]],
    )
    return "".join(rng.choice(forms))


MUTATIONS: Final[Sequence[Mutation]] = (
    *(_blanks, _blanks, _edges, _case, _names, _schema, _strings, _literals),
    *(_with, _returning, _embed, _embed, _chain, _damage),
)


def make(seed: int) -> str:
    """The text of a seed: a statement with up to four mutations."""
    rng = random.Random(seed)
    sql = rng.choice(STATEMENTS)
    for mutation in rng.choices(MUTATIONS, k=rng.choice((0, 1, 2, 2, 3, 4))):
        sql = mutation(rng, sql)
    return sql
