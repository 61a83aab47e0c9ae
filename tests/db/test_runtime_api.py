"""Safe runs from Python: values, typed errors, and nothing touched."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.config import Config
from safe_runs import EFFECT, TABLE, query, session, stock_env, write_env

import ibutsu_migrate
from ibutsu_migrate.errors import ConfigurationError, LockWaitError, RunError
from ibutsu_migrate.runtime import events
from ibutsu_migrate.runtime.names import SPACE, LockKey

if TYPE_CHECKING:
    from pathlib import Path

    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

# Of the env.py that `alembic init` writes; with the file's sections below.
SETS_UP_LOGGING = """
from logging.config import fileConfig
from alembic import context
config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name)
"""
SECTIONS = """
[loggers]
keys = root
[handlers]
keys =
[formatters]
keys =
[logger_root]
level = WARNING
handlers =
"""


@pytest.fixture
def ini(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Path:
    """alembic.ini of a shop with a1 and b2; env.py sets up logging, as stock's does."""
    monkeypatch.setenv("DATABASE", shop.url)
    write_env(shop.folder, SETS_UP_LOGGING + stock_env())
    shop.add("a1", upgrade=TABLE, downgrade="op.drop_table('item')")
    shop.add("b2", "a1")
    path = shop.folder / "alembic.ini"
    path.write_text(path.read_text() + SECTIONS)
    return path


def test_what_a_run_returns(ini: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[events.Event] = []
    run = ibutsu_migrate.upgrade(ini, on_event=seen.append)
    assert (run.outcome, run.heads_before, run.heads) == ("done", (), ("b2",))
    assert [step.revision for step in run.steps] == ["a1", "b2"]
    assert {step.direction for step in run.steps} == {"upgrade"}
    assert run.steps[0].statements > 0
    assert {event.run for event in seen} == {run.run_id}
    assert [event.name for event in seen] == [
        "run_started",
        "plan_made",
        *("revision_started", "revision_done") * 2,
        "run_finished",
    ]
    again = ibutsu_migrate.upgrade(ini)
    assert (again.outcome, again.steps) == ("nothing to do", ())
    back = ibutsu_migrate.downgrade(ini, "base")
    assert [step.revision for step in back.steps] == ["b2", "a1"]
    stamped = ibutsu_migrate.stamp(Config(ini), "a1")
    assert (stamped.heads, stamped.steps[0].direction) == (("a1",), "stamp")
    assert pickle.loads(pickle.dumps(run)) == run
    assert capfd.readouterr() == ("", "")


def test_a_revision_that_fails(ini: Path, shop: Shop) -> None:
    path = shop.add("c3", "b2", "op.execute('SELECT 1/0')")
    with pytest.raises(ibutsu_migrate.MigrationFailedError) as caught:
        ibutsu_migrate.upgrade(ini)
    failure = caught.value.failure
    assert (failure.revision, failure.path, failure.line) == ("c3", str(path), 12)
    assert (failure.sqlstate, failure.statement) == ("22012", "SELECT 1/0")
    assert failure.message == "division by zero"
    assert failure.heads == ()
    assert failure.rolled_back
    assert caught.value.__cause__ is not None
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_errors_are_typed(ini: Path, database: Database) -> None:
    number = LockKey("public", "alembic_version").number
    with session(database) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (SPACE, number))
        with pytest.raises(LockWaitError):
            ibutsu_migrate.upgrade(ini, lock_wait="100ms")
    with pytest.raises(ConfigurationError, match="Did you mean 'lock_wait'"):
        ibutsu_migrate.upgrade(ini, lokc_wait=1)


def test_switched_off(ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBUTSU_MIGRATE", "off")
    with pytest.raises(RunError, match="there are no safe runs"):
        ibutsu_migrate.upgrade(ini)


def test_logging_stays_as_it_was(ini: Path) -> None:
    """Stock's env.py disables the loggers that exist, and takes the handlers away."""
    logger, handler = logging.getLogger("shop.orders"), logging.NullHandler()
    root = logging.getLogger()
    root.addHandler(handler)
    level = root.level
    try:
        ibutsu_migrate.upgrade(ini)
        assert not logger.disabled
        assert handler in root.handlers
        assert root.level == level
    finally:
        root.removeHandler(handler)


def test_in_threads(ini: Path, shop: Shop, database: Database) -> None:
    shop.add("c3", "b2", "op.create_table('effect', sa.Column('name', sa.Text))")
    shop.add("d4", "c3", EFFECT.format(name="d4"))
    before = set(threading.enumerate())
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: ibutsu_migrate.upgrade(ini), range(4)))
    assert sorted(len(run.steps) for run in runs) == [0, 0, 0, 4]
    assert query(database, "SELECT * FROM effect") == ["d4"]
    assert set(threading.enumerate()) <= before, "no thread of ours is left"


def test_in_an_event_loop(ini: Path) -> None:
    async def start() -> ibutsu_migrate.Run:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, ibutsu_migrate.upgrade, ini)

    assert asyncio.run(start()).heads == ("b2",)


def test_where_the_main_thread_has_a_loop(ini: Path) -> None:
    """Its wake-up file descriptor is put back."""

    async def start() -> str:
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, came.set)
        run = ibutsu_migrate.upgrade(ini)
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(came.wait(), 5)
        return run.outcome

    assert asyncio.run(start()) == "done"


def test_looking_from_python(ini: Path, database: Database) -> None:
    logger = logging.getLogger("shop.looked")
    plan = ibutsu_migrate.plan(ini)
    assert [each.revision for each in plan.revisions] == ["a1", "b2"]
    assert (plan.exit_code, plan.revisions[0].known) == (2, "offline")
    assert ibutsu_migrate.plan(Config(ini), "a1", sql=False).exit_code == 2
    assert ibutsu_migrate.verify(ini).exit_code == 2
    assert not logger.disabled
    assert query(database, "SELECT to_regclass('alembic_version') IS NULL") == ["t"]
    ibutsu_migrate.upgrade(ini)
    assert ibutsu_migrate.plan(ini).exit_code == 0
    assert ibutsu_migrate.verify(ini).exit_code == 0


def test_looking_from_threads(ini: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        plans = list(pool.map(ibutsu_migrate.plan, [ini] * 8))
    assert {plan.exit_code for plan in plans} == {2}
    assert len(set(map(repr, plans))) == 1


def test_a_connection_of_ones_own_stays_as_it_is(ini: Path, database: Database) -> None:
    env = stock_env().replace(
        "engine.connect()", "nullcontext(context.config.attributes['connection'])"
    )
    folder = ini.parent / "alembic" / "env.py"
    folder.write_text(f"from contextlib import nullcontext\n{env}")
    engine = sa.create_engine(database.url("psycopg2"))
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE TABLE item (id int)"))
        config = Config(ini)
        config.attributes["connection"] = connection
        found = ibutsu_migrate.plan(config)
        assert found.exit_code == 2
        for name in ("lock_timeout", "statement_timeout"):
            shown = connection.execute(sa.text(f"SHOW {name}")).scalar_one()
            assert shown == "0"
        assert connection.in_transaction()
    engine.dispose()
