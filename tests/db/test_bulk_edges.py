"""Where COPY would not do what INSERT does, and from outside does not look like it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

_pq = pytest.importorskip(
    "ibutsu_migrate._pq",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

from ibutsu_migrate.errors import NotSupportedError  # noqa: E402

COUNT = 12
PAGE = 5  # rows of an INSERT that SQLAlchemy makes
Rows = list[dict[str, Any]]

NUMBERS: Rows = [{"a": number} for number in range(COUNT)]
A = sa.insert(sa.table("t", sa.column("a")))
AB = sa.insert(sa.table("t", sa.column("a"), sa.column("b")))


def many(value: Any) -> Rows:
    return [{"a": value}] * COUNT


def both(value: Any) -> Rows:
    return [{"a": number, "b": value} for number in range(COUNT)]


def cast(words: str) -> sa.TextClause:
    """A cast, or what only begins like one."""
    return sa.text(rf"INSERT INTO t (a) VALUES (:a\:\:{words})")


# Functions that look at the rows before.
FULL = """CREATE FUNCTION full_at(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN RETURN (SELECT count(*) FROM t) < $1; END $$"""
EARLY = (
    FULL,
    "CREATE FUNCTION early(int) RETURNS boolean LANGUAGE plpgsql AS "
    "$$ BEGIN RETURN full_at(7); END $$",
    "CREATE DOMAIN few AS int CHECK (early(VALUE))",
)

# DDL, INSERT, rows: which COPY would store, or refuse, in another way.
OTHERWISE: dict[str, tuple[tuple[str, ...], Any, Rows]] = {
    "cut by ::char": (("CREATE TABLE t (a char(3))",), cast("char"), many("abc")),
    "cut by ::bit": (("CREATE TABLE t (a bit(3))",), cast("bit"), many("101")),
    "cut by ::char[]": (
        ("CREATE TABLE t (a char(3)[])",),
        cast("character[]"),
        many("{abc}"),
    ),
    "cut by the fields": (
        ("CREATE TABLE t (a interval)",),
        cast("interval year"),
        many("1 year 2 days"),
    ),
    "no type": (("CREATE TABLE t (a text)",), cast("nil"), many("a")),
    "a reserved word": (("CREATE TABLE t (a text)",), cast("select"), many("a")),
    "COLLATE": (
        ("CREATE TABLE t (a text)",),
        cast("text COLLATE ucs_basic"),
        many("a"),
    ),
    "IS NULL": (("CREATE TABLE t (a boolean)",), cast("int IS NULL"), many(1)),
    "OR": (("CREATE TABLE t (a boolean)",), cast("boolean OR true"), many(False)),
    "SETOF": (("CREATE TABLE t (a text)",), cast("setof text"), many("a")),
    "a check by an operator": (
        (
            "CREATE TABLE t (a int)",
            FULL,
            "CREATE OPERATOR !!! (rightarg = int, function = full_at)",
            "ALTER TABLE t ADD CHECK (!!! 7)",
        ),
        A,
        NUMBERS,
    ),
    "a domain of a domain": (
        (*EARLY, "CREATE DOMAIN fewer AS few", "CREATE TABLE t (a int, b fewer)"),
        AB,
        both("1"),
    ),
    "an array of a domain": (
        (*EARLY, "CREATE TABLE t (a int, b few[])"),
        AB,
        both("{1}"),
    ),
    "a domain in a row": (
        (*EARLY, "CREATE TYPE pair AS (x few)", "CREATE TABLE t (a int, b pair)"),
        AB,
        both("(1)"),
    ),
    "a domain in a table's row": (
        (*EARLY, "CREATE TABLE u (x few)", "CREATE TABLE t (a int, b u[])"),
        AB,
        both('{"(1)"}'),
    ),
    "a domain in a range": (
        (
            *EARLY,
            "CREATE TYPE span AS RANGE (subtype = few)",
            "CREATE TABLE t (a int, b span)",
        ),
        AB,
        both("[1,2)"),
    ),
    "a domain in a check": (
        (*EARLY, "CREATE TABLE t (a int CHECK (a::few IS NOT NULL))"),
        A,
        NUMBERS,
    ),
    "an index of an expression": (
        ("CREATE TABLE t (a int)", FULL, "CREATE UNIQUE INDEX ON t (full_at(7 - 0*a))"),
        A,
        NUMBERS,
    ),
    "an index of some rows": (
        (
            "CREATE TABLE t (a int)",
            FULL,
            "CREATE UNIQUE INDEX ON t ((1)) WHERE full_at(7 - 0*a)",
        ),
        A,
        NUMBERS,
    ),
    "a key to the table it is a partition of": (
        (
            "CREATE TABLE r (a int PRIMARY KEY, b int REFERENCES r) "
            "PARTITION BY RANGE (a)",
            "CREATE TABLE t PARTITION OF r FOR VALUES FROM (0) TO (1000)",
        ),
        AB,
        [{"a": n, "b": n + 1 if n + 1 < COUNT else None} for n in range(COUNT)],
    ),
    # PostgreSQL 14 takes it for an internal one there.
    "a trigger that a partition has from its parent": (
        (
            "CREATE TABLE r (a int) PARTITION BY RANGE (a)",
            "CREATE TABLE t PARTITION OF r FOR VALUES FROM (0) TO (1000)",
            "CREATE FUNCTION early() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"ASSERT (SELECT count(*) FROM t) <> {PAGE}; RETURN new; END $$",
            "CREATE TRIGGER g AFTER INSERT ON r FOR EACH ROW EXECUTE FUNCTION early()",
        ),
        A,
        NUMBERS,
    ),
    "an error with a state that COPY has too": (
        ("CREATE SEQUENCE s", "CREATE TABLE t (a int, b int DEFAULT currval('s'))"),
        A,
        NUMBERS,
    ),
}


def outcome(
    engine: sa.Engine, ddl: tuple[str, ...], statement: Any, rows: Rows
) -> tuple[Any, Any, str | None]:
    """The error, what is stored, and the command's tag."""
    error: Any = None
    tag: str | None = None
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS w CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA w")
        connection.exec_driver_sql("SET search_path TO w")
        for command in ddl:
            connection.exec_driver_sql(command)
        connection.commit()
        try:
            result = connection.execute(
                statement,
                rows,
                execution_options={"insertmanyvalues_page_size": PAGE},
            )
            tag = result.context.cursor.statusmessage
        except sa.exc.DBAPIError as caught:
            error = (getattr(caught.orig, "pgcode", None), str(caught.orig).strip())
            connection.rollback()
        connection.commit()
        stored = connection.exec_driver_sql("SELECT t::text FROM t").scalars().all()
    return error, list(stored), tag


@pytest.fixture
def engines(database: Database) -> Iterator[list[sa.Engine]]:
    made = [
        sa.create_engine(database.url("ibutsu"), ibutsu_copy=1),
        sa.create_engine(database.url("ibutsu"), ibutsu_copy=False),
        sa.create_engine(database.url("psycopg2")),
    ]
    yield made
    for engine in made:
        engine.dispose()


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_copy_would_do_otherwise(engines: list[sa.Engine], name: str) -> None:
    ours, plain, stock = (outcome(engine, *OTHERWISE[name]) for engine in engines)
    assert ours == plain
    assert ours[1] == stock[1]
    # Of psycopg2's text the mark below the line stands elsewhere.
    first = [each and (each[0], each[1].split("\n")[0]) for each in (ours[0], stock[0])]
    assert first[0] == first[1]


PLAIN: dict[str, tuple[tuple[str, ...], Any, Rows]] = {
    "double precision": (
        ("CREATE TABLE t (a float8)",),
        cast("DOUBLE PRECISION"),
        many(1.5),
    ),
    "varchar": (
        ("CREATE TABLE t (a varchar(3))",),
        cast("character varying"),
        many("ab"),
    ),
    "a zone": (
        ("CREATE TABLE t (a timestamptz)",),
        cast("timestamp with time zone"),
        many(dt.datetime(2026, 1, 2)),
    ),
    "an enum": (
        ("CREATE TYPE mood AS ENUM ('glad')", "CREATE TABLE t (a mood)"),
        cast("Mood"),
        many("glad"),
    ),
    "an array of its own type": (
        ("CREATE TYPE mood AS ENUM ('glad')", "CREATE TABLE t (a mood[])"),
        cast("mood[]"),
        many(["glad", None]),
    ),
    '"char"': (('CREATE TABLE t (a "char")',), cast('"char"'), many("x")),
    "quoted": (
        ("CREATE TYPE \"Mood.\" AS ENUM ('glad')", 'CREATE TABLE t (a "Mood.")'),
        cast('"Mood."'),
        many("glad"),
    ),
    "keys to other tables": (
        (
            "CREATE TABLE u (id int PRIMARY KEY)",
            "INSERT INTO u SELECT generate_series(0, 20)",
            "CREATE TABLE r (a int REFERENCES u UNIQUE DEFERRABLE) "
            "PARTITION BY RANGE (a)",
            "CREATE TABLE t PARTITION OF r FOR VALUES FROM (0) TO (1000)",
        ),
        A,
        NUMBERS,
    ),
    "an extension's operators": (
        (
            "CREATE EXTENSION citext",
            "CREATE TABLE t (a citext UNIQUE CHECK (a <> 'Z'))",
        ),
        A,
        [{"a": f"A{n}"} for n in range(COUNT)],
    ),
    "numbers of a sequence": (
        ("CREATE TABLE t (id serial, a int)",),
        A,
        NUMBERS,
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_copied(engines: list[sa.Engine], name: str) -> None:
    ours, plain, stock = (outcome(engine, *PLAIN[name]) for engine in engines)
    assert ours[:2] == plain[:2] == stock[:2]
    assert ours[0] is None
    assert ours[2] == f"COPY {COUNT}"


@pytest.mark.parametrize(
    "column",
    ["id serial", "id int GENERATED ALWAYS AS IDENTITY", "id counted"],
)
def test_numbers_have_no_gap(engines: list[sa.Engine], column: str) -> None:
    # More than is sent at a time, and at their end a value for the INSERTs.
    rows: Rows = [{"a": f"{number:0100}"} for number in range(2000)]
    rows.append({"a": dt.date(2026, 1, 2)})
    ddl = (
        "CREATE SEQUENCE s",
        "CREATE DOMAIN counted AS int DEFAULT nextval('s')",
        f"CREATE TABLE t ({column}, a text)",
    )
    ours, plain, stock = (outcome(engine, ddl, A, rows) for engine in engines)
    assert ours == plain
    assert ours[:2] == stock[:2]
    assert str(ours[1][-1]).startswith("(2001,")


@pytest.fixture
def connection(database: Database) -> Iterator[sa.Connection]:
    engine = sa.create_engine(database.url("ibutsu"), ibutsu_copy=1)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a int PRIMARY KEY)")
        connection.commit()
        yield connection
    engine.dispose()


def count(connection: sa.Connection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one())


@pytest.mark.parametrize("encoding", ["latin1", "sql_ascii"])
def test_another_encoding(connection: sa.Connection, encoding: str) -> None:
    connection.exec_driver_sql(f"SET client_encoding TO {encoding}")
    result = connection.execute(A, NUMBERS)
    assert result.context.cursor.statusmessage == f"INSERT 0 {COUNT}"
    raw: Any = connection.connection.dbapi_connection
    with pytest.raises(NotSupportedError, match="client_encoding"):
        raw.cursor().copy_rows("COPY t FROM STDIN", (("a", 23, 0, False),), NUMBERS)
    assert count(connection) == COUNT


def test_a_partition_that_somebody_has_locked(connection: sa.Connection) -> None:
    connection.exec_driver_sql("DROP TABLE t")
    connection.exec_driver_sql("CREATE TABLE t (a int) PARTITION BY RANGE (a)")
    for first in (0, 100):
        connection.exec_driver_sql(
            f"CREATE TABLE t{first} PARTITION OF t "
            f"FOR VALUES FROM ({first}) TO ({first + 100})"
        )
    connection.commit()
    with connection.engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE t100")
        connection.exec_driver_sql("SET lock_timeout = '5s'")
        result = connection.execute(A, NUMBERS)
        assert result.context.cursor.statusmessage == f"COPY {COUNT}"
        held = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() "
            "AND relation = 't100'::regclass"
        )
        assert held.scalar_one() == 0


def test_listeners_that_execute(connection: sa.Connection) -> None:
    def executes(cursor: Any, statement: str, rows: Any, context: Any) -> bool:
        cursor.executemany(statement, rows)
        return True

    engine = connection.engine
    sa.event.listen(engine, "do_executemany", executes)
    connection.execute(A, NUMBERS)
    assert count(connection) == COUNT
    sa.event.remove(engine, "do_executemany", executes)
    connection.rollback()
    seen: list[str] = []

    def sees(cursor: Any, statement: str, rows: Any, context: Any) -> None:
        seen.append(statement)

    sa.event.listen(engine, "do_execute", sees)
    connection.execute(A, NUMBERS)
    assert len(seen) == 1


def test_the_log(connection: sa.Connection, caplog: pytest.LogCaptureFixture) -> None:
    engine = sa.create_engine(connection.engine.url, ibutsu_copy=1, echo=True)
    with engine.connect() as logged:
        logged.execute(A, NUMBERS)
    engine.dispose()
    assert "INSERT INTO t (a) VALUES (%(a)s)" in caplog.messages
    assert f"[{COUNT} rows through COPY]" in caplog.messages


def test_a_server_side_cursor(connection: sa.Connection) -> None:
    sql = sa.text("INSERT INTO t (a) VALUES (:a)")
    streamed = {"stream_results": True}
    with pytest.raises(sa.exc.ProgrammingError, match="server-side cursor"):
        connection.execute(sql, NUMBERS, execution_options=streamed)
    raw: Any = connection.connection.dbapi_connection
    with pytest.raises(Exception, match="not for a server-side cursor"):
        raw.cursor("c").copy_rows(None, (("a", 23, 0, False),), NUMBERS)
