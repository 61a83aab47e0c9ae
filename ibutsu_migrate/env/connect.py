"""The engine of a migration, and one clear error where it cannot connect."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from alembic.util import CommandError
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from ..advice import explain_connection_failure
from ..config import Mode
from ..errors import ConfigurationError, IbutsuMigrateError
from .url import connect_arguments

# Of a pool that serves requests; a migration has one connection and no pool.
_POOL_OPTIONS: Final = frozenset(
    (
        "max_overflow",
        "pool",
        "pool_logging_name",
        "pool_pre_ping",
        "pool_recycle",
        "pool_reset_on_return",
        "pool_size",
        "pool_timeout",
        "pool_use_lifo",
        "poolclass",
    )
)


class DatabaseConnectionError(IbutsuMigrateError):
    """The database cannot be connected to. The driver's error is the cause."""


def make_engine(url: URL, options: Mapping[str, Any], mode: Mode = Mode.FAST) -> Engine:
    """Make the engine that migrates: the application's options, but no pool.

    Args:
        url: With the driver to use.
        options: ``SQLALCHEMY_ENGINE_OPTIONS``.
        mode: In mode ``safe`` the run sets its limits itself.

    Raises:
        ConfigurationError: The driver is not installed or an option is wrong.
    """
    kept = {name: options[name] for name in options if name not in _POOL_OPTIONS}
    given = kept.pop("connect_args", None) or {}
    arguments = connect_arguments(url, given, os.environ, safe=mode is Mode.SAFE)
    try:
        return create_engine(url, poolclass=NullPool, connect_args=arguments, **kept)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            f"The driver of {url.drivername}:// cannot be imported: {error}",
            remedy="Install it, or name one that is installed in the URL.",
        ) from error
    except (ArgumentError, TypeError) as error:
        raise ConfigurationError(
            f"SQLALCHEMY_ENGINE_OPTIONS do not fit {url.drivername}://: {error}"
        ) from error


def keeps_its_driver(options: Mapping[str, Any]) -> bool:
    """Whether the application connects by a function or module of its own."""
    return "creator" in options or "module" in options


@contextmanager
def connected(engine: Engine, mode: Mode) -> Iterator[Connection]:
    """Connect; the connection is closed at the end.

    Args:
        engine: What to connect with.
        mode: With ``off`` nobody but Alembic tells the error, so it is of its class.

    Raises:
        DatabaseConnectionError: It failed; in mode ``off`` a ``CommandError`` with the
            same text.
    """
    try:
        connection = engine.connect()
    except DBAPIError as error:
        text = explain_connection_failure(error, engine.url)
        kind = CommandError if mode is Mode.OFF else DatabaseConnectionError
        raise kind(text) from error
    with connection:
        yield connection
