"""Statements cut apart, and rules without a catalogue; the rest is in tests/db."""

from __future__ import annotations

import pytest

from ibutsu_migrate.weight.locks import MODES, Nothing, TableLock, either, merged
from ibutsu_migrate.weight.meanwhile import Meanwhile, key
from ibutsu_migrate.weight.rules import weigh
from ibutsu_migrate.weight.words import statements_of, without_passwords


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        ("-- nothing\n;", []),
        ("SELECT 1;", ["SELECT 1"]),
        ("SELECT 1 -- a;b\n", ["SELECT 1"]),
        ("a b; ; c 'd;e'", ["a b", "c 'd;e'"]),
        ("DO $$ a; b; $$; SELECT 1", ["DO $$ a; b; $$", "SELECT 1"]),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;",
            ["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END"],
        ),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; SELECT 2",
            None,
        ),
        ("SELECT 'open", None),
    ],
)
def test_statements(text: str, statements: list[str] | None) -> None:
    assert statements_of(text) == statements


def test_what_the_catalogue_does_not_tell_is_not_known() -> None:
    def lock(sql: str) -> tuple[bool | None, bool | None]:
        (found,) = weigh(sql, Nothing()).locks
        return found.rewrites, found.scans

    assert lock("ALTER TABLE t ADD x int DEFAULT f(1)") == (None, None)
    assert lock("ALTER TABLE t ADD x mine") == (None, None)
    assert lock("ALTER TABLE t ALTER x TYPE bigint") == (None, None)
    assert lock("ALTER TABLE t ALTER x SET NOT NULL") == (False, None)
    assert lock("UPDATE t SET a = 1 WHERE b") == (False, None)
    assert lock("ALTER TABLE t ADD x int DEFAULT 'a'::f(1)") == (False, False)


def test_names_stay_as_they_are_written() -> None:
    found = weigh('ALTER TABLE IF EXISTS ONLY "My S"."T;" * ADD x int', Nothing())
    assert found.locks == (TableLock('"My S"."T;"', "ACCESS EXCLUSIVE"),)
    found = weigh("/* a */ drop table if exists A.b /* , c */ , D", Nothing())
    assert [each.relation for each in found.locks] == ["A.b", "D"]


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("CREATE ROLE a LOGIN PASSWORD 'b c'", "CREATE ROLE a LOGIN PASSWORD '***'"),
        (
            "ALTER USER MAPPING FOR a SERVER b OPTIONS (SET password $$é$$, c 'd')",
            "ALTER USER MAPPING FOR a SERVER b OPTIONS (SET password '***', c 'd')",
        ),
        (
            "CREATE SUBSCRIPTION a CONNECTION 'user=b password=c host=d' PUBLICATION e",
            "CREATE SUBSCRIPTION a CONNECTION 'user=b password=*** host=d' "
            "PUBLICATION e",
        ),
        *(
            (same, same)
            for same in ("SELECT 'ä'", "ALTER TABLE users ADD password TEXT DEFAULT ''")
        ),
    ],
)
def test_passwords_are_hidden(sql: str, shown: str) -> None:
    assert without_passwords(sql) == shown


def test_adding_up() -> None:
    assert (either([]), either([False, None]), either([None, True])) == (
        *(False, None, True),
    )
    weak, strong = TableLock("t", MODES[2], None), TableLock("t", MODES[5], scans=True)
    other = TableLock("u", MODES[0])
    assert merged([weak, other, strong]) == (
        TableLock("t", MODES[5], None, True),
        other,
    )


class Known(Nothing):
    """A catalogue that is sure of everything."""

    def type_of(self, table: str, column: str) -> str | None:
        return "character varying(10)"

    def is_there(self, name: str) -> bool | None:
        return True

    def emptied_with(self, table: str) -> list[str]:
        return ["old_child"]


def after(*statements: str) -> Meanwhile:
    """The catalogue behind some statements."""
    meanwhile = Meanwhile(Known())
    for sql in statements:
        meanwhile.note(weigh(sql, meanwhile), made=True)
    return meanwhile


@pytest.mark.parametrize(
    ("statements", "rewrites"),
    [
        ((), False),
        (("ALTER TABLE other ADD x int",), False),
        (("ALTER TABLE t ADD x int",), None),
        (('ALTER TABLE "t" ADD x int',), None),
        (('ALTER TABLE public."t" ADD x int',), None),
        (('ALTER TABLE "T" ADD x int',), False),
        (("ALTER TABLE t RENAME TO u", "ALTER TABLE v RENAME TO t"), None),
        (("SET LOCAL lock_timeout = 5",), False),
        (("SET search_path TO tenant",), None),
        (("SELECT set_config('search_path', 'tenant', false)",), None),
        (("RESET ALL",), None),
        (("DO 'x'",), None),
    ],
)
def test_what_statements_make_doubtful(
    statements: tuple[str, ...], rewrites: bool | None
) -> None:
    (lock,) = weigh("ALTER TABLE t ALTER c TYPE text", after(*statements)).locks
    assert lock.rewrites is rewrites


def test_what_the_plan_has_made() -> None:
    made = "CREATE TABLE t (id int)"
    assert after(made).has_made('public."t"')
    assert after(made, "ALTER TABLE t RENAME COLUMN id TO n").has_made("t")
    assert after(made, "ALTER TABLE t RENAME CONSTRAINT a TO b").has_made("t")
    # The same name may be another table's afterwards, which somebody uses.
    assert not after(made, "DROP TABLE t").has_made("t")
    assert not after(made, "ALTER TABLE old RENAME TO t").has_made("t")
    assert not after(made, "ALTER TABLE old SET SCHEMA public").has_made("t")
    assert not after(made, "SET search_path TO tenant").has_made("t")
    for query in ("CREATE TABLE t AS SELECT 1", "SELECT 1 INTO TEMP t"):
        assert after(query).has_made("t")


def test_foreign_keys_of_the_plan_count() -> None:
    found = after(
        "CREATE TABLE b (a int REFERENCES a)",
        "ALTER TABLE c ADD FOREIGN KEY (b) REFERENCES b",
    )
    locks = weigh("TRUNCATE a CASCADE", found).locks
    assert {lock.relation for lock in locks} == {"a", "b", "c", "old_child"}
    locks = weigh("ALTER TABLE b ALTER a TYPE bigint", found).locks
    assert {lock.relation for lock in locks} == {"b", "a", "c"}


def test_names_in_one_spelling() -> None:
    assert key("Public.T") == key('"t"') == ("t",)
    assert key('"a""b.c".D') == ('a"b.c', "d")
    assert key("public") == ("public",)


def test_nothing_is_known_of_nothing() -> None:
    """Without a catalogue a query that calls something may do anything."""
    assert not weigh("SELECT count(*) FROM t", Nothing()).is_known
    assert weigh("SELECT setval('s', 1)", Nothing()).is_known
    assert not weigh('SELECT "setval"(1)', Nothing()).is_known
    assert not weigh("SELECT mine.setval(1)", Nothing()).is_known
    assert weigh("SELECT coalesce(a, b) FROM t WHERE a IN (1)", Nothing()).is_known
    assert not weigh('SELECT "coalesce"(a)', Nothing()).is_known
