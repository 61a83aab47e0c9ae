"""Signals to a safe run: the server stops too, and the end is told."""

from __future__ import annotations

import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest
from safe_runs import (
    ENVS,
    SAFE,
    TABLE,
    query,
    runs_statement,
    session,
    until,
    until_says,
    write_env,
)

from ibutsu_migrate.runtime.names import SPACE, LockKey

if TYPE_CHECKING:
    import subprocess

    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

SLEEP = "op.execute('SELECT pg_sleep(60)')"
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}


@pytest.fixture(params=["one", "hook"])
def safe(request: pytest.FixtureRequest, shop: Shop) -> Shop:
    """Mode safe, at a1."""
    shop.environ.update(SAFE)
    write_env(shop.folder, ENVS[request.param])
    shop.add("a1")
    shop.done("alembic", "upgrade", "head")
    return shop


def stopped(
    shop: Shop, runner: subprocess.Popen[str], number: signal.Signals
) -> tuple[str, float]:
    """Send a signal; what the run said, and the seconds until it was gone."""
    begun = time.monotonic()
    runner.send_signal(number)
    result = shop.finish(runner)
    took = time.monotonic() - begun
    assert result.returncode == CODES[number], result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr, took


def assert_nothing_runs(database: Database) -> None:
    sql = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name LIKE 'ibutsu_migrate/%'"
    )
    until(lambda: query(database, sql) == ["0"], 2)


@pytest.mark.parametrize("number", list(CODES))
@pytest.mark.parametrize("program", ["alembic", "flask db"])
def test_in_a_statement(
    program: str, number: signal.Signals, safe: Shop, database: Database
) -> None:
    safe.add("b2", "a1", f"{TABLE}\n    {SLEEP}")
    runner = safe.start(*program.split(), "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    said, took = stopped(safe, runner, number)
    assert took < 5
    lines = said[said.index("FAILED: ") :].splitlines()
    path = safe.versions / "b2_.py"
    assert lines == [
        f"FAILED: revision b2 failed at {path}:13.",
        "SQL: SELECT pg_sleep(60)",
        f"Interrupted (57014): stopped by {number.name}",
        "The database is at a1; nothing of revision b2 is left in it.",
        f"Next: type `{program} upgrade ...` again.",
    ]
    assert_nothing_runs(database)
    assert query(database, "SELECT to_regclass('item') IS NULL") == ["t"]


def test_while_a_table_is_waited_for(safe: Shop, database: Database) -> None:
    safe.add("b2", "a1", TABLE)
    safe.done("alembic", "upgrade", "head")
    safe.add("c3", "b2", "op.drop_table('item')")
    with session(database) as report:
        report.execute("SELECT * FROM item")
        runner = safe.start(
            "alembic", "upgrade", "head", IBUTSU_MIGRATE_LOCK_TIMEOUT="0"
        )
        until(runs_statement(database, "DROP TABLE"))
        said, took = stopped(safe, runner, signal.SIGTERM)
    assert took < 5
    assert "The database is at b2; nothing of revision c3 is left" in said


def test_while_the_lock_is_waited_for(safe: Shop, database: Database) -> None:
    safe.add("b2", "a1", TABLE)
    number = LockKey("public", "alembic_version").number
    with session(database) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (SPACE, number))
        runner = safe.start("alembic", "upgrade", "head")
        until_says(runner, "waiting for the lock")
        said, took = stopped(safe, runner, signal.SIGTERM)
    assert took < 5
    assert "FAILED: upgrade failed.\nInterrupted: stopped by SIGTERM\n" in said
    assert "The database is at a1; nothing of this run is left in it." in said


def test_in_a_revision_s_own_work(safe: Shop, database: Database) -> None:
    """Python computes, and no statement is there to be cancelled."""
    reached = safe.folder / "reached"
    # Not seen in the database: the driver may still have the statement in its queue.
    work = f"open({str(reached)!r}, 'x').close()\n    __import__('time').sleep(60)"
    safe.add("b2", "a1", f"{TABLE}\n    {work}")
    runner = safe.start("alembic", "upgrade", "head")
    until(reached.exists)
    said, took = stopped(safe, runner, signal.SIGTERM)
    assert took < 5
    assert "The database is at a1; nothing of revision b2 is left" in said
    assert query(database, "SELECT to_regclass('item') IS NULL") == ["t"]


def test_a_revision_that_swallows_errors(safe: Shop, database: Database) -> None:
    """The next statement does not begin."""
    safe.add(
        "b2",
        "a1",
        f"""try:
        {SLEEP}
    except Exception:
        pass
    {SLEEP}""",
    )
    runner = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    said, took = stopped(safe, runner, signal.SIGTERM)
    assert took < 5
    assert "The database is at a1; nothing of revision b2 is left" in said


def test_before_the_run_begins(safe: Shop, database: Database) -> None:
    """env.py imports an application, which takes its time."""
    ready = safe.folder / "ready"
    write_env(
        safe.folder,
        f"import time, pathlib; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)",
    )
    runner = safe.start("alembic", "upgrade", "head")
    until(ready.exists)
    said, took = stopped(safe, runner, signal.SIGTERM)
    assert took < 5
    assert said == (
        "FAILED: stopped by a signal while nothing was being done in the database.\n"
    )


@pytest.mark.parametrize("env", ["one", "hook"])
def test_while_a_server_is_silent(env: str, shop: Shop) -> None:
    """libpq waits for it, and lets no handler of Python's run."""
    shop.environ.update(SAFE)
    write_env(shop.folder, ENVS[env])
    shop.add("a1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg2://u:secret@127.0.0.1:{silent.getsockname()[1]}/x"
        runner = shop.start("alembic", "upgrade", "head", DATABASE=url)
        connection, _ = silent.accept()
        said, took = stopped(shop, runner, signal.SIGTERM)
        connection.close()
    assert took < 6
    assert said.startswith("FAILED: stopped by a signal")
    assert "secret" not in said


SLOW_COMMIT = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$; "
    "CREATE TABLE slow (id int); "
    "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slow DEFERRABLE "
    "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow(); "
    "INSERT INTO slow VALUES (1)"
)


def test_in_the_commit(safe: Shop, database: Database) -> None:
    """What is deferred is done there; the server cancels that too."""
    safe.add("b2", "a1", f"op.execute({SLOW_COMMIT!r})")
    runner = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "COMMIT"))
    said, took = stopped(safe, runner, signal.SIGTERM)
    assert took < 5
    assert "stopped by SIGTERM\nThe database is at a1; nothing of " in said
    assert query(database, "SELECT to_regclass('slow') IS NULL") == ["t"]
    assert_nothing_runs(database)


def test_in_the_history(safe: Shop, database: Database) -> None:
    """Somebody holds its tables: a run that is stopped does not wait for them."""
    safe.add("b2", "a1")
    with session(database) as holder:
        holder.execute("LOCK TABLE ibutsu_migrate.run")
        runner = safe.start("alembic", "upgrade", "head")
        until(runs_statement(database, "ibutsu_migrate.run"))
        _, took = stopped(safe, runner, signal.SIGTERM)
    assert took < 5
    assert_nothing_runs(database)


def test_the_history_is_not_waited_for(safe: Shop, database: Database) -> None:
    safe.add("b2", "a1")
    with session(database) as holder:
        holder.execute("LOCK TABLE ibutsu_migrate.run")
        result = safe.run("alembic", "upgrade", "head")
    assert result.returncode == 0, result.stderr
    said = "the history cannot be written (canceling statement due to lock timeout)"
    assert said in result.stderr


def test_a_part_that_is_committed_is_told(safe: Shop, database: Database) -> None:
    safe.add(
        "b2",
        "a1",
        f"""with op.get_context().autocommit_block():
        op.execute("CREATE TABLE once (id int)")
        {SLEEP}""",
    )
    runner = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    said, _ = stopped(safe, runner, signal.SIGTERM)
    assert "The database is at a1; a part of revision b2 was committed" in said
    assert_nothing_runs(database)
