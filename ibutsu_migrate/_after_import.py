"""Do something once a module has been imported, without importing it now.

Alembic calls plugins while it is half imported itself: what they want to change is
not there yet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


def after_import(name: str, callback: Callable[[], object]) -> None:
    """Call ``callback`` when a module has been executed; at once if it has been.

    Args:
        name: The module's full name.
        callback: Called once. What it raises comes out of the import.
    """
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    if module is not None and not getattr(spec, "_initializing", False):
        callback()
    else:
        sys.meta_path.insert(0, _Finder(name, callback))


class _Finder(MetaPathFinder):
    """Waits for one module, finds it as Python would, and goes away."""

    def __init__(self, name: str, callback: Callable[[], object]) -> None:
        self._name = name
        self._callback = callback

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def and_then(module: ModuleType) -> None:
            execute(module)
            self._callback()

        # On the instance: the loader stays what inspect and linecache know.
        spec.loader.exec_module = and_then  # type: ignore[method-assign]
        return spec
