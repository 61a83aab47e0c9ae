"""The steps of a run: done by stock Alembic, and again where a lock is not got."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from alembic.runtime.migration import MigrationContext

from ..config import Settings
from ..errors import RunError
from . import events
from .checksum import checksum_of
from .control import Control
from .driver import sqlstate
from .failure import queued_in
from .names import control_name
from .patience import Patience
from .session import Session
from .signals import Signals
from .steps import direction_of, limits_of, revision_of
from .watch import Watcher

Stock = Callable[..., Any]


class Work:
    """What is done while the lock is held.

    Args:
        run_id: Of the run.
        context: Alembic's.
        settings: What to go by.
        session: On the migration's connection.
        control: The control connection.
        watcher: Who looks on.
        signals: What came.
        emit: Where events go.
        start: The run's first event.

    Attributes:
        steps: The plan, made once; None until the heads have been read.
        trail: The heads before the first step and after each that was done.
        step: In work, or None.
    """

    def __init__(
        self,
        run_id: str,
        context: MigrationContext,
        settings: Settings,
        session: Session,
        control: Control,
        watcher: Watcher,
        signals: Signals,
        emit: events.Emit,
        start: events.Event,
    ) -> None:
        self.steps: list[Any] | None = None
        self.trail: list[frozenset[str]] = []
        self.step: Any = None
        self._run_id = run_id
        self._context = context
        self._settings = settings
        self._session = session
        self._control = control
        self._watcher = watcher
        self._signals = signals
        self._emit = emit
        self._start = start
        self._began = time.monotonic()
        self._plan: Stock | None = context._migrations_fn
        self._number = 0
        self._step_began = self._furthest_began = 0.0
        self._furthest = 0
        self._attempts = 1
        self._patience: Patience | None = None
        self._broken: set[int] = set()
        session.retry = self._try_again

    @property
    def is_broken(self) -> bool:
        """Whether the step in work has committed a part, so it cannot begin anew."""
        return self.step is not None and self._session.tally.committed

    def done(self, heads: tuple[str, ...] | None) -> int:
        """How many steps are in the database.

        Args:
            heads: Of the database; None: not known.
        """
        if heads is None:
            return max(len(self.trail) - 1, 0)
        return self._committed(frozenset(heads)) or 0

    def failed_step(self, error: BaseException) -> Any:
        """The step that an error is of: it may come while a later one is in work.

        Args:
            error: What ended the run.
        """
        file = queued_in(error)
        for step in self.steps or () if file is not None else ():
            if getattr(getattr(step, "revision", None), "path", None) == file:
                return step
        return self.step

    def settle(self, heads: tuple[str, ...]) -> None:
        """See that the step in work is done: its COMMIT was through before the error.

        Args:
            heads: Of the database, after the error.
        """
        if self._session.tally.closing and frozenset(heads) == self.trail[-1]:
            self.step = None

    def apply(self, stock: Stock, kw: dict[str, Any]) -> None:
        """Stock Alembic, again and again where a lock is not got.

        Args:
            stock: ``MigrationContext.run_migrations`` as Alembic has it.
            kw: Its arguments.
        """
        context = self._context
        callbacks = context.on_version_apply_callbacks
        context._migrations_fn = self._planned
        context.on_version_apply_callbacks = (*callbacks, self._written)
        try:
            while True:
                try:
                    stock(context, **kw)
                    self._after_step()
                    return
                except Exception as error:
                    if not self._take_back(error):
                        raise
        finally:
            context._migrations_fn = self._plan
            context.on_version_apply_callbacks = callbacks

    def _planned(self, heads: Any, context: MigrationContext) -> Iterator[Any]:
        """The steps that are still to be done, for Alembic to do.

        The plan is made once: ``+1`` must not mean another revision each time.
        """
        if self.steps is None:
            self.steps = list(self._plan(heads, context)) if self._plan else []
            self.trail = [frozenset(heads)]
            self._emit(
                events.PlanMade,
                start=self._start,
                heads=tuple(sorted(heads)),
                steps=tuple(revision_of(step) for step in self.steps),
                waited_seconds=time.monotonic() - self._began,
            )
        done = self._position(frozenset(heads))
        for number, step in enumerate(self.steps[done:], done + 1):
            self._after_step()
            self._before_step(number, step)
            yield step

    def _position(self, heads: frozenset[str]) -> int:
        """How many steps are committed, by what the version table says."""
        number = self._committed(heads)
        if number is not None:
            del self.trail[number + 1 :]
            return number
        raise RunError(
            "The version table was changed by somebody else in the middle of the run: "
            f"it is at {events.revisions(tuple(sorted(heads)))}.",
            remedy="Find out who does not take the lock; type the command again.",
            run_id=self._run_id,
        )

    def _committed(self, heads: frozenset[str]) -> int | None:
        for number in range(len(self.trail) - 1, -1, -1):
            if self.trail[number] == heads:
                return number
        return None

    def _before_step(self, number: int, step: Any) -> None:
        self._signals.check()
        # Where all is one transaction, an attempt begins with those before it.
        if number > self._furthest:
            self._furthest = number
            self._attempts, self._patience = 1, None
            self._furthest_began = time.monotonic()
        again = number == self._furthest
        self._step_began = self._furthest_began if again else time.monotonic()
        self.step, self._number = step, number
        self._session.begin_revision(**limits_of(step))
        # Waiters read in the lock holder's name which revision it is at.
        self._watcher.show(control_name(self._run_id, revision_of(step)))
        self._emit(
            events.RevisionStarted,
            revision=revision_of(step),
            direction=direction_of(step),
            number=number,
            count=len(self.steps or ()),
        )

    def _written(self, *, heads: set[str], **_: Any) -> None:
        """Alembic has written a version, in the transaction of the step."""
        self.trail.append(frozenset(heads))
        if self._session.tally.committed:
            self._broken.add(self._number)
        self._session.tally.closing = True

    def _after_step(self) -> None:
        """A step is through, and committed where each has its own transaction."""
        step, self.step = self.step, None
        if step is None:
            return
        context, tally = self._context, self._session.tally
        if self._number in self._broken and not context._in_external_transaction:
            self._commit_rest()
        self._emit(
            events.RevisionDone,
            revision=revision_of(step),
            direction=direction_of(step),
            message=getattr(step, "doc", None),
            checksum=_checksum(step),
            number=self._number,
            count=len(self.steps or ()),
            seconds=time.monotonic() - self._step_began,
            statements=tally.statements,
            lock_seconds=tally.lock_seconds,
            attempts=self._attempts if self._number == self._furthest else 1,
            committed=context._transaction is None or self._number in self._broken,
        )

    def _commit_rest(self) -> None:
        """A part of the step is committed: now the rest, and with it the version.

        Else a later failure would take the version back and have the part done twice.
        Where the revision itself called ``commit()``, stock Alembic's own transaction
        is over, nobody commits the version, and that is lost without a word.
        """
        context, connection = self._context, self._context.connection
        if connection is not None and connection.in_transaction():
            outer = context._transaction
            connection.commit()
            context._transaction = None if outer is None else connection.begin()

    def _take_back(self, error: Exception) -> bool:
        """Roll back and wait; False where the run must fail."""
        if not Patience.is_about(sqlstate(error)) or self.is_broken:
            return False
        if self._context._in_external_transaction or self._signals.received is not None:
            return False
        if not (self.roll_back(begin=True) and self._try_again(error)):
            return False
        self.step = None
        return True

    def roll_back(self, *, begin: bool = False) -> bool:
        """Roll back what is open; False where the connection is lost.

        Args:
            begin: Whether env.py's own transaction begins anew.
        """
        context, connection = self._context, self._context.connection
        outer, context._transaction = context._transaction, None
        if outer is not None and outer.is_active:
            outer.rollback()
        if connection is None or connection.closed:
            return False
        if connection.in_transaction():
            connection.rollback()
        if connection.invalidated:
            return False
        if outer is not None and begin:
            context._transaction = connection.begin()
        self._session.rolled_back()
        return True

    def _try_again(self, error: BaseException) -> bool:
        """Wait until the way is free, or for a while; False when patience is over."""
        if self._patience is None:
            self._patience = Patience(self._settings.lock_patience)
        pause = self._patience.pause()
        if pause is None:
            return False
        self._emit(
            events.Retrying,
            revision=revision_of(self.step) if self.step is not None else None,
            attempt=self._attempts,
            pause_seconds=pause,
            left_seconds=self._patience.left(),
            reason=Patience.reason(sqlstate(error), self._session.lock_timeout),
        )
        self._attempts += 1
        nearest = self._watcher.queue.nearest
        self._patience.wait(pause, self._control.look, nearest, self._signals.sleep)
        return True


def _checksum(step: Any) -> str | None:
    path = getattr(getattr(step, "revision", None), "path", None)
    return checksum_of(path) if path is not None else None
