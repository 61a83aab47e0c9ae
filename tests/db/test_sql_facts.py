"""The facts of the SQL classifier against a server: it runs every kind of statement.

Through the extended protocol, as the pipeline does, and by the very libpq that the
driver is linked with.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from differential.sql_cases import SCHEMA, STATEMENTS

from ibutsu_migrate import _pq
from ibutsu_migrate._core import sql_facts

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

COMMAND_OK: Final = 1
TUPLES_OK: Final = 2
FATAL_ERROR: Final = 7
REPORTED: Final = (
    *(b"client_encoding", b"DateStyle", b"IntervalStyle", b"TimeZone"),
    b"standard_conforming_strings",
)

# What cannot be left behind for the next statement, or not be shared by databases.
PRELUDE: Final = """
BEGIN;
SAVEPOINT sp;
"""
NEIGHBOURS: Final = """
CREATE ROLE r1;
CREATE ROLE r2;
CREATE SUBSCRIPTION sub CONNECTION 'port=1' PUBLICATION p, p0 WITH (connect = false);
ALTER SUBSCRIPTION sub ENABLE;
DECLARE cur CURSOR FOR SELECT 1;
DEALLOCATE ALL;
PREPARE prepared AS SELECT 1;
"""

# What the oldest servers do not know yet (42601).
NEWER: Final = (
    "MERGE ",
    "WITH q AS (SELECT 1 AS a) MERGE ",
    "CLUSTER (VERBOSE)",
    "CREATE STATISTICS ON ",
    "ALTER DATABASE postgres REFRESH COLLATION VERSION",
    "ALTER SUBSCRIPTION sub SKIP ",
)


@dataclass(frozen=True)
class Outcome:
    """What one statement did: its last result."""

    status: int
    columns: int
    sqlstate: bytes | None
    message: bytes

    @property
    def refused_in_block(self) -> bool:
        """PreventInTransactionBlock; SET TRANSACTION has the same SQLSTATE."""
        return self.sqlstate == b"25001" and b"cannot run inside" in self.message


class Session:
    """A connection by ctypes: the facts are tested without the driver they are for."""

    def __init__(self, dsn: str) -> None:
        self._libpq = ctypes.CDLL(_pq.__file__)
        for name in ("PQconnectdb", "PQexec", "PQexecParams", "PQgetResult"):
            getattr(self._libpq, name).restype = ctypes.c_void_p
        for name in ("PQresultErrorField", "PQresultErrorMessage", "PQparameterStatus"):
            getattr(self._libpq, name).restype = ctypes.c_char_p
        self._conn = ctypes.c_void_p(self._libpq.PQconnectdb(dsn.encode()))
        assert self._libpq.PQstatus(self._conn) == 0

    def close(self) -> None:
        self._libpq.PQfinish(self._conn)

    def _take(self, result: int) -> Outcome:
        pointer = ctypes.c_void_p(result)
        outcome = Outcome(
            self._libpq.PQresultStatus(pointer),
            self._libpq.PQnfields(pointer),
            self._libpq.PQresultErrorField(pointer, ord("C")),
            self._libpq.PQresultErrorMessage(pointer),
        )
        self._libpq.PQclear(pointer)
        return outcome

    def run(self, sql: str) -> Outcome:
        """Any number of statements; what the last did."""
        return self._take(self._libpq.PQexec(self._conn, sql.encode()))

    def must(self, sql: str) -> None:
        """Statements that have to succeed."""
        outcome = self.run(sql)
        assert outcome.status in (COMMAND_OK, TUPLES_OK), (sql, outcome.message)

    def extended(self, sql: str) -> Outcome:
        """One statement, as in a pipeline."""
        nothing = (0, None, None, None, None, 0)
        result = self._libpq.PQexecParams(self._conn, sql.encode(), *nothing)
        return self._take(result)

    def all_of(self, sql: str) -> list[Outcome]:
        """Any number of statements; what each did."""
        assert self._libpq.PQsendQuery(self._conn, sql.encode()) == 1
        outcomes = []
        while result := self._libpq.PQgetResult(self._conn):
            outcomes.append(self._take(result))
        return outcomes

    def settings(self) -> list[bytes]:
        """Settings that say how text is read, as the server reports them."""
        get = self._libpq.PQparameterStatus
        return [get(self._conn, name) for name in REPORTED]

    def leave_copy(self) -> None:
        """End a COPY if one has begun."""
        self._libpq.PQputCopyEnd(self._conn, b"enough")
        buffer = ctypes.c_char_p()
        while self._libpq.PQgetCopyData(self._conn, ctypes.byref(buffer), 0) > 0:
            self._libpq.PQfreemem(buffer)
        while result := self._libpq.PQgetResult(self._conn):
            self._libpq.PQclear(ctypes.c_void_p(result))


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    opened = Session(database.dsn)
    opened.must("SET client_min_messages = error")
    yield opened
    opened.close()


def outcome_of(session: Session, sql: str) -> Outcome:
    """Run one statement in a transaction, among its neighbours, and undo it."""
    session.must(PRELUDE)
    if not sql_facts(sql)["transaction_control"]:  # which would keep them
        session.must(NEIGHBOURS)
    outcome = session.extended(sql)
    session.leave_copy()
    session.run("ROLLBACK")
    session.run("ROLLBACK PREPARED 'x'")
    return outcome


def test_every_kind_of_statement(session: Session) -> None:
    session.must(SCHEMA)
    wrong = []
    done = 0
    for sql in STATEMENTS:
        facts = sql_facts(sql)
        outcome = outcome_of(session, sql)
        if outcome.sqlstate == b"42601" and sql.startswith(NEWER):
            continue
        assert outcome.sqlstate not in (b"42601", b"25P02", b"25P01"), (sql, outcome)
        done += outcome.status != FATAL_ERROR
        if facts["deferrable"] and outcome.status not in (COMMAND_OK, FATAL_ERROR):
            wrong.append((sql, "is deferrable", outcome))
        if outcome.status == TUPLES_OK and not facts["returns_rows"]:
            wrong.append((sql, "returns rows", outcome))
        if facts["own_transaction"] != outcome.refused_in_block:
            wrong.append((sql, "own_transaction", outcome))
    assert wrong == []
    # The others are refused in a transaction, or want what is not there to be had: a
    # publisher, a security label's provider.
    assert done >= 370


def test_a_rule_that_selects_gives_no_rows_in_a_pipeline(session: Session) -> None:
    session.must(SCHEMA)
    sql = "INSERT INTO ruled VALUES (1)"
    assert sql_facts(sql)["deferrable"]
    assert session.extended(sql).status == COMMAND_OK
    assert session.run(sql).status == TUPLES_OK


@pytest.mark.parametrize(
    "sql",
    [
        "SET client_encoding TO 'LATIN1'",
        "SET NAMES 'LATIN1'",
        'SET "Client_Encoding" TO LATIN1',
        "SET LOCAL DateStyle TO SQL, DMY",
        "SET SESSION IntervalStyle TO iso_8601",
        "SET TIME ZONE 'Asia/Tokyo'",
        "SET timezone = -3",
        "SET standard_conforming_strings TO off",
        "RESET ALL",
        "RESET TIME ZONE",
        "RESET intervalstyle",
        "SELECT set_config('client_encoding', 'LATIN1', false)",
        "SELECT pg_catalog.\"set_config\"('datestyle', 'German', true)",
        "UPDATE pg_settings SET setting = 'LATIN1' WHERE name = 'client_encoding'",
        "DO $$ BEGIN SET client_encoding TO 'LATIN1'; END $$",
        "DO 'BEGIN PERFORM set_config(''timezone'', ''Asia/Tokyo'', false); END'",
        "CREATE TABLE x AS SELECT set_config('client_encoding', 'LATIN1', false)",
    ],
)
def test_what_changes_how_text_is_read(session: Session, sql: str) -> None:
    session.must(
        "SET timezone TO 'Europe/Berlin'; SET intervalstyle TO postgres_verbose"
    )
    session.must("BEGIN")
    before = session.settings()
    session.must(sql)
    assert session.settings() != before
    facts = sql_facts(sql)
    assert facts["changes_text_settings"]
    assert not facts["deferrable"]


def test_a_role_brings_no_settings_with_it(session: Session) -> None:
    session.must("BEGIN; CREATE ROLE r1; ALTER ROLE r1 SET timezone TO 'Asia/Tokyo'")
    before = session.settings()
    for sql in ("SET ROLE r1", "SET SESSION AUTHORIZATION r1", "RESET ROLE"):
        session.must(sql)
        assert not sql_facts(sql)["changes_text_settings"]
    assert session.settings() == before


INSIDE: Final = (
    "a",
    "\\",
    "\\\\",
    "\\'",
    "''",
    ";",
    ";",
    "\n",
    "--",
    "/*",
    "*/",
    "$$",
    '"',
)
BLANKS: Final = (" ", "\n", " -- '\n", "/* ' */", "/*;*/\n", "\n--;\n ", "\r", "")


def some_literals(rng: random.Random) -> str:
    """One or two literals with all that could be mistaken for their end."""
    text = ""
    for _ in range(rng.choice((1, 1, 1, 2))):
        inside = "".join(rng.choices(INSIDE, k=rng.randrange(5)))
        tag = rng.choice(("$$", "$a$", "$ä_1$"))
        prefix = rng.choice(("", "", "", "E", "e", "N", "B", "X", "U&"))
        text += rng.choice(
            (f"{prefix}'{inside}'", f"{prefix}'{inside}'", f"{tag}{inside}{tag}")
        ) + rng.choice(BLANKS)
    alias = rng.choice(('"a;"', 'U&"a;\'"', "a$b$", 'u&"\\0041--"'))
    return text + rng.choice(("", f" AS {alias}", " /* /* ; */ ; */", "*/**/-1"))


@pytest.mark.parametrize("conforming", [True, False])
def test_statements_are_counted_as_the_server_does(
    session: Session, conforming: bool
) -> None:
    """Heaps of quotes, comments and semicolons: those that the server takes."""
    session.must(f"SET standard_conforming_strings TO {conforming}")
    session.must("SET escape_string_warning TO off")
    rng = random.Random(20 + conforming)
    several = 0
    for _ in range(5_000):
        parts = [some_literals(rng) for _ in range(rng.randrange(1, 4))]
        sql = rng.choice((";", ";;", " ; ")).join(f"SELECT {part}" for part in parts)
        outcomes = session.all_of(sql)
        if any(outcome.status == FATAL_ERROR for outcome in outcomes):
            continue
        facts = sql_facts(sql, standard_conforming_strings=conforming)
        count = len(outcomes)
        assert facts["statements"] == count, (sql, count)
        several += count > 1
    assert several > 300
