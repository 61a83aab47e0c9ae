"""Safe runs with the env.py files that people have."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from safe_runs import (
    EACH_ITS_OWN,
    EFFECT,
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

from ibutsu_migrate.errors import LockWaitError, RunError
from ibutsu_migrate.runtime.names import SPACE, LockKey

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

OUTER_TRANSACTION = """
import os
from alembic import context
from sqlalchemy import create_engine

with create_engine(os.environ["DATABASE"]).begin() as connection:
    context.configure(connection=connection)
    context.run_migrations()
"""

COMMITS_ITSELF = """
import os
from alembic import context
from sqlalchemy import create_engine

with create_engine(os.environ["DATABASE"]).connect() as connection:
    context.configure(connection=connection)
    context.run_migrations()
    connection.commit()
"""

WITHOUT_WITH = """
import os
from alembic import context
from sqlalchemy import create_engine

connection = create_engine(os.environ["DATABASE"]).connect()
context.configure(connection=connection)
transaction = context.begin_transaction()
context.run_migrations()
transaction.commit()
"""

GIVEN = """
from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
"""

CREATOR = """
import os
import psycopg2
from alembic import context
from sqlalchemy import create_engine, event

def connect():
    return psycopg2.connect(os.environ["DSN"])

engine = create_engine("postgresql+psycopg2://", creator=connect)

@event.listens_for(engine, "connect")
def become_owner(connection, record):
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE shop_owner")
    connection.commit()

with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""

TWO_DATABASES = """
import os
from alembic import context
from sqlalchemy import create_engine

engines = [create_engine(os.environ[name]) for name in ("DATABASE", "OTHER")]
for engine in engines:
    with engine.connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"""

POOL_OF_ONE = "poolclass=pool.QueuePool, pool_size=1, max_overflow=0, pool_timeout=3"

ENVS = {
    "one transaction": stock_env(),
    "one each": stock_env(configure=EACH_ITS_OWN),
    "pool of one": stock_env(POOL_OF_ONE),
    "static pool": stock_env("poolclass=pool.StaticPool"),
    "autocommit": stock_env("isolation_level='AUTOCOMMIT'"),
    "serializable": stock_env("isolation_level='SERIALIZABLE'"),
    "serializable, one each": stock_env(
        "isolation_level='SERIALIZABLE'", configure=EACH_ITS_OWN
    ),
    "outer transaction": OUTER_TRANSACTION,
    "commits itself": COMMITS_ITSELF,
    "without with": WITHOUT_WITH,
}


@pytest.fixture
def safe(shop: Shop) -> Shop:
    """Mode safe; env.py is the test's."""
    shop.environ.update(SAFE)
    return shop


@pytest.mark.parametrize("env", ENVS)
def test_runners_with_every_env(env: str, safe: Shop, database: Database) -> None:
    """The second waits, with its own connection open, and finds nothing to do."""
    write_env(safe.folder, ENVS[env])
    safe.add("a1", upgrade="op.create_table('effect', sa.Column('name', sa.Text))")
    safe.add("b2", "a1", UNTIL_GO)
    safe.add("c3", "b2", EFFECT.format(name="c3"))
    leader = safe.start("alembic", "upgrade", "head")
    until(runs_statement(database, "pg_sleep"))
    follower = safe.start("alembic", "upgrade", "head")
    said = until_says(follower, "waiting for the lock")
    (safe.folder / "go").touch()
    results = [safe.finish(leader), safe.finish(follower)]
    assert [result.returncode for result in results] == [0, 0], results
    assert query(database, "SELECT * FROM effect") == ["c3"]
    assert query(database, "SELECT * FROM alembic_version") == ["c3"]
    assert "done: 3 revisions" in results[0].stderr
    said += results[1].stderr
    assert "nothing to do: the database is at c3" in said
    for program in ("downgrade base", "stamp head", "downgrade base"):
        result = safe.run("alembic", *program.split())
        assert result.returncode in (0, 1), result
        if program != "downgrade base":
            assert query(database, "SELECT * FROM alembic_version") == ["c3"]
    assert query(database, "SELECT * FROM alembic_version") == []


def test_a_lost_commit_is_told(safe: Shop, database: Database) -> None:
    """Stock exits 0, having done nothing: a statement of env.py began a transaction."""
    write_env(
        safe.folder, stock_env(before="connection.execute(text('SELECT 1')).all()")
    )
    safe.add("a1", upgrade=TABLE)
    assert safe.run("alembic", "upgrade", "head", IBUTSU_MIGRATE="off").returncode == 0
    assert query(database, "SELECT to_regclass('item') IS NULL") == ["t"]
    result = safe.run("alembic", "upgrade", "head")
    assert result.returncode == 1
    assert "FAILED: The run applied 1 revisions, and the database is still at no" in (
        result.stderr
    )
    assert "env.py did not commit them" in result.stderr


def test_the_engine_s_own_way_in(safe: Shop, database: Database) -> None:
    """A creator, and a connect event: the control connection comes by both."""
    database.cluster.psql(
        "CREATE ROLE shop_owner; GRANT ALL ON SCHEMA public TO shop_owner",
        database.name,
    )
    write_env(safe.folder, CREATOR)
    safe.add("a1", upgrade=TABLE)
    safe.add("b2", "a1", "op.execute('SELECT pg_sleep(1.5)')")
    runner = safe.start("alembic", "upgrade", "head", DSN=database.dsn)
    until(runs_statement(database, "pg_sleep"))
    result = safe.finish(runner)
    assert result.returncode == 0, result.stderr
    owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'item'"
    assert query(database, owner) == ["shop_owner"]
    database.cluster.psql(
        "REASSIGN OWNED BY shop_owner TO postgres; DROP OWNED BY shop_owner; "
        "DROP ROLE shop_owner",
        database.name,
    )


def test_the_version_table_is_found_where_alembic_finds_it(
    safe: Shop, database: Database
) -> None:
    """A search_path of the connection: the lock is that of the table meant."""
    query(database, "CREATE SCHEMA tenant")
    before = (
        "connection.execute(text('SET search_path TO tenant')); connection.commit()"
    )
    write_env(safe.folder, stock_env(before=before))
    safe.add("a1", upgrade=TABLE)
    number = LockKey("public", "alembic_version").number
    with session(database) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (SPACE, number))
        result = safe.run("alembic", "upgrade", "head", IBUTSU_MIGRATE_LOCK_WAIT="0")
    assert result.returncode == 0, result.stderr
    assert "lock tenant.alembic_version" in result.stderr
    assert query(database, "SELECT * FROM tenant.alembic_version") == ["a1"]


@pytest.mark.parametrize(
    "commit", ["op.get_bind().commit()", "op.execute('COMMIT')", "op.execute('end')"]
)
@pytest.mark.parametrize("configure", ["", EACH_ITS_OWN])
def test_a_revision_that_commits(
    configure: str, commit: str, safe: Shop, database: Database
) -> None:
    """It works as in stock; where it fails afterwards, that a part stays is said."""
    write_env(safe.folder, stock_env(configure=configure))
    safe.add("a1", upgrade=f"{TABLE}\n    {commit}")
    stock = safe.run("alembic", "upgrade", "head", IBUTSU_MIGRATE="off")
    query(database, "DROP TABLE IF EXISTS item, alembic_version")
    result = safe.run("alembic", "upgrade", "head")
    assert result.returncode == stock.returncode, result.stderr
    assert query(database, "SELECT * FROM alembic_version") == ["a1"]
    query(database, "DROP TABLE IF EXISTS item, alembic_version")
    safe.add("a1", upgrade=f"{TABLE}\n    {commit}\n    op.execute('SELECT 1/0')")
    result = safe.run("alembic", "upgrade", "head")
    assert result.returncode == 1
    assert "a part of revision a1 was committed before it failed" in result.stderr
    assert query(database, "SELECT to_regclass('item') IS NULL") == ["f"]


def test_two_databases_in_one_env(safe: Shop, database: Database) -> None:
    write_env(safe.folder, TWO_DATABASES)
    safe.add("a1", upgrade=TABLE)
    safe.add("b2", "a1", "op.execute('SELECT pg_sleep(0.5)')")
    with database.cluster.create_database() as other:
        url = other.url("psycopg2")
        runners = [safe.start("alembic", "upgrade", "head", OTHER=url) for _ in "12"]
        results = [safe.finish(runner) for runner in runners]
        assert [result.returncode for result in results] == [0, 0], results
        for each in (database, other):
            assert query(each, "SELECT * FROM alembic_version") == ["b2"]
    said = "".join(result.stderr for result in results)
    assert said.count("done: 2 revisions") == 2
    assert said.count("nothing to do") == 2


def test_another_section(safe: Shop, database: Database) -> None:
    """`alembic -n other`: settings are those of the section."""
    safe.environ.pop("IBUTSU_MIGRATE")
    write_env(safe.folder, stock_env())
    ini = safe.folder / "alembic.ini"
    ini.write_text(
        f"{ini.read_text()}[other]\nscript_location = %(here)s/alembic\n"
        "ibutsu_migrate = safe\nibutsu_migrate.lock_wait = 0\n"
    )
    safe.add("a1", upgrade=TABLE)
    number = LockKey("public", "alembic_version").number
    with session(database) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (SPACE, number))
        result = safe.run("alembic", "-n", "other", "upgrade", "head")
        assert "(lock_wait is 0)" in result.stderr
        safe.done("alembic", "upgrade", "head")


@pytest.fixture
def config(safe: Shop, monkeypatch: pytest.MonkeyPatch) -> Config:
    """For the Python API: env.py takes the caller's connection."""
    for name, value in SAFE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IBUTSU_MIGRATE_LOCK_WAIT", "0")
    write_env(safe.folder, GIVEN)
    return Config(safe.folder / "alembic.ini")


def upgraded(config: Config, connection: Any, target: str = "head") -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, target)


def test_a_caller_s_transaction_holds_the_lock_to_its_end(
    config: Config, safe: Shop, database: Database
) -> None:
    safe.add("a1", upgrade=TABLE)
    safe.add("b2", "a1")
    engine = sa.create_engine(database.url("psycopg2"))
    with engine.connect() as connection, engine.connect() as second:
        with connection.begin():
            upgraded(config, connection, "a1")
            upgraded(config, connection)
            with second.begin(), pytest.raises(LockWaitError):
                upgraded(config, second)
        assert query(database, "SELECT * FROM alembic_version") == ["b2"]
        upgraded(config, second)
    engine.dispose()


def test_a_caller_s_snapshot_that_is_older_than_the_lock(
    config: Config, safe: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other run did cannot be seen: refused, not done twice."""
    monkeypatch.setenv("IBUTSU_MIGRATE_LOCK_WAIT", "20s")
    safe.add("a1", upgrade=TABLE)
    engine = sa.create_engine(
        database.url("psycopg2"), isolation_level="REPEATABLE READ"
    )
    number = LockKey("public", "alembic_version").number
    with session(database) as holder, engine.connect() as connection:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (SPACE, number))
        threading.Timer(1, holder.connection.rollback).start()
        with connection.begin(), pytest.raises(RunError, match="older than the lock"):
            upgraded(config, connection)
    engine.dispose()


def test_a_connection_is_given_back_as_it_was(
    config: Config, safe: Shop, database: Database
) -> None:
    safe.add("a1", upgrade=TABLE)
    engine = sa.create_engine(
        database.url("psycopg2"),
        connect_args={"options": "-c statement_timeout=25000 -c lock_timeout=7000"},
    )
    names = ("application_name", "statement_timeout", "lock_timeout")
    asked = sa.text(f"SELECT {', '.join(f'current_setting({n!r})' for n in names)}")
    with engine.connect() as connection:
        before = connection.execute(asked).one()
        connection.rollback()
        upgraded(config, connection)
        assert connection.execute(asked).one() == before
        connection.rollback()
        with connection.begin():
            upgraded(config, connection)
            assert connection.execute(asked).one() == before, "in the same transaction"
    engine.dispose()
    assert before == ("", "25s", "7s")


def test_the_app_s_statement_timeout_is_not_inherited(
    safe: Shop, database: Database
) -> None:
    limit = "connect_args={'options': '-c statement_timeout=300'}"
    write_env(safe.folder, stock_env(limit))
    slow = "op.execute('SELECT pg_sleep(0.6)')"
    safe.add("a1", upgrade=slow)
    safe.done("alembic", "upgrade", "head")
    path = safe.add("b2", "a1", slow)
    short = ("-x", "ibutsu_migrate.statement_timeout=0.4s")
    result = safe.run("alembic", *short, "upgrade", "head")
    assert result.returncode == 1
    assert "canceling statement due to statement timeout" in result.stderr
    own = "ibutsu_migrate = {'statement_timeout': 0}"
    path.write_text(f"{path.read_text()}\n{own}\n")
    safe.done("alembic", *short, "upgrade", "head")
    wrong = "ibutsu_migrate = {'statement_timout': 0}"
    path = safe.add("c3", "b2")
    path.write_text(f"{path.read_text()}\n{wrong}\n")
    result = safe.run("alembic", "upgrade", "head")
    assert result.returncode == 1
    assert f"'statement_timout' of ibutsu_migrate in {path}" in result.stderr
    assert "Did you mean 'statement_timeout'?" in result.stderr
    assert query(database, "SELECT * FROM alembic_version") == ["b2"]
