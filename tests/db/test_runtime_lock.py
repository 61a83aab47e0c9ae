"""The lock of safe runs: real processes, started together, killed, cut off."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from safe_runs import (
    EACH_ITS_OWN,
    EFFECT,
    ENVS,
    OUTSIDE,
    SAFE,
    TABLE,
    UNTIL_GO,
    query,
    runs_statement,
    session,
    stock_env,
    until,
    until_says,
    write_env,
)

from ibutsu_migrate.runtime.names import (
    SPACE,
    LockKey,
    control_name,
    new_run_id,
    read_name,
)

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

EFFECTS = "op.create_table('effect', sa.Column('name', sa.Text))"


@pytest.fixture
def safe(shop: Shop) -> Shop:
    """An untouched env.py on psycopg2, one transaction for all; mode safe."""
    shop.environ.update(SAFE)
    write_env(shop.folder, stock_env())
    return shop


@pytest.mark.parametrize("block", ["inside", "outside"])
@pytest.mark.parametrize("env", list(ENVS))
def test_runners_on_an_empty_database(
    env: str, block: str, safe: Shop, database: Database
) -> None:
    write_env(safe.folder, ENVS[env])
    effect = OUTSIDE if block == "outside" else EFFECT
    safe.add("a1", upgrade=EFFECTS)
    safe.add("b2", "a1", effect.format(name="b2"))
    safe.add("c3", "b2", "op.execute('SELECT pg_sleep(0.3)')")
    safe.add("d4", "c3", effect.format(name="d4"))
    runners = [safe.start("alembic", "upgrade", "head") for _ in range(5)]
    results = [safe.finish(runner) for runner in runners]
    assert [result.returncode for result in results] == [0] * 5, results
    assert query(database, "SELECT name FROM effect ORDER BY 1") == ["b2", "d4"]
    assert query(database, "SELECT * FROM alembic_version") == ["d4"]
    ends = [result.stderr.splitlines()[-1] for result in results]
    assert sum("done: 4 revisions" in line for line in ends) == 1
    idle = [line for line in ends if "nothing to do: the database is at d4" in line]
    assert len(idle) == 4


@pytest.mark.parametrize(
    "command", ["upgrade head", "downgrade base", "stamp head", "ensure_version"]
)
def test_a_waiter_names_the_holder_and_gives_up(
    command: str, safe: Shop, database: Database
) -> None:
    safe.add("a1", upgrade=TABLE)
    run_id = new_run_id()
    name = control_name(run_id, "a1")
    number = LockKey("public", "alembic_version").number
    with session(database, application_name=name) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (SPACE, number))
        result = safe.run("alembic", *command.split(), IBUTSU_MIGRATE_LOCK_WAIT="1s")
    assert result.returncode == 1
    owner = read_name(name)
    assert f"held by run {run_id} ({owner.host}:{owner.pid}, backend " in result.stderr
    assert ", which is at a1; waited 0.0" in result.stderr
    assert "FAILED: Another run holds the lock of public.alembic_version (run" in (
        result.stderr
    )
    assert "(lock_wait is 1s). Nothing was done." in result.stderr
    assert "Traceback" not in result.stderr
    assert query(database, "SELECT to_regclass('alembic_version') IS NULL") == ["t"]


def test_those_who_look_do_not_wait(safe: Shop, database: Database) -> None:
    safe.add("a1", upgrade=TABLE)
    safe.done("alembic", "upgrade", "head")
    number = LockKey("public", "alembic_version").number
    with session(database) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (SPACE, number))
        for command in (
            ("current",),
            ("show", "current"),
            ("check",),
            ("history", "-i"),
            ("upgrade", "a1:head", "--sql"),
        ):
            result = safe.run("alembic", *command)
            assert "waiting for the lock" not in result.stderr
            assert result.returncode == 0 or "a MetaData object" in result.stdout


def test_two_version_tables_do_not_know_each_other(
    safe: Shop, database: Database
) -> None:
    safe.add("a1", upgrade=TABLE)
    number = LockKey("public", "another_version").number
    with session(database) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (SPACE, number))
        safe.done("alembic", "upgrade", "head")
    write_env(safe.folder, stock_env(configure="version_table='another_version'"))
    with session(database) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (SPACE, number))
        result = safe.run("alembic", "stamp", "head", IBUTSU_MIGRATE_LOCK_WAIT="0")
    assert "the lock of public.another_version" in result.stderr


def test_an_index_is_built_beside_waiters(safe: Shop, database: Database) -> None:
    """A lock call that blocks would hold a snapshot that the build waits for."""
    index = """with op.get_context().autocommit_block():
        op.create_index('item_n', 'item', ['n'], postgresql_concurrently=True)"""
    safe.add("a1", upgrade=TABLE)
    safe.add("b2", "a1", UNTIL_GO)
    safe.add("c3", "b2", index)
    leader = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    waiters = [safe.start("alembic", "upgrade", "head") for _ in range(2)]
    for waiter in waiters:
        until_says(waiter, "waiting for the lock")
    (safe.folder / "go").touch()
    results = [safe.finish(runner) for runner in (leader, *waiters)]
    assert [result.returncode for result in results] == [0, 0, 0], results
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'item_n'::regclass"
    assert query(database, valid) == ["t"]


def test_the_lock_holds_nothing_back(safe: Shop, database: Database) -> None:
    """No snapshot, no transaction id; not ended by the server's own limits."""
    limit = "idle_in_transaction_session_timeout = 500"
    database.cluster.psql(f'ALTER DATABASE "{database.name}" SET {limit}')
    safe.add("a1", upgrade=UNTIL_GO)
    runner = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    time.sleep(1)
    held = (
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        f"WHERE locktype = 'advisory' AND classid = {SPACE} AND objsubid = 2 "
        "AND a.state = 'idle in transaction' AND a.backend_xmin IS NULL "
        "AND a.backend_xid IS NULL"
    )
    # The watcher's own looks have a snapshot, for milliseconds.
    until(lambda: query(database, held) == ["1"])
    (safe.folder / "go").touch()
    result = safe.finish(runner)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("env", [*ENVS, "external"])
def test_impatient_limits_end_nobody(env: str, safe: Shop, database: Database) -> None:
    """The role's or the database's: leader, waiter and history do without them."""
    begun = stock_env(before="connection.execute(text('SELECT 1')); connection.info")
    write_env(safe.folder, ENVS.get(env, f"{begun}        connection.commit()\n"))
    safe.add("a1", upgrade=f"{EFFECTS}\n    {UNTIL_GO}")
    safe.add("b2", "a1", "__import__('time').sleep(1.5)")
    safe.add("c3", "b2", EFFECT.format(name="c3"))
    for limit in limits_of(database, own=env == "external"):
        query(database, f"ALTER DATABASE \"{database.name}\" SET {limit} = '1s'")
    leader = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    waiter = safe.start("alembic", "upgrade", "head")
    until_says(waiter, "waiting for the lock")
    time.sleep(3)
    (safe.folder / "go").touch()
    results = [safe.finish(runner) for runner in (leader, waiter)]
    assert [result.returncode for result in results] == [0, 0], results
    assert "warning" not in results[0].stderr
    assert "nothing to do: the database is at c3" in results[1].stderr
    written = "SELECT outcome, heads_after, count(*) FROM ibutsu_migrate.run r "
    written += "JOIN ibutsu_migrate.step s ON s.run = r.id GROUP BY 1, 2"
    assert query(database, written) == ["done|{c3}|3"]


def limits_of(database: Database, *, own: bool) -> list[str]:
    """Settings; where the caller has begun the transaction, how long it may last is
    the caller's business."""
    found = [
        *("idle_session_timeout", "idle_in_transaction_session_timeout"),
        *("statement_timeout", "lock_timeout"),
    ]
    if not own and int(query(database, "SHOW server_version_num")[0]) >= 170000:
        found.append("transaction_timeout")
    return found


def test_the_leader_is_killed(safe: Shop, database: Database) -> None:
    safe.add("a1", upgrade=EFFECTS)
    late = "op.execute('SELECT pg_sleep(30)') if __import__('os').environ.get('SLOW') "
    safe.add("b2", "a1", f"{EFFECT.format(name='b2')}\n    {late}else None")
    leader = safe.start("alembic", "upgrade", "head", SLOW="1")
    until(runs_statement(database, "pg_sleep"))
    waiter = safe.start("alembic", "upgrade", "head")
    until_says(waiter, "waiting for the lock")
    leader.kill()
    killed = time.monotonic()
    leader.communicate()
    result = safe.finish(waiter)
    assert result.returncode == 0, result.stderr
    assert time.monotonic() - killed < 5
    assert query(database, "SELECT * FROM effect") == ["b2"]
    assert query(database, "SELECT * FROM alembic_version") == ["b2"]


def test_an_orphan_is_waited_for(safe: Shop, database: Database) -> None:
    """A backend that goes on working when its runner is dead."""
    safe.add("a1", upgrade=TABLE)
    key = LockKey("public", "alembic_version").hex
    name = f"ibutsu_migrate/0123abcd key={key}"
    with session(database, application_name=name) as orphan:
        orphan.execute("SELECT 'left alone'")
        runner = safe.start("alembic", "upgrade", "head")
        held = f"SELECT count(*) FROM pg_locks WHERE classid = {SPACE}"
        until(lambda: query(database, held) != ["0"])
        time.sleep(1)
        assert query(database, "SELECT to_regclass('item') IS NULL") == ["t"]
    result = safe.finish(runner)
    assert result.returncode == 0, result.stderr
    assert re.search(
        r"backend \d+ of run 0123abcd, which is dead, is still idle in transaction; "
        r"waiting for its end: SELECT 'left alone'",
        result.stderr,
    )


def test_an_orphan_is_terminated_when_asked_for(safe: Shop, database: Database) -> None:
    safe.add("a1", upgrade=TABLE)
    key = LockKey("public", "alembic_version").hex
    name = f"ibutsu_migrate/0123abcd key={key}"
    with session(database, application_name=name) as orphan:
        orphan.execute("SELECT 1")
        result = safe.run(
            "alembic", "upgrade", "head", IBUTSU_MIGRATE_TERMINATE_BLOCKERS_AFTER="1s"
        )
    assert result.returncode == 0, result.stderr
    assert "is still idle in transaction; terminated: SELECT 1" in result.stderr


@pytest.mark.parametrize("configure", ["", EACH_ITS_OWN])
def test_a_lost_lock_stops_the_run_before_it_writes(
    configure: str, safe: Shop, database: Database
) -> None:
    write_env(safe.folder, stock_env(configure=configure))
    safe.add("a1", upgrade=TABLE)
    safe.done("alembic", "upgrade", "head")
    safe.add("b2", "a1", "op.execute('SELECT pg_sleep(1.5)')")
    runner = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    query(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
        f"AND classid = {SPACE}",
    )
    result = safe.finish(runner)
    assert result.returncode == 1
    assert "FAILED: The lock of public.alembic_version is lost" in result.stderr
    assert "failed: 0 revisions" in result.stderr
    assert "the database is at a1" in result.stderr
    assert query(database, "SELECT * FROM alembic_version") == ["a1"]
