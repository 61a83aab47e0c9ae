"""The ``alembic.plugins`` entry point."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import ModuleType

from ._after_import import after_import
from .config import Mode, settings_from_environment
from .errors import ConfigurationError


def setup(plugin: object) -> None:
    """Called once while ``alembic`` is imported."""
    if _is_on():
        after_import("alembic.config", _install_troubles)
        after_import("alembic.script.base", _install_revisions)


def _is_on() -> bool:
    try:
        return settings_from_environment(os.environ).mode is not Mode.OFF
    except ConfigurationError:
        # Importing is no place to fail at: the command says so when it starts.
        return True


def _install_revisions() -> None:
    from .revisions.install import install

    install()


def _install_troubles() -> None:
    from .runtime import hook
    from .troubles import install

    install()
    # Around it: a safe run may call Alembic several times.
    hook.install()


class _Plugin(ModuleType):
    """A module that Alembic 1.18.0 to 1.20.0 can iterate over.

    Those versions treat what an entry point loads as a tuple of modules.
    """

    def __iter__(self) -> Iterator[ModuleType]:
        return iter((self,))


sys.modules[__name__].__class__ = _Plugin
