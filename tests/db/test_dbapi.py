"""The PEP 249 module on a real server, beside psycopg2 where it is the measure."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import json
import pickle
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from ibutsu_migrate import errors

if TYPE_CHECKING:
    from ibutsu_migrate._pq import Connection, Cursor
    from ibutsu_migrate.testing import Database

dbapi = pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

IDLE, INTRANS, INERROR, UNKNOWN = 0, 2, 3, 4


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    found = dbapi.connect(database.dsn)
    yield found
    found.close()


@pytest.fixture
def cursor(connection: Connection) -> Cursor:
    return connection.cursor()


@pytest.fixture
def stock(database: Database) -> Iterator[Any]:
    found = psycopg2.connect(database.dsn)
    yield found
    found.close()


def status(connection: Connection) -> int:
    return connection.info.transaction_status


def one(cursor: Any, sql: str, params: Any = None) -> Any:
    cursor.execute(sql, params)
    return cursor.fetchone()[0]


# Module


def test_module() -> None:
    assert (dbapi.apilevel, dbapi.paramstyle, dbapi.threadsafety) == (
        "2.0",
        "pyformat",
        1,
    )
    assert dbapi.Date(2026, 1, 2) == dt.date(2026, 1, 2)
    assert dbapi.Time(1, 2, 3) == dt.time(1, 2, 3)
    assert dbapi.Timestamp(2026, 1, 2, 3) == dt.datetime(2026, 1, 2, 3)
    assert dbapi.Binary(b"\0") == b"\0"
    for ticks in (0, 1_790_000_000):
        assert dbapi.DateFromTicks(ticks) == dt.date.fromtimestamp(ticks)
        assert dbapi.TimestampFromTicks(ticks) == dt.datetime.fromtimestamp(ticks)
        assert dbapi.TimeFromTicks(ticks) == dt.datetime.fromtimestamp(ticks).time()
    for name in ("Error", "DataError", "NotSupportedError", "Warning"):
        assert getattr(dbapi, name) is getattr(errors, name)
    assert issubclass(dbapi.DatabaseError, dbapi.Error)
    assert not issubclass(dbapi.InterfaceError, dbapi.DatabaseError)


def test_type_objects(cursor: Cursor) -> None:
    cursor.execute("SELECT 1, 'a'::text, now(), '\\x00'::bytea, 'pg_class'::regclass")
    assert cursor.description is not None
    number, text, stamp, binary, other = (each.type_code for each in cursor.description)
    assert (number == dbapi.NUMBER, text == dbapi.STRING) == (True, True)
    assert (stamp == dbapi.DATETIME, binary == dbapi.BINARY) == (True, True)
    assert other != dbapi.NUMBER
    assert dbapi.STRING != dbapi.NUMBER
    assert len({dbapi.STRING, dbapi.STRING, dbapi.NUMBER}) == 2


# Statements and rows

STATEMENTS = [
    "SELECT 1 AS a, 'x'::varchar(7) AS b, 1.50::numeric(9, 2) AS c, NULL AS d",
    "SELECT 1::numeric(5, 2), 'a'::char(3), 'epoch'::timestamp(3), '{1}'::int[]",
    "SELECT generate_series(1, 5)",
    "SELECT WHERE false",
    "SELECT",
    "CREATE TABLE t (id int PRIMARY KEY, a text)",
    "INSERT INTO t SELECT n, 'a' FROM generate_series(1, 7) n",
    "INSERT INTO t VALUES (8, 'b') RETURNING id, a",
    "UPDATE t SET a = 'c' WHERE id > 3",
    "DELETE FROM t WHERE id = 1",
    "CREATE TABLE u AS SELECT * FROM t",
    "SELECT 1; SELECT 2, 3",
    "SELECT 1; CREATE TABLE w (id int)",
    "CREATE TABLE v (id int); INSERT INTO v VALUES (1), (2)",
    "EXPLAIN (COSTS OFF) SELECT 1",
    "SHOW server_encoding",
    "VALUES (1, 'a'), (2, 'b')",
    "TABLE t",
    "SET search_path = public",
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "MOVE FORWARD 0 IN c",
]


def seen(cursor: Any, sql: str) -> object:
    """What a caller sees of a statement, or of its error."""
    try:
        cursor.execute("DECLARE c CURSOR FOR SELECT 1" if "IN c" in sql else "SELECT 0")
        cursor.execute(sql)
    except Exception as error:
        cursor.connection.rollback()
        return type(error).__mro__[-4].__name__
    rows = None
    if cursor.description is not None:
        rows = cursor.fetchall()
    described = cursor.description and [tuple(each) for each in cursor.description]
    return described, rows, cursor.rowcount, cursor.statusmessage


def test_statements_as_psycopg2(cursor: Cursor, stock: Any) -> None:
    other = stock.cursor()
    for sql in STATEMENTS:
        found = seen(cursor, sql)
        cursor.connection.commit()
        # The same names again.
        cursor.execute("DROP TABLE IF EXISTS w, v") if "CREATE" in sql else None
        if sql.startswith(("CREATE", "INSERT", "UPDATE", "DELETE", "SELECT 1; CREATE")):
            continue
        assert found == seen(other, sql), sql
        stock.rollback()


def test_empty_statements(cursor: Cursor) -> None:
    # psycopg2 refuses them; a revision may hold nothing but a comment.
    for sql in ("", ";", "-- nothing", "/* nothing */ ;"):
        cursor.execute(sql)
        assert (cursor.description, cursor.rowcount) == (None, -1)


def test_rowcounts(cursor: Cursor) -> None:
    counts = []
    for sql in (
        "CREATE TABLE t (id int)",
        "INSERT INTO t SELECT generate_series(1, 7)",
        "UPDATE t SET id = 0 WHERE id > 3",
        "DELETE FROM t WHERE id = 1",
        "DELETE FROM t WHERE id = 1",
        "SELECT * FROM t",
        "CREATE TABLE u AS SELECT * FROM t",
        "DO $$ BEGIN END $$",
    ):
        cursor.execute(sql)
        counts.append(cursor.rowcount)
    assert counts == [-1, 7, 4, 1, 0, 6, 6, -1]
    assert cursor.connection.cursor().rowcount == -1


def test_fetching(cursor: Cursor) -> None:
    cursor.execute("SELECT n, n::text FROM generate_series(1, 9) n")
    assert cursor.rownumber == 0
    assert cursor.fetchone() == (1, "1")
    assert cursor.fetchmany() == [(2, "2")]
    assert cursor.fetchmany(2) == [(3, "3"), (4, "4")]
    assert cursor.rownumber == 4
    assert next(cursor) == (5, "5")
    cursor.scroll(-2)
    assert cursor.fetchone() == (4, "4")
    cursor.scroll(8, "absolute")
    assert cursor.fetchall() == [(9, "9")]
    assert cursor.fetchall() == []
    assert cursor.fetchone() is None
    assert list(cursor) == []
    assert cursor.fetchmany(0) == []
    for wrong in (9, -1):
        with pytest.raises(IndexError):
            cursor.scroll(wrong, "absolute")
    cursor.arraysize = 3
    cursor.execute("SELECT generate_series(1, 4)")
    assert [len(cursor.fetchmany()) for _ in range(3)] == [3, 1, 0]


@pytest.mark.parametrize("how", ["fetchone", "fetchmany", "fetchall", "__next__"])
def test_nothing_to_fetch(how: str, cursor: Cursor) -> None:
    with pytest.raises(dbapi.ProgrammingError, match="no results to fetch"):
        getattr(cursor, how)()
    for sql in ("CREATE TABLE t ()", ""):
        cursor.execute(sql)
        assert cursor.description is None
        with pytest.raises(dbapi.ProgrammingError, match="no results to fetch"):
            getattr(cursor, how)()


def test_parameters(cursor: Cursor, stock: Any) -> None:
    other = stock.cursor()
    values: Any
    for sql, values in (
        ("SELECT %s, %s", (1, "a")),
        ("SELECT %(b)s, %(a)s, %(b)s", {"a": 1, "b": "x"}),
        ("SELECT '%%', 5 %% 3, %s", (1,)),
        ("SELECT 'a%%b'", ()),
        ("SELECT 'a%%b'", {}),
        ("SELECT 1 WHERE 1 IN %s", ((1, 2),)),
        ("SELECT %s, %s, %s, %s", (1, -1, 1.5, "it's 5%")),
        ("SELECT %s, %s, %s, %s", (None, True, b"\0\xff", [1, 2])),
    ):
        assert cursor.mogrify(sql, values) == other.mogrify(sql, values)
        cursor.execute(sql, values)
        other.execute(sql, values)
        ours, theirs = cursor.fetchall(), other.fetchall()
        plain = [tuple(map(_plain, row)) for row in theirs]
        assert ours == plain, sql
        assert cursor.query == other.query
    # Without parameters a statement is sent as it is.
    assert one(cursor, "SELECT '%s %(a)s %'") == "%s %(a)s %"
    for sql, values, kind in (
        ("SELECT %s", (), dbapi.ProgrammingError),
        ("SELECT %s", (1, 2), dbapi.ProgrammingError),
        ("SELECT %(a)s", {}, dbapi.ProgrammingError),
        ("SELECT 'a%b'", (1,), dbapi.ProgrammingError),
        ("SELECT %s", ("a\0b",), dbapi.DataError),
        ("SELECT %s", ({},), dbapi.ProgrammingError),
        ("SELECT %s", (object(),), dbapi.ProgrammingError),
    ):
        with pytest.raises(kind):
            cursor.execute(sql, values)
    for text in ("SELECT 'a\0b'", b"SELECT '\0'"):
        with pytest.raises(dbapi.DataError):
            cursor.execute(text)
    with pytest.raises(TypeError):
        cursor.execute(1)  # type: ignore[arg-type]


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def test_executemany(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE t (id int, a text)")
    rows = ((n, str(n)) for n in range(20))
    cursor.executemany("INSERT INTO t VALUES (%s, %s)", rows)
    assert cursor.rowcount == 20
    assert cursor.description is None
    cursor.executemany(
        "UPDATE t SET a = %(a)s WHERE id < %(n)s", [{"a": 1, "n": 3}] * 2
    )
    assert cursor.rowcount == 6
    cursor.executemany("INSERT INTO t VALUES (%s, %s)", [])
    assert cursor.rowcount == -1
    cursor.executemany("SELECT %s", [(1,), (2,)])
    with pytest.raises(dbapi.ProgrammingError):
        cursor.fetchall()
    with pytest.raises(dbapi.DataError):
        cursor.executemany("INSERT INTO t VALUES (%s, '')", [(1,), ("x",)])
    with pytest.raises(TypeError):
        cursor.executemany("SELECT 1", 1)  # type: ignore[arg-type]


def test_callproc_and_the_rest(cursor: Cursor) -> None:
    assert cursor.callproc("generate_series", [1, 3]) == [1, 3]
    assert cursor.fetchall() == [(1,), (2,), (3,)]
    cursor.setinputsizes([1])
    cursor.setoutputsize(1, 2)
    assert cursor.lastrowid is None
    with pytest.raises(dbapi.NotSupportedError):
        cursor.nextset()
    with cursor as same:
        assert same is cursor
    assert cursor.closed
    cursor.close()
    for use in (cursor.fetchone, cursor.fetchall, lambda: cursor.execute("SELECT 1")):
        with pytest.raises(dbapi.InterfaceError, match="cursor already closed"):
            use()


def test_rows_outlive_the_connection(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT generate_series(1, 3)")
    connection.close()
    assert cursor.closed
    assert cursor.fetchall() == [(1,), (2,), (3,)]


def test_json_loads_may_use_its_own_cursor(database: Database) -> None:
    def loads(text: str) -> object:
        # What is being decoded is not to vanish.
        own.execute("SELECT 'another'")
        return json.loads(text)

    connection = dbapi.connect(database.dsn, json_loads=loads)
    own = connection.cursor()
    own.execute("""SELECT '{"a": 1}'::json, repeat('x', 100000), '2'::jsonb""")
    assert own.fetchall() == [({"a": 1}, "x" * 100_000, 2)]
    connection.close()


def test_json_loads_that_raises(database: Database) -> None:
    def loads(text: str) -> object:
        raise ZeroDivisionError(text)

    connection = dbapi.connect(database.dsn, json_loads=loads)
    cursor = connection.cursor()
    cursor.execute("SELECT '1'::json")
    with pytest.raises(ZeroDivisionError, match="1"):
        cursor.fetchall()
    assert one(cursor, "SELECT 2") == 2
    connection.close()


def test_infinity(database: Database) -> None:
    for infinity in ("error", "clamp"):
        connection = dbapi.connect(database.dsn, infinity=infinity)
        cursor = connection.cursor()
        cursor.execute("SELECT 'infinity'::timestamp, '-infinity'::date")
        if infinity == "clamp":
            assert cursor.fetchone() == (dt.datetime.max, dt.date.min)
        else:
            with pytest.raises(dbapi.DataError, match="infinity"):
                cursor.fetchone()
        connection.close()
    with pytest.raises(dbapi.ProgrammingError, match="infinity"):
        dbapi.connect(database.dsn, infinity="nil")


# Transactions


def test_begin_is_sent_before_the_first_statement(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    cursor = connection.cursor()
    assert status(connection) == IDLE
    cursor.execute("SELECT 1")
    assert status(connection) == INTRANS
    connection.commit()
    assert status(connection) == IDLE
    cursor.execute("CREATE TABLE t ()")
    connection.rollback()
    assert one(cursor, "SELECT to_regclass('t')") is None
    with pytest.raises(dbapi.ProgrammingError):
        cursor.execute("nil")
    assert status(connection) == INERROR
    with pytest.raises(dbapi.InternalError) as caught:
        cursor.execute("SELECT 1")
    assert caught.value.sqlstate == "25P02"
    # As psycopg2: the server answers COMMIT with ROLLBACK, which is no error.
    assert not caplog.messages
    connection.commit()
    assert status(connection) == IDLE
    (message,) = caplog.messages
    assert message.startswith("COMMIT rolled back")


def test_ending_nothing_sends_nothing(connection: Connection) -> None:
    from ibutsu_migrate import _pq

    before = _pq.counters()["round_trips"]
    connection.commit()
    connection.rollback()
    assert _pq.counters()["round_trips"] == before


def test_commit_that_came_as_text(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE t (id int)")
    cursor.execute("COMMIT")
    # Within a transaction the server would refuse: no BEGIN is sent, as with psycopg2.
    cursor.execute("CREATE INDEX CONCURRENTLY i ON t (id)")
    assert status(cursor.connection) == IDLE
    cursor.connection.commit()
    cursor.execute("SELECT 1")
    assert status(cursor.connection) == INTRANS


def test_commit_that_fails_leaves_it_idle(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE t (id int PRIMARY KEY, "
        "o int REFERENCES t DEFERRABLE INITIALLY DEFERRED)"
    )
    cursor.connection.commit()
    cursor.execute("INSERT INTO t VALUES (1, 2)")
    with pytest.raises(dbapi.IntegrityError) as caught:
        cursor.connection.commit()
    assert caught.value.diag.table_name == "t"
    assert status(cursor.connection) == IDLE
    assert one(cursor, "SELECT count(*) FROM t") == 0


def test_autocommit(connection: Connection) -> None:
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (id int)")
    assert status(connection) == IDLE
    cursor.execute("VACUUM t")
    with pytest.raises(dbapi.ProgrammingError):
        cursor.execute("nil")
    assert status(connection) == IDLE
    # One that was begun as text is ended by commit() all the same.
    cursor.execute("BEGIN")
    cursor.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(dbapi.ProgrammingError, match="within a transaction"):
        connection.autocommit = False
    connection.autocommit = True
    connection.commit()
    assert status(connection) == IDLE
    connection.autocommit = False
    assert one(cursor, "SELECT count(*) FROM t") == 1
    assert status(connection) == INTRANS


SETTINGS: list[tuple[str, object, str, str]] = [
    ("isolation_level", "serializable", "transaction_isolation", "serializable"),
    ("isolation_level", "REPEATABLE READ", "transaction_isolation", "repeatable read"),
    ("isolation_level", 3, "transaction_isolation", "serializable"),
    ("isolation_level", 4, "transaction_isolation", "read uncommitted"),
    ("isolation_level", None, "transaction_isolation", "read committed"),
    ("read_only", True, "transaction_read_only", "on"),
    ("read_only", False, "transaction_read_only", "off"),
    ("deferrable", True, "transaction_deferrable", "on"),
    ("deferrable", False, "transaction_deferrable", "off"),
]


@pytest.mark.parametrize(("name", "value", "setting", "shown"), SETTINGS)
def test_settings_of_transactions(
    name: str, value: object, setting: str, shown: str, connection: Connection
) -> None:
    setattr(connection, name, value)
    assert one(connection.cursor(), f"SHOW {setting}") == shown
    with pytest.raises(dbapi.ProgrammingError, match=f"{name} cannot be set within"):
        setattr(connection, name, None)
    connection.rollback()
    setattr(connection, name, None)
    assert getattr(connection, name) is None
    with pytest.raises(AttributeError):
        delattr(connection, name)


@pytest.mark.parametrize("value", ["nil", 5, 0, -1, 2**70, b"SERIALIZABLE", "\ud800"])
def test_no_isolation_level(value: Any, connection: Connection) -> None:
    with pytest.raises((dbapi.ProgrammingError, OverflowError, UnicodeError)):
        connection.isolation_level = value
    assert connection.isolation_level is None


def test_with_block(database: Database, connection: Connection) -> None:
    with connection as same, same.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int)")
    assert status(connection) == IDLE
    with pytest.raises(dbapi.DataError), connection:
        connection.cursor().execute("INSERT INTO t VALUES (1); SELECT 1 / 0")
    assert status(connection) == IDLE
    assert database.cluster.psql("SELECT count(*) FROM t", database.name) == "0\n"
    assert not connection.closed


@pytest.mark.parametrize("ending", ["commit", "rollback"])
@pytest.mark.parametrize("prepared", [True, False])
def test_two_phases(
    ending: str, prepared: bool, connection: Connection, database: Database
) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (id int)")
    connection.commit()
    xid = connection.xid(7, database.name, "it's")
    connection.tpc_begin(xid)
    cursor.execute("INSERT INTO t VALUES (1)")
    for call in (connection.commit, connection.rollback):
        with pytest.raises(dbapi.ProgrammingError, match="tpc_"):
            call()
    if prepared:
        connection.tpc_prepare()
        other = dbapi.connect(database.dsn)
        assert [(each, each.database) for each in other.tpc_recover()] == [
            (xid, database.name)
        ]
        other.close()
    getattr(connection, f"tpc_{ending}")()
    assert status(connection) == IDLE
    assert connection.tpc_recover() == []
    assert one(cursor, "SELECT count(*) FROM t") == (ending == "commit")


def test_two_phases_by_another_connection(
    connection: Connection, database: Database
) -> None:
    connection.tpc_begin("plain text")
    connection.cursor().execute("CREATE TABLE t ()")
    connection.tpc_prepare()
    connection.close()
    other = dbapi.connect(database.dsn)
    (xid,) = other.tpc_recover()
    assert (str(xid), xid.format_id, xid.gtrid) == ("plain text", None, "plain text")
    other.tpc_commit(xid)
    assert one(other.cursor(), "SELECT to_regclass('t')::text") == "t"
    for call in (other.tpc_commit, other.tpc_rollback, other.tpc_prepare):
        with pytest.raises(dbapi.ProgrammingError):
            call()
    with pytest.raises(dbapi.ProgrammingError):
        other.tpc_begin("x")
    with pytest.raises(dbapi.ProgrammingError):
        other.tpc_rollback("x")
    other.rollback()
    with pytest.raises(dbapi.ProgrammingError) as caught:
        other.tpc_commit("nil")
    assert caught.value.sqlstate == "42704"
    other.close()


def test_xid_is_psycopg2s(connection: Connection, stock: Any) -> None:
    stock.tpc_begin(stock.xid(42, "gtrid", "b c"))
    stock.cursor().execute("CREATE TABLE t ()")
    stock.tpc_prepare()
    stock.close()
    (xid,) = connection.tpc_recover()
    assert (xid.format_id, xid.gtrid, xid.bqual) == (42, "gtrid", "b c")
    connection.tpc_rollback(connection.xid(42, "gtrid", "b c"))
    assert connection.tpc_recover() == []
    assert str(connection.xid(1, "ä", "")) == "1_w6Q=_"


# Server-side cursors


def test_server_side_cursor(connection: Connection) -> None:
    with connection.cursor('it\'s "c"') as cursor:
        assert cursor.name == 'it\'s "c"'
        cursor.execute("SELECT n AS a FROM generate_series(1, %s) n", (10,))
        # Before the first fetch too.
        assert cursor.description is not None
        assert cursor.description[0].name == "a"
        assert cursor.fetchone() == (1,)
        assert cursor.fetchmany(3) == [(2,), (3,), (4,)]
        cursor.itersize = 4
        assert next(cursor) == (5,)
        # Some at hand, some not.
        assert cursor.fetchmany(5) == [(6,), (7,), (8,), (9,), (10,)]
        assert cursor.rownumber == 10
        assert cursor.fetchone() is None
        assert cursor.fetchall() == []
        with pytest.raises(dbapi.ProgrammingError, match="executed once"):
            cursor.execute("SELECT 1")
        with pytest.raises(dbapi.ProgrammingError, match="executemany"):
            cursor.executemany("SELECT %s", [(1,)])
    assert one(connection.cursor(), "SELECT count(*) FROM pg_cursors") == 0


def test_server_side_cursor_iterates_in_pieces(connection: Connection) -> None:
    from ibutsu_migrate import _pq

    cursor = connection.cursor("c")
    cursor.itersize = 100
    cursor.execute("SELECT generate_series(1, 450)")
    before = _pq.counters()["round_trips"]
    assert [row[0] for row in cursor] == [*range(1, 451)]
    assert _pq.counters()["round_trips"] - before == 5
    connection.rollback()
    # It went with its transaction.
    cursor.close()
    assert status(connection) == IDLE


def test_server_side_cursor_scrolls(connection: Connection) -> None:
    cursor = connection.cursor("c", scrollable=True)
    cursor.execute("SELECT generate_series(0, 9)")
    cursor.itersize = 3
    assert next(cursor) == (0,)
    cursor.scroll(3)
    assert cursor.fetchone() == (4,)
    cursor.scroll(-2)
    assert cursor.fetchone() == (3,)
    cursor.scroll(8, mode="absolute")
    assert cursor.fetchall() == [(8,), (9,)]
    cursor.scroll(0, mode="absolute")
    assert cursor.fetchone() == (0,)
    with pytest.raises(dbapi.ProgrammingError, match="mode"):
        cursor.scroll(0, mode="nil")


def test_server_side_cursor_with_hold(connection: Connection) -> None:
    cursor = connection.cursor("c", withhold=True)
    cursor.execute("SELECT generate_series(1, 3)")
    assert cursor.fetchone() == (1,)
    connection.commit()
    assert cursor.fetchall() == [(2,), (3,)]
    cursor.close()
    assert one(connection.cursor(), "SELECT count(*) FROM pg_cursors") == 0
    connection.rollback()
    connection.autocommit = True
    with pytest.raises(dbapi.ProgrammingError, match="needs a transaction"):
        connection.cursor("d").execute("SELECT 1")
    with connection.cursor("d", withhold=True) as held:
        held.execute("SELECT 1")
        assert held.fetchall() == [(1,)]


def test_server_side_cursor_in_a_failed_transaction(connection: Connection) -> None:
    cursor = connection.cursor("c")
    cursor.execute("SELECT 1 / (3 - n) FROM generate_series(1, 5) n")
    with pytest.raises(dbapi.DataError):
        cursor.fetchall()
    cursor.close()
    connection.rollback()
    with pytest.raises(dbapi.ProgrammingError):
        connection.cursor("d").execute("CREATE TABLE t ()")


# COPY


def test_copy_both_ways(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE t (id int, a text)")
    lines = "".join(f"{n}\tü{n}\n" for n in range(1000))
    cursor.copy_expert("COPY t FROM STDIN", io.StringIO(lines))
    assert (cursor.rowcount, cursor.statusmessage) == (1000, "COPY 1000")
    cursor.copy_expert("COPY t FROM STDIN", io.BytesIO(lines.encode()), size=7)
    text, binary = io.StringIO(), io.BytesIO()
    cursor.copy_expert("COPY t TO STDOUT", text)
    assert text.getvalue() == lines * 2
    assert cursor.rowcount == 2000
    cursor.copy_expert(b"COPY (SELECT * FROM t LIMIT 3) TO STDOUT (FORMAT csv)", binary)
    assert binary.getvalue() == "0,ü0\n1,ü1\n2,ü2\n".encode()
    cursor.copy_expert("COPY t FROM STDIN", io.StringIO(""))
    assert cursor.rowcount == 0


class Broken:
    """A file that fails after some calls."""

    def __init__(self, error: BaseException, after: int = 2) -> None:
        self.error = error
        self.left = after

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise self.error

    def read(self, size: int) -> str:
        self._count()
        return "1\n" * 10

    def write(self, data: object) -> None:
        self._count()


@pytest.mark.parametrize("error", [ZeroDivisionError("file"), KeyboardInterrupt()])
@pytest.mark.parametrize("after", [0, 3])
def test_copy_with_a_file_that_fails(
    error: BaseException, after: int, cursor: Cursor
) -> None:
    cursor.execute("CREATE TABLE t (id int)")
    cursor.connection.commit()
    with pytest.raises(type(error)):
        cursor.copy_expert("COPY t FROM STDIN", Broken(error, after))
    assert status(cursor.connection) == INERROR
    cursor.connection.rollback()
    assert one(cursor, "SELECT count(*) FROM t") == 0
    rows = "SELECT repeat('x', 1000) FROM generate_series(1, 10000000)"
    with pytest.raises(type(error)):
        cursor.copy_expert(f"COPY ({rows}) TO STDOUT", Broken(error, after))
    assert status(cursor.connection) in (INTRANS, INERROR)
    cursor.connection.rollback()
    assert one(cursor, "SELECT 1") == 1


def test_copy_errors(cursor: Cursor, tmp_path: Any) -> None:
    cursor.execute("CREATE TABLE t (id int)")
    cursor.connection.commit()
    rows = io.StringIO("1\n" * 100_000 + "x\n" + "1\n" * 1_000_000)
    with pytest.raises(dbapi.DataError, match="line 100001") as caught:
        cursor.copy_expert("COPY t FROM STDIN", rows)
    assert caught.value.diag.context == 'COPY t, line 100001, column id: "x"'
    assert caught.value.statement == "COPY t FROM STDIN"
    cursor.connection.rollback()
    with pytest.raises(dbapi.ProgrammingError):
        cursor.copy_expert("COPY nil TO STDOUT", io.StringIO())
    cursor.connection.rollback()
    with pytest.raises(dbapi.ProgrammingError, match="needs COPY"):
        cursor.copy_expert("SELECT 1", io.StringIO())
    for wrong in (object(), Broken(ZeroDivisionError(), -1)):
        with pytest.raises((AttributeError, ZeroDivisionError)):
            cursor.copy_expert("COPY t FROM STDIN", wrong)  # type: ignore[arg-type]
        cursor.connection.rollback()
    # Without a file, and among other commands.
    for sql in (
        "COPY t FROM STDIN",
        "COPY t TO STDOUT",
        "SELECT 1; COPY t FROM STDIN; SELECT 2",
        "COPY t TO STDOUT; COPY t TO STDOUT",
    ):
        with pytest.raises(dbapi.ProgrammingError, match=r"copy_expert\(\)"):
            cursor.execute(sql)
        cursor.connection.rollback()
        assert one(cursor, "SELECT 1") == 1


def test_the_connection_is_not_for_the_file(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE t (a text)")

    class Curious(io.StringIO):
        def read(self, size: int | None = -1) -> str:
            with pytest.raises(dbapi.ProgrammingError, match="in use"):
                cursor.connection.cursor().execute("SELECT 1")
            with pytest.raises(dbapi.ProgrammingError):
                cursor.connection.commit()
            return super().read(size)

    cursor.copy_expert("COPY t FROM STDIN", Curious("a\n"))
    assert cursor.rowcount == 1


# Errors


def test_error_carries_everything(cursor: Cursor, stock: Any) -> None:
    sql = "SELECT 'ü',\n  nil FROM pg_class"
    with pytest.raises(dbapi.ProgrammingError) as caught:
        cursor.execute(sql)
    other = stock.cursor()
    with pytest.raises(psycopg2.ProgrammingError) as theirs:
        other.execute(sql)
    error, like = caught.value, theirs.value
    assert type(error).__name__ == type(like).__name__ == "UndefinedColumn"
    assert str(error) == str(like).rstrip("\n")
    assert (error.sqlstate, error.pgcode) == ("42703", "42703")
    assert (error.line, error.column) == (2, 3)
    assert error.statement == sql
    assert error.cursor is cursor
    for name in dir(like.diag):
        if not name.startswith("_"):
            assert getattr(error.diag, name) == getattr(like.diag, name), name
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.cursor is None
    assert again.diag.message_primary == error.diag.message_primary
    assert (str(again), again.line) == (str(error), 2)
    with pytest.raises(AttributeError):
        error.diag.__wrapped__  # noqa: B018


ERRORS = [
    "SELECT 1 / 0",
    "SELECT 'x'::int",
    "nil",
    "DO $$ BEGIN RAISE EXCEPTION 'no' USING HINT = 'h', DETAIL = 'd'; END $$",
    "DO $$ BEGIN RAISE SQLSTATE 'ZZ123' USING MESSAGE = 'm'; END $$",
    "DO $$ BEGIN RAISE SQLSTATE '28P01'; END $$",
    "DO $$ BEGIN RAISE SQLSTATE '72000'; END $$",
    "CREATE TABLE t (id int UNIQUE); INSERT INTO t VALUES (1), (1)",
    "CREATE TABLE t (id int CHECK (id > 1)); INSERT INTO t VALUES (1)",
    "CREATE TABLE t (id int NOT NULL); INSERT INTO t VALUES (NULL)",
    "SELECT * FROM generate_series(1, 2) WHERE 1 = (SELECT generate_series(1, 2))",
    "SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)",
    "DECLARE c CURSOR WITHOUT HOLD FOR nil",
    "ROLLBACK TO SAVEPOINT nil",
    "EXECUTE nil",
    "FETCH 1 FROM nil",
    "VACUUM",
    "CREATE DATABASE nil TEMPLATE nil",
    "ALTER SYSTEM SET nil = 1",
    "SELECT repeat('x', 1 << 30)",
    "CREATE TABLE t (id nil)",
]


@pytest.mark.parametrize("sql", ERRORS)
def test_errors_as_psycopg2(sql: str, cursor: Cursor, stock: Any) -> None:
    other = stock.cursor()
    with pytest.raises(dbapi.Error) as caught:
        cursor.execute(sql)
    with pytest.raises(psycopg2.Error) as theirs:
        other.execute(sql)
    assert str(caught.value) == str(theirs.value).rstrip("\n")
    ours, like = (
        [each.__name__ for each in type(error).__mro__]
        for error in (caught.value, theirs.value)
    )
    pep = [name for name in like if hasattr(psycopg2, name)]
    assert [name for name in ours if hasattr(psycopg2, name)] == pep
    if like[0] not in ("QueryCanceledError",):
        assert ours[0].rstrip("d") == like[0].rstrip("d")
    assert caught.value.pgcode == theirs.value.pgcode


def test_class_by_sqlstate() -> None:
    import psycopg2.errors as theirs

    from ibutsu_migrate.engine import sqlstates

    assert sqlstates.lookup("23505") is errors.UniqueViolation
    assert sqlstates.ForeignKeyViolation is sqlstates.lookup("23503")
    with pytest.raises(KeyError):
        sqlstates.lookup("ZZ123")
    with pytest.raises(AttributeError):
        sqlstates.nil  # noqa: B018
    found = sqlstates.class_for_sqlstate("23XYZ")
    assert (found, sqlstates.class_for_sqlstate("ZZ123")) == (
        errors.IntegrityError,
        errors.DatabaseError,
    )
    assert sqlstates.class_for_sqlstate(None) is errors.OperationalError
    for sqlstate in ("20000", "25001", "3B001", "40001", "57014", "F0000", "HV000"):
        ours, like = sqlstates.lookup(sqlstate), theirs.lookup(sqlstate)
        assert ours.__name__ == like.__name__
        assert [each.__name__ for each in ours.__mro__ if hasattr(dbapi, each.__name__)]


def test_errors_of_the_connection(connection: Connection) -> None:
    for name in ("Error", "ProgrammingError", "Warning", "InterfaceError"):
        assert getattr(connection, name) is getattr(dbapi, name)


# Connection


def test_closed(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t ()")
    connection.close()
    connection.close()
    assert (connection.closed, connection.info.transaction_status) == (1, UNKNOWN)
    calls: list[Callable[[], object]] = [
        connection.cursor,
        connection.commit,
        connection.rollback,
        connection.cancel,
        connection.fileno,
        connection.tpc_recover,
        connection.__enter__,
        lambda: connection.encoding,
        lambda: connection.info.backend_pid,
        lambda: connection.info.host,
        lambda: connection.info.ssl_in_use,
        lambda: connection.info.parameter_status("TimeZone"),
        lambda: setattr(connection, "autocommit", True),
        lambda: setattr(connection, "isolation_level", None),
        lambda: cursor.execute("SELECT 1"),
    ]
    for call in calls:
        with pytest.raises(dbapi.InterfaceError, match="connection already closed"):
            call()


def test_info(connection: Connection, database: Database) -> None:
    info, cursor = connection.info, connection.cursor()
    assert info.server_version == int(one(cursor, "SHOW server_version_num"))
    assert info.backend_pid == one(cursor, "SELECT pg_backend_pid()")
    assert info.dbname == database.name
    assert info.user == one(cursor, "SELECT current_user")
    assert info.port == str(database.cluster.port)
    assert info.host == str(database.cluster.socket_dir)
    assert (info.hostaddr, info.options) == ("", "")
    assert info.protocol_version == 3
    assert info.ssl_in_use is False
    assert info.parameter_status("server_encoding") == "UTF8"
    assert info.parameter_status("nil") is None
    assert connection.encoding == "UTF8"
    assert connection.fileno() > 2
    assert one(cursor, "SHOW application_name") == "ibutsu_migrate"


def test_notices(connection: Connection) -> None:
    cursor = connection.cursor()
    for n in range(60):
        cursor.execute(f"DO $$ BEGIN RAISE NOTICE 'ü{n}'; END $$")
    assert connection.notices[0] == "NOTICE:  ü10\n"
    assert connection.notices[-1] == "NOTICE:  ü59\n"
    assert len(connection.notices) == 50
    connection.notices.clear()
    # As many as there may be at once.
    cursor.execute(
        "DO $$ BEGIN FOR n IN 1..5000 LOOP RAISE WARNING '%', repeat('x', 5000); "
        "END LOOP; END $$"
    )
    assert len(connection.notices) == 50
    with pytest.raises(dbapi.DatabaseError):
        cursor.execute("DO $$ BEGIN RAISE NOTICE 'last'; RAISE 'error'; END $$")
    assert connection.notices[-1] == "NOTICE:  last\n"


def test_notifies(connection: Connection, database: Database) -> None:
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("LISTEN c")
    database.cluster.psql("NOTIFY c, 'ü'", database.name)
    cursor.execute("SELECT 1")
    (notify,) = connection.notifies
    assert (notify.channel, notify.payload) == ("c", "ü")
    assert notify.pid != connection.info.backend_pid


def test_settings_of_the_session(connection: Connection) -> None:
    cursor = connection.cursor()
    value = "ü€"
    for encoding in ("LATIN9", "WIN1252", "UTF8", "latin9"):
        cursor.execute(f"SET client_encoding = '{encoding}'")
        assert one(cursor, "SELECT %s || '€'", (value,)) == value + "€"
        assert one(cursor, "SELECT octet_length(convert_to(%s, 'UTF8'))", (value,)) == 5
        cursor.execute('SELECT 1 AS "€"')
        assert cursor.description is not None
        assert cursor.description[0].name == "€"
        with pytest.raises(dbapi.ProgrammingError, match="ü€") as caught:
            cursor.execute("SAVEPOINT a; SELECT ü€")
        assert caught.value.statement == "SAVEPOINT a; SELECT ü€"
        cursor.connection.rollback()
    cursor.execute("SET standard_conforming_strings = off")
    assert one(cursor, "SELECT %s", ("a\\b'c",)) == "a\\b'c"
    cursor.execute("SET DateStyle = German")
    cursor.execute("SELECT '2026-01-02'::date")
    with pytest.raises(dbapi.NotSupportedError, match="DateStyle"):
        cursor.fetchall()
    cursor.execute("SET DateStyle = ISO; SET IntervalStyle = iso_8601")
    assert one(cursor, "SELECT '2026-01-02'::date") == dt.date(2026, 1, 2)
    cursor.execute("SELECT '1 day'::interval")
    with pytest.raises(dbapi.NotSupportedError, match="IntervalStyle"):
        cursor.fetchall()


def test_an_encoding_that_python_lacks(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("SET client_encoding = 'EUC_TW'")
    with pytest.raises((dbapi.NotSupportedError, LookupError)):
        cursor.execute("SELECT 'x', %s", ("ü",))


def test_numeric_scale_may_be_negative(cursor: Cursor, database: Database) -> None:
    if cursor.connection.info.server_version < 150000:
        pytest.skip("numeric(5, -2) came with PostgreSQL 15")
    assert one(cursor, "SELECT 12345::numeric(5, -2)") == decimal.Decimal(12300)
    assert cursor.description is not None
    column = cursor.description[0]
    assert (column.precision, column.scale) == (5, -2)
