"""Where safe runs are hooked into Alembic: what every way in passes through.

``alembic``, ``flask db`` and ``alembic.command`` all end in
``MigrationContext.run_migrations``, whatever env.py looks like. Importing this imports
Alembic.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alembic import context as proxy
from alembic.autogenerate.api import AutogenContext
from alembic.config import CommandLine, Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import (
    HeadMaintainer,
    MigrationContext,
    _ProxyTransaction,
)
from alembic.script import ScriptDirectory

from ..config import (
    Mode,
    Settings,
    settings_for,
    settings_from_environment,
    settings_with,
)
from ..errors import ConfigurationError
from ..leaving import DEADLINE_ATTRIBUTE, Deadline

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .base import GuardedRun

SETTINGS_ATTRIBUTE: Final = "ibutsu_migrate.settings"
"""Where ``api`` leaves a caller's policies in ``config.attributes``, by name."""

HISTORY_SCHEMA: Final = "ibutsu_migrate"

_INSTALLED: Final = "_ibutsu_migrate_unsafe"
_RUN: Final = "_ibutsu_migrate_run"
_RUNS: Final = "_ibutsu_migrate_runs"

# Alembic's own commands that change the database. Those of them that only look are
# not here; what is not Alembic's own is taken for one that changes something.
_CHANGING: Final = frozenset(("upgrade", "downgrade", "stamp", "ensure_version"))


def install() -> None:
    """Wrap Alembic's classes. Safe to call twice."""
    _wrap(MigrationContext, "run_migrations", _run_migrations)
    _wrap(HeadMaintainer, "update_to_step", _update_to_step)
    _wrap(_ProxyTransaction, "__exit__", _transaction_exit)
    _wrap(_ProxyTransaction, "commit", _transaction_commit)
    _wrap(_ProxyTransaction, "rollback", _transaction_rollback)
    _wrap(EnvironmentContext, "__exit__", _environment_exit)
    _wrap(CommandLine, "run_cmd", _run_cmd)
    _wrap(ScriptDirectory, "run_env", _run_env)
    _wrap(AutogenContext, "run_name_filters", _run_name_filters)


def _wrap(owner: type, name: str, wrapper: Callable[..., Any]) -> None:
    stock = getattr(owner, name)
    if hasattr(stock, _INSTALLED):
        return

    @functools.wraps(stock)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(stock, self, *args, **kwargs)

    setattr(wrapped, _INSTALLED, stock)
    setattr(owner, name, wrapped)


def operation_of(context: MigrationContext) -> str | None:
    """What a context is about to do; None where it only looks or writes SQL."""
    work = context._migrations_fn
    if context.as_sql or context.connection is None or work is None:
        return None
    module = getattr(work, "__module__", None) or ""
    name = str(getattr(work, "__qualname__", "run")).partition(".")[0]
    if module == "alembic.command":
        return name if name in _CHANGING else None
    return None if module.startswith("alembic.") else name


def _run_cmd(stock: Callable[..., Any], line: CommandLine, *arguments: Any) -> Any:
    """Signals are handled from here on: env.py imports an application for seconds.

    As process 1 of a container nothing else would end it: there is no default action.
    """
    config = arguments[0]
    deadline = Deadline()
    config.attributes[DEADLINE_ATTRIBUTE] = deadline
    try:
        if not _will_be_safe(config):
            return stock(line, *arguments)
        from .signals import Signals

        signals = Signals.enter(_is_idle)
        signals.when_received(deadline.begin)
        try:
            return stock(line, *arguments)
        finally:
            signals.leave(_is_idle)
    finally:
        deadline.end()


def _will_be_safe(config: Config) -> bool:
    try:
        settings = settings_for(config)
    except ConfigurationError:
        return False  # whoever needs the settings says what is wrong with them
    if settings.mode_source != "default":
        return settings.mode is Mode.SAFE
    # The hook will say so, but only when env.py has imported the application.
    with suppress(Exception):
        folder = config.get_alembic_option("script_location") or ""
        return b"ibutsu_migrate.env" in Path(folder, "env.py").read_bytes()
    return False


def _run_env(stock: Callable[..., Any], script: ScriptDirectory) -> Any:
    """Every command that goes to the database begins with this."""
    config = proxy.config
    try:
        return stock(script)
    except Exception as error:
        # Only now: that it is safe, and for how long to wait, env.py's app may say.
        settings = _settings_for(config)
        if settings.mode is not Mode.SAFE or not settings.wait_for_database:
            raise
        failed = error
    from .waiting import run_when_up

    return run_when_up(lambda: stock(script), failed, config, settings)


def _run_name_filters(
    stock: Callable[..., Any],
    context: AutogenContext,
    name: str | None,
    type_: str,
    parent_names: Any,
) -> Any:
    """The history's schema is none of the models', also with ``include_schemas``."""
    if type_ == "schema" and name == HISTORY_SCHEMA:
        return False
    return stock(context, name, type_, parent_names)


def _is_idle() -> bool:
    return False


def _settings_of(context: MigrationContext) -> Settings:
    if context.config is None:
        return settings_from_environment(os.environ)
    return _settings_for(context.config)


def _settings_for(config: Config) -> Settings:
    given = config.attributes.get(SETTINGS_ATTRIBUTE)
    settings = settings_for(config)
    if given is None:
        return settings
    # Called by our own functions: that means safe, whatever else says the mode.
    safe = replace(settings, mode=Mode.SAFE, mode_source="the Python API")
    return settings_with(safe, **given)


def _run_migrations(
    stock: Callable[..., Any], context: MigrationContext, **kw: Any
) -> Any:
    operation = operation_of(context)
    if operation is None or context.connection is None:
        return stock(context, **kw)
    settings = _settings_of(context)
    if settings.mode is not Mode.SAFE:
        return stock(context, **kw)
    run = _make_run(context, context.connection, settings, operation)
    if run is None:
        return stock(context, **kw)
    setattr(context, _RUN, run)
    environment = context.environment_context
    if environment is not None:
        runs: list[GuardedRun] = getattr(environment, _RUNS, [])
        runs.append(run)
        setattr(environment, _RUNS, runs)
    return run.execute(stock, kw)


def _make_run(
    context: MigrationContext,
    connection: Connection,
    settings: Settings,
    operation: str,
) -> GuardedRun | None:
    """The kind of run that a database can have; None for none."""
    # Only now: other modes do not need them.
    if context.dialect.name == "postgresql":
        from .run import SafeRun

        return SafeRun(context, connection, settings, operation)
    if context.dialect.name == "sqlite":
        from .filelock import FileRun

        return FileRun(context, connection, settings, operation)
    logging.getLogger("ibutsu_migrate.run").warning(
        "Mode safe has no lock for %s: this run goes on without, as stock Alembic "
        "does. Do not start two at once.",
        context.dialect.name,
    )
    return None


def _update_to_step(
    stock: Callable[..., Any], maintainer: HeadMaintainer, step: Any
) -> Any:
    run: GuardedRun | None = getattr(maintainer.context, _RUN, None)
    if run is not None:
        run.prove_lock()
    return stock(maintainer, step)


def _tell(context: MigrationContext, error: BaseException | None) -> None:
    run: GuardedRun | None = getattr(context, _RUN, None)
    if run is not None:
        run.transaction_ended(error)


def _transaction_exit(
    stock: Callable[..., Any],
    transaction: _ProxyTransaction,
    kind: Any,
    error: Any,
    trace: Any,
) -> Any:
    context = transaction.migration_context
    try:
        result = stock(transaction, kind, error, trace)
    except BaseException as failed:
        _tell(context, failed)
        raise
    _tell(context, error)
    return result


def _transaction_commit(
    stock: Callable[..., Any], transaction: _ProxyTransaction
) -> Any:
    return _transaction_exit(lambda *_: stock(transaction), transaction, *[None] * 3)


def _transaction_rollback(
    stock: Callable[..., Any], transaction: _ProxyTransaction
) -> Any:
    return _transaction_exit(lambda *_: stock(transaction), transaction, *[None] * 3)


def _environment_exit(
    stock: Callable[..., Any],
    environment: EnvironmentContext,
    kind: Any = None,
    error: Any = None,
    trace: Any = None,
) -> Any:
    try:
        return stock(environment, kind, error, trace)
    finally:
        with ExitStack() as stack:
            for run in getattr(environment, _RUNS, []):
                stack.callback(run.transaction_ended, error)
