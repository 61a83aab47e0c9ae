"""``ibutsu-migrate log``: the runs a database remembers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from safe_runs import SAFE, TABLE, query, runs_statement, stock_env, until, write_env

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop


@pytest.fixture
def safe(shop: Shop) -> Shop:
    """Mode safe, with a1 and b2; nothing applied."""
    shop.environ.update(SAFE)
    write_env(shop.folder, stock_env())
    shop.add("a1", upgrade=TABLE, downgrade="op.drop_table('item')")
    shop.add("b2", "a1")
    return shop


def told(shop: Shop, *more: str) -> list[dict[str, Any]]:
    found = json.loads(shop.done("ibutsu-migrate", "log", "--json", *more))
    assert found["schema"] == "ibutsu-migrate/log/1"
    runs: list[dict[str, Any]] = found["runs"]
    return runs


def test_nothing_yet(safe: Shop) -> None:
    assert told(safe) == []
    said = safe.done("ibutsu-migrate", "log")
    assert said.startswith("No run is written down in this database: mode safe does")
    safe.done("alembic", "upgrade", "head", IBUTSU_MIGRATE="fast")
    assert told(safe) == []


def test_runs(safe: Shop) -> None:
    safe.done("alembic", "upgrade", "head", GIT_SHA="abc123")
    safe.done("alembic", "downgrade", "-1")
    down, up = told(safe)
    assert [
        up[name] for name in ("operation", "target", "outcome", "code_version")
    ] == [*("upgrade", "head", "done", "abc123")]
    assert (up["heads_before"], up["heads_after"]) == ([], ["b2"])
    assert 0 < up["seconds"] < 60
    assert up["lock_seconds"] == 0
    assert [step["revision"] for step in up["steps"]] == ["a1", "b2"]
    assert down["steps"][0]["direction"] == "downgrade"
    assert told(safe, "-n", "1") == [down]
    assert told(safe, "-n0") == [down, up]
    said = safe.done("ibutsu-migrate", "log")
    pattern = (
        rf"run {down['id']}: downgrade -1: done in \d\.\d\d s\n"
        r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, \w+ on \S+, process \d+ \(alembic\), "
        r"database user postgres\n"
        r"  code version not known, ibutsu-migrate \S+\n"
        r"  from b2 to a1; 1 step, longest wait for a table 0.00 s\n"
        r"    downgrade b2 make b2: \d\.\d\d s, \d statements?\n\n"
        rf"run {up['id']}: upgrade head: done in [\s\S]*"
        r"  code version abc123, [\s\S]*  from no revision to b2; 2 steps"
    )
    assert re.match(pattern, said), said


def test_failed_going_on_and_killed(safe: Shop, database: Database) -> None:
    path = safe.add("c3", "b2", "op.execute('SELECT 1/0')")
    assert safe.run("alembic", "upgrade", "head").returncode == 1
    path.write_text(path.read_text().replace("1/0", "pg_sleep(60)"))
    runner = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    going, failed = told(safe)
    said = safe.done("ibutsu-migrate", "log")
    runner.kill()
    runner.communicate()
    assert (going["outcome"], failed["outcome"]) == (None, "failed")
    assert f"run {going['id']}: upgrade head: going on\n" in said
    assert "\n  DivisionByZero: division by zero\n" in said
    assert re.search(r"upgrade a1 make a1: .* taken back\n", said)
    # Nobody has written its end; no connection of it is left.
    until(lambda: told(safe)[0]["outcome"] == "died")
    assert f"run {going['id']}: upgrade head: died\n" in safe.done(
        "ibutsu-migrate", "log"
    )


def test_two_version_tables(safe: Shop) -> None:
    safe.done("alembic", "upgrade", "a1")
    env = stock_env(configure="version_table='second'")
    write_env(safe.folder, env)
    safe.done("alembic", "stamp", "head")
    said = safe.done("ibutsu-migrate", "log")
    assert ": stamp head of public.second: done" in said
    assert ": upgrade a1 of public.alembic_version: done" in said


def test_sqlite(sqlite_shop: Shop) -> None:
    sqlite_shop.add("a1")
    said = sqlite_shop.done("ibutsu-migrate", "log")
    assert said == "There is no history on sqlite: only PostgreSQL has one.\n"
    found = json.loads(sqlite_shop.done("ibutsu-migrate", "log", "--json"))
    assert (found["history"], found["database"]) == ("unsupported", "sqlite")


def test_rights_on_the_history(safe: Shop, database: Database) -> None:
    safe.done("alembic", "upgrade", "head")
    role = "shop_reader"
    query(
        database,
        f"CREATE ROLE {role} LOGIN; GRANT SELECT ON alembic_version TO {role}",
    )
    url = database.url("psycopg2").replace("postgres@", f"{role}@")
    result = safe.run("ibutsu-migrate", "log", DATABASE=url)
    assert result.returncode == 255
    grant = f'GRANT USAGE ON SCHEMA "ibutsu_migrate" TO "{role}"'
    assert grant in result.stderr
    query(
        database,
        f"{grant}; GRANT SELECT ON ALL TABLES IN SCHEMA ibutsu_migrate TO {role}",
    )
    result = safe.run("ibutsu-migrate", "log", DATABASE=url)
    assert (result.returncode, result.stderr) == (0, "")
    query(database, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_number(safe: Shop) -> None:
    for wrong in ("-1", "x", "1.5", ""):
        result = safe.run("ibutsu-migrate", "log", f"--number={wrong}")
        assert (result.returncode, result.stdout) == (2, "")
        assert "is no number" in result.stderr
