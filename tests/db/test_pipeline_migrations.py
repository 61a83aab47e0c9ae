"""Migrations with and without a queue: what is left behind, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.util import CommandError
from queued_runs import FEW, MANY, MANY_TRIPS, MORE, Outcome, Scripts, same, select

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

    Both = Callable[..., tuple[Outcome, Outcome]]

dbapi = pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

OWN_ENV = """
import sqlalchemy as sa
from alembic import context
url = context.config.attributes["arguments"]["url"]
engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    after = connection.get_execution_options().get("ibutsu_pipeline")
    context.config.attributes["after"] = after
"""


def test_a_revision_is_one_round_trip(scripts: Scripts, both: Both) -> None:
    scripts.switch = "fast"
    for number in range(20):
        scripts.add(
            f"op.create_table('t{number}', sa.Column('a', sa.Integer))\n"
            f"op.execute('INSERT INTO t{number} VALUES (1)')\n"
            f"op.create_index('i{number}', 't{number}', ['a'])"
        )
    without, queued = both()
    same(without, queued)
    assert without.error is None
    assert len(queued.rows) == 21
    assert queued.round_trips <= 20 + 5
    assert without.round_trips > 100


def test_an_error_names_its_line(scripts: Scripts, both: Both) -> None:
    scripts.add("op.create_table('ta', sa.Column('a', sa.Integer))")
    scripts.add(
        "op.execute('ALTER TABLE ta ADD b int')\n"
        "op.execute('ALTER TABLE nowhere ADD b int')\n"
        "op.execute('ALTER TABLE ta ADD c int')"
    )
    without, queued = both()
    same(without, queued)
    assert queued.error == "ProgrammingError"
    assert queued.line is not None
    assert list(queued.rows) == ["alembic_version", "ta"]


def test_an_error_shows_its_parameters_as_without_a_queue(
    scripts: Scripts, both: Both
) -> None:
    scripts.add(
        "sql = sa.text('UPDATE nowhere SET a = :a')\n"
        "op.get_bind().execute(sql, {'a': 'xyz'})\n"
    )
    without, queued = both()
    assert queued.message == without.message
    assert "[parameters: {'a': 'xyz'}]" in str(queued.message)


@pytest.mark.parametrize("per_migration", [True, False])
def test_a_version_that_does_not_match(
    scripts: Scripts, database: Database, per_migration: bool
) -> None:
    scripts.add("op.execute('CREATE TABLE ta (a int)')")
    scripts.add("op.execute('CREATE TABLE tb (a int)')")
    assert scripts.run(database, pipeline=True, target="r000").error is None
    scripts.add("op.execute('''UPDATE alembic_version SET version_num = 'else' ''')")
    options: dict[str, Any] = {"transaction_per_migration": per_migration}
    without = scripts.run(database, pipeline=False, **options)
    if per_migration:
        assert select(database, "SELECT * FROM alembic_version") == [("r001",)]
    queued = scripts.run(database, pipeline=True, **options)
    assert queued.error == without.error == CommandError.__name__
    assert queued.message == without.message
    assert "'r001' to 'r002' in 'alembic_version'; 0 found" in str(queued.message)
    assert queued.rows == without.rows


@pytest.mark.parametrize("per_migration", [True, False])
def test_a_safe_run_blames_the_right_revision(
    scripts: Scripts, both: Both, per_migration: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever revision is in work when the error arrives."""
    monkeypatch.setenv("IBUTSU_MIGRATE", "safe")
    first = scripts.add("op.execute('CREATE TABLE fine (id int)')")
    wrong = scripts.add(
        "op.execute('ALTER TABLE fine ADD amount nonsense')\n"
        "op.execute('CREATE INDEX ON fine (id)')"
    )
    scripts.add("op.execute('CREATE TABLE more (id int)')")
    without, queued = both(transaction_per_migration=per_migration)
    same(without, queued)
    assert queued.failure.revision == wrong
    assert queued.failure.line == queued.line
    assert queued.failure.heads == ((first,) if per_migration else ())
    assert without.failure.rolled_back
    for one in (without, queued):
        assert one.failure.statement == "ALTER TABLE fine ADD amount nonsense"


def test_limits_of_a_revision_meet_the_error(
    scripts: Scripts, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are set on the driver's own cursor, within the transaction."""
    monkeypatch.setenv("IBUTSU_MIGRATE", "safe")
    wrong = scripts.add("op.execute('DROP TABLE nowhere')")
    scripts.add("pass", extra="ibutsu_migrate = {'lock_timeout': '3s'}")
    without, queued = both(transaction_per_migration=False)
    same(without, queued)
    assert queued.failure.revision == wrong


def test_commit_as_text(scripts: Scripts, both: Both) -> None:
    scripts.add("op.create_table('ta', sa.Column('a', sa.Integer))")
    scripts.add(
        "op.execute('COMMIT')\nop.execute('CREATE INDEX CONCURRENTLY ia ON ta (a)')"
    )
    scripts.add(
        "with op.get_context().autocommit_block():\n    op.execute('VACUUM ta')"
    )
    without, queued = both()
    same(without, queued)
    assert queued.error is None


def test_a_revision_may_say_no(scripts: Scripts, both: Both) -> None:
    scripts.switch = "fast"
    scripts.add(MANY, "ibutsu_pipeline = False")
    scripts.add("op.execute('CREATE TABLE tx (a int)')")
    without, queued = both()
    same(without, queued)
    assert MANY_TRIPS < queued.round_trips < without.round_trips


def test_a_revision_may_say_yes(
    scripts: Scripts, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts.switch = "fast"
    scripts.add("pass")
    scripts.add(MANY, "ibutsu_pipeline = True")
    assert scripts.run(database, pipeline=False).round_trips <= FEW + 6
    scripts.add(MORE, "ibutsu_pipeline = True")
    monkeypatch.setenv("IBUTSU_MIGRATE_PIPELINE", "off")
    assert scripts.run(database, pipeline=True).round_trips > MANY_TRIPS


def test_the_environment_wins(
    scripts: Scripts, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts.add("op.execute('DROP TABLE nowhere')\nprint('after')")
    monkeypatch.setenv("IBUTSU_MIGRATE_PIPELINE", "off")
    assert scripts.run(database, pipeline=True).error == "ProgrammingError"
    monkeypatch.setenv("IBUTSU_MIGRATE_PIPELINE", "perhaps")
    outcome = scripts.run(database, pipeline=True)
    assert outcome.error == "ConfigurationError"


def test_it_is_on_by_default(scripts: Scripts, database: Database) -> None:
    scripts.switch = "fast"
    scripts.add(MANY)
    assert scripts.run(database, pipeline=None).round_trips <= FEW


def test_safe_runs_queue_too(
    scripts: Scripts, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBUTSU_MIGRATE", "safe")
    scripts.add(MANY)
    scripts.add(MORE)
    without, queued = both()
    same(without, queued)
    assert without.round_trips - queued.round_trips > 30


def test_pyproject(scripts: Scripts, database: Database, tmp_path: Path) -> None:
    scripts.switch = "fast"
    path = tmp_path / "pyproject.toml"
    scripts.toml = path
    path.write_text("[tool.ibutsu_migrate]\npipeline = 'perhaps'\n")
    outcome = scripts.run(database, pipeline=None)
    assert outcome.error == "ConfigurationError"
    assert "perhaps" in str(outcome.message)
    path.write_text("[tool.ibutsu_migrate]\npipeline = false\n")
    scripts.add(MANY)
    assert scripts.run(database, pipeline=None).round_trips > MANY_TRIPS
    scripts.add(MORE)
    assert scripts.run(database, pipeline=True).round_trips <= FEW


@pytest.mark.parametrize("caught", [False, True])
def test_without_sources(scripts: Scripts, database: Database, caught: bool) -> None:
    """What has a `try` is awaited as a whole: where it ends cannot be told."""
    scripts.switch = "fast"
    scripts.add(f"{MANY}\ntry: pass\nfinally: print()" if caught else MANY)
    scripts.drop_sources()
    outcome = scripts.run(database, pipeline=None)
    assert outcome.error is None
    assert len(outcome.rows) == 21
    assert (outcome.round_trips <= FEW) is not caught


def test_an_engine_may_say_no(scripts: Scripts, database: Database) -> None:
    scripts.switch = "fast"
    scripts.add(MANY)
    (scripts.folder / "env.py").write_text(
        OWN_ENV.replace("(url", "(url, ibutsu_pipeline=False")
    )
    assert scripts.run(database, pipeline=None).round_trips > MANY_TRIPS


def test_an_env_py_of_ones_own(scripts: Scripts, database: Database) -> None:
    """The URL alone brings the driver, and with it the queue; for migrations only."""
    scripts.switch = "fast"
    scripts.add(MANY)
    (scripts.folder / "env.py").write_text(OWN_ENV)
    outcome = scripts.run(database, pipeline=None)
    assert outcome.error is None
    assert outcome.round_trips <= FEW
    assert scripts.config is not None
    assert scripts.config.attributes["after"] is None


@pytest.mark.parametrize("place", ["environment", "alembic.ini"])
def test_the_switch_is_off(
    scripts: Scripts,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    scripts.add(MANY)
    if place == "environment":
        monkeypatch.setenv("IBUTSU_MIGRATE", "off")
    else:
        monkeypatch.delenv("IBUTSU_MIGRATE", raising=False)
        scripts.switch = "off"
    assert scripts.run(database, pipeline=True).round_trips > MANY_TRIPS


def test_what_failed_first_is_raised(scripts: Scripts, both: Both) -> None:
    scripts.add("op.execute('DROP TABLE nowhere')\nraise ValueError('later')")
    without, queued = both()
    same(without, queued)
    assert queued.error == "ProgrammingError"


def test_a_cursor_of_the_drivers_meets_the_error(scripts: Scripts, both: Both) -> None:
    scripts.add(
        "op.execute('DROP TABLE nowhere')\n"
        "op.get_bind().connection.cursor().execute('SELECT 1')"
    )
    without, queued = both()
    same(without, queued)
    assert queued.error == "ProgrammingError"
