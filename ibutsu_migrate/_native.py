"""The one place that loads the C extensions and explains why one will not load."""

from __future__ import annotations

import os
import sys

# Every start of `ibutsu-migrate` pays for what is imported here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Final

_NEEDS: Final = {"_core": "nothing but libc", "_pq": "libpq 14 or newer"}
_REMEDY: Final = {
    "_core": "Build it: pip install --force-reinstall --no-binary :all: ibutsu-migrate",
    "_pq": (
        "Install libpq (Debian, Ubuntu: apt-get install libpq5; to build, libpq-dev) "
        "and reinstall ibutsu-migrate, or use a stock driver such as psycopg2."
    ),
}


def require(name: str) -> ModuleType:
    """Load one of the C extensions.

    Args:
        name: ``"_core"`` or ``"_pq"``.

    Raises:
        ExtensionError: It is not built, or a library that it needs is missing; the
            message names the loader's reason and the remedy.
    """
    try:
        __import__(f"ibutsu_migrate.{name}")
    except ImportError as error:
        from .errors import ExtensionError

        raise ExtensionError(
            f"The C extension ibutsu_migrate.{name} (needs {_NEEDS[name]}) "
            f"cannot be loaded: {error}",
            remedy=_REMEDY[name],
        ) from error
    if path := os.environ.get("IBUTSU_MIGRATE_STATS"):
        from . import _stats

        _stats.watch(path, os.getpid())
    return sys.modules[f"ibutsu_migrate.{name}"]
