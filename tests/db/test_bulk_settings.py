"""Where it is said whether, and from how many rows on, INSERTs become COPY."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

    from .conftest import Shop

pytest.importorskip(
    "ibutsu_migrate._pq",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

from ibutsu_migrate.engine import bulk


@pytest.mark.parametrize(
    ("written", "meant"),
    [("off", False), ("false", False), ("on", True), ("50", 50), ("0", 0)],
)
def test_options_of_a_file(written: str, meant: object) -> None:
    engine = sa.engine_from_config(
        {"sqlalchemy.url": "postgresql+ibutsu://", "sqlalchemy.ibutsu_copy": written}
    )
    assert engine.dialect.ibutsu_copy == meant  # type: ignore[attr-defined]


def test_an_option_that_is_none_of_those() -> None:
    with pytest.raises(ValueError, match="Use on, off, or a number of rows"):
        bulk.read_option("perhaps")


REVISION = """
    import os
    t = op.create_table("t", sa.Column("a", sa.Integer))
    rows = [{"a": number} for number in range(2500)]
    result = op.get_bind().execute(t.insert(), rows)
    tag = result.context.cursor.statusmessage
    assert tag == os.environ["TAG"], tag
    op.get_bind().exec_driver_sql("DROP TABLE t")
"""
COPIED, INSERTED = "COPY 2500", "INSERT 0 500"


@pytest.mark.parametrize("plain", [False, True], ids=["hook", "own env.py"])
def test_settings_of_migrations(
    new_shop: Callable[..., Shop], database: Database, plain: bool
) -> None:
    shop = new_shop(database.url("ibutsu"), plain=plain)
    shop.add("1", upgrade=REVISION)

    def inserts(tag: str, **environ: str) -> None:
        shop.done("alembic", "upgrade", "head", TAG=tag, **environ)
        shop.done("alembic", "downgrade", "base")

    inserts(COPIED)
    inserts(INSERTED, IBUTSU_MIGRATE_COPY="off")
    inserts(INSERTED, IBUTSU_MIGRATE_COPY="2501")
    inserts(COPIED, IBUTSU_MIGRATE_COPY="2500")
    inserts(INSERTED, IBUTSU_MIGRATE="off")
    toml = shop.folder / "pyproject.toml"
    head = '[tool.alembic]\nscript_location = "alembic"\n[tool.ibutsu_migrate]\n'
    toml.write_text(f"{head}copy = false\n")
    inserts(INSERTED)
    inserts(COPIED, IBUTSU_MIGRATE_COPY="on")
    toml.write_text(f"{head}copy = 5000\n")
    inserts(INSERTED)
    for text, environ in (("copy = 'some'", {}), ("", {"IBUTSU_MIGRATE_COPY": "some"})):
        toml.write_text(head + text)
        failed = shop.run("alembic", "upgrade", "head", TAG="", **environ)
        assert failed.returncode != 0
        assert "Use on, off, or the number of rows" in failed.stdout + failed.stderr


def test_an_engine_and_its_connections_say_more_than_pyproject(
    scripts: Callable[..., Any],
) -> None:
    assert scripts("copy = false", ibutsu_copy=None) is False
    assert scripts("copy = false", ibutsu_copy=7) is None
    assert scripts("copy = 9", ibutsu_copy=None, option=True) is None
    assert scripts("copy = 9", ibutsu_copy=None) == 9
    assert scripts("copy = 9", ibutsu_copy=None, IBUTSU_MIGRATE_COPY="8") == 8
    assert scripts("copy = 9", ibutsu_copy=7, IBUTSU_MIGRATE_COPY="off") is False


@pytest.fixture
def scripts(tmp_path: Path, database: Database) -> Callable[..., Any]:
    """What the settings come to."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    from ibutsu_migrate.env.copying import choose_copy

    def chosen(
        toml: str, ibutsu_copy: Any, option: Any = None, **environ: str
    ) -> bool | int | None:
        path = tmp_path / "pyproject.toml"
        path.write_text(f"[tool.ibutsu_migrate]\n{toml}\n")
        config = Config(toml_file=str(path))
        engine = sa.create_engine(database.url("ibutsu"), ibutsu_copy=ibutsu_copy)
        options = {} if option is None else {"ibutsu_copy": option}
        with engine.connect().execution_options(**options) as connection:
            migrations = EnvironmentContext(config, ScriptDirectory(str(tmp_path)))
            migrations.configure(connection=connection)
            found = choose_copy(migrations.get_context(), environ)
        engine.dispose()
        return found

    return chosen


@pytest.mark.parametrize("multiinsert", [True, False])
def test_bulk_insert(database: Database, multiinsert: bool) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    engine = sa.create_engine(database.url("ibutsu"), ibutsu_copy=1)
    with engine.connect() as connection:
        op = Operations(MigrationContext.configure(connection))
        table = op.create_table("t", sa.Column("a", sa.Integer))
        rows = [{"a": number} for number in range(12)]
        op.bulk_insert(table, rows, multiinsert=multiinsert)
        # A COPY's rows are those of its savepoint; there is none for single INSERTs.
        found = connection.exec_driver_sql(
            "SELECT count(*), bool_and(xmin <> pg_current_xact_id()::xid) FROM t"
        ).one()
    engine.dispose()
    assert tuple(found) == (12, multiinsert)
