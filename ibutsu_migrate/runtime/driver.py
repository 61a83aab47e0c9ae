"""What the drivers call by different names.

psycopg2, psycopg and this package's own are known in full. Of others (pg8000, asyncpg)
the transaction's state cannot be seen from outside: they get the lock and the limits,
and are not watched where they cannot be.
"""

from __future__ import annotations

import enum
from typing import Any

from ..errors import Error


class Transaction(enum.Enum):
    """The state of a connection's transaction on the server."""

    IDLE = 0
    OPEN = 2
    FAILED = 3
    UNKNOWN = 4


def transaction(dbapi: Any) -> Transaction:
    """The state of a DBAPI connection, without a round trip.

    Source: libpq ``PQtransactionStatus``; psycopg2 and psycopg number it as libpq does.
    """
    info = getattr(dbapi, "info", None)
    status = getattr(info, "transaction_status", None)
    if status is None:
        return Transaction.UNKNOWN
    try:
        return Transaction(int(status))
    except ValueError:
        return Transaction.UNKNOWN


def is_autocommit(dbapi: Any) -> bool:
    """Whether each statement commits by itself."""
    return bool(getattr(dbapi, "autocommit", False))


def client_pid(dbapi: Any) -> int | None:
    """The backend's process as the connection was told it; a pooler tells another."""
    found = getattr(getattr(dbapi, "info", None), "backend_pid", None)
    return int(found) if found is not None else None


def sqlstate(error: BaseException | None) -> str | None:
    """SQLSTATE of an error, of SQLAlchemy's around it, or of what caused it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for each in (error, getattr(error, "orig", None)):
            for name in ("sqlstate", "pgcode"):
                found = getattr(each, name, None)
                if isinstance(found, str):
                    return found
        error = error.__cause__
    return None


def diagnostic(error: BaseException, name: str) -> str | None:
    """A field of the server's answer, by PostgreSQL's name such as ``message_hint``."""
    driver = getattr(error, "orig", error)
    if isinstance(driver, Error):
        return driver.diag.get(name)
    found = getattr(getattr(driver, "diag", None), name, None)
    return str(found) if found else None
