"""Alembic migrations on PostgreSQL with a C engine under the real ``alembic``.

Importing this package imports neither Alembic, SQLAlchemy nor Flask; each part does
so when it is first used.
"""

from __future__ import annotations

__version__ = "0.1.0.dev0"

__all__ = ["__version__"]
