"""Statements cut apart, and rules without a catalogue; the rest is in tests/db."""

from __future__ import annotations

import pytest

from ibutsu_migrate.weight.locks import MODES, Nothing, TableLock, either, merged
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
