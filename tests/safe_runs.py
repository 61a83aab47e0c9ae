"""Shops for tests of safe runs, and looks at the server they run on."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

SAFE = {"IBUTSU_MIGRATE": "safe"}

# As `alembic init` writes it, but for the database's place: one transaction for all.
STOCK_ENV = """
import os
from alembic import context
from sqlalchemy import create_engine, pool, text

if context.is_offline_mode():
    context.configure(url=os.environ["DATABASE"])
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(os.environ["DATABASE"]{engine})
    with engine.connect() as connection:
        {before}
        context.configure(connection=connection{configure})
        with context.begin_transaction():
            context.run_migrations()
"""


def stock_env(engine: str = "", before: str = "pass", configure: str = "") -> str:
    """An env.py without this package.

    Args:
        engine: More arguments of ``create_engine``.
        before: A statement between connecting and ``context.configure``.
        configure: More arguments of that.
    """
    return STOCK_ENV.format(
        engine=f", {engine}" if engine else "",
        before=before,
        configure=f", {configure}" if configure else "",
    )


HOOK_ENV = """
from ibutsu_migrate.env import run_migrations
from shop import create_app

run_migrations(create_app)
"""

EACH_ITS_OWN = "transaction_per_migration=True"

ENVS = {
    "one": stock_env(),
    "each": stock_env(configure=EACH_ITS_OWN),
    "hook": HOOK_ENV,
    "pipeline": HOOK_ENV.replace("create_app)", "create_app, pipeline=True)"),
}
"""On psycopg2 with one transaction for all and one for each; on the C driver."""

TABLE = "op.create_table('item', sa.Column('id', sa.Integer), sa.Column('n', sa.Text))"
OUTSIDE = """with op.get_context().autocommit_block():
        op.execute("INSERT INTO effect VALUES ('{name}')")"""
EFFECT = "op.execute(\"INSERT INTO effect VALUES ('{name}')\")"


UNTIL_GO = """while not __import__('os').path.exists('go'):
        op.execute('SELECT pg_sleep(0.1)')"""


def write_env(folder: Path, text: str) -> None:
    """Replace a shop's env.py."""
    (folder / "alembic" / "env.py").write_text(text)


def query(database: Database, sql: str) -> list[str]:
    """The rows of a statement, as text."""
    return database.cluster.psql(sql, database.name).split()


def until(condition: Callable[[], object], seconds: float = 30) -> float:
    """Wait for something; the seconds it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it did not come"
        time.sleep(0.02)
    return time.monotonic() - begun


def runs_statement(database: Database, part: str) -> Callable[[], bool]:
    """Whether a migration of ours is executing a statement with this text."""

    def condition() -> bool:
        return query(database, _RUNNING.format(part)) != ["0"]

    return condition


def until_says(process: subprocess.Popen[str], text: str, seconds: float = 30) -> str:
    """Wait until a program has said something on stderr; what it said so far."""
    assert process.stderr is not None
    said, end = b"", time.monotonic() + seconds
    while text.encode() not in said:
        left = end - time.monotonic()
        ready = select.select([process.stderr], [], [], max(left, 0))[0]
        part = os.read(process.stderr.fileno(), 65536) if ready else b""
        assert part, said.decode()
        said += part
    return said.decode()


_RUNNING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active'
  AND application_name LIKE 'ibutsu_migrate/%' AND query LIKE '%{}%'
"""


@contextmanager
def session(database: Database, **options: Any) -> Iterator[Any]:
    """A cursor of somebody else, who is in a transaction."""
    connection = psycopg2.connect(database.dsn, **options)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
