"""The history: runs and steps, written down in a schema of their own.

A third connection writes it: what a migration rolls back must not take the record
along, what cannot be written must not stop a migration, and no revision waits until the
one before it is written down.
"""

from __future__ import annotations

import getpass
import os
import queue
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from .. import __version__
from .control import Control
from .database import THERE
from .events import (
    Emit,
    Event,
    PlanMade,
    RevisionDone,
    RunFinished,
    RunStarted,
    Warned,
)
from .hook import HISTORY_SCHEMA as SCHEMA
from .names import SPACE, control_name

# One statement each, and all of them harmless when the thing is there.
# No column has the name of a word that a later PostgreSQL reserves (16: system_user).
_VERSIONS: Final = (
    (
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
        f"CREATE TABLE IF NOT EXISTS {SCHEMA}.format (number int NOT NULL)",
        f"""CREATE TABLE IF NOT EXISTS {SCHEMA}.run (
            id text PRIMARY KEY,
            operation text NOT NULL,
            target text,
            version_table text NOT NULL,
            started timestamptz NOT NULL DEFAULT clock_timestamp(),
            finished timestamptz,
            outcome text,
            heads_before text[] NOT NULL,
            heads_after text[],
            waited_seconds float8 NOT NULL,
            error text,
            database_user text,
            os_user text,
            host text NOT NULL,
            process int NOT NULL,
            program text,
            package_version text NOT NULL,
            code_version text
        )""",
        f"""CREATE TABLE IF NOT EXISTS {SCHEMA}.step (
            run text NOT NULL REFERENCES {SCHEMA}.run ON DELETE CASCADE,
            number int NOT NULL,
            revision text NOT NULL,
            direction text NOT NULL,
            message text,
            checksum text,
            finished timestamptz NOT NULL DEFAULT clock_timestamp(),
            seconds float8 NOT NULL,
            statements int NOT NULL,
            lock_seconds float8 NOT NULL,
            attempts int NOT NULL,
            committed boolean,
            PRIMARY KEY (run, number)
        )""",
    ),
)

_LOCK_TIMEOUT: Final = "2s"

_FORMAT: Final = f"SELECT coalesce(max(number), 0) FROM {SCHEMA}.format"  # noqa: S608

# A run that was killed could not write its end. Whoever writes the next holds its lock.
_DIED: Final = f"""
UPDATE {SCHEMA}.run SET outcome = 'died'
WHERE outcome IS NULL AND version_table = :version_table
"""  # noqa: S608

_RUN: Final = f"""
INSERT INTO {SCHEMA}.run (id, operation, target, version_table, heads_before,
    waited_seconds, database_user, os_user, host, process, program,
    package_version, code_version)
VALUES (:id, :operation, :target, :version_table, string_to_array(:heads, ','),
    :waited, :database_user, :os_user, :host, :process, :program, :package, :code)
"""  # noqa: S608

_STEP: Final = f"""
INSERT INTO {SCHEMA}.step (run, number, revision, direction, message, checksum,
    seconds, statements, lock_seconds, attempts, committed)
VALUES (:run, :number, :revision, :direction, :message, :checksum, :seconds,
    :statements, :lock_seconds, :attempts, :committed)
ON CONFLICT (run, number) DO UPDATE SET finished = clock_timestamp(),
    seconds = excluded.seconds, statements = excluded.statements,
    lock_seconds = excluded.lock_seconds, attempts = excluded.attempts,
    committed = excluded.committed
"""  # noqa: S608

_END: Final = f"""
UPDATE {SCHEMA}.run SET finished = clock_timestamp(), outcome = :outcome,
    heads_after = string_to_array(:heads, ','), error = :error
WHERE id = :id
"""  # noqa: S608

# What was not known to be committed is, if the run came to its end; else it is not.
_SETTLE: Final = f"""
UPDATE {SCHEMA}.step SET committed = :done WHERE run = :id AND committed IS NULL
"""  # noqa: S608

_CODE_VARIABLES: Final = (
    "IBUTSU_MIGRATE_CODE_VERSION",
    "GIT_COMMIT",
    "GIT_SHA",
    "SOURCE_VERSION",
    "CI_COMMIT_SHA",
    "GITHUB_SHA",
)


class Journal:
    """Writes down one run. A listener, besides the one that people see.

    Args:
        engine: The migration's.
        run_id: Of the run.
        emit: For the one warning.
        queues: As ``Control``'s.
    """

    def __init__(
        self, engine: Engine, run_id: str, emit: Emit, *, queues: bool = False
    ) -> None:
        # Who holds these tables must not hold up a migration.
        name = control_name(run_id)
        self._control = Control(engine, name, _LOCK_TIMEOUT, queues=queues)
        self._emit = emit
        self._writes = False
        self._failed = False
        self._steps: queue.SimpleQueue[RevisionDone | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None

    def hear(self, event: Event) -> None:
        """Write what belongs into the history; a run that does nothing does not."""
        if self._failed:
            return
        try:
            if isinstance(event, PlanMade) and event.steps:
                self._begin(event)
            elif isinstance(event, RevisionDone) and self._writes:
                self._write_soon(event)
            elif isinstance(event, RunFinished) and self._writes:
                self._await_writer()
                if not self._failed:
                    self._again_where_lost(lambda: self._end(event))
        except Exception as error:
            self._give_up(error)

    def close(self) -> None:
        """Close the connection."""
        self._await_writer()
        with suppress(Exception):
            self._control.close()

    def _give_up(self, error: Exception) -> None:
        self._failed = True
        said = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        self._emit(
            Warned,
            message=f"the history cannot be written ({said}); the run goes on "
            "without. -x ibutsu_migrate.history=off says that it should.",
        )
        with suppress(Exception):
            self._control.close()

    def _write_soon(self, event: RevisionDone) -> None:
        """Write a step while the next one is done: over a network it takes a while."""
        if self._writer is None:
            name = f"ibutsu_migrate {event.run} history"
            self._writer = threading.Thread(
                target=self._write_steps, name=name, daemon=True
            )
            self._writer.start()
        self._steps.put(event)

    def _await_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            self._steps.put(None)
            writer.join()

    def _write_steps(self) -> None:
        """In the writer's thread: what has come meanwhile is one transaction."""
        goes_on = True
        while goes_on:
            events = [self._steps.get()]
            with suppress(queue.Empty):
                while True:
                    events.append(self._steps.get_nowait())
            goes_on = events[-1] is not None
            rows = [_step_values(event) for event in events if event is not None]
            if rows and not self._failed:
                self._put_down(rows)

    def _put_down(self, rows: list[dict[str, Any]]) -> None:
        def write() -> None:
            self._control.query(_STEP, rows)
            self._control.commit()

        try:
            self._again_where_lost(write)
        except Exception as error:
            self._give_up(error)

    def _again_where_lost(self, write: Callable[[], object]) -> None:
        """Write what may be written twice, on a new connection if need be.

        Between two steps nothing is said on this one, and a server or a firewall may
        have ended it (``idle_session_timeout``).
        """
        try:
            write()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self._control.close()
            write()

    def _begin(self, event: PlanMade) -> None:
        start = event.start
        self._prepare()
        self._control.query(_DIED, {"version_table": start.lock})
        self._control.query(_RUN, _run_values(start, event))
        self._control.commit()
        self._writes = True

    def _prepare(self) -> None:
        """Make the schema, or bring it up to this version's format."""
        query = self._control.query
        format_table = {"schema": SCHEMA, "table": "format"}
        there = query(THERE, format_table)
        if there and query(_FORMAT)[0][0] >= len(_VERSIONS):
            return
        # Runs on other version tables may be at the same point.
        query("SELECT pg_advisory_xact_lock(:space, 0)", {"space": SPACE})
        number = 0
        if query(THERE, format_table):
            number = query(_FORMAT)[0][0]
        for version in _VERSIONS[number:]:
            for statement in version:
                query(statement)
            number += 1
            insert = f"INSERT INTO {SCHEMA}.format VALUES (:number)"  # noqa: S608
            query(insert, {"number": number})

    def _end(self, event: RunFinished) -> None:
        heads = None if event.heads is None else ",".join(event.heads)
        done = {"id": event.run, "done": event.outcome == "done"}
        self._control.query(_SETTLE, done)
        self._control.query(
            _END,
            {
                "id": event.run,
                "outcome": event.outcome,
                "heads": heads,
                "error": event.error,
            },
        )
        self._control.commit()


def _step_values(event: RevisionDone) -> dict[str, Any]:
    names = (
        *("run", "number", "revision", "direction", "message", "checksum"),
        *("seconds", "statements", "lock_seconds", "attempts"),
    )
    values = {name: getattr(event, name) for name in names}
    return {**values, "committed": event.committed or None}


def _run_values(start: RunStarted, plan: PlanMade) -> dict[str, Any]:
    code = next((os.environ[n] for n in _CODE_VARIABLES if os.environ.get(n)), None)
    return {
        "id": start.run,
        "operation": start.operation,
        "target": start.target,
        "version_table": start.lock,
        "heads": ",".join(plan.heads),
        "waited": plan.waited_seconds,
        "database_user": start.user,
        "os_user": _os_user(),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "program": os.path.basename(sys.argv[0]) if sys.argv else None,
        "package": __version__,
        "code": code,
    }


def _os_user() -> str | None:
    # In a container the user may have a number and no name.
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
