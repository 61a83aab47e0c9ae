"""One safe run on one database: ``MigrationContext.run_migrations``, guarded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, text
from sqlalchemy.engine import Connection

from ..advice import explain_connection_failure
from ..config import Settings
from ..errors import RunError, RunInterrupted, StandbyError
from ..leaving import DEADLINE_ATTRIBUTE
from ..troubles import FAILURE_ATTRIBUTE, PROGRAM_ATTRIBUTE
from . import events
from .base import GuardedRun, Stock
from .control import Control
from .database import SERVER, Place, heads_of, identify, ping
from .driver import Transaction, may_queue, sqlstate, transaction
from .failure import Failure, describe
from .journal import Journal
from .lock import RunLock
from .names import LockKey, control_name, migration_name
from .patience import Patience
from .session import Session
from .signals import Signals
from .steps import target_of
from .watch import Watcher
from .work import Work

_TOUCHED_EVERY: Final = 5.0
# A server that is that impatient is asked at each rest.
_SHORT_LIMIT: Final = 10.0


class SafeRun(GuardedRun):
    """A run on PostgreSQL, from asking for the lock to giving it back.

    Arguments are those of ``GuardedRun``.
    """

    def __init__(
        self,
        context: MigrationContext,
        connection: Connection,
        settings: Settings,
        operation: str,
    ) -> None:
        super().__init__(context, connection, settings, operation)
        self._external = context._in_external_transaction
        self._began = self._touched = time.monotonic()
        self._touched_every = _TOUCHED_EVERY
        engine, name = connection.engine, control_name(self.run_id)
        self._queues = queues = may_queue(context)
        self._control = Control(engine, name, queues=queues)
        self._journal = Journal(engine, self.run_id, self._emit, queues=queues)
        if settings.history:
            self._reporter.also(self._journal.hear)
        self._signals = Signals.enter(self._busy)
        deadline = self._attributes.get(DEADLINE_ATTRIBUTE)
        if deadline is not None:
            self._signals.when_received(deadline.begin)
        self._key: LockKey | None = None
        self._role: str | None = None
        self._lock: RunLock | None = None
        self._session: Session | None = None
        self._watcher: Watcher | None = None
        self._work: Work | None = None
        self._ended = False

    def execute(self, stock: Stock, kw: dict[str, Any]) -> None:
        """Run the migrations. Arguments are those of ``GuardedRun.execute``.

        Raises:
            LockWaitError: Another run held the lock for too long.
            LockLostError: The lock is gone; the run stopped before it wrote on.
            StandbyError: The server is in recovery.
            RunInterrupted: A signal came.
            Exception: What a revision or Alembic raised, with its ``Failure``.
        """
        try:
            self._begin().apply(stock, kw)
        except BaseException as error:
            self._fail(error)
            raise
        self._applied()

    def prove_lock(self) -> None:
        """Called before a version is written."""
        if self._lock is None or self._ended:
            return
        dbapi = self._connection.connection.dbapi_connection
        # Else the write fails, with the words that stock Alembic has for it.
        if transaction(dbapi) is not Transaction.FAILED:
            self._lock.prove(self._connection)

    def _begin(self) -> Work:
        """Take the lock, and set up all that is needed to go on."""
        context, connection = self._context, self._connection
        table, schema = context.version_table, context.version_table_schema
        place = identify(connection, table, schema)
        self._key = key = LockKey(place.schema, table)
        self._role = place.user
        if place.idle_limit is not None and place.idle_limit < _SHORT_LIMIT:
            self._touched_every = 0.0
        start = self._emit(
            events.RunStarted,
            operation=self.operation,
            target=target_of(context.opts),
            database=place.database,
            host=connection.engine.url.host,
            user=place.user,
            lock=str(key),
        )
        self._refuse_standby(place)
        self._take_lock(key, place)
        self._session = session = Session(
            connection,
            migration_name(self.run_id, key),
            self._settings,
            check=self._signals.check,
            queues=self._queues,
        )
        session.attach()
        self._watcher = watcher = Watcher(
            self._control,
            session,
            self._signals,
            self._emit,
            name=f"ibutsu_migrate {self.run_id}",
            patience=self._settings.terminate_blockers_after,
        )
        watcher.start()
        self._work = Work(
            self.run_id,
            context,
            self._settings,
            session,
            self._control,
            watcher,
            self._signals,
            self._emit,
            start,
        )
        return self._work

    def _refuse_standby(self, place: Place) -> None:
        if place.standby:
            raise StandbyError(
                f"The server of database {place.database} is in recovery (a standby): "
                "nothing can be migrated there.",
                remedy="Name the primary; with several hosts in the URL, add "
                "?target_session_attrs=read-write.",
                run_id=self.run_id,
            )

    def _take_lock(self, key: LockKey, place: Place) -> None:
        # In a transaction that the caller will end, the lock must not end earlier.
        control, external = self._control, self._external
        query = self._in_migration if external else control.query
        lock = RunLock(query, control, key, self.run_id, self._emit)
        limit = self._settings.lock_wait
        try:
            server = control.query(f"SELECT {SERVER}")[0][0]
        except Exception as error:
            url = self._connection.engine.url
            raise RunError(
                "The second connection, which holds the lock, cannot be opened.\n"
                + explain_connection_failure(error, url),
                run_id=self.run_id,
            ) from error
        if server != place.server:
            raise RunError(
                "The second connection, which holds the lock, went to another server: "
                "there it would keep nobody out.",
                remedy="Several hosts in a URL need ?target_session_attrs=read-write.",
                run_id=self.run_id,
            )
        waited = lock.acquire(limit, self._rest)
        self._lock = lock
        event.listen(self._connection.engine, "handle_error", lock.refuse_lost)
        terminate = self._settings.terminate_blockers_after
        lock.wait_for_orphans(place.pid, limit, terminate, self._rest)
        if external and waited and self._keeps_its_snapshot():
            raise RunError(
                "The transaction this run was given is REPEATABLE READ or stricter and "
                "older than the lock: it does not see what the other run did.",
                remedy="Begin it anew, and call again.",
                run_id=self.run_id,
            )

    def _keeps_its_snapshot(self) -> bool:
        sql = "SELECT current_setting('transaction_isolation')"
        isolation = self._in_migration(sql, {})[0][0]
        return isolation in ("repeatable read", "serializable")

    def _rest(self, seconds: float) -> None:
        """Sleep while something is waited for, and the migration's connection is idle.

        Raises:
            RunInterrupted: A signal has come.
        """
        self._signals.sleep(seconds)
        if time.monotonic() - self._touched > self._touched_every:
            ping(self._connection)
            self._touched = time.monotonic()

    def _in_migration(self, sql: str, parameters: Any) -> Any:
        return self._connection.execute(text(sql), parameters).all()

    def _end(self) -> None:
        """See where the database is, give the lock back, tell.

        Raises:
            RunError: The version table is not where the run has brought it.
        """
        self._ended = True
        steps = len(self._work.steps or ()) if self._work else 0
        trail = self._work.trail if self._work else []
        expected = trail[-1] if trail else None
        try:
            self._stop_watching()
            if self._external and self._connection.in_transaction():
                heads: tuple[str, ...] | None = tuple(sorted(expected or ()))
            else:
                heads = self._heads()
            lost = expected is not None and heads is not None and expected != set(heads)
            outcome = "done" if steps else "nothing to do"
            self._tell_end("failed" if lost else outcome, heads, None)
        finally:
            self._release()
        if lost:
            raise RunError(
                f"The run applied {steps} revisions, and the database is still at "
                f"{events.revisions(heads or ())}: env.py did not commit them.",
                remedy="Use `with context.begin_transaction():` around "
                "`context.run_migrations()` in env.py, on a connection that is not in "
                "a transaction yet.",
                run_id=self.run_id,
            )

    def _fail(self, error: BaseException) -> None:
        """See what is left of the run, give the lock back, tell.

        Raises:
            RunInterrupted: A signal is what the error comes from.
        """
        self._ended = True
        work = self._work
        try:
            if work is not None and not self._external:
                with suppress(Exception):
                    work.roll_back()
            heads = self._heads()
            if work is not None and heads is not None:
                work.settle(heads)
            broken = work is not None and work.is_broken
            found = self._describe(error, heads, broken)
            self._stop_watching()
            _attach(error, found)
            stopped = self._signals.received is not None
            outcome = "interrupted" if stopped else "failed"
            self._tell_end(outcome, heads, f"{found.kind}: {found.message}")
        finally:
            self._release()
        number = self._signals.received
        if number is not None and not isinstance(error, RunInterrupted):
            # A statement that was cancelled for a signal is not what went wrong.
            interrupted = RunInterrupted(number)
            _attach(interrupted, found)
            raise interrupted from error

    def _describe(
        self, error: BaseException, heads: tuple[str, ...] | None, broken: bool
    ) -> Failure:
        trail = self._work.trail if self._work is not None else []
        late = Patience.is_about(sqlstate(error))
        queue = self._watcher.queue if late and self._watcher is not None else None
        return describe(
            error,
            run_id=self.run_id,
            operation=self.operation,
            step=self._work.failed_step(error) if self._work is not None else None,
            stopped_by=self._signals.received,
            heads=heads,
            moved=bool(trail) and heads is not None and trail[0] != set(heads),
            rolled_back=not broken,
            blockers=queue.blockers if queue is not None else (),
            program=str(self._attributes.get(PROGRAM_ATTRIBUTE, "alembic")),
            role=self._role,
            folders=self._folders(),
        )

    def _folders(self) -> list[Path]:
        script = self._context.opts.get("script")
        return [Path(place) for place in getattr(script, "_version_locations", ())]

    def _heads(self) -> tuple[str, ...] | None:
        key = self._key
        if key is None:
            return None
        found = heads_of(self._control.look, key.schema, key.table)
        if found is None:
            # The connection may be broken: once more, on a new one.
            with suppress(Exception):
                self._control.end()
                found = heads_of(self._control.look, key.schema, key.table)
        return found

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
        if self._session is not None:
            with suppress(Exception):
                self._session.detach()
        if self._lock is not None:
            listener = (self._connection.engine, "handle_error", self._lock.refuse_lost)
            if event.contains(*listener):
                event.remove(*listener)

    def _release(self) -> None:
        try:
            self._journal.close()
            with suppress(Exception):
                self._control.close()
        finally:
            self._signals.leave(self._busy)

    def _tell_end(
        self, outcome: str, heads: tuple[str, ...] | None, error: str | None
    ) -> None:
        done = self._work.done(heads) if self._work is not None else 0
        self._emit(
            events.RunFinished,
            outcome=outcome,
            heads=heads,
            steps=done,
            seconds=time.monotonic() - self._began,
            error=error,
        )

    @property
    def _attributes(self) -> Mapping[str, Any]:
        config = self._context.config
        return config.attributes if config is not None else {}

    def _busy(self) -> bool:
        session = self._session
        return session is not None and (
            session.current is not None or session.committing
        )


def _attach(error: BaseException, found: Failure | None) -> None:
    with suppress(Exception):
        setattr(error, FAILURE_ATTRIBUTE, found)
