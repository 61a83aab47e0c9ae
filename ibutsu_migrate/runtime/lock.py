"""One run at a time on one version table. ``docs/design/runtime.md`` says why so."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.engine import Connection, ExceptionContext

from ..engine.pipeline import UNREAD
from ..errors import LockLostError, LockWaitError
from ..policies import show_seconds
from .control import Control
from .events import Emit, LockWaiting, OrphanFound, elapsed, shown
from .names import PREFIX, SPACE, LockKey, read_name

Query = Callable[[str, Mapping[str, object]], Any]

_FIRST_POLL: Final = 0.1
_SLOWEST_POLL: Final = 0.5
_TELL_EVERY: Final = 5.0
_SHOWN_QUERY: Final = 200

_TRY: Final = "SELECT pg_try_advisory_xact_lock(:space, :number), pg_backend_pid()"

# Both numbers are shown unsigned. The lock with two numbers has objsubid 2.
_IS_OURS: Final = """
    l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
    AND l.classid = CAST(CAST(:space AS bigint) AS oid)
    AND l.objid = CAST(CAST(:unsigned AS bigint) AS oid)
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_HOLDER: Final = f"""
SELECT l.pid, a.application_name,
       CAST(extract(epoch FROM clock_timestamp() - a.xact_start) AS float8)
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE {_IS_OURS}
"""  # noqa: S608 - constants

# Fails where the lock is not held: so nobody has to wait for the answer. The text that
# is no truth value is not constant, else the server would evaluate it when it plans.
_PROOF: Final = f"""
SELECT 1 FROM (
    SELECT count(*) AS held FROM pg_locks l WHERE {_IS_OURS} AND l.pid = :holder
) AS lock
WHERE CASE held WHEN 1 THEN false ELSE CAST(:lost || CAST(held AS text) AS bool) END
"""  # noqa: S608 - constants

_ORPHANS: Final = f"""
SELECT pid, application_name, state, query FROM pg_stat_activity
WHERE datname = current_database()
  AND starts_with(application_name, '{PREFIX}')
  AND right(application_name, 13) = :suffix
  AND NOT starts_with(application_name, :own) AND pid <> :pid
  AND state IS DISTINCT FROM 'idle'
"""  # noqa: S608 - a constant


class RunLock:
    """The lock of one run.

    Args:
        query: Runs a statement in the transaction that holds the lock: the control
            connection's, or the migration's own where a caller has opened that and
            will end it.
        control: To look around with.
        key: What to lock.
        run_id: Of the run.
        emit: Where events go.
    """

    def __init__(
        self,
        query: Query,
        control: Control,
        key: LockKey,
        run_id: str,
        emit: Emit,
    ) -> None:
        self.key = key
        self._query = query
        self._control = control
        self._run_id = run_id
        self._emit = emit
        self._numbers = {"space": SPACE, "number": key.number}
        self._shown = {"space": SPACE, "unsigned": key.number & 0xFFFFFFFF}
        self._holds: int | None = None
        # In the error that the server makes of it, and in nobody else's.
        self._mark = f"ibutsu_migrate: run {run_id} has lost its lock, "

    def acquire(self, limit: float, sleep: Callable[[float], object]) -> float:
        """Wait for the lock, politely.

        A lock call that blocks holds a snapshot, the holder's concurrent index build
        waits for that, and the server's deadlock detector sees nothing: so it is asked
        for again and again, in a new transaction each time.

        Args:
            limit: Seconds.
            sleep: Sleeps; raises when the run is to stop.

        Returns:
            Seconds waited.

        Raises:
            LockWaitError: The limit is over.
        """
        begun = time.monotonic()
        told: tuple[float, object] = (-_TELL_EVERY, None)
        pause = _FIRST_POLL
        while not self._try():
            waited = time.monotonic() - begun
            holder = self._holder(waited, limit)
            who = (holder["holder_pid"], holder["holder_revision"])
            if waited - told[0] >= _TELL_EVERY or who != told[1]:
                self._emit(LockWaiting, **holder)
                told = (waited, who)
            self._control.end()
            if waited >= limit:
                raise self._gave_up(holder)
            sleep(min(pause, max(limit - waited, 0.01)) * random.uniform(0.8, 1.2))  # noqa: S311
            pause = min(pause * 1.5, _SLOWEST_POLL)
        return time.monotonic() - begun

    def _try(self) -> bool:
        got, self._holds = self._query(_TRY, self._numbers)[0]
        return bool(got)

    def _holder(self, waited: float, limit: float) -> dict[str, Any]:
        rows = self._control.look(_HOLDER, self._shown)
        # Gone in between: the next attempt finds out.
        pid, name, since = rows[0] if rows else (None, None, None)
        owner = read_name(name)
        return dict(
            holder_pid=pid,
            holder_run=owner.run_id,
            holder_host=owner.host,
            holder_process=owner.pid,
            holder_seconds=since,
            holder_revision=owner.revision,
            waited_seconds=waited,
            limit_seconds=limit,
        )

    def _gave_up(self, holder: Mapping[str, Any]) -> LockWaitError:
        pid, run = holder["holder_pid"], holder["holder_run"]
        who = f"backend {pid}" if pid else "nobody now"
        if run:
            who = f"run {run} on {holder['holder_host']}, {who}"
        return LockWaitError(
            f"Another run holds the lock of {self.key} ({who}), and it was waited for "
            f"{elapsed(holder['waited_seconds'])} (lock_wait is "
            f"{show_seconds(holder['limit_seconds'])}). Nothing was done.",
            remedy="Let it end, and type the command again; "
            "-x ibutsu_migrate.lock_wait=1h waits longer.",
            run_id=self._run_id,
        )

    def prove(self, connection: Connection) -> None:
        """Have the server see that the backend that took the lock still holds it.

        In the transaction of the version's write, so what is proven holds for that. It
        may stay in the driver's queue: ``refuse_lost`` is told of the error whenever it
        comes.

        Args:
            connection: The migration's.

        Raises:
            LockLostError: It is not held any more.
        """
        proof = {**self._shown, "holder": self._holds, "lost": self._mark}
        connection.execute(text(_PROOF), proof, execution_options={UNREAD: True})

    def refuse_lost(self, context: ExceptionContext) -> None:
        """A listener of ``handle_error``: the error is that the lock is lost.

        Raises:
            LockLostError: It is.
        """
        if self._mark in str(context.original_exception):
            raise self._lost() from context.original_exception

    def _lost(self) -> LockLostError:
        return LockLostError(
            f"The lock of {self.key} is lost: its connection was closed by the server, "
            "a pooler or an administrator. The run stopped before it wrote a version.",
            remedy="Type the command again: it goes on from where the database is.",
            run_id=self._run_id,
        )

    def wait_for_orphans(
        self,
        pid: int,
        limit: float,
        terminate: float | None,
        sleep: Callable[[float], object],
    ) -> None:
        """Wait for backends of dead runs, which may still change things.

        Args:
            pid: The migration's own backend: an earlier run in the same transaction of
                a caller has left its name there.
            limit: Seconds.
            terminate: Seconds after which they are terminated, or None.
            sleep: Sleeps; raises when the run is to stop.

        Raises:
            LockWaitError: The limit is over.
        """
        begun = time.monotonic()
        told = -_TELL_EVERY
        own = f"{PREFIX}{self._run_id}"
        names = {"suffix": f" key={self.key.hex}", "own": own, "pid": pid}
        while rows := self._control.look(_ORPHANS, names):
            waited = time.monotonic() - begun
            doomed = terminate is not None and waited >= terminate
            if doomed or waited - told >= _TELL_EVERY:
                told = waited
                for pid, name, state, query in rows:
                    self._found(pid, name, state, query, doomed)
            if waited >= limit:
                raise self._still_there(rows[0][0], waited)
            sleep(_FIRST_POLL)
            # Within a transaction the view is what it was at the first look.
            self._control.look("SELECT pg_stat_clear_snapshot()")

    def _found(
        self, pid: int, name: str, state: str | None, query: str | None, doomed: bool
    ) -> None:
        if doomed:
            self._control.look("SELECT pg_terminate_backend(:pid)", {"pid": pid})
        self._emit(
            OrphanFound,
            pid=pid,
            orphan_run=name.removeprefix(PREFIX)[:8],
            state=state,
            query=shown(query or "", _SHOWN_QUERY) or None,
            terminated=doomed,
        )

    def _still_there(self, pid: int, waited: float) -> LockWaitError:
        return LockWaitError(
            f"Backend {pid} of a run that is dead still works after {elapsed(waited)}. "
            "Nothing was done.",
            remedy=f"Let it end, or end it (SELECT pg_terminate_backend({pid})), and "
            "type the command again.",
            run_id=self._run_id,
        )
