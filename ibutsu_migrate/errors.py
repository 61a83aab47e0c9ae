"""All exceptions: this package's own, and the PEP 249 tree of the driver.

Messages say what happened and end with the remedy. The data behind a message stands
in attributes. The C extensions look these classes up when they are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


class IbutsuMigrateError(Exception):
    """Anything this package refuses or fails at, outside the driver.

    Attributes:
        remedy: What to type or change next, or None where the message says it all.
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message if remedy is None else f"{message}\n{remedy}")
        self.remedy = remedy


class ConfigurationError(IbutsuMigrateError):
    """A setting has a value that cannot be meant, or is missing."""


class ExtensionError(IbutsuMigrateError, ImportError):
    """A C extension is not there or cannot be loaded."""


class RunError(IbutsuMigrateError):
    """A safe run that could not begin or had to stop.

    Attributes:
        run_id: Of the run; it is in the application name of its connections.
    """

    def __init__(
        self, message: str, *, remedy: str | None = None, run_id: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.run_id = run_id


class LockWaitError(RunError):
    """Another run held the lock for longer than ``lock_wait``. Nothing was done."""


class LockLostError(RunError):
    """The lock is gone in the middle of a run, which stopped before it wrote on."""


class StandbyError(RunError):
    """The server is in recovery: it answers questions and changes nothing."""


class RunInterrupted(KeyboardInterrupt):
    """A safe run that was stopped by a signal: cancelled, rolled back, told.

    Attributes:
        signal_number: Which signal.
        exit_code: What a command line exits with: 128 and the number.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class Warning(Exception):  # noqa: N818 - the name is PEP 249's
    """PEP 249 ``Warning``."""


class Diagnostics(dict[str, str]):
    """What the server says about an error, by field; also as psycopg2's attributes.

    A field that the server did not send is no key, and None as an attribute.

    Source: PostgreSQL, "Error and Notice Message Fields"; psycopg2's ``Diagnostics``.
    """

    def __getattr__(self, name: str) -> str | None:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.get(name)


class Error(Exception):
    """PEP 249 ``Error``: base of all that the driver raises.

    Attributes:
        sqlstate: Five characters from the server, or None for errors of the driver.
        diag: Diagnostic fields of the server by PostgreSQL's names in lower case
            (``severity``, ``message_primary``, ``message_detail``, ``message_hint``,
            ``statement_position``, ``constraint_name``, ...); empty without a server.
        statement: The SQL as it was sent, or None.
        line: 1-based line of the error position within ``statement``, or None.
        column: 1-based column, in characters, or None.
        cursor: The cursor that raised it, or None.
        origin: File, line and function that queued the statement, where it failed later
            than that; else None.
        label: What was given to ``enqueue()`` with it, or None.
        skipped: How many statements that were queued behind it did not run.
    """

    def __init__(
        self,
        message: str = "",
        *,
        sqlstate: str | None = None,
        diag: Mapping[str, str] | None = None,
        statement: str | None = None,
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.diag = Diagnostics(diag or {})
        self.statement = statement
        self.line, self.column = _place(statement, self.diag.get("statement_position"))
        self.cursor: object | None = None
        self.origin: tuple[str, int, str] | None = None
        self.label: object = None
        self.skipped = 0

    @property
    def pgcode(self) -> str | None:
        """As psycopg2 names ``sqlstate``."""
        return self.sqlstate

    @property
    def pgerror(self) -> str | None:
        """The whole message, as psycopg2 names it; None without a server."""
        return str(self) if self.diag else None

    def __reduce__(self) -> tuple[object, ...]:
        state = {**self.__dict__, "cursor": None}
        return (type(self), (self.args[0] if self.args else "",), state)


class InterfaceError(Error):
    """PEP 249: misuse of the driver itself, such as a closed cursor."""


class DatabaseError(Error):
    """PEP 249: what the server or the connection reports."""


class DataError(DatabaseError):
    """PEP 249: a value does not fit (SQLSTATE class 22)."""


class OperationalError(DatabaseError):
    """PEP 249: connection, resources, cancellation (08, 26 to 28, 40, 53 to 58)."""


class IntegrityError(DatabaseError):
    """PEP 249: a constraint is violated (class 23)."""


class InternalError(DatabaseError):
    """PEP 249: transaction state, functions, server faults (24 to 3B, P0, XX)."""


class ProgrammingError(DatabaseError):
    """PEP 249: the statement is wrong (20, 21, 3D, 3F, 42, 44)."""


class NotSupportedError(DatabaseError):
    """PEP 249: the server or the driver cannot do that (class 0A)."""


class QueryCanceled(OperationalError):  # noqa: N818 - PostgreSQL's name
    """SQLSTATE 57014: cancelled by the user or by ``statement_timeout``."""


class LockNotAvailable(OperationalError):  # noqa: N818
    """SQLSTATE 55P03: ``lock_timeout`` expired or NOWAIT found a lock."""


class DeadlockDetected(OperationalError):  # noqa: N818
    """SQLSTATE 40P01."""


class UniqueViolation(IntegrityError):  # noqa: N818
    """SQLSTATE 23505."""


_BY_SQLSTATE: Final[dict[str, type[DatabaseError]]] = {
    "57014": QueryCanceled,
    "55P03": LockNotAvailable,
    "40P01": DeadlockDetected,
    "23505": UniqueViolation,
}

# The first two characters of a SQLSTATE are its class; the grouping is psycopg2's, so
# that code which catches one driver's classes goes on working with the other's.
_BY_CLASS: Final[dict[str, type[DatabaseError]]] = {
    **dict.fromkeys(("20", "21", "3D", "3F", "42", "44"), ProgrammingError),
    **dict.fromkeys(("08", "26", "27", "28", "34", "40"), OperationalError),
    **dict.fromkeys(("53", "54", "55", "57", "58", "HV"), OperationalError),
    **dict.fromkeys(("24", "25", "2B", "2D", "2F", "38"), InternalError),
    **dict.fromkeys(("39", "3B", "F0", "P0", "XX"), InternalError),
    "0A": NotSupportedError,
    "22": DataError,
    "23": IntegrityError,
}


def class_for_sqlstate(sqlstate: str | None) -> type[DatabaseError]:
    """The exception class for a SQLSTATE.

    Args:
        sqlstate: Five characters, or None where the server gave none (a connection
            that failed or broke).

    Source: PostgreSQL, "Error Codes"; grouping as psycopg2's.
    """
    if sqlstate is None:
        return OperationalError
    return _BY_SQLSTATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2], DatabaseError)


def _place(
    statement: str | None, position: str | None
) -> tuple[int | None, int | None]:
    """Line and column of the server's 1-based character position."""
    if statement is None or position is None or not position.isdigit():
        return None, None
    before = statement[: int(position) - 1]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
