"""Puts this package's RevisionMap and Script into a running Alembic."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from alembic.runtime.migration import MigrationStep
from alembic.script import base, revision
from alembic.util import CommandError

from .._native import require
from ..config import Mode, settings_for
from ..errors import ConfigurationError, ExtensionError

if TYPE_CHECKING:
    # Not yet imported when this is called.
    from alembic.config import Config

_INSTALLED = "_ibutsu_migrate_stock"


def install() -> None:
    """Replace what reads and plans revisions. Safe to call twice.

    ``alembic.script.base`` must have been executed. Without the extension only the
    switch is installed, and one warning says why.
    """
    if hasattr(base.ScriptDirectory.from_config, _INSTALLED):
        return
    _install_switch()
    try:
        require("_core")
    except ExtensionError as error:
        warnings.warn(_without_extension(error), RuntimeWarning, stacklevel=2)
        return
    _install_graph()


def _without_extension(error: ExtensionError) -> str:
    cause = error.__cause__
    missing = isinstance(cause, ModuleNotFoundError)
    why = "is not built." if missing else f"cannot be loaded: {cause}"
    return (
        "ibutsu-migrate: Alembic goes on with its own revision graph; "
        f"ibutsu_migrate._core {why}\n{error.remedy}"
    )


def _install_switch() -> None:
    """``ScriptDirectory.from_config``: what every command starts with."""
    directory = base.ScriptDirectory
    stock_map = revision.RevisionMap
    stock = directory.from_config.__func__  # type: ignore[attr-defined]

    @functools.wraps(stock)
    def from_config(cls: type[base.ScriptDirectory], config: Config) -> Any:
        try:
            settings = settings_for(config)
        except ConfigurationError as error:
            raise CommandError(str(error)) from error
        made = stock(cls, config)
        if settings.mode is Mode.OFF:
            made.revision_map = stock_map(made._load_revisions)
        return made

    setattr(from_config, _INSTALLED, stock)
    directory.from_config = classmethod(from_config)  # type: ignore[assignment]


def _install_graph() -> None:
    from .history import History
    from .map import RevisionMap
    from .script import LazyStep, Plan, Script

    directory = base.ScriptDirectory
    load = directory._load_revisions
    upgrade, downgrade = directory._upgrade_revs, directory._downgrade_revs
    up = MigrationStep.upgrade_from_script.__func__  # type: ignore[attr-defined]
    down = MigrationStep.downgrade_from_script.__func__  # type: ignore[attr-defined]

    @functools.wraps(load)
    def _load_revisions(self: base.ScriptDirectory) -> Iterator[Any]:
        if isinstance(self.revision_map, RevisionMap):
            yield from History.of_files(self).as_declared()
        else:
            yield from load(self)

    @functools.wraps(upgrade)
    def _upgrade_revs(self: base.ScriptDirectory, *args: Any, **kwargs: Any) -> Any:
        return Plan(upgrade(self, *args, **kwargs))

    @functools.wraps(downgrade)
    def _downgrade_revs(self: base.ScriptDirectory, *args: Any, **kwargs: Any) -> Any:
        return Plan(downgrade(self, *args, **kwargs))

    def is_lazy(script: Any) -> bool:
        return isinstance(script, Script) and not script.is_loaded

    @functools.wraps(up)
    def upgrade_from_script(cls: Any, revision_map: Any, script: Any) -> Any:
        if is_lazy(script):
            return LazyStep(revision_map, script, True)
        return up(cls, revision_map, script)

    @functools.wraps(down)
    def downgrade_from_script(cls: Any, revision_map: Any, script: Any) -> Any:
        if is_lazy(script):
            return LazyStep(revision_map, script, False)
        return down(cls, revision_map, script)

    patched: Any = directory
    patched._load_revisions = _load_revisions
    patched._upgrade_revs = _upgrade_revs
    patched._downgrade_revs = _downgrade_revs
    step: Any = MigrationStep
    step.upgrade_from_script = classmethod(upgrade_from_script)
    step.downgrade_from_script = classmethod(downgrade_from_script)
    revision.RevisionMap = RevisionMap  # type: ignore[misc]
