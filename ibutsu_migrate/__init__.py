"""Alembic migrations on PostgreSQL with a C engine under the real ``alembic``.

Importing this package imports neither Alembic, SQLAlchemy nor Flask; each part does
so when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runtime.api import MigrationFailedError, Run, Step, downgrade, stamp, upgrade

__version__ = "0.1.0.dev0"

__all__ = [
    "MigrationFailedError",
    "Run",
    "Step",
    "__version__",
    "downgrade",
    "stamp",
    "upgrade",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .runtime import api

    return getattr(api, name)
