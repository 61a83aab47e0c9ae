"""The control connection: holds the lock, and looks at what happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from ..engine.pipeline import OPTION as PIPELINE
from .driver import notice_death

Parameters = Mapping[str, object] | Sequence[Mapping[str, object]] | None

_ANSWERS_WITHIN: Final = "10s"

# Drivers that send several commands in one message, and give the last one's rows.
_SEVERAL: Final = frozenset(("ibutsu", "psycopg2"))
_BACK: Final = "ROLLBACK TO SAVEPOINT look"
_AWAY: Final = "RELEASE SAVEPOINT look"


class Control:
    """A second connection, made as env.py's engine makes its own.

    Its pool is a copy of the engine's, so that a creator, token authentication and
    connect events do their work, and that a pool of one does not run dry. Its
    transaction is READ COMMITTED: between statements it has no snapshot, so neither
    vacuum nor a concurrent index build waits for it.

    Args:
        engine: env.py's.
        application_name: Of the connection.
        lock_timeout: For tables, as the server reads it.
        queues: Whether BEGIN and what has no rows go along with what is awaited, on
            this package's driver.

    Threads: any; one statement at a time.
    """

    def __init__(
        self,
        engine: Engine,
        application_name: str,
        lock_timeout: str = "0",
        *,
        queues: bool = False,
    ) -> None:
        self._engine = Engine(engine.pool.recreate(), engine.dialect, engine.url)
        self._limits = {"name": application_name, "lock_timeout": lock_timeout}
        self._queues = queues
        self._mutex = threading.RLock()
        self._connection: Connection | None = None
        self._begun = False

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def query(self, sql: str, parameters: Parameters = None) -> Sequence[Any]:
        """Run one statement in the open transaction, or in a new one.

        What it locks stays locked until the transaction ends.

        Args:
            sql: With ``:name`` for parameters.
            parameters: By name; for each of a list the statement is run.

        Raises:
            sqlalchemy.exc.DBAPIError: The connection is lost, or the statement fails.
        """
        with self._mutex:
            connection = self._open()
            if not self._begun:
                version: Any = connection.dialect.server_version_info
                limits = _LIMITS_17 if version >= (17,) else _LIMITS
                connection.execute(text(limits), self._limits)
                self._begun = True
            result = connection.execute(text(sql), parameters)
            return result.all() if result.returns_rows else ()

    def commit(self) -> None:
        """Commit what was done, which ends the transaction and all locks."""
        with self._mutex:
            self._begun = False
            if self._connection is not None:
                self._connection.commit()

    def look(self, sql: str, parameters: Parameters = None) -> Sequence[Any]:
        """As ``query``, but a statement that fails does not end the transaction.

        A transaction that fails gives up its locks at once, the advisory ones too. And
        nothing that was looked at stays locked: a migration may rewrite it.
        """
        with self._mutex:
            if self._engine.dialect.driver in _SEVERAL:
                first, last = f"SAVEPOINT look; {sql}", f"{_BACK}; {_AWAY}"
            else:
                self.query("SAVEPOINT look")
                first, last = sql, _BACK
            try:
                return self.query(first, parameters)
            finally:
                self.query(last)
                if last is _BACK:
                    self.query(_AWAY)

    def rename(self, application_name: str) -> None:
        """Be called something else until the transaction ends."""
        self.query(_RENAME, {"name": application_name})

    def end(self) -> None:
        """End the transaction, and with it all locks; the connection stays."""
        with self._mutex:
            self._begun = False
            if self._connection is not None:
                self._connection.rollback()

    def close(self) -> None:
        """Close the connection; what it raises is of no interest to anybody."""
        with self._mutex:
            connection, self._connection = self._connection, None
            self._begun = False
            try:
                if connection is not None:
                    # The pool's reset is a round trip that may find the server gone.
                    connection.invalidate()
                    connection.close()
            finally:
                self._engine.dispose()

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(
                isolation_level="READ COMMITTED",
                **{PIPELINE: self._queues},
            )
            notice_death(self._connection.connection.dbapi_connection)
        return self._connection


# All of them end with the transaction: nothing is left on a pooler's connection.
_LIMITS: Final = f"""
SELECT set_config('application_name', :name, true),
       set_config('idle_in_transaction_session_timeout', '0', true),
       set_config('statement_timeout', '{_ANSWERS_WITHIN}', true),
       set_config('lock_timeout', :lock_timeout, true)"""

_LIMITS_17: Final = f"{_LIMITS}, set_config('transaction_timeout', '0', true)"

_RENAME: Final = "SELECT set_config('application_name', :name, true)"
