"""Throwaway PostgreSQL servers and pytest fixtures.

The names are imported when they are first asked for: every pytest run of everybody
who installs this package loads ``testing.plugin``, and must not pay for more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cluster import Cluster, ClusterError, Database
    from .servers import ServerNotFoundError

__all__ = ["Cluster", "ClusterError", "Database", "ServerNotFoundError"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import cluster, servers

    return getattr(servers if name == "ServerNotFoundError" else cluster, name)
