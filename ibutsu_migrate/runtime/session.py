"""The migration's own connection: its limits, and what it is doing now."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Connection

from ..config import Settings
from ..engine.pipeline import UNREAD
from .driver import (
    Transaction,
    by_itself,
    client_pid,
    is_autocommit,
    notice_death,
    sqlstate,
    transaction,
)

LOCK_NOT_AVAILABLE: Final = "55P03"

# They take a lock that lets readers and writers by, wait for old transactions as long
# as it takes, and leave an invalid index behind where they are stopped.
_WAITS_LONG: Final = re.compile(
    r"\s*(?:CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY|"
    r"DROP\s+INDEX\s+CONCURRENTLY|REINDEX\b.*\bCONCURRENTLY|"
    r"ALTER\s+TABLE\b.*\bDETACH\s+PARTITION\b.*\bCONCURRENTLY|VACUUM)\b",
    re.I | re.S,
)
_COMMITS: Final = re.compile(r"\s*(?:COMMIT|END)\b(?!\s+PREPARED)", re.I)
# A SELECT may call a function that does something; one that reads the catalogue, as
# SQLAlchemy's inspector does, is taken for what it seems.
_NO_EFFECT: Final = re.compile(
    r"\s*(?:(?:SHOW|SET|RESET|BEGIN|START|SAVEPOINT|RELEASE|ROLLBACK|ABORT|LOCK)\b|"
    r"SELECT\b.*\b(?:pg_catalog|information_schema)\.)",
    re.I | re.S,
)

_NAMES: Final = (
    "application_name",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "client_connection_check_interval",
    "idle_session_timeout",
    "transaction_timeout",
)
_SINCE: Final = {
    "client_connection_check_interval": 14,
    "idle_session_timeout": 14,
    "transaction_timeout": 17,
}


@dataclass(slots=True)
class Statement:
    """A statement that is being executed.

    Attributes:
        sql: As it was sent.
        began: By the monotonic clock.
        pid: Of the backend, as far as it is known.
    """

    sql: str
    began: float
    pid: int | None


@dataclass(slots=True)
class Tally:
    """What a revision did so far.

    Attributes:
        statements: How many were executed.
        lock_seconds: The longest wait for a lock that was seen.
        pending: Whether it did something in the transaction that is open.
        committed: Whether a part of it is committed already.
        closing: Whether its version is written: what commits now, commits all of it.
    """

    statements: int = 0
    lock_seconds: float = 0.0
    pending: bool = False
    committed: bool = False
    closing: bool = False


@dataclass
class Session:
    """Limits on the migration's connection, and a look at each statement of it.

    The limits are set for each transaction where a pooler hands out another backend
    for each; else once for the session, and put back at the end.

    Attributes:
        connection: SQLAlchemy's.
        name: Its application name while the run lasts.
        settings: Whose limits.
        check: Called before each statement; raises when the run is to stop.
        queues: Whether the driver's queue may be used for what begins a transaction.
        retry: Called with the error where a statement outside a transaction did not
            get its lock, and has taken itself back: whether to try it again.
        current: The statement that is being executed, or None.
        committing: Whether a COMMIT may be on its way.
        pid: Of the backend that serves the connection.
        tally: Of the present revision.
        statement_timeout: Seconds, of the present revision.
        lock_timeout: Seconds, of the present revision.
    """

    connection: Connection
    name: str
    settings: Settings
    check: Callable[[], object]
    queues: bool = False
    retry: Callable[[BaseException], bool] = lambda error: False
    current: Statement | None = None
    committing: bool = False
    pid: int | None = None
    tally: Tally = field(default_factory=Tally)
    statement_timeout: float = 0.0
    lock_timeout: float = 0.0

    def __post_init__(self) -> None:
        self.statement_timeout = self.settings.statement_timeout
        self.lock_timeout = self.settings.lock_timeout
        self._pooled = False
        self._before: dict[str, str] | None = None
        self._callers: dict[str, str] | None = None
        self._raw: Any = None
        self._fresh = True
        self._listeners: list[tuple[Any, str, Any]] = []

    def attach(self) -> None:
        """Set the limits, and listen from now on."""
        connection = self.connection
        major = int((connection.dialect.server_version_info or (0,))[0])
        self._limits = [name for name in _NAMES if _SINCE.get(name, 0) <= major]
        dbapi = self._dbapi()
        notice_death(dbapi)
        if transaction(dbapi) is Transaction.OPEN:
            self._raw, self._callers = dbapi, self._ask(dbapi)
        self._prepare()
        engine = connection.engine
        for name, listener in (
            ("do_execute", self._do_execute),
            ("do_execute_no_params", self._do_execute_no_params),
            ("do_executemany", self._do_executemany),
        ):
            self._listen(engine, name, listener)
        self._listen(connection, "commit", self._on_commit)

    def _listen(self, target: Any, name: str, listener: Any) -> None:
        event.listen(target, name, listener)
        self._listeners.append((target, name, listener))

    def detach(self) -> None:
        """Stop listening, and put the session's settings back where they were set."""
        for target, name, listener in self._listeners:
            event.remove(target, name, listener)
        self._listeners.clear()
        before, self._before = self._before, None
        callers, self._callers = self._callers, None
        state = transaction(self._raw)
        # Its connection may be back in a pool: the next user wants it as it was.
        if before is not None and state is not Transaction.FAILED:
            self._set(self._raw, before)
        # Or its transaction goes on: the caller's own limits are for that.
        elif callers is not None and state is Transaction.OPEN:
            self._set_locally(self._raw, callers)

    def begin_revision(self, **limits: float) -> None:
        """A new revision: a new tally, and its own limits or the run's.

        Args:
            **limits: ``statement_timeout`` and ``lock_timeout`` in seconds.
        """
        self.tally = Tally()
        self.committing = False
        before = (self.statement_timeout, self.lock_timeout)
        self.statement_timeout = limits.get(
            "statement_timeout", self.settings.statement_timeout
        )
        self.lock_timeout = limits.get("lock_timeout", self.settings.lock_timeout)
        if before != (self.statement_timeout, self.lock_timeout):
            self._again()

    def rolled_back(self) -> None:
        """The transaction was rolled back: what was set in it is gone."""
        if self._before is None:
            self._fresh = True

    def _dbapi(self) -> Any:
        connection = self.connection
        if connection.closed or connection.invalidated:
            return None
        return connection.connection.dbapi_connection

    def _values(self) -> dict[str, str]:
        values = {
            "application_name": self.name,
            "statement_timeout": _milliseconds(self.statement_timeout),
            "lock_timeout": _milliseconds(self.lock_timeout),
            "idle_in_transaction_session_timeout": "0",
            # The server notices within a second that its client is dead.
            "client_connection_check_interval": "1000",
            "idle_session_timeout": "0",
            "transaction_timeout": "0",
        }
        return {name: values[name] for name in self._limits}

    def _again(self) -> None:
        """Limits have changed."""
        dbapi = self._dbapi()
        if dbapi is None or transaction(dbapi) is Transaction.FAILED:
            return
        if self._before is not None:
            self._set(dbapi, self._values())
        else:
            self._fresh = True
            self._prepare()

    def _prepare(self) -> None:
        """Before a statement: limits, where a new transaction or session needs them."""
        if self._before is not None:
            return
        dbapi = self._dbapi()
        state = transaction(dbapi)
        outside = state is Transaction.IDLE
        if outside and not self._pooled:
            before = self._set_for_session(dbapi)
            if not self._pooled:
                self._before, self._raw = before, dbapi
                return
        if state is Transaction.FAILED or is_autocommit(dbapi):
            return
        if outside or self._fresh:
            self._fresh = False
            self._set_locally(dbapi, self._values())

    def _set_for_session(self, dbapi: Any) -> dict[str, str]:
        """Set all, outside a transaction; behind a pooler nothing is.

        A pooler gives its clients a process number of its own. What is local to a
        statement outside a transaction is gone after it.

        Returns:
            What was set before.
        """
        told = client_pid(dbapi)
        pooled = "false" if told is None else f"pg_backend_pid() <> {told}"
        setting = _setting(self._values(), pooled)
        sql = (
            f"WITH before AS MATERIALIZED (SELECT {self._asking()}) "  # noqa: S608
            f"SELECT before.*, {setting} FROM before"
        )
        with by_itself(dbapi), closing(dbapi.cursor()) as cursor:
            cursor.execute(sql)
            return self._read(dbapi, cursor.fetchone())

    def _ask(self, dbapi: Any) -> dict[str, str]:
        """What is set now, in the transaction that is open."""
        with closing(dbapi.cursor()) as cursor:
            cursor.execute(f"SELECT {self._asking()}")
            return self._read(dbapi, cursor.fetchone())

    def _asking(self) -> str:
        settings = [f"current_setting('{name}')" for name in self._limits]
        return ", ".join(["pg_backend_pid()", *settings])

    def _read(self, dbapi: Any, row: Sequence[Any]) -> dict[str, str]:
        self.pid = row[0]
        self._pooled = client_pid(dbapi) not in (None, row[0])
        return dict(zip(self._limits, row[1:], strict=False))

    def _set(self, dbapi: Any, values: dict[str, str]) -> None:
        """Set something for the session; outside a transaction it is none's."""
        with by_itself(dbapi), closing(dbapi.cursor()) as cursor:
            cursor.execute(f"SELECT {_setting(values, 'false')}")

    def _set_locally(self, dbapi: Any, values: dict[str, str]) -> None:
        """Set all in the transaction that is open or, with this, begins.

        The driver counts savepoints in a transaction that its queue has begun, and
        queues nothing in another: behind a pooler this begins each.
        """
        with closing(dbapi.cursor()) as cursor:
            execute = cursor.enqueue if self.queues else cursor.execute
            execute(f"SELECT pg_backend_pid(), {_setting(values, 'true')}")
            self.pid = cursor.fetchone()[0]

    def _on_commit(self, connection: Connection) -> None:
        tally = self.tally
        self.committing = True
        tally.committed |= tally.pending and not tally.closing
        tally.pending = False

    def _do_execute(
        self, cursor: Any, statement: str, parameters: Any, context: Any
    ) -> bool | None:
        run = context.dialect.do_execute
        return self._watched(context, statement, run, cursor, statement, parameters)

    def _do_execute_no_params(
        self, cursor: Any, statement: str, context: Any
    ) -> bool | None:
        run = context.dialect.do_execute_no_params
        return self._watched(context, statement, run, cursor, statement)

    def _do_executemany(
        self, cursor: Any, statement: str, parameters: Any, context: Any
    ) -> bool | None:
        run = context.dialect.do_executemany
        return self._watched(context, statement, run, cursor, statement, parameters)

    def _watched(
        self, context: Any, sql: str, execute: Callable[..., object], *arguments: Any
    ) -> bool | None:
        """Execute a statement of ours; None leaves anybody else's to SQLAlchemy."""
        if context.root_connection is not self.connection:
            return None
        if context.execution_options.get(UNREAD):
            return None  # the run's own
        self.committing = False
        self.check()
        self._prepare()
        dbapi = self._dbapi()
        outside = is_autocommit(dbapi)
        unlimited = outside and self._before is not None and _WAITS_LONG.match(sql)
        if unlimited:
            self._set(dbapi, {"lock_timeout": "0"})
        self.current = Statement(sql, time.monotonic(), self.pid)
        try:
            self._executed(lambda: execute(*arguments, context), outside)
        except BaseException:
            # What failed in the middle has left an invalid index behind.
            if outside and _WAITS_LONG.match(sql):
                self.tally.committed = True
            raise
        finally:
            self.current = None
            self.tally.statements += 1
            if unlimited and transaction(dbapi) is Transaction.IDLE:
                limit = {"lock_timeout": _milliseconds(self.lock_timeout)}
                self._set(dbapi, limit)
        self._account(sql, outside or transaction(dbapi) is Transaction.IDLE)
        return True

    def _account(self, sql: str, alone: bool) -> None:
        """See what a statement has committed.

        Args:
            sql: As it was sent.
            alone: Whether no transaction is open behind it: it has none of its own, or
                ended it, as a script does with its COMMIT, or somebody before it did.
        """
        tally = self.tally
        if _COMMITS.match(sql):
            tally.committed |= not tally.closing
        elif not _NO_EFFECT.match(sql):
            if alone:
                tally.committed |= not tally.closing
            else:
                tally.pending = True

    def _executed(self, execute: Callable[[], object], outside: bool) -> None:
        while True:
            try:
                execute()
                return
            except Exception as error:
                late = sqlstate(error) == LOCK_NOT_AVAILABLE
                if not (outside and late and self.retry(error)):
                    raise


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _setting(values: Mapping[str, str], local: str) -> str:
    """SQL that sets all of them.

    Args:
        values: By name.
        local: SQL: whether only for the transaction.
    """
    return ", ".join(
        f"set_config('{name}', {_literal(value)}, {local})"
        for name, value in values.items()
    )


def _literal(value: str) -> str:
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
