"""What every kind of run has in common, as Alembic's hooks see it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from ..config import Settings
from . import events
from .names import new_run_id
from .report import Reporter, listener_for

Stock = Callable[..., Any]


class GuardedRun(ABC):
    """A run under a lock, which is held until what was done is committed.

    Where env.py, or a caller's own transaction, commits after ``run_migrations()`` has
    returned, the run ends then.

    Args:
        context: Alembic's, online.
        connection: Its connection.
        settings: What to go by.
        operation: ``upgrade``, ``downgrade``, ...
    """

    def __init__(
        self,
        context: MigrationContext,
        connection: Connection,
        settings: Settings,
        operation: str,
    ) -> None:
        self.run_id = new_run_id()
        self.operation = operation
        self._context = context
        self._connection = connection
        self._settings = settings
        listener = listener_for(context.config, settings.report)
        self._reporter = Reporter(self.run_id, listener)
        self._emit: events.Emit = self._reporter.tell
        self._waits_for_commit = False

    @abstractmethod
    def execute(self, stock: Stock, kw: dict[str, Any]) -> None:
        """Run the migrations.

        Args:
            stock: ``MigrationContext.run_migrations`` as Alembic has it.
            kw: Its arguments.
        """

    @abstractmethod
    def prove_lock(self) -> None:
        """Called before a version is written; raises where the lock is lost."""

    @abstractmethod
    def _end(self) -> None:
        """All is committed."""

    @abstractmethod
    def _fail(self, error: BaseException) -> None:
        """The transaction was rolled back, or could not be committed.

        May raise another error in the place of that one.
        """

    def transaction_ended(self, error: BaseException | None) -> None:
        """Called when env.py's transaction around ``run_migrations()`` is over."""
        if not self._waits_for_commit:
            return
        self._waits_for_commit = False
        if error is not None:
            self._fail(error)
        else:
            self._end()

    def _applied(self) -> None:
        """``run_migrations()`` is through: end, or wait for the commit."""
        connection = self._connection
        if not connection.closed and connection.in_transaction():
            self._waits_for_commit = True
        else:
            self._end()
