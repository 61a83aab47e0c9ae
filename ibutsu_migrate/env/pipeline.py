"""Queued statements in migrations: where they are switched on, and Alembic's own."""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.migration import (
    HeadMaintainer,
    MigrationContext,
    MigrationStep,
    RevisionStep,
)
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.engine import Connection, ExceptionContext

from ..engine.pipeline import OPTION, mismatch, version_write
from ..errors import ConfigurationError, Error

VARIABLE: Final = "IBUTSU_MIGRATE_PIPELINE"
# Of a revision's module: False has its statements answered one by one.
ATTRIBUTE: Final = "ibutsu_pipeline"

_WORDS: Final = {
    **dict.fromkeys(("1", "on", "true", "yes"), True),
    **dict.fromkeys(("0", "off", "false", "no"), False),
}
_INSTALLED: Final = "_ibutsu_migrate_unqueued"

# HeadMaintainer's words: they are what people search for.
_UPDATING: Final = (
    "Online migration expected to match one row when updating '{}' to '{}' in '{}'; "
    "%d found"
)
_DELETING: Final = (
    "Online migration expected to match one row when deleting '{}' in '{}'; %d found"
)


def is_wanted(
    given: bool | None, config: Config, environ: Mapping[str, str] | None = None
) -> bool:
    """Whether migrations queue: the environment, the argument, pyproject.toml, no.

    Args:
        given: ``run_migrations(pipeline=...)``.
        config: Alembic's.
        environ: ``os.environ`` where None.

    Raises:
        ConfigurationError: The environment or pyproject.toml says neither yes nor no.
    """
    text = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
    if text:
        if text.lower() not in _WORDS:
            raise ConfigurationError(
                f"{VARIABLE} in the environment is {text!r}.", remedy="Use on or off."
            )
        return _WORDS[text.lower()]
    if given is not None:
        return given
    path = getattr(config, "toml_file_name", None)
    table = _table(Path(path)) if path is not None else {}
    found = table.get("pipeline", False)
    if not isinstance(found, bool):
        raise ConfigurationError(
            f"pipeline in [tool.ibutsu_migrate] of {path} is {found!r}.",
            remedy="Use true or false.",
        )
    return found


def _table(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            table: Mapping[str, Any] = tomllib.load(file)["tool"]["ibutsu_migrate"]
    except (FileNotFoundError, KeyError):
        return {}
    return table


def switch_on(connection: Connection) -> Connection:
    """Have this connection queue what nobody waits for.

    Args:
        connection: Of any driver; others than ours are left as they are.
    """
    if connection.dialect.driver != "ibutsu":
        return connection
    _install()
    if not event.contains(connection.engine, "handle_error", _refuse_mismatch):
        event.listen(connection.engine, "handle_error", _refuse_mismatch)
    return connection.execution_options(**{OPTION: True})


def _refuse_mismatch(context: ExceptionContext) -> None:
    """The server found that a version's row does not match: Alembic's error."""
    said = mismatch(context.original_exception)
    if said is not None:
        raise CommandError(said)


def _install() -> None:
    """Wrap what Alembic writes versions with. Safe to call twice."""
    _wrap(HeadMaintainer, "_update_version", _update_version)
    _wrap(HeadMaintainer, "_delete_version", _delete_version)
    _wrap(HeadMaintainer, "_insert_version", _insert_version)
    _wrap(MigrationContext, "run_migrations", _run_migrations)


def _wrap(owner: type, name: str, wrapper: Callable[..., Any]) -> None:
    stock = getattr(owner, name)
    if hasattr(stock, _INSTALLED):
        return

    @functools.wraps(stock)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(stock, self, *args, **kwargs)

    setattr(wrapped, _INSTALLED, stock)
    setattr(owner, name, wrapped)


def _update_version(
    stock: Callable[..., Any], maintainer: HeadMaintainer, from_: str, to_: str
) -> None:
    table = maintainer.context.version_table
    with version_write(_UPDATING.format(from_, to_, table)):
        stock(maintainer, from_, to_)


def _delete_version(
    stock: Callable[..., Any], maintainer: HeadMaintainer, version: str
) -> None:
    table = maintainer.context.version_table
    with version_write(_DELETING.format(version, table)):
        stock(maintainer, version)


def _insert_version(
    stock: Callable[..., Any], maintainer: HeadMaintainer, version: str
) -> None:
    with version_write(""):
        stock(maintainer, version)


def _run_migrations(
    stock: Callable[..., Any], context: MigrationContext, **kw: Any
) -> Any:
    """Revisions that say so are run without a queue."""
    plan = context._migrations_fn

    def planned(heads: Any, context: MigrationContext) -> Any:
        for step in plan(heads, context) if plan is not None else ():
            _switch_for(step, context)
            yield step

    if plan is not None:
        functools.update_wrapper(planned, plan)
    context._migrations_fn = planned
    try:
        return stock(context, **kw)
    finally:
        context._migrations_fn = plan


def _switch_for(step: MigrationStep, context: MigrationContext) -> None:
    connection = context.connection
    if connection is None or context.as_sql or connection.dialect.driver != "ibutsu":
        return
    if OPTION not in connection.get_execution_options():
        return
    module = getattr(getattr(step, "revision", None), "module", None)
    wanted = getattr(module, ATTRIBUTE, True) is not False
    # In place: op.get_bind() and Alembic's implementation hold this connection.
    connection.execution_options(**{OPTION: wanted})
    if isinstance(step, RevisionStep):
        step.migration_fn = _settling(step.migration_fn, connection)


def _settling(revise: Callable[..., Any], connection: Connection) -> Callable[..., Any]:
    """A revision's function; what failed before its own exception is raised instead."""

    @functools.wraps(revise)
    def settled(**kw: Any) -> Any:
        try:
            return revise(**kw)
        except Exception:
            _await_queue(connection)
            raise

    return settled


def _await_queue(connection: Connection) -> None:
    """Raise, as SQLAlchemy would, what a statement that is queued failed with."""
    if connection.closed or connection.invalidated:
        return
    driver: Any = connection.connection.dbapi_connection
    if driver is None or driver.closed:
        return
    try:
        driver.notices  # noqa: B018 - reading them awaits what is queued
    except Error as error:
        connection._handle_dbapi_exception(error, None, None, None, None)
