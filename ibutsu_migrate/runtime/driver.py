"""What the drivers call by different names.

psycopg2, psycopg and this package's own are known in full. Of others (pg8000, asyncpg)
the transaction's state cannot be seen from outside: they get the lock and the limits,
and are not watched where they cannot be.
"""

from __future__ import annotations

import enum
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from ..errors import Error

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


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


@contextmanager
def by_itself(dbapi: Any) -> Iterator[None]:
    """Have what is executed be no part of a transaction, where none is open.

    BEGIN and ROLLBACK around one statement are two more round trips.

    Args:
        dbapi: A DBAPI connection whose state is known.
    """
    switched = transaction(dbapi) is Transaction.IDLE and not is_autocommit(dbapi)
    if switched:
        dbapi.autocommit = True
    try:
        yield
    finally:
        if switched:
            # One that is lost refuses; what it was lost by is being raised.
            with suppress(Exception):
                dbapi.autocommit = False


def may_queue(context: MigrationContext) -> bool:
    """Whether the driver's queue may be used: this package's, where it is switched on.

    Args:
        context: Alembic's, with a connection.

    Raises:
        ConfigurationError: A setting says neither yes nor no.
    """
    dialect: Any = context.dialect
    if dialect.driver != "ibutsu" or not dialect.is_postgresql:
        return False
    # Only now: other drivers do not need it.
    from ..env.pipeline import choose

    return choose(context).wanted


def client_pid(dbapi: Any) -> int | None:
    """The backend's process as the connection was told it; a pooler tells another."""
    found = getattr(getattr(dbapi, "info", None), "backend_pid", None)
    return int(found) if found is not None else None


def notice_death(dbapi: Any) -> None:
    """Have the kernel find out within a minute that the other side is gone.

    A run is silent for hours while an index is built, and an answer that never comes
    would be waited for without end. Sockets of other kinds are left as they are.
    """
    with (
        suppress(AttributeError, OSError, ValueError),
        socket.socket(fileno=os.dup(dbapi.fileno())) as opened,
    ):
        if opened.family not in (socket.AF_INET, socket.AF_INET6):
            return
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


# Seconds before the first probe and between them, how many; milliseconds for an
# answer to what was sent.
_KEEPALIVE: Final = (
    ("TCP_KEEPIDLE", 15),
    ("TCP_KEEPINTVL", 10),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 45_000),
)


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
