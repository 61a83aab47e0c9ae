"""Waiting for tables: bounded, told, tried again, and ended only when asked for."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

import psycopg2
import pytest
from safe_runs import (
    ENVS,
    SAFE,
    TABLE,
    query,
    session,
    until,
    until_says,
    write_env,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

COLUMN = "op.add_column('item', sa.Column('m', sa.Text))"
READ = "SELECT count(*) FROM item"
PATIENCE = "IBUTSU_MIGRATE_LOCK_PATIENCE"
TERMINATE = "IBUTSU_MIGRATE_TERMINATE_BLOCKERS_AFTER"


@pytest.fixture(params=["one", "pipeline"])
def safe(request: pytest.FixtureRequest, shop: Shop) -> Shop:
    """At a1, which has made a table; b2 is to change it."""
    shop.environ.update(SAFE)
    write_env(shop.folder, ENVS[request.param])
    shop.add("a1", upgrade=TABLE)
    shop.done("alembic", "upgrade", "head")
    shop.add("b2", "a1", "op.create_table('other', sa.Column('id', sa.Integer))")
    shop.add("c3", "b2", COLUMN)
    return shop


@pytest.fixture
def app(safe: Shop, database: Database) -> Iterator[str]:
    """A user of the application, who is no superuser."""
    role = "shop_app"
    query(database, f"CREATE ROLE {role} LOGIN; GRANT ALL ON TABLE item TO {role}")
    yield role
    query(database, f"DROP OWNED BY {role}; DROP ROLE {role}")


def lock_waits(database: Database) -> bool:
    sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
    return query(database, sql) != ["0"]


def test_readers_go_on_and_the_upgrade_succeeds(safe: Shop, database: Database) -> None:
    """A report holds the table for seconds; nobody behind it waits longer than a lock
    timeout, and when it has gone the upgrade is through."""
    waited: list[float] = []
    ended = threading.Event()

    def read() -> None:
        with session(database) as reader:
            reader.connection.autocommit = True
            while not ended.is_set():
                begun = time.monotonic()
                reader.execute(READ)
                waited.append(time.monotonic() - begun)
                time.sleep(0.02)

    with session(database, application_name="a report") as report:
        report.execute(READ)
        pid = report.connection.info.backend_pid
        runner = safe.start("alembic", "upgrade", "head")
        until(lambda: lock_waits(database))
        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(5)
    gone = time.monotonic()
    result = safe.finish(runner)
    took = time.monotonic() - gone
    ended.set()
    reader.join()
    assert result.returncode == 0, result.stderr
    assert query(database, "SELECT * FROM alembic_version") == ["c3"]
    assert took < 5
    assert len(waited) > 20
    assert max(waited) < 2
    assert re.search(
        r"waiting for AccessExclusiveLock on item for 0\.\d+ s\n"
        rf"  blocked by pid {pid} of postgres \(a report\), idle in transaction, "
        r"in its transaction for .* s, last query \d\.\d\d s ago, "
        r"holds AccessShareLock: SELECT count\(\*\) FROM item\n",
        result.stderr,
    )
    assert re.search(r"c3: no lock within 1s; taken back, attempt 2 in", result.stderr)
    assert re.search(r"upgrade c3 \(2/2\) make c3: .* attempts\n", result.stderr)
    # The revision before it is done again only where it was in the same transaction.
    assert result.stderr.count("upgrade c3 (2/2)") == 1


def test_patience_ends(safe: Shop, database: Database) -> None:
    with session(database) as report:
        report.execute(READ)
        pid = report.connection.info.backend_pid
        result = safe.run("alembic", "upgrade", "head", **{PATIENCE: "2s"})
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    path = safe.versions / "c3_.py"
    at = query(database, "SELECT * FROM alembic_version")[0]
    ending = result.stderr[result.stderr.index("FAILED: ") :]
    # Where the driver has a queue.
    ending = re.sub(r"\n\d later statements? (was|were) not executed\.", "", ending)
    said = ending.splitlines()
    assert said[0] == f"FAILED: revision c3 failed at {path}:12."
    assert said[1] == "SQL: ALTER TABLE item ADD COLUMN m TEXT"
    assert (
        said[2] == "LockNotAvailable (55P03): canceling statement due to lock timeout"
    )
    assert said[3].startswith(f"In the way: pid {pid} of postgres")
    assert said[4] == f"The database is at {at}; nothing of revision c3 is left in it."
    assert said[5].startswith(
        "Next: let those in the way end, or end them, and type `al"
    )


def test_the_whole_chain_is_named(safe: Shop, database: Database) -> None:
    """The one in the way waits itself for somebody."""
    query(database, "CREATE TABLE another (id int)")
    bounded = "-c statement_timeout=20000"
    with session(database) as first, session(database, options=bounded) as second:
        first.execute("LOCK TABLE another")
        second.execute(READ)
        one, two = (c.connection.info.backend_pid for c in (first, second))
        blocked = threading.Thread(target=_ignoring, args=(second, "TABLE another"))
        blocked.start()
        until(lambda: lock_waits(database))
        result = safe.run("alembic", "upgrade", "head", **{PATIENCE: "1s"})
        first.connection.rollback()
        blocked.join()
    assert re.search(
        rf"\n  blocked by pid {two} .*active.*, in its query for \d\.\d\d s, holds "
        r"\w+: TABLE another\n"
        rf"  {two} is blocked by pid {one} .*: LOCK TABLE another\n",
        result.stderr,
    )


def _ignoring(cursor: object, sql: str) -> None:
    assert isinstance(cursor, psycopg2.extensions.cursor)
    cursor.execute(sql)


def test_blockers_are_terminated_when_asked_for(
    safe: Shop, database: Database, app: str
) -> None:
    with session(database, user=app) as report:
        report.execute(READ)
        pid = report.connection.info.backend_pid
        result = safe.run("alembic", "upgrade", "head", **{TERMINATE: "2s"})
        assert result.returncode == 0, result.stderr
        assert f"terminated pid {pid} of {app}" in result.stderr
        with pytest.raises(psycopg2.OperationalError):
            report.execute(READ)


def test_a_superuser_is_never_terminated(safe: Shop, database: Database) -> None:
    with session(database) as report:
        report.execute(READ)
        pid = report.connection.info.backend_pid
        result = safe.run(
            "alembic", "upgrade", "head", **{TERMINATE: "0", PATIENCE: "1s"}
        )
        assert result.returncode == 1
        assert f"not terminated (a superuser): pid {pid}" in result.stderr
        report.execute(READ)


def test_a_deadlock_is_tried_again(safe: Shop, database: Database) -> None:
    """The migration is the one that the server chooses: its lock_timeout is longer."""
    query(
        database, f"ALTER DATABASE \"{database.name}\" SET deadlock_timeout = '200ms'"
    )
    query(database, "CREATE TABLE another (id int)")
    safe.add(
        "d4",
        "c3",
        "op.execute('LOCK TABLE another')\n    op.execute('LOCK TABLE item')",
    )
    safe.done("alembic", "upgrade", "c3")
    with session(database) as other:
        other.execute("SET deadlock_timeout = '1min'")
        other.execute("LOCK TABLE item")
        runner = safe.start(
            "alembic", "upgrade", "head", IBUTSU_MIGRATE_LOCK_TIMEOUT="9s"
        )
        until(lambda: lock_waits(database))
        other.execute("LOCK TABLE another")
        other.connection.commit()
    result = safe.finish(runner)
    assert result.returncode == 0, result.stderr
    assert "d4: a deadlock; taken back, attempt 2" in result.stderr


def test_a_statement_outside_a_transaction_is_tried_again(
    safe: Shop, database: Database
) -> None:
    """It has taken itself back: what the revision did before it is not done again."""
    safe.add(
        "d4",
        "c3",
        """op.execute("CREATE TABLE once (id int)")
    with op.get_context().autocommit_block():
        op.execute("CREATE TABLE once_more (id int)")
        op.execute("ALTER TABLE item ADD COLUMN k int")""",
    )
    safe.done("alembic", "upgrade", "c3")
    with session(database) as report:
        report.execute(READ)
        runner = safe.start("alembic", "upgrade", "head")
        until(lambda: lock_waits(database))
        time.sleep(2)
    result = safe.finish(runner)
    assert result.returncode == 0, result.stderr
    assert "d4: no lock within 1s; taken back, attempt 2" in result.stderr
    assert query(database, "SELECT * FROM alembic_version") == ["d4"]


def test_what_is_committed_in_part_is_not_tried_again(
    safe: Shop, database: Database
) -> None:
    safe.add(
        "d4",
        "c3",
        """with op.get_context().autocommit_block():
        op.execute("CREATE TABLE once (id int)")
    op.execute("ALTER TABLE item ADD COLUMN k int")""",
    )
    safe.done("alembic", "upgrade", "c3")
    with session(database) as report:
        report.execute(READ)
        result = safe.run("alembic", "upgrade", "head")
    assert result.returncode == 1
    assert "The database is at c3; a part of revision d4 was committed" in result.stderr
    assert "Next: look what of the revision is there" in result.stderr


def test_a_later_failure_keeps_what_was_committed_in_part_together(
    safe: Shop, database: Database
) -> None:
    """One transaction for all, and a block in d4: its version is committed with it."""
    safe.add(
        "d4",
        "c3",
        """with op.get_context().autocommit_block():
        op.execute("CREATE TABLE once (id int)")
    op.execute("CREATE TABLE twice (id int)")""",
    )
    safe.add("e5", "d4", "op.execute('SELECT 1/0')")
    result = safe.run("alembic", "upgrade", "head")
    assert result.returncode == 1
    assert (
        "The database is at d4; nothing of revision e5 is left in it" in result.stderr
    )
    assert query(database, "SELECT * FROM alembic_version") == ["d4"]
    assert query(database, "SELECT to_regclass('twice') IS NULL") == ["f"]
    safe.add("e5", "d4")
    safe.done("alembic", "upgrade", "head")


def test_an_index_build_waits_for_old_transactions(
    safe: Shop, database: Database
) -> None:
    """Its lock lets everybody by; a lock timeout would leave an invalid index."""
    safe.add(
        "d4",
        "c3",
        """with op.get_context().autocommit_block():
        op.create_index('item_n', 'item', ['n'], postgresql_concurrently=True)""",
    )
    safe.done("alembic", "upgrade", "c3")
    with session(database, application_name="a report") as report:
        report.execute("INSERT INTO item VALUES (1)")
        runner = safe.start("alembic", "upgrade", "head")
        said = until_says(runner, "waiting for ShareLock on virtualxid")
        time.sleep(2)
    result = safe.finish(runner)
    assert result.returncode == 0, result.stderr
    assert "(a report), idle in transaction" in said + result.stderr
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'item_n'::regclass"
    assert query(database, valid) == ["t"]


def test_a_relative_target_stays_where_it_was(safe: Shop, database: Database) -> None:
    """`+1` is planned once: an attempt more must not go a revision further."""
    safe.done("alembic", "upgrade", "b2")
    safe.add("d4", "c3")
    with session(database) as report:
        report.execute(READ)
        runner = safe.start("alembic", "upgrade", "+1")
        until(lambda: lock_waits(database))
        time.sleep(1.2)
    result = safe.finish(runner)
    assert result.returncode == 0, result.stderr
    assert query(database, "SELECT * FROM alembic_version") == ["c3"]
