"""The ``alembic.plugins`` entry point."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import ModuleType

from ._after_import import after_import
from .config import Mode, settings_from_environment
from .errors import ConfigurationError

# Without typing, which takes longer to import than all this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def setup(plugin: object) -> None:
    """Called once while ``alembic`` is imported."""
    if _is_on():
        after_import("alembic.config", _install_troubles)
        after_import("alembic.script.base", _install_revisions)
        _add_read_ahead(type(plugin))


def _is_on() -> bool:
    try:
        return settings_from_environment(os.environ).mode is not Mode.OFF
    except ConfigurationError:
        # Importing is no place to fail at: the command says so when it starts.
        return True


def _add_read_ahead(make_plugin: Any) -> None:
    """Have autogenerate read the catalogue ahead; by its name, it is on by default.

    ``autogenerate_plugins=["alembic.autogenerate.*", "~alembic.autogenerate.ibutsu"]``
    turns it off.
    """
    from alembic.util import DispatchPriority, PriorityDispatchResult

    def first(context: Any, operations: object, schemas: Any) -> Any:
        if getattr(context.dialect, "driver", None) == "ibutsu":
            from .autogenerate import read_ahead

            read_ahead.install()
            read_ahead.read_ahead(context, schemas)
        return PriorityDispatchResult.CONTINUE

    make_plugin("alembic.autogenerate.ibutsu").add_autogenerate_comparator(
        first, "schema", priority=DispatchPriority.FIRST
    )


def _install_revisions() -> None:
    from .revisions.install import install

    install()


def _install_troubles() -> None:
    from . import _queued
    from .runtime import hook
    from .troubles import install

    install()
    # Within a safe run: which revisions queue is decided when each begins.
    _queued.install()
    # Around it: a safe run may call Alembic several times.
    hook.install()


class _Plugin(ModuleType):
    """A module that Alembic 1.18.0 to 1.20.0 can iterate over.

    Those versions treat what an entry point loads as a tuple of modules.
    """

    def __iter__(self) -> Iterator[ModuleType]:
        return iter((self,))


sys.modules[__name__].__class__ = _Plugin
