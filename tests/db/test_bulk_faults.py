"""COPY of rows that is interrupted, ended, or comes behind queued statements."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
from collections.abc import Callable, Iterator
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

from ibutsu_migrate.engine import bulk  # noqa: E402 - needs the driver


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


class Zone(dt.tzinfo):
    """A zone that does something when a value with it is on its way."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self.asked = 0

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        self.asked += 1
        if self.asked == 1:
            self._act()
        return dt.timedelta(0)

    def tzname(self, when: dt.datetime | None) -> str:
        return "zone"

    def dst(self, when: dt.datetime | None) -> None:
        return None


Rows = list[dict[str, Any]]


def in_the_middle(act: Callable[[], object]) -> Rows:
    """Rows of which some have been sent when `act` is called, and many have not."""
    rows: Rows = [{"a": number, "b": "x" * 2000, "c": None} for number in range(2000)]
    rows[500]["c"] = dt.datetime(2026, 1, 2, tzinfo=Zone(act))
    return rows


ABC = sa.insert(sa.table("u", sa.column("a"), sa.column("b"), sa.column("c")))
MAKE_U = "CREATE TABLE u (a int PRIMARY KEY, b text, c timestamptz)"


@pytest.mark.parametrize("autocommit", [False, True])
def test_the_server_ends_the_session_in_the_middle(
    connection: sa.Connection, database: Database, autocommit: bool
) -> None:
    connection.exec_driver_sql(MAKE_U)
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    connection.commit()
    if autocommit:
        connection.execution_options(isolation_level="AUTOCOMMIT")
    end = f"SELECT pg_terminate_backend({pid}, 10000)"
    rows = in_the_middle(lambda: database.cluster.psql(end))
    with pytest.raises(sa.exc.OperationalError) as caught:
        connection.execute(ABC, rows)
    assert caught.value.connection_invalidated
    # Its last words are lost where the socket is reset under what is being sent.
    assert getattr(caught.value.orig, "sqlstate", "") in ("57P01", None)
    connection.rollback()
    assert connection.exec_driver_sql("SELECT count(*) FROM u").scalar_one() == 0


def test_a_cancel_in_the_middle(connection: sa.Connection, database: Database) -> None:
    connection.exec_driver_sql(MAKE_U)
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    connection.commit()
    connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    savepoint = connection.begin_nested()
    cancel = f"SELECT pg_cancel_backend({pid})"
    with pytest.raises(sa.exc.OperationalError) as caught:
        connection.execute(ABC, in_the_middle(lambda: database.cluster.psql(cancel)))
    assert getattr(caught.value.orig, "sqlstate", "") == "57014"
    savepoint.rollback()
    assert connection.exec_driver_sql("SELECT count(*) FROM u").scalar_one() == 0
    assert count(connection) == 1


def test_ctrl_c_in_the_middle(connection: sa.Connection) -> None:
    connection.exec_driver_sql(MAKE_U)
    connection.commit()

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        connection.execute(ABC, in_the_middle(stop))
    connection.rollback()
    assert connection.exec_driver_sql("SELECT count(*) FROM u").scalar_one() == 0


def test_a_value_whose_code_uses_the_connection(connection: sa.Connection) -> None:
    connection.exec_driver_sql(MAKE_U)
    raw: Any = connection.connection.dbapi_connection
    rows = in_the_middle(lambda: raw.cursor().execute("SELECT 1"))
    # Busy with the COPY it is refused; the INSERTs make their text beforehand.
    connection.execute(ABC, rows)
    assert rows[500]["c"].tzinfo.asked > 1
    assert connection.exec_driver_sql("SELECT count(*) FROM u").scalar_one() == 2000


def test_a_signal_before_anything_is_sent(connection: sa.Connection) -> None:
    # With a sequence all rows are looked at first.
    connection.exec_driver_sql("CREATE TABLE u (id serial, a int)")
    raw: Any = connection.connection.dbapi_connection
    rows = [{"a": 1}] * 10_000_000
    insert = bulk.read_insert("INSERT INTO u (a) VALUES (%(a)s)")
    assert insert is not None
    table = bulk.find_table(raw, insert)
    assert table is not None
    assert table.counts
    before = _pq.counters()["round_trips"]

    class StopError(Exception):
        pass

    def stop(number: int, frame: object) -> None:
        raise StopError

    usual = signal.signal(signal.SIGALRM, stop)
    # By another thread, which is not kept waiting.
    other = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGALRM))
    try:
        other.start()
        with pytest.raises(StopError):
            raw.cursor().copy_rows(None, table.columns, rows)
    finally:
        other.join()
        signal.signal(signal.SIGALRM, usual)
    assert _pq.counters()["round_trips"] == before
    assert connection.exec_driver_sql("SELECT count(*) FROM u").scalar_one() == 0


def test_behind_queued_statements(connection: sa.Connection) -> None:
    raw: Any = connection.connection.dbapi_connection
    insert = bulk.read_insert("INSERT INTO t (a) VALUES (%(a)s)")
    rows = [{"a": number} for number in range(12)]
    assert insert is not None
    raw.pipeline = True
    cursor = raw.cursor()
    cursor.execute("CREATE TABLE u (a nil)")
    with pytest.raises(Exception, match='type "nil" does not exist') as caught:
        bulk.copy_rows(cursor, insert, rows)
    assert getattr(caught.value, "statement", "") == "CREATE TABLE u (a nil)"
    raw.rollback()
    cursor.execute("INSERT INTO t VALUES (100)")
    assert bulk.copy_rows(cursor, insert, rows)
    assert cursor.rowcount == 12
    cursor.execute("INSERT INTO t VALUES (101)")
    raw.commit()
    raw.pipeline = False
    assert count(connection) == 14
