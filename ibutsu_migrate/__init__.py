"""Alembic migrations on PostgreSQL with a C engine under the real ``alembic``.

Importing this package imports neither Alembic, SQLAlchemy nor Flask; each part does
so when it is first used.
"""

from __future__ import annotations

# As type checkers read it; importing `typing` would slow down each start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .runtime.api import MigrationFailedError, Run, Step, downgrade, stamp, upgrade
    from .runtime.plan import Plan, plan
    from .runtime.verify import Finding, Verification, verify

__version__ = "0.1.0.dev0"

__all__ = [
    "Finding",
    "MigrationFailedError",
    "Plan",
    "Run",
    "Step",
    "Verification",
    "__version__",
    "downgrade",
    "plan",
    "stamp",
    "upgrade",
    "verify",
]

_OF_VERIFY = ("Finding", "Verification", "verify")
_OF_PLAN = ("Plan", "plan")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _OF_VERIFY:
        from .runtime import verify

        return getattr(verify, name)
    if name in _OF_PLAN:
        from .runtime import plan

        return getattr(plan, name)
    from .runtime import api

    return getattr(api, name)
