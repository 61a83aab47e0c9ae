"""Safe runs through PgBouncer in transaction mode: ``make stress``.

Needs the program pgbouncer (Debian, Ubuntu: apt-get install pgbouncer).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg2
import pytest
from pgbouncer import started
from safe_runs import (
    ENVS,
    SAFE,
    TABLE,
    query,
    runs_statement,
    session,
    until,
    write_env,
)

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Cluster, Database

    from ..conftest import Shop

LIMITS = ("lock_timeout", "statement_timeout", "application_name")


@pytest.fixture(scope="module")
def bouncer(postgres_cluster: Cluster) -> Iterator[int]:
    """The port of a PgBouncer in front of the throwaway server."""
    with started(postgres_cluster) as port:
        yield port


@pytest.fixture(params=list(ENVS))
def safe(
    request: pytest.FixtureRequest, shop: Shop, database: Database, bouncer: int
) -> Shop:
    """Mode safe, through the pooler."""
    shop.environ.update(SAFE)
    url = f"postgresql+psycopg2://postgres@127.0.0.1:{bouncer}/{database.name}"
    shop.environ["DATABASE"] = url
    write_env(shop.folder, ENVS[request.param])
    shop.add("a1", upgrade=TABLE)
    return shop


def assert_nothing_leaked(database: Database, port: int) -> None:
    """All the pooler's connections to the server are as they were made."""
    where = f"host=127.0.0.1 port={port} user=postgres dbname={database.name}"
    asked = f"SELECT {', '.join(f'current_setting({name!r})' for name in LIMITS)}"
    connections = [psycopg2.connect(where) for _ in range(8)]
    for connection in connections:
        with connection.cursor() as cursor:
            cursor.execute(asked)
            *limits, name = cursor.fetchone() or ()
            assert limits == ["0", "0"]
            # The hook says this one when it connects; no run is called so.
            assert name in ("", "ibutsu_migrate")
    for connection in connections:
        connection.close()


def test_runners(safe: Shop, database: Database, bouncer: int) -> None:
    safe.add("b2", "a1", "op.execute('SELECT pg_sleep(1)')")
    safe.add(
        "c3",
        "b2",
        """with op.get_context().autocommit_block():
        op.create_index('item_n', 'item', ['n'], postgresql_concurrently=True)""",
    )
    runners = [safe.start("alembic", "upgrade", "head") for _ in range(4)]
    results = [safe.finish(runner) for runner in runners]
    assert [result.returncode for result in results] == [0] * 4, results
    assert query(database, "SELECT * FROM alembic_version") == ["c3"]
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'item_n'::regclass"
    assert query(database, valid) == ["t"]
    assert_nothing_leaked(database, bouncer)


def test_a_table_that_is_held(safe: Shop, database: Database, bouncer: int) -> None:
    safe.done("alembic", "upgrade", "head")
    safe.add("b2", "a1", "op.drop_table('item')")
    with session(database, application_name="a report") as report:
        report.execute("SELECT * FROM item")
        runner = safe.start("alembic", "upgrade", "head")
        time.sleep(4)
    result = safe.finish(runner)
    assert result.returncode == 0, result.stderr
    assert "(a report), idle in transaction" in result.stderr
    assert "b2: no lock within 1s; taken back" in result.stderr
    assert_nothing_leaked(database, bouncer)


def test_signals_and_kills(safe: Shop, database: Database, bouncer: int) -> None:
    path = safe.add("b2", "a1", "op.execute('SELECT pg_sleep(60)')")
    runner = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    begun = time.monotonic()
    runner.send_signal(signal.SIGTERM)
    result = safe.finish(runner)
    assert result.returncode == 143, result.stderr
    assert time.monotonic() - begun < 5
    runner = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    runner.kill()
    runner.communicate()
    path.write_text(path.read_text().replace("60", "0"))
    result = safe.run("alembic", "upgrade", "head")
    assert result.returncode == 0, result.stderr
    assert query(database, "SELECT * FROM alembic_version") == ["b2"]
    assert_nothing_leaked(database, bouncer)
