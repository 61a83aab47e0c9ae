"""Queued statements in migrations: where they are switched on, and Alembic's own."""

from __future__ import annotations

import functools
import gc
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

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

from ..config import Mode, settings_for, settings_from_environment
from ..engine.bulk import OPTION as COPY
from ..engine.pipeline import OPTION, mismatch, version_write
from ..errors import ConfigurationError, Error
from .copying import choose_copy

VARIABLE: Final = "IBUTSU_MIGRATE_PIPELINE"
# Of a revision's module: False has its statements answered one by one.
ATTRIBUTE: Final = "ibutsu_pipeline"
# Where run_migrations() leaves its argument, in config.attributes.
REQUEST: Final = "ibutsu_migrate.pipeline"

_WORDS: Final = {
    **dict.fromkeys(("1", "on", "true", "yes"), True),
    **dict.fromkeys(("0", "off", "false", "no"), False),
}
_INSTALLED: Final = "_ibutsu_migrate_unqueued"
_SETTLES: Final = "_ibutsu_migrate_settles"

# HeadMaintainer's words: they are what people search for.
_UPDATING: Final = (
    "Online migration expected to match one row when updating '{}' to '{}' in '{}'; "
    "%d found"
)
_DELETING: Final = (
    "Online migration expected to match one row when deleting '{}' in '{}'; %d found"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether migrations queue.

    Attributes:
        wanted: Yes or no.
        final: Whether a revision's own word does not count.
    """

    wanted: bool
    final: bool = False


def choose(
    context: MigrationContext, environ: Mapping[str, str] | None = None
) -> Choice:
    """Whether the migrations of a context queue.

    The environment says so, else an execution option of the connection, the argument
    of ``run_migrations()``, the engine's argument, pyproject.toml; else they do.

    Args:
        context: Alembic's, with a connection.
        environ: ``os.environ`` where None.

    Raises:
        ConfigurationError: The environment or pyproject.toml says neither yes nor no.
    """
    text = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
    if _is_off(context.config):
        return Choice(False, final=True)
    if text:
        if text.lower() not in _WORDS:
            raise ConfigurationError(
                f"{VARIABLE} in the environment is {text!r}.", remedy="Use on or off."
            )
        wanted = _WORDS[text.lower()]
        return Choice(wanted, final=not wanted)
    for given in _said_in_code(context):
        if given is not None:
            return Choice(bool(given))
    return Choice(_in_pyproject(context.config))


def _is_off(config: Config | None) -> bool:
    settings = (
        settings_from_environment(os.environ)
        if config is None
        else settings_for(config)
    )
    return settings.mode is Mode.OFF


def _said_in_code(context: MigrationContext) -> Iterator[object]:
    connection, config = context.connection, context.config
    if connection is not None:
        yield connection.get_execution_options().get(OPTION)
    if config is not None:
        yield config.attributes.get(REQUEST)
    yield getattr(context.dialect, OPTION, None)


def _in_pyproject(config: Config | None) -> bool:
    path = getattr(config, "toml_file_name", None)
    table = _table(Path(path)) if path is not None else {}
    found = table.get("pipeline", True)
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


def run_queued(
    stock: Callable[..., None], context: MigrationContext, **kw: Any
) -> None:
    """Run migrations on this package's driver, queueing what nobody waits for.

    Args:
        stock: ``MigrationContext.run_migrations`` as Alembic has it.
        context: Alembic's.
        **kw: Its arguments.

    Raises:
        ConfigurationError: A setting says something that is none.
    """
    connection = context.connection
    if connection is None or context.as_sql:
        stock(context, **kw)
        return
    choice = choose(context)
    copies = False if _is_off(context.config) else choose_copy(context)
    _install_versions()
    if not event.contains(connection.engine, "handle_error", _refuse_mismatch):
        event.listen(connection.engine, "handle_error", _refuse_mismatch)
    options = connection.get_execution_options()
    before = {name: options.get(name) for name in (OPTION, COPY)}
    plan = context._migrations_fn
    # In place: op.get_bind() and Alembic's implementation hold this connection.
    connection.execution_options(**{OPTION: choice.wanted})
    if copies is not None:
        connection.execution_options(**{COPY: copies})
    if plan is not None:
        context._migrations_fn = _planned(plan, choice)
    try:
        with _frozen():
            stock(context, **kw)
    except Error as error:
        # A cursor of the driver's own met it; the statement was SQLAlchemy's.
        if error.origin is None:
            raise
        _raise_wrapped(connection, error)
    finally:
        context._migrations_fn = plan
        connection.execution_options(**before)


@contextmanager
def _frozen() -> Iterator[None]:
    """Have the garbage collector leave alone what is there already.

    That is Alembic, SQLAlchemy and all revisions. It would look through them again and
    again, for a tenth of a run's time, since migrating makes many objects. It goes on
    with what is made meanwhile; an application that has frozen something is not meddled
    with. Source: ``gc.freeze``.
    """
    freezes = gc.isenabled() and not gc.get_freeze_count()
    if freezes:
        gc.freeze()
    try:
        yield
    finally:
        if freezes:
            gc.unfreeze()


def _refuse_mismatch(context: ExceptionContext) -> None:
    """The server found that a version's row does not match: Alembic's error."""
    said = mismatch(context.original_exception)
    if said is not None:
        raise CommandError(said)


def _install_versions() -> None:
    """Wrap what Alembic writes versions with. Safe to call twice."""
    _wrap("_update_version", _update_version)
    _wrap("_delete_version", _delete_version)
    _wrap("_insert_version", _insert_version)


def _wrap(name: str, wrapper: Callable[..., Any]) -> None:
    stock = getattr(HeadMaintainer, name)
    if hasattr(stock, _INSTALLED):
        return

    @functools.wraps(stock)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(stock, self, *args, **kwargs)

    setattr(wrapped, _INSTALLED, stock)
    setattr(HeadMaintainer, name, wrapped)


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


def _planned(plan: Callable[..., Any], choice: Choice) -> Callable[..., Any]:
    """The steps; each as its revision says."""

    @functools.wraps(plan)
    def planned(heads: Any, context: MigrationContext) -> Iterator[Any]:
        for step in plan(heads, context):
            _switch_for(step, context, choice)
            yield step

    return planned


def _switch_for(step: MigrationStep, context: MigrationContext, choice: Choice) -> None:
    connection = context.connection
    if connection is None:
        return
    module = getattr(getattr(step, "revision", None), "module", None)
    said = getattr(module, ATTRIBUTE, None)
    wanted = choice.wanted if said is None or choice.final else bool(said)
    connection.execution_options(**{OPTION: wanted})
    if isinstance(step, RevisionStep) and not hasattr(step.migration_fn, _SETTLES):
        step.migration_fn = _settling(step.migration_fn, connection)


def _settling(revise: Callable[..., Any], connection: Connection) -> Callable[..., Any]:
    """A revision's function; what failed before its own exception is raised instead."""

    @functools.wraps(revise)
    def settled(**kw: Any) -> Any:
        try:
            return revise(**kw)
        except Exception as error:
            first = _queued_error(error)
            if first is None:
                _await_queue(connection)
            elif first is not error:
                raise first.with_traceback(first.__traceback__) from first.__cause__
            raise

    setattr(settled, _SETTLES, True)
    return settled


def _queued_error(error: BaseException) -> BaseException | None:
    """What an error comes from, if that is a queued statement's.

    It would have been raised before the ``try`` that made another error of it.
    """
    chained: BaseException | None = error
    while chained is not None:
        if getattr(getattr(chained, "orig", chained), "origin", None) is not None:
            return chained
        chained = chained.__cause__ or chained.__context__
    return None


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
        _raise_wrapped(connection, error)


def _raise_wrapped(connection: Connection, error: Error) -> NoReturn:
    connection._handle_dbapi_exception(error, None, None, None, None)
