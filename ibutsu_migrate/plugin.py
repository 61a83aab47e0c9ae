"""The ``alembic.plugins`` entry point."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType


def setup(plugin: object) -> None:
    """Called once while ``alembic`` is imported."""


class _Plugin(ModuleType):
    """A module that Alembic 1.18.0 to 1.20.0 can iterate over.

    Those versions treat what an entry point loads as a tuple of modules.
    """

    def __iter__(self) -> Iterator[ModuleType]:
        return iter((self,))


sys.modules[__name__].__class__ = _Plugin
