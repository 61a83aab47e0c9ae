"""A small Flask app with a migration environment, for tests that run real programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from queued_runs import Outcome, Scripts, run_both
from server_database import Server, postgresql, sqlite

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Cluster, Database

APP = """
import os
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from ibutsu_migrate.flask import IbutsuMigrate

db = SQLAlchemy()
migrate = IbutsuMigrate(db=db, on_behind=os.environ.get("ON_BEHIND", "ignore"))


class Item(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.Text)


def create_app():
    app = Flask("shop", root_path=os.path.dirname(os.path.abspath(__file__)))
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE"]
    db.init_app(app)
    migrate.init_app(app)
    return app
"""

PLAIN_ENV = """
import shop
from alembic import context

app = context.config.attributes.get("app") or shop.create_app()
with app.app_context():
    engine = shop.db.engine
    if context.is_offline_mode():
        context.configure(url=engine.url, target_metadata=shop.db.metadata)
        with context.begin_transaction():
            context.run_migrations()
    else:
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=shop.db.metadata,
                transaction_per_migration=True,
            )
            with context.begin_transaction():
                context.run_migrations()
"""

HOOK_ENV = """
from ibutsu_migrate.env import run_migrations
from shop import create_app

run_migrations(create_app)
"""

TEMPLATE = '''"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""
import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''

REVISION = '''"""{message}"""
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down!r}
branch_labels = None
depends_on = None


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
'''


@dataclass(frozen=True)
class Shop:
    """A folder with an app, ``shop.py``, and its migration environment.

    Attributes:
        folder: Working directory of the programs.
        url: The app's database, as SQLAlchemy's URL.
        environ: Added to the environment of the programs.
    """

    folder: Path
    url: str
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def versions(self) -> Path:
        return self.folder / "alembic" / "versions"

    def add(
        self,
        revision: str,
        down: str | None = None,
        upgrade: str = "pass",
        downgrade: str = "pass",
    ) -> Path:
        """Write a revision file."""
        path = self.versions / f"{revision}_.py"
        path.write_text(
            REVISION.format(
                message=f"make {revision}",
                revision=revision,
                down=down,
                upgrade=upgrade,
                downgrade=downgrade,
            )
        )
        return path

    def start(self, *command: str, **environ: str) -> subprocess.Popen[str]:
        """Start ``alembic ...``, ``python ...`` and the like, of this Python."""
        program, *arguments = command
        known = {
            "python": [sys.executable],
            "alembic": [str(Path(sys.executable).with_name("alembic"))],
            "flask": [str(Path(sys.executable).with_name("flask"))],
            "ibutsu-migrate": [str(Path(sys.executable).with_name("ibutsu-migrate"))],
        }
        return subprocess.Popen(
            [*known[program], *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder),
                "FLASK_APP": "shop",
                "DATABASE": self.url,
                **self.environ,
                **environ,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def finish(
        process: subprocess.Popen[str], timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Wait for a program; kill it when it does not end."""
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        return self.finish(self.start(*command, **environ))

    def done(self, *command: str, **environ: str) -> str:
        """Run a program that must succeed; its standard output."""
        result = self.finish(self.start(*command, **environ))
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


def make_shop(folder: Path, url: str, env: str = PLAIN_ENV) -> Shop:
    """Write the app and its environment; no revisions yet."""
    (folder / "alembic" / "versions").mkdir(parents=True)
    (folder / "shop.py").write_text(APP)
    (folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = %(here)s/alembic\n"
    )
    (folder / "alembic" / "env.py").write_text(env)
    (folder / "alembic" / "script.py.mako").write_text(TEMPLATE)
    return Shop(folder, url)


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> Shop:
    """A shop with a plain env.py, on PostgreSQL through psycopg2."""
    return make_shop(tmp_path / "shop", database.url("psycopg2"))


@pytest.fixture
def sqlite_shop(tmp_path: Path) -> Shop:
    """A shop with a plain env.py, on a SQLite file that is not there yet."""
    return make_shop(tmp_path / "shop", f"sqlite:///{tmp_path / 'shop.db'}")


@pytest.fixture
def hook_shop(tmp_path: Path, database: Database) -> Shop:
    """A shop whose env.py is this package's hook, on PostgreSQL."""
    return make_shop(tmp_path / "shop", database.url("psycopg2"), HOOK_ENV)


@pytest.fixture
def new_shop(tmp_path: Path) -> Callable[..., Shop]:
    """Make a shop on a database of the test's own choice."""

    def make(url: str, *, plain: bool = False, name: str = "shop") -> Shop:
        return make_shop(tmp_path / name, url, PLAIN_ENV if plain else HOOK_ENV)

    return make


@pytest.fixture(params=["ibutsu", "psycopg2", "sqlite"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Server:
    """The Ibutsu Server's database, empty: C driver, psycopg2, and SQLite."""
    if request.param == "sqlite":
        return sqlite(tmp_path)
    return postgresql(request.getfixturevalue("database"), request.param)


@pytest.fixture(params=["ibutsu", "psycopg2"])
def on_postgresql(request: pytest.FixtureRequest, database: Database) -> Server:
    """The same on PostgreSQL only."""
    return postgresql(database, request.param)


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    """Revisions to come, run through the hook."""
    # Mode safe, which the hook means, has statements of its own on other connections.
    monkeypatch.setenv("IBUTSU_MIGRATE", "fast")
    return Scripts(tmp_path)


@pytest.fixture
def both(
    scripts: Scripts, postgres_cluster: Cluster
) -> Callable[..., tuple[Outcome, Outcome]]:
    """Run them without a queue and with it."""

    def run(**options: Any) -> tuple[Outcome, Outcome]:
        return run_both(scripts, postgres_cluster, **options)

    return run
