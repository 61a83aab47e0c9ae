"""The watcher: a thread that looks on while the migration's own waits in libpq."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Final

from .blockers import Queue, look, progress, terminate
from .control import Control
from .events import Blocked, Blocker, BlockerTerminated, Emit, StatementRunning, shown
from .session import Session, Statement
from .signals import Signals

_LOOK_EVERY: Final = 0.2
_TELL_EVERY: Final = 5.0
_SHOW_RUNNING_AFTER: Final = 1.0
_TELL_RUNNING_AFTER: Final = 10.0
_TELL_RUNNING_EVERY: Final = 30.0
_BEAT_EVERY: Final = 15.0
_CANCEL_EVERY: Final = 0.5
_FORGOTTEN_AFTER: Final = 30.0
_SHOWN_SQL: Final = 100
_LOOK_UNSEEN_EVERY: Final = 0.5
_UNSEEN: Final = "(what was sent before)"


class Watcher:
    """Looks on during one run.

    It names those who block a statement, terminates them where that is asked for,
    tells how far a long statement is, keeps the control connection from being taken
    for dead, and on a signal cancels what the server is doing.

    Args:
        control: To look with.
        session: Whom to look at.
        signals: What came.
        emit: Where events go.
        name: Of the thread.
        patience: ``terminate_blockers_after``.

    Attributes:
        queue: The last look at a statement that waits.
    """

    def __init__(
        self,
        control: Control,
        session: Session,
        signals: Signals,
        emit: Emit,
        *,
        name: str,
        patience: float | None,
    ) -> None:
        self.queue = Queue()
        self._control = control
        self._session = session
        self._signals = signals
        self._emit = emit
        self._patience = patience
        self._ended = threading.Event()
        self._stirred = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._in_the_way: dict[int, tuple[float, float]] = {}
        self._told: tuple[float, object] = (0.0, None)
        self._told_running: tuple[Statement | None, float] = (None, 0.0)
        self._terminated: set[int] = set()
        self._beat = self._looked = time.monotonic()
        self._unseen_after = -1
        self._unseen = Statement(_UNSEEN, self._beat, None)
        self._name = self._shown_name = ""

    def start(self) -> None:
        """Begin to look on."""
        self._signals.when_received(self._stir)
        self._thread.start()

    def stop(self) -> None:
        """Look no longer."""
        if self._ended.is_set():
            return
        self._signals.forget(self._stir)
        self._ended.set()
        self._stirred.set()
        self._thread.join(timeout=10)

    def show(self, name: str) -> None:
        """Call the control connection something else, at the next look.

        A run of many short revisions does not wait for that.

        Args:
            name: As an ``application_name``.
        """
        self._name = name

    def _stir(self, number: int) -> None:
        self._stirred.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._stirred.wait(_LOOK_EVERY)
            if self._signals.received is not None:
                self._cancel()
                return
            # A look that fails is made again; the lock's proof finds a lost connection.
            with suppress(Exception):
                self._look()

    def _cancel(self) -> None:
        """Cancel until the run has ended."""
        while not self._ended.is_set():
            pid = self._session.pid
            with suppress(Exception):
                if pid is not None:
                    self._control.look("SELECT pg_cancel_backend(:pid)", {"pid": pid})
            self._ended.wait(_CANCEL_EVERY)

    def _look(self) -> None:
        now = time.monotonic()
        name = self._name
        if name != self._shown_name:
            self._control.rename(name)
            self._shown_name = name
        if now - self._beat > _BEAT_EVERY:
            self._beat = now
            self._control.look("SELECT 1")
        current = self._session.current
        statement = current or self._uncounted(now)
        if statement.pid is None or now - statement.began < _LOOK_EVERY:
            return
        if current is None and now - self._looked < _LOOK_UNSEEN_EVERY:
            return
        self._looked, running = now, now - statement.began
        queue = look(self._control.look, statement.pid)
        if self._session.current is not current:
            return
        if queue.blockers:
            self._waits(queue, statement, now)
        elif current is not None and running > _SHOW_RUNNING_AFTER:
            self._runs(statement, running, now)

    def _uncounted(self, now: float) -> Statement:
        """What may wait although nothing is being executed that we know of.

        That is a COMMIT, what a driver has queued and sends with it, and what a
        revision executes on the driver's own cursor.
        """
        count = self._session.tally.statements
        if count != self._unseen_after:
            self._unseen_after = count
            self._unseen = Statement(_UNSEEN, now, self._session.pid)
        return self._unseen

    def _waits(self, queue: Queue, statement: Statement, now: float) -> None:
        self.queue = queue
        tally = self._session.tally
        tally.lock_seconds = max(tally.lock_seconds, now - statement.began)
        for one in queue.nearest:
            first, last = self._in_the_way.get(one.pid, (statement.began, now))
            # Between attempts there is nobody in the way.
            first = first if now - last < _FORGOTTEN_AFTER else statement.began
            self._in_the_way[one.pid] = (first, now)
        waited = now - min(self._in_the_way[one.pid][0] for one in queue.nearest)
        who = tuple(one.pid for one in queue.blockers)
        if who != self._told[1] or now - self._told[0] >= _TELL_EVERY:
            self._told = (now, who)
            self._emit(
                Blocked,
                relation=queue.relation,
                mode=queue.mode,
                statement=shown(statement.sql, _SHOWN_SQL),
                waited_seconds=waited,
                blockers=queue.blockers,
            )
        for blocker in queue.nearest if self._patience is not None else ():
            if now - self._in_the_way[blocker.pid][0] >= (self._patience or 0):
                self._terminate(blocker)

    def _terminate(self, blocker: Blocker) -> None:
        if blocker.pid in self._terminated or blocker.pid == 0:
            return
        self._terminated.add(blocker.pid)
        done = blocker.protected is None and terminate(self._control.look, blocker.pid)
        self._emit(
            BlockerTerminated,
            pid=blocker.pid,
            done=done,
            blockers=(blocker,),
        )

    def _runs(self, statement: Statement, running: float, now: float) -> None:
        told, when = self._told_running
        first = told is not statement
        due = running > _TELL_RUNNING_AFTER and (
            first or now - when > _TELL_RUNNING_EVERY
        )
        if due:
            self._told_running = (statement, now)
        found = progress(self._control.look, statement.pid or 0)
        self._emit(
            StatementRunning,
            statement=shown(statement.sql, _SHOWN_SQL),
            seconds=running,
            phase=found.phase,
            percent=found.percent,
            live=not due,
        )
