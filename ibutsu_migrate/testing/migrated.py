"""Bring a throwaway database to head by a project's own migration environment."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ibutsu_migrate.errors import ConfigurationError, IbutsuMigrateError

from .cluster import Database

URL_VARIABLES: Final = ("SQLALCHEMY_DATABASE_URI", "DATABASE_URL")
"""Environment variables in which applications look for their database."""

_DRIVERS: Final = ("psycopg2", "psycopg")


class MigrationFailedError(IbutsuMigrateError):
    """The project's environment did not bring the database to head."""


def find_config(folder: Path) -> Path:
    """The configuration that ``alembic`` would find in a folder.

    Args:
        folder: Usually the project's root.

    Raises:
        ConfigurationError: It has none.

    Source: ``alembic.config.CommandLine``'s defaults.
    """
    for name in ("alembic.ini", "pyproject.toml"):
        path = folder / name
        if path.is_file() and (
            name == "alembic.ini" or "[tool.alembic]" in _text(path)
        ):
            return path
    raise ConfigurationError(
        f"{folder} has neither alembic.ini nor pyproject.toml with [tool.alembic].",
        remedy="Name the file: ibutsu_migrate_config in pytest's configuration.",
    )


def migrate_database(
    database: Database,
    config: Path,
    *,
    url_variables: Iterable[str] = URL_VARIABLES,
    revision: str = "heads",
) -> None:
    """Upgrade a throwaway database.

    A process of its own runs the environment, in the configuration's folder, so that
    its logging setup and its imports do not reach the caller. The database is given in
    every way that an ``env.py`` may ask for it: ``sqlalchemy.url``, a connection in
    ``config.attributes["connection"]``, environment variables. An ``env.py`` that
    connects anywhere else is stopped before it does.

    Args:
        database: What to upgrade.
        config: ``alembic.ini`` or a ``pyproject.toml`` with ``[tool.alembic]``.
        url_variables: Environment variables that are set to the database's URL.
        revision: How far.

    Raises:
        ConfigurationError: There is no such file.
        MigrationFailedError: The message holds what the environment wrote.
    """
    if not config.is_file():
        raise ConfigurationError(
            f"There is no {config}, by which the database should be made.",
            remedy="Mend ibutsu_migrate_config in pytest's configuration.",
        )
    stock = next((name for name in _DRIVERS if importlib.util.find_spec(name)), None)
    url = database.url(stock or "ibutsu")
    order = {
        "config": str(config),
        "url": database.url("ibutsu") if _has_driver() else url,
        "socket_dir": str(database.cluster.socket_dir),
        "revision": revision,
    }
    done = subprocess.run(
        [sys.executable, "-m", "ibutsu_migrate.testing.upgrade", json.dumps(order)],
        cwd=config.parent,
        env={**os.environ, **dict.fromkeys(url_variables, url)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise MigrationFailedError(
            f"{config} does not bring an empty database to {revision}:\n{done.stdout}"
        )


def _has_driver() -> bool:
    """Whether migrations go through the C driver: it is built, and not switched off."""
    off = os.environ.get("IBUTSU_MIGRATE", "").strip().lower() == "off"
    return not off and importlib.util.find_spec("ibutsu_migrate._pq") is not None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
