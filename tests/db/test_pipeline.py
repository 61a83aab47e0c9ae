"""Queued statements: results, errors and transactions are as without a queue."""

from __future__ import annotations

import gc
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from ibutsu_migrate import errors

if TYPE_CHECKING:
    from ibutsu_migrate._pq import Connection
    from ibutsu_migrate.testing import Database

dbapi = pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

IDLE, INTRANS, INERROR = 0, 2, 3
HERE = ("versions/1.py", 7, "upgrade")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    found = dbapi.connect(database.dsn)
    found.pipeline = True
    yield found
    found.close()


def round_trips() -> int:
    from ibutsu_migrate import _pq

    return _pq.counters()["round_trips"]


def scalar(connection: Connection, sql: str) -> Any:
    cursor = connection.cursor()
    cursor.execute(sql)
    row = cursor.fetchone()
    assert row is not None
    return row[0]


def tables(database: Database) -> list[str]:
    other = dbapi.connect(database.dsn)
    cursor = other.cursor()
    cursor.execute("SELECT relname FROM pg_class WHERE relname LIKE 't_' ORDER BY 1")
    found = [name for (name,) in cursor.fetchall()]
    other.close()
    return found


def test_one_round_trip_for_many(connection: Connection, database: Database) -> None:
    before = round_trips()
    for number in range(50):
        connection.cursor().execute(f"CREATE TABLE m{number} (a int)")
    assert round_trips() == before
    connection.commit()
    assert round_trips() == before + 1
    assert scalar(connection, "SELECT count(*) FROM pg_class WHERE relname ~ '^m'") > 49
    connection.rollback()


def test_a_query_goes_along(connection: Connection) -> None:
    cursor = connection.cursor()
    before = round_trips()
    cursor.execute("CREATE TABLE ta (a int)")
    cursor.execute("INSERT INTO ta VALUES (1), (2), (%s)", (3,))
    cursor.execute("SELECT a FROM ta ORDER BY a")
    assert round_trips() == before + 1
    assert cursor.fetchall() == [(1,), (2,), (3,)]
    assert cursor.rowcount == 3
    assert connection.info.transaction_status == INTRANS
    connection.rollback()
    assert connection.info.transaction_status == IDLE


def test_counts_and_tags_are_fetched_when_read(connection: Connection) -> None:
    cursor, other = connection.cursor(), connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    cursor.execute("INSERT INTO ta SELECT generate_series(1, 5)")
    other.execute("UPDATE ta SET a = a + 1 WHERE a > 2")
    before = round_trips()
    assert cursor.description is None
    assert connection.info.transaction_status == INTRANS
    assert round_trips() == before
    assert other.rowcount == 3
    assert other.statusmessage == "UPDATE 3"
    assert (cursor.rowcount, cursor.statusmessage) == (5, "INSERT 0 5")
    assert round_trips() == before + 1
    with pytest.raises(errors.ProgrammingError, match="no results"):
        cursor.fetchone()
    connection.rollback()


def test_an_error_names_its_statement(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")

    def fail() -> None:
        assert cursor.enqueue("ALTER TABLE ta\nADD b nonsense", None, HERE)
        # An error that has come by the next call is raised there.
        cursor.enqueue("CREATE TABLE tb (a int)", None, HERE)
        cursor.execute("SELECT 1")

    with pytest.raises(errors.ProgrammingError) as caught:
        fail()
    error = caught.value
    assert error.sqlstate == "42704"
    assert error.statement == "ALTER TABLE ta\nADD b nonsense"
    assert (error.line, error.column) == (2, 7)
    assert error.origin == HERE
    assert error.skipped in (1, 2)
    some = {1: "1 later statement was", 2: "2 later statements were"}
    assert error.__notes__ == [
        f"queued at versions/1.py:7 in upgrade(); {some[error.skipped]} not executed"
    ]
    assert "queued" not in str(error)
    assert connection.info.transaction_status == INERROR
    connection.rollback()
    assert scalar(connection, "SELECT 1") == 1


def test_an_error_has_its_label(connection: Connection) -> None:
    cursor = connection.cursor()
    label = object()
    assert cursor.enqueue("DROP TABLE nowhere", None, HERE, label=label)
    with pytest.raises(errors.ProgrammingError) as caught:
        connection.commit()
    assert caught.value.label is label
    del caught, label
    connection.rollback()
    assert scalar(connection, "SELECT 1") == 1


class Value:
    """Something that can be told to have been collected."""


@pytest.mark.parametrize("ending", ["commit", "failure", "close"])
def test_labels_are_let_go(connection: Connection, ending: str) -> None:
    label: Any = Value()
    gone = weakref.ref(label)
    cursor = connection.cursor()
    failing = ending == "failure"
    sql = "DROP TABLE nowhere" if failing else "CREATE TABLE ta (a int)"
    assert cursor.enqueue(sql, None, HERE, label=label)
    del label
    assert gone() is not None
    if failing:
        with pytest.raises(errors.ProgrammingError):
            connection.commit()
    else:
        getattr(connection, ending)()
    gc.collect()
    assert gone() is None


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_label_that_holds_the_connection_is_collected(database: Database) -> None:
    label: Any = Value()
    gone = weakref.ref(label)
    label.connection = dbapi.connect(database.dsn)
    cursor = label.connection.cursor()
    assert cursor.enqueue("CREATE TABLE ta (a int)", None, HERE, label=label)
    del cursor, label
    gc.collect()
    assert gone() is None


def test_an_error_that_comes_by_itself(connection: Connection) -> None:
    """The server does not wait for the end of a segment to tell of an error."""
    cursor, other = connection.cursor(), connection.cursor()
    other.execute("CREATE TABLE ta (a int)")
    assert cursor.enqueue("UPDATE ta SET nothing = 1", None, HERE)
    time.sleep(0.5)

    def fail() -> None:
        # Queued before the error was seen, and read with it, or by libpq before.
        assert other.enqueue("CREATE TABLE tb (a int)", None, HERE)
        cursor.execute("SELECT 1")

    with pytest.raises(errors.ProgrammingError) as caught:
        fail()
    assert caught.value.statement == "UPDATE ta SET nothing = 1"
    assert caught.value.skipped in (1, 2)
    if caught.value.skipped == 2:
        with pytest.raises(errors.ProgrammingError, match="nothing"):
            _ = other.rowcount
    connection.rollback()
    assert other.rowcount == -1


def test_the_count_of_what_failed_by_itself(connection: Connection) -> None:
    cursor, other = connection.cursor(), connection.cursor()
    other.execute("CREATE TABLE ta (a int)")
    assert cursor.enqueue("UPDATE ta SET nothing = 1", None, HERE)
    time.sleep(0.5)
    # Whether libpq reads what has come before it sends differs by version and load.
    with suppress(errors.ProgrammingError):
        other.enqueue("CREATE TABLE tb (a int)", None, HERE)
    with pytest.raises(errors.ProgrammingError, match="nothing"):
        _ = cursor.rowcount
    connection.rollback()


def test_execute_names_the_line_that_called_it(connection: Connection) -> None:
    connection.cursor().execute("DROP TABLE nowhere")
    with pytest.raises(errors.ProgrammingError) as caught:
        connection.commit()
    assert caught.value.origin is not None
    file, line, function = caught.value.origin
    assert file == __file__
    assert function == "test_execute_names_the_line_that_called_it"
    assert line > 100


def test_a_failed_commit_leaves_nothing(
    connection: Connection, database: Database
) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    cursor.execute("CREATE TABLE ta (a int)")
    with pytest.raises(errors.ProgrammingError, match="already exists"):
        connection.commit()
    assert connection.info.transaction_status == IDLE
    assert tables(database) == []
    connection.commit()


def test_a_deferred_constraint_fails_the_commit(
    connection: Connection, database: Database
) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    cursor.execute("INSERT INTO ta VALUES (1), (1)")
    with pytest.raises(errors.IntegrityError) as caught:
        connection.commit()
    assert caught.value.statement == "COMMIT"
    assert caught.value.origin is None
    assert connection.info.transaction_status == IDLE
    assert tables(database) == []


def test_a_failure_cannot_be_swallowed(
    connection: Connection, database: Database
) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    cursor.execute("DROP TABLE nowhere")
    for _ in range(3):
        with pytest.raises(errors.ProgrammingError, match="nowhere"):
            cursor.execute("SELECT 1")
        with pytest.raises(errors.ProgrammingError, match="nowhere"):
            cursor.execute("CREATE TABLE tb (a int)")
    with pytest.raises(errors.ProgrammingError, match="nowhere"):
        connection.commit()
    assert connection.info.transaction_status == IDLE
    assert tables(database) == []
    cursor.execute("CREATE TABLE tb (a int)")
    connection.commit()
    assert tables(database) == ["tb"]


def test_what_is_awaited_fails_as_usual(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    with pytest.raises(errors.DataError) as caught:
        cursor.execute("SELECT 1 / 0")
    assert caught.value.origin is None
    assert not hasattr(caught.value, "__notes__")
    with pytest.raises(errors.InternalError) as caught_again:
        cursor.execute("SELECT 1")
    assert caught_again.value.sqlstate == "25P02"
    connection.rollback()


def test_rollback_tells_what_nobody_has_heard(connection: Connection) -> None:
    connection.cursor().execute("DROP TABLE nowhere")
    with pytest.raises(errors.ProgrammingError, match="nowhere"):
        connection.rollback()
    assert connection.info.transaction_status == IDLE
    connection.rollback()


def test_rollback_for_another_reason_is_silent(connection: Connection) -> None:
    connection.cursor().execute("DROP TABLE nowhere")
    try:
        raise ValueError("the reason")
    except ValueError:
        connection.rollback()
    assert connection.info.transaction_status == IDLE


def test_rollback_is_silent_about_what_was_raised(connection: Connection) -> None:
    connection.cursor().execute("DROP TABLE nowhere")
    with pytest.raises(errors.ProgrammingError):
        connection.cursor().execute("SELECT 1")
    connection.rollback()
    assert connection.info.transaction_status == IDLE


def test_close_discards(
    connection: Connection, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    connection.close()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("ibutsu_migrate.engine", "WARNING")
    assert record.getMessage().startswith("close() with 1 queued statement whose")
    assert cursor.statusmessage is None
    assert cursor.rowcount == -1
    assert tables(database) == []


def test_close_is_silent_about_what_was_awaited(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    assert cursor.rowcount == -1
    connection.close()
    assert not caplog.records


def test_savepoints_are_answered_at_once(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    cursor.execute("SAVEPOINT one")
    with pytest.raises(errors.ProgrammingError):
        cursor.execute("DROP TABLE nowhere")
    cursor.execute("ROLLBACK TO SAVEPOINT one")
    with pytest.raises(errors.ProgrammingError):
        cursor.execute("DROP TABLE nowhere")
    cursor.execute("ROLLBACK TO one")
    cursor.execute("RELEASE one")
    before = round_trips()
    cursor.execute("INSERT INTO ta VALUES (1)")
    assert round_trips() == before
    assert scalar(connection, "SELECT count(*) FROM ta") == 1
    connection.rollback()


def test_commit_as_text_is_followed_by_no_begin(
    connection: Connection, database: Database
) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    cursor.execute("COMMIT")
    cursor.execute("CREATE INDEX CONCURRENTLY ON ta (a)")
    cursor.execute("CREATE TABLE tb (a int)")
    assert connection.info.transaction_status == IDLE
    assert tables(database) == ["ta", "tb"]
    connection.commit()
    cursor.execute("CREATE TABLE tc (a int)")
    assert connection.info.transaction_status == INTRANS
    connection.rollback()


def test_several_commands_and_copy_leave_the_queue(connection: Connection) -> None:
    import io

    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    cursor.execute("INSERT INTO ta VALUES (1); INSERT INTO ta VALUES (2)")
    assert cursor.statusmessage == "INSERT 0 1"
    cursor.execute("INSERT INTO ta VALUES (3)")
    cursor.copy_expert("COPY ta FROM STDIN", io.StringIO("4\n5\n"))
    cursor.executemany("INSERT INTO ta VALUES (%s)", [(6,), (7,)])
    assert cursor.rowcount == 2
    assert scalar(connection, "SELECT sum(a) FROM ta") == 28
    connection.rollback()


def test_autocommit_queues_nothing(connection: Connection, database: Database) -> None:
    connection.autocommit = True
    before = round_trips()
    connection.cursor().execute("CREATE TABLE ta (a int)")
    assert round_trips() == before + 1
    assert tables(database) == ["ta"]


def test_settings_of_the_transaction(connection: Connection) -> None:
    connection.isolation_level = "SERIALIZABLE"
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    with pytest.raises(errors.ProgrammingError, match="within a transaction"):
        connection.autocommit = True
    cursor.execute("SHOW transaction_isolation")
    assert cursor.fetchall() == [("serializable",)]
    connection.rollback()


def test_notices_are_awaited_and_in_order(connection: Connection) -> None:
    cursor = connection.cursor()
    for word in ("one", "two", "three"):
        cursor.execute(f"DO $$BEGIN RAISE NOTICE '{word}'; END$$")
    assert [text.split()[-1] for text in connection.notices] == ["one", "two", "three"]
    connection.rollback()


def test_ten_megabytes_against_a_flood_of_notices(connection: Connection) -> None:
    cursor = connection.cursor()
    body = "RAISE NOTICE '%', repeat('x', 20000);"
    filler = "-- " + "y" * 10_000
    for number in range(1000):
        cursor.execute(f"DO $$BEGIN {body} END$$ {filler}")
        if number % 100 == 0:
            cursor.execute(f"CREATE TABLE n{number} (a int)")
    assert (
        scalar(connection, "SELECT count(*) FROM pg_class WHERE relname ~ '^n'") >= 10
    )
    assert len(connection.notices) == 50
    connection.rollback()


def test_many_small_ones_do_not_need_a_sync(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    before = round_trips()
    for number in range(5000):
        cursor.execute("INSERT INTO ta VALUES (%s)", (number,))
    assert round_trips() == before
    assert scalar(connection, "SELECT count(*) FROM ta") == 5000
    connection.rollback()


def test_ctrl_c_while_waiting_for_the_queue(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    cursor.execute("DO $$BEGIN PERFORM pg_sleep(30); END$$")
    cursor.execute("CREATE TABLE tb (a int)")
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        connection.commit()
    timer.join()
    assert time.monotonic() - began < 2
    assert connection.closed or connection.info.transaction_status == IDLE
    if not connection.closed:
        assert scalar(connection, "SELECT to_regclass('ta')") is None


def test_the_server_ends_the_session(
    connection: Connection, database: Database
) -> None:
    pid = connection.info.backend_pid
    other = dbapi.connect(database.dsn)
    other.autocommit = True
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE ta (a int)")
    scalar(other, f"SELECT pg_terminate_backend({pid}, 5000)")
    other.close()
    with pytest.raises(errors.OperationalError):
        scalar(connection, "SELECT 1")
    assert connection.closed
    assert tables(database) == []


def test_switching_on_within_a_transaction(connection: Connection) -> None:
    connection.pipeline = False
    assert not connection.pipeline
    cursor = connection.cursor()
    before = round_trips()
    cursor.execute("CREATE TABLE ta (a int)")
    assert round_trips() > before
    connection.pipeline = True
    connection.rollback()


@pytest.mark.parametrize("origin", [(), ("a",), ("a", "b", "c"), (1, 2, 3), "abc", 5])
def test_origins_are_checked(connection: Connection, origin: Any) -> None:
    with pytest.raises(TypeError):
        connection.cursor().enqueue("CREATE TABLE ta (a int)", None, origin)


def test_without_an_origin_it_is_awaited(connection: Connection) -> None:
    cursor = connection.cursor()
    assert not cursor.enqueue("CREATE TABLE ta (a int)")
    assert cursor.statusmessage == "CREATE TABLE"
    with pytest.raises(errors.ProgrammingError) as caught:
        cursor.enqueue("CREATE TABLE ta (a int)")
    assert caught.value.origin is None
    connection.rollback()
