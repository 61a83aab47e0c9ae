"""PostgreSQL's hooks of SQLAlchemy's test suite, which looks for them here."""

from __future__ import annotations

import sqlalchemy.dialects.postgresql.provision  # noqa: F401
