"""The history: what is written down, and that it stops nothing."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from safe_runs import (
    ENVS,
    SAFE,
    TABLE,
    query,
    runs_statement,
    session,
    stock_env,
    until,
    write_env,
)

from ibutsu_migrate.runtime.checksum import checksum_of
from ibutsu_migrate.runtime.history import PastRun, read_history

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop


@pytest.fixture(params=["one", "each"])
def safe(request: pytest.FixtureRequest, shop: Shop) -> Shop:
    """Mode safe, with a1 and b2; nothing applied."""
    shop.environ.update(SAFE)
    write_env(shop.folder, ENVS[request.param])
    shop.add("a1", upgrade=TABLE, downgrade="op.drop_table('item')")
    shop.add("b2", "a1")
    return shop


def history(database: Database) -> list[PastRun]:
    """The oldest first."""
    engine = sa.create_engine(database.url("psycopg2"))
    with engine.connect() as connection:
        found = read_history(connection)
    engine.dispose()
    json.dumps([run.as_json() for run in found])
    return list(reversed(found))


def test_what_is_written(safe: Shop, database: Database) -> None:
    assert history(database) == []
    safe.done("alembic", "upgrade", "head", GIT_SHA="abc123")
    safe.done("alembic", "upgrade", "head")
    safe.done("alembic", "downgrade", "-1")
    safe.done("alembic", "stamp", "head")
    up, down, stamp = history(database)
    assert (up.operation, up.target, up.outcome) == ("upgrade", "head", "done")
    assert (up.heads_before, up.heads_after) == ((), ("b2",))
    assert (up.version_table, up.database_user) == (
        "public.alembic_version",
        "postgres",
    )
    assert (up.program, up.code_version) == ("alembic", "abc123")
    assert up.finished is not None
    assert up.finished >= up.started
    assert [step.revision for step in up.steps] == ["a1", "b2"]
    assert [step.committed for step in up.steps] == [True, True]
    assert up.steps[0].checksum == checksum_of(safe.versions / "a1_.py")
    assert (up.steps[0].message, up.steps[0].direction) == ("make a1", "upgrade")
    assert (down.operation, down.target, down.heads_after) == (
        "downgrade",
        "-1",
        ("a1",),
    )
    assert (stamp.operation, stamp.steps[0].direction) == ("stamp", "stamp")


def test_failures_and_interruptions(safe: Shop, database: Database) -> None:
    path = safe.add("c3", "b2", "op.execute('SELECT 1/0')")
    assert safe.run("alembic", "upgrade", "head").returncode == 1
    path.write_text(path.read_text().replace("1/0", "pg_sleep(60)"))
    runner = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    runner.send_signal(signal.SIGTERM)
    assert safe.finish(runner).returncode == 143
    runner = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    runner.kill()
    runner.communicate()
    path.write_text(path.read_text().replace("pg_sleep(60)", "1"))
    safe.done("alembic", "upgrade", "head")
    failed, interrupted, died, done = history(database)
    assert failed.outcome == "failed"
    assert failed.error == "DivisionByZero: division by zero"
    each = failed.heads_after == ("b2",)
    assert [step.committed for step in failed.steps] == [each, each]
    assert interrupted.outcome == "interrupted"
    assert interrupted.error == "Interrupted: stopped by SIGTERM"
    assert (died.outcome, died.finished) == ("died", None)
    assert (done.outcome, done.heads_after) == ("done", ("c3",))


def test_switched_off(safe: Shop, database: Database) -> None:
    safe.done("alembic", "upgrade", "head", IBUTSU_MIGRATE_HISTORY="off")
    assert query(database, "SELECT to_regnamespace('ibutsu_migrate') IS NULL") == ["t"]


def test_no_rights_is_one_warning(safe: Shop, database: Database) -> None:
    role = "shop_migrator"
    query(
        database,
        f"CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}",
    )
    url = database.url("psycopg2").replace("postgres@", f"{role}@")
    result = safe.run("alembic", "upgrade", "head", DATABASE=url)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("the history cannot be written (permission denied") == 1
    assert query(database, "SELECT * FROM alembic_version") == ["b2"]
    query(database, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_history_that_is_locked_stops_nothing(safe: Shop, database: Database) -> None:
    safe.done("alembic", "upgrade", "a1")
    with session(database) as other:
        other.execute("LOCK TABLE ibutsu_migrate.run")
        result = safe.run("alembic", "upgrade", "head")
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("the history cannot be written") == 1


def test_autogenerate_does_not_see_it(safe: Shop, database: Database) -> None:
    """Also where it looks at all schemas."""
    safe.done("alembic", "upgrade", "head")
    query(database, "DROP TABLE item")
    configure = (
        "target_metadata=__import__('sqlalchemy').MetaData(), include_schemas=True"
    )
    write_env(safe.folder, stock_env(configure=configure))
    result = safe.run("alembic", "check")
    assert result.returncode == 0, result.stdout + result.stderr
