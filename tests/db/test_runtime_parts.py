"""What a revision has committed before it fails: known, and never done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from safe_runs import EACH_ITS_OWN, ENVS, SAFE, query, stock_env, write_env

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

PART = "a part of revision b2 was committed before it failed"
NOTHING = "nothing of revision b2 is left in it"
DIVIDE = "op.execute('SELECT 1/0')"
COUNTS = "op.execute('SELECT count_up()')"

# What b2 does, what is said when it fails, and how often it counted.
CASES = {
    "script": ("op.execute('SELECT count_up(); COMMIT')\n    " + DIVIDE, PART, 1),
    "after a rollback": (
        f"op.execute('ROLLBACK')\n    {COUNTS}\n    {DIVIDE}",
        PART,
        1,
    ),
    "query outside": (
        f"""with op.get_context().autocommit_block():
        {COUNTS}
    {DIVIDE}""",
        PART,
        1,
    ),
    "query before": (
        f"""{COUNTS}
    with op.get_context().autocommit_block():
        op.execute('SET work_mem = 1234')
    {DIVIDE}""",
        PART,
        1,
    ),
    "empty block": (
        f"""with op.get_context().autocommit_block():
        op.execute('SET work_mem = 1234')
    {COUNTS}
    {DIVIDE}""",
        NOTHING,
        0,
    ),
    "first of a block": (
        f"""with op.get_context().autocommit_block():
        {DIVIDE}""",
        NOTHING,
        0,
    ),
    "invalid index": (
        """with op.get_context().autocommit_block():
        op.create_index('n', 'counted', ['n'], unique=True,
            postgresql_concurrently=True)""",
        PART,
        2,
    ),
}


@pytest.fixture(params=["one", "each", "hook", "pipeline"])
def safe(request: pytest.FixtureRequest, shop: Shop, database: Database) -> Shop:
    """Mode safe, at a1, which made a table and a function that counts in it."""
    shop.environ.update(SAFE)
    write_env(shop.folder, ENVS[request.param])
    shop.add("a1")
    shop.done("alembic", "upgrade", "head")
    query(
        database,
        "CREATE TABLE counted (n int); CREATE FUNCTION count_up() RETURNS int "
        "LANGUAGE sql AS 'INSERT INTO counted VALUES (1) RETURNING n'",
    )
    return shop


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_is_told(case: str, safe: Shop, database: Database) -> None:
    work, told, counted = CASES[case]
    if case == "invalid index":
        query(database, "INSERT INTO counted VALUES (1), (1)")
    safe.add("b2", "a1", work)
    result = safe.run("alembic", "upgrade", "head")
    assert result.returncode == 1
    assert told in result.stderr
    assert "The database is at a1" in result.stderr
    assert query(database, "SELECT count(*) FROM counted") == [str(counted)]


@pytest.mark.parametrize("configure", ["", EACH_ITS_OWN])
def test_a_commit_that_waits_is_not_taken_for_done(
    configure: str, shop: Shop, database: Database
) -> None:
    """The version is written, and COMMIT fails: what was committed before stays so."""
    shop.environ.update(SAFE, IBUTSU_MIGRATE_LOCK_PATIENCE="0")
    write_env(shop.folder, stock_env(configure=configure))
    query(
        database,
        "CREATE TABLE other (n int PRIMARY KEY); CREATE TABLE counted (n int "
        "REFERENCES other DEFERRABLE INITIALLY DEFERRED)",
    )
    shop.add(
        "b2",
        None,
        """with op.get_context().autocommit_block():
        op.execute('CREATE TABLE once (id int)')
    op.execute('INSERT INTO counted VALUES (1)')""",
    )
    result = shop.run("alembic", "upgrade", "head")
    assert result.returncode == 1
    assert "(23503)" in result.stderr
    assert "b2 was committed before it failed" in result.stderr or not configure
    assert query(database, "SELECT to_regclass('once') IS NULL") == ["f"]
