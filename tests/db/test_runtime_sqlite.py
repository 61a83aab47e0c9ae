"""Safe runs on SQLite: a lock on a file beside the database."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from safe_runs import EFFECT, SAFE, stock_env, until, write_env

if TYPE_CHECKING:
    from .conftest import Shop


@pytest.fixture
def safe(sqlite_shop: Shop) -> Shop:
    """Mode safe on a file that is not there yet."""
    sqlite_shop.environ.update(SAFE)
    write_env(sqlite_shop.folder, stock_env())
    return sqlite_shop


def path_of(shop: Shop) -> Path:
    return Path(shop.url.removeprefix("sqlite:///"))


def test_runners_on_a_new_file(safe: Shop) -> None:
    safe.add("a1", upgrade="op.create_table('effect', sa.Column('name', sa.Text))")
    safe.add("b2", "a1", "__import__('time').sleep(0.3)")
    safe.add("c3", "b2", EFFECT.format(name="c3"))
    runners = [safe.start("alembic", "upgrade", "head") for _ in range(3)]
    results = [safe.finish(runner) for runner in runners]
    assert [result.returncode for result in results] == [0] * 3, results
    assert any("waiting for the lock, held by run" in each.stderr for each in results)
    with sqlite3.connect(path_of(safe)) as connection:
        assert connection.execute("SELECT * FROM effect").fetchall() == [("c3",)]
    connection.close()
    assert list(path_of(safe).parent.glob(".*ibutsu_migrate")) == []


def test_a_waiter_gives_up_and_a_dead_holder_is_no_holder(safe: Shop) -> None:
    safe.add("a1", upgrade="__import__('time').sleep(60)")
    holder = safe.start("alembic", "upgrade", "head")
    lock = path_of(safe).with_name(f".{path_of(safe).name}.ibutsu_migrate")
    until(lambda: lock.exists() and lock.read_text())
    result = safe.run("alembic", "stamp", "head", IBUTSU_MIGRATE_LOCK_WAIT="0.5s")
    assert result.returncode == 1
    assert f"FAILED: Another run holds the lock of {lock}" in result.stderr
    assert f":{holder.pid})" in result.stderr
    holder.kill()
    holder.communicate()
    safe.done("alembic", "stamp", "head", IBUTSU_MIGRATE_LOCK_WAIT="0")
