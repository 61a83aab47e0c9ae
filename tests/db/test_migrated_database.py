"""The fixture ``migrated_database``: on the server's models, and for users."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from server.models import Project, Run, db
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from ibutsu_migrate.testing import Database

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "a1"
down_revision = None


def upgrade():
    op.create_table("item", sa.Column("id", sa.Integer, primary_key=True))
"""

# Each env.py asks for its database in another way.
CONNECTION_ENV = """
from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
"""
URL_ENV = """
import os
from alembic import context
from sqlalchemy import create_engine

with create_engine({url}).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""

TESTS = """
import sqlalchemy as sa
from sqlalchemy.pool import NullPool


def run(database, sql):
    engine = sa.create_engine(database.url("psycopg2"), poolclass=NullPool)
    with engine.begin() as connection:
        return connection.exec_driver_sql(sql)


def test_one(migrated_database):
    run(migrated_database, "INSERT INTO item VALUES (1)")


def test_two(migrated_database):
    run(migrated_database, "INSERT INTO item VALUES (1)")
"""


def test_the_models_fit_the_history(migrated_database: Database) -> None:
    engine = sa.create_engine(migrated_database.url("psycopg2"), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, db.metadata)
    assert [d for d in differences if d[0] in ("add_table", "remove_table")] == []
    assert [d for d in differences if d[0] in ("add_column", "remove_column")] == []


@pytest.mark.parametrize("attempt", [1, 2])
def test_each_test_has_a_copy_of_its_own(
    migrated_database: Database, attempt: int
) -> None:
    engine = sa.create_engine(migrated_database.url("psycopg2"), poolclass=NullPool)
    with Session(engine) as session:
        assert session.scalars(sa.select(Project)).all() == []
        project = Project(name="backend", title="Backend")
        session.add(project)
        session.flush()
        session.add(Run(project_id=project.id, summary={"tests": 3}))
        session.commit()
        summary = session.scalars(sa.select(Run.summary)).one()
    assert summary == {"tests": 3}


RunTests = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> RunTests:
    """Write a project of somebody's and run its tests."""

    def run(env: str, ini: str = "") -> subprocess.CompletedProcess[str]:
        versions = tmp_path / "migrations" / "versions"
        versions.mkdir(parents=True)
        (versions / "a1_.py").write_text(REVISION)
        (versions.parent / "env.py").write_text(env)
        (versions.parent / "script.py.mako").write_text("")
        (tmp_path / "alembic.ini").write_text(
            "[alembic]\nscript_location = %(here)s/migrations\n"
            "sqlalchemy.url = postgresql+psycopg2://nil.invalid/production\n"
        )
        (tmp_path / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
        (tmp_path / "test_it.py").write_text(TESTS)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        return subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.mark.parametrize(
    ("env", "ini"),
    [
        (CONNECTION_ENV, ""),
        (URL_ENV.format(url="context.config.get_main_option('sqlalchemy.url')"), ""),
        (URL_ENV.format(url="os.environ['DATABASE_URL']"), ""),
        (
            URL_ENV.format(url="os.environ['SHOP_DB']"),
            "ibutsu_migrate_url_variables = SHOP_DB",
        ),
    ],
    ids=["connection", "sqlalchemy.url", "DATABASE_URL", "a variable that ini names"],
)
def test_a_project_of_somebodys(project: RunTests, env: str, ini: str) -> None:
    done = project(env, ini=ini)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_another_database_is_never_touched(project: RunTests, tmp_path: Path) -> None:
    done = project(URL_ENV.format(url=repr(f"sqlite:///{tmp_path}/mine.db")))
    assert done.returncode == 1
    assert "another database than the throwaway one" in done.stdout
    assert "ibutsu_migrate_url_variables" in done.stdout
    assert not (tmp_path / "mine.db").exists()


def test_a_history_that_fails_is_shown(project: RunTests) -> None:
    done = project(CONNECTION_ENV + "\nraise SystemExit('no, thanks')")
    assert done.returncode == 1
    assert "does not bring an empty database to heads" in done.stdout
    assert "no, thanks" in done.stdout


def test_a_configuration_that_is_not_there(project: RunTests) -> None:
    done = project(CONNECTION_ENV, ini="ibutsu_migrate_config = nil/alembic.ini")
    assert done.returncode == 1
    assert "nil/alembic.ini" in done.stdout


def test_a_server_that_is_not_there(project: RunTests) -> None:
    done = project(CONNECTION_ENV, ini="ibutsu_migrate_bin_dir = /nil/bin")
    assert done.returncode == 1
    assert "bin_dir names no usable PostgreSQL server: /nil/bin: no initdb" in (
        done.stdout
    )


def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    code = (
        "import sys; before = set(sys.modules); import ibutsu_migrate.testing.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import pytest; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [
        "ibutsu_migrate",
        "ibutsu_migrate.testing",
        "ibutsu_migrate.testing.plugin",
    ]
