"""Commands that only look: env.py connects, a function asks, nothing is changed."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..errors import RunError
from ..troubles import URL_ATTRIBUTE
from .api import ONE_AT_A_TIME, config_of, without_logging
from .driver import is_autocommit, sqlstate

OTHERS: Final = "ibutsu_migrate.others"
"""Where it is left in ``config.attributes`` how many databases were not asked."""

ARGUMENTS: Final = "_ibutsu_migrate_arguments"
"""Where an environment keeps what env.py hands to revisions, such as ``engine_name`` in
the one of ``alembic init -t multidb``."""

Found = TypeVar("Found")
Ask = Callable[[tuple[str, ...], MigrationContext], Found]

_NOT_ALLOWED: Final = "42501"

# They end with the transaction, and not all servers have both.
_PATIENT: Final = """
SELECT set_config(name, '0', true) FROM pg_settings
WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""


def looking(given: Config | str | os.PathLike[str]) -> Config:
    """A configuration for one look, which leaves the application's logging alone.

    Args:
        given: Alembic's, whose ``attributes`` it shares; or the path of a file.
    """
    if not isinstance(given, Config):
        return without_logging(config_of(given))
    attributes = given.attributes
    copied = copy.copy(given)
    copied.__dict__["attributes"] = attributes
    return without_logging(copied)


def look(config: Config, script: ScriptDirectory, ask: Ask[Found]) -> Found:
    """Have env.py connect, and ask.

    Args:
        config: Of ``looking()``.
        script: The files.
        ask: Called with the database's heads and Alembic's context, whose connection is
            open. Of an env.py with several databases the first is asked; how many
            there are besides is left in the configuration.

    Raises:
        RunError: env.py does not get so far.
        Exception: What env.py or the function raises.
    """
    found: list[Found] = []

    def only_look(heads: Any, context: MigrationContext) -> list[Any]:
        if context.connection is not None:
            config.attributes.setdefault(URL_ATTRIBUTE, context.connection.engine.url)
        if found:
            config.attributes[OTHERS] = config.attributes.get(OTHERS, 0) + 1
        else:
            _outlast(context)
            found.append(ask(tuple(sorted(heads)), context))
        return []

    # Alembic's own word for a command that only looks.
    only_look.__module__ = "alembic.command"
    only_look.__qualname__ = "current.<locals>.look"
    environment = EnvironmentContext(config, script, fn=only_look, dont_mutate=True)
    run = environment.run_migrations

    def run_migrations(**kw: Any) -> None:
        setattr(environment, ARGUMENTS, kw)
        run(**kw)

    # Where the functions of ``alembic.context`` look first.
    setattr(environment, "run_migrations", run_migrations)  # noqa: B010
    with ONE_AT_A_TIME, environment:
        script.run_env()
    if not found:
        raise RunError(
            "env.py did not ask the database for its revisions.",
            remedy="It must call context.run_migrations() on a connection.",
        )
    return found[0]


def _outlast(context: MigrationContext) -> None:
    """Keep the transaction for as long as it is looked: a plan runs code meanwhile."""
    connection = context.connection
    if connection is None or context.dialect.name != "postgresql":
        return
    if not is_autocommit(connection.connection.dbapi_connection):
        connection.execute(text(_PATIENT))


def rows_of(
    connection: Connection,
    sql: str,
    values: Mapping[str, Any] | None = None,
    limits: str | None = None,
) -> Sequence[Any]:
    """The rows of a statement; one that fails does not end the transaction.

    Args:
        connection: Open.
        sql: The statement.
        values: Of its parameters.
        limits: A statement before it, of which nothing stays.

    Raises:
        sqlalchemy.exc.DBAPIError: It fails.
    """
    with _apart(connection):
        if limits is not None:
            connection.execute(text(limits))
        return connection.execute(text(sql), values or {}).all()


def rows_if_allowed(
    connection: Connection, sql: str, values: Mapping[str, Any] | None = None
) -> Sequence[Any] | None:
    """As ``rows_of``; None where the user may not read it.

    Raises:
        sqlalchemy.exc.DBAPIError: It fails for another reason.
    """
    try:
        return rows_of(connection, sql, values)
    except DBAPIError as error:
        if sqlstate(error) != _NOT_ALLOWED:
            raise
        return None


@contextmanager
def _apart(connection: Connection) -> Iterator[None]:
    # Where each statement commits by itself there is no savepoint, and no need of one.
    if is_autocommit(connection.connection.dbapi_connection):
        yield
        return
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        # Settings too are as they were.
        savepoint.rollback()
