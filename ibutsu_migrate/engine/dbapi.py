"""PEP 249 module of the libpq driver.

    >>> from ibutsu_migrate.engine import dbapi
    >>> connection = dbapi.connect("host=db.example dbname=ibutsu")

Transactions, values and errors are psycopg2's wherever code can see them;
``docs/reference/driver.md`` lists the differences.
"""

from __future__ import annotations

import datetime as dt
import time as _time
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from .._native import require
from ..errors import (
    DatabaseError,
    DataError,
    DeadlockDetected,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    LockNotAvailable,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    QueryCanceled,
    UniqueViolation,
    Warning,
)
from .ranges import Multirange, Range
from .records import Notify, Xid

# Says why where it cannot be loaded.
require("_pq")

from .. import _pq  # noqa: E402
from .._pq import Column, Connection, ConnectionInfo, Cursor  # noqa: E402

apilevel: Final = "2.0"
threadsafety: Final = 1
paramstyle: Final = "pyformat"


def _own_version() -> str:
    try:
        return version("ibutsu-migrate")
    except PackageNotFoundError:  # a copy of the folder, not an installation
        return "0.0.0"


__version__: Final = _own_version()

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Column",
    "Connection",
    "ConnectionInfo",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "DeadlockDetected",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "LockNotAvailable",
    "Multirange",
    "NotSupportedError",
    "Notify",
    "OperationalError",
    "ProgrammingError",
    "QueryCanceled",
    "Range",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "UniqueViolation",
    "Warning",
    "Xid",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]


class _TypeGroup:
    """PEP 249 type object: equal to each of its type OIDs."""

    def __init__(self, name: str, oids: Iterable[int]) -> None:
        self.name = name
        self.oids = frozenset(oids)

    def __eq__(self, other: object) -> bool:
        return other in self.oids if isinstance(other, int) else self is other

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return self.name


# OIDs from PostgreSQL's pg_type.dat, grouped as psycopg2 groups them.
STRING: Final = _TypeGroup("STRING", (18, 19, 25, 1042, 1043))
BINARY: Final = _TypeGroup("BINARY", (17,))
NUMBER: Final = _TypeGroup("NUMBER", (20, 21, 23, 700, 701, 1700))
DATETIME: Final = _TypeGroup("DATETIME", (1082, 1083, 1114, 1184, 1186, 1266))
ROWID: Final = _TypeGroup("ROWID", (26,))

Date = dt.date
Time = dt.time
Timestamp = dt.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> dt.date:  # noqa: N802 - the name is PEP 249's
    """The local date of a time since the epoch."""
    return dt.date(*_time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> dt.time:  # noqa: N802 - the name is PEP 249's
    """The local time of day of a time since the epoch."""
    return dt.time(*_time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> dt.datetime:  # noqa: N802 - PEP 249's name
    """The local date and time of a time since the epoch."""
    return dt.datetime(*_time.localtime(ticks)[:6])


_URI: Final = ("postgresql://", "postgres://")


def _options(dsn: str, given: dict[str, Any]) -> dict[str, str]:
    """Libpq's options from a connection string and keywords; keywords win."""
    options = _pq.parse_conninfo(dsn) if dsn else {}
    named = {name: value for name, value in given.items() if value is not None}
    if "database" in named:
        named.setdefault("dbname", named.pop("database"))
    known = frozenset(_pq.keywords())
    for name in named:
        if name not in known:
            raise ProgrammingError(f'invalid connection option "{name}"')
    base = str(named.get("dbname", ""))
    # As libpq's expand_dbname.
    if base.startswith(_URI) or "=" in base:
        del named["dbname"]
        options.update(_pq.parse_conninfo(base))
    options.update({name: _text(name, value) for name, value in named.items()})
    # The conversions are done for UTF-8; PGCLIENTENCODING is not meant for us.
    options.setdefault("client_encoding", "UTF8")
    options.setdefault("fallback_application_name", "ibutsu_migrate")
    return options


def _text(name: str, value: object) -> str:
    text = str(int(value)) if isinstance(value, bool) else str(value)
    if "\0" in text:
        raise ProgrammingError(f'connection option "{name}" contains NUL')
    return text


def _shown(options: dict[str, str]) -> str:
    """A connection string to be seen by people: without secrets."""
    words = []
    for name, value in options.items():
        if name in ("client_encoding", "fallback_application_name"):
            continue
        if name in _SECRETS:
            value = "***"
        if not value or any(sign in value for sign in " '\\"):
            value = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        words.append(f"{name}={value}")
    return " ".join(words)


_SECRETS: Final = frozenset(("password", "sslpassword", "oauth_client_secret"))


def connect(
    dsn: str = "",
    *,
    json_loads: Callable[[str], Any] | None = None,
    infinity: str = "error",
    **options: Any,
) -> Connection:
    """Connect to a server.

    Args:
        dsn: A connection string or URI, as libpq takes it.
        json_loads: Parses json and jsonb; ``json.loads`` by default.
        infinity: ``"clamp"`` returns the timestamps ``infinity`` and ``-infinity`` as
            the last and first that Python has, as psycopg2 does; with ``"error"`` they
            raise DataError.
        **options: libpq's options; they win over those in ``dsn``. None is the same as
            not given. ``database`` may be said for ``dbname``. What is not given comes
            from the service file, from the ``PG*`` environment variables, or is libpq's
            default; but ``client_encoding`` is UTF8.

    Returns:
        An open ``Connection``.

    Raises:
        ProgrammingError: Libpq does not know an option, or cannot read ``dsn``.
        OperationalError: No host could be connected to, each for the reason in the
            message. ``sqlstate`` is the server's where it refused.
        KeyboardInterrupt: At once, also while a host name is looked up.

    Source: PEP 249 ``connect``; PostgreSQL, "Database Connection Control Functions".
    """
    if infinity not in ("error", "clamp"):
        raise ProgrammingError(f"infinity is 'error' or 'clamp', not {infinity!r}")
    chosen = _options(dsn, options)
    connection = _pq.connect(chosen, json_loads, infinity == "clamp")
    connection.dsn = _shown(chosen)
    return connection
