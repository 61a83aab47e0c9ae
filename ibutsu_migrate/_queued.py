"""Where the driver's queue is hooked into Alembic: what every migration passes through.

Light, since it is loaded with each ``alembic`` command: the rest is ``env.pipeline``,
and only where migrations run on this package's driver.
"""

from __future__ import annotations

import functools
from typing import Any, Final

_INSTALLED: Final = "_ibutsu_migrate_unqueued"


def install() -> None:
    """Wrap ``MigrationContext.run_migrations``. Safe to call twice."""
    from alembic.runtime.migration import MigrationContext

    stock = MigrationContext.run_migrations
    if hasattr(stock, _INSTALLED):
        return

    @functools.wraps(stock)
    def run_migrations(self: MigrationContext, **kw: Any) -> None:
        if getattr(self.dialect, "driver", None) != "ibutsu":
            stock(self, **kw)
            return
        from .env.pipeline import run_queued

        run_queued(stock, self, **kw)

    setattr(run_migrations, _INSTALLED, stock)
    MigrationContext.run_migrations = run_migrations  # type: ignore
