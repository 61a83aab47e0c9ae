"""The history as values: which runs there were, and what each did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.engine import Connection

from .hook import HISTORY_SCHEMA as SCHEMA


@dataclass(frozen=True, slots=True)
class PastStep:
    """A revision of a run.

    Attributes:
        number: In the run, from 1.
        revision: Its id.
        direction: ``upgrade``, ``downgrade`` or ``stamp``.
        message: The file's first line.
        checksum: Of the file's meaning at that time.
        finished: When.
        seconds: How long, attempts included.
        statements: How many.
        lock_seconds: The longest wait for a table.
        attempts: How often it was tried.
        committed: None while the run is going, or where it died.
    """

    number: int
    revision: str
    direction: str
    message: str | None
    checksum: str | None
    finished: datetime
    seconds: float
    statements: int
    lock_seconds: float
    attempts: int
    committed: bool | None

    def as_json(self) -> Mapping[str, Any]:
        """All attributes."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**found, "finished": self.finished.isoformat()}


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that did something, or tried to.

    Attributes:
        id: Of the run.
        operation: ``upgrade``, ``downgrade``, ``stamp``, ...
        target: As it was typed.
        version_table: With its schema.
        started: When the lock was held and the plan was made.
        finished: When; None where it is going on, or died.
        outcome: ``done``, ``failed``, ``interrupted``, ``died``; None: going on.
        heads_before: Where the database was.
        heads_after: Where it was then; None where that was not written.
        error: What went wrong.
        database_user: Who was connected.
        os_user: Whose process it was.
        host: Where that ran.
        process: Its number.
        program: Its name.
        package_version: Of this package.
        code_version: Of the application, from the environment.
        steps: In order.
    """

    id: str
    operation: str
    target: str | None
    version_table: str
    started: datetime
    finished: datetime | None
    outcome: str | None
    heads_before: tuple[str, ...]
    heads_after: tuple[str, ...] | None
    error: str | None
    database_user: str | None
    os_user: str | None
    host: str
    process: int
    program: str | None
    package_version: str
    code_version: str | None
    steps: tuple[PastStep, ...] = ()

    def as_json(self) -> Mapping[str, Any]:
        """All attributes."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **found,
            "started": self.started.isoformat(),
            "finished": self.finished.isoformat() if self.finished else None,
            "steps": [step.as_json() for step in self.steps],
        }


_RUN_COLUMNS: Final = tuple(f.name for f in fields(PastRun) if f.name != "steps")
_STEP_COLUMNS: Final = tuple(field.name for field in fields(PastStep))


def read_history(connection: Connection, limit: int | None = 20) -> tuple[PastRun, ...]:
    """The last runs, the newest first.

    Args:
        connection: Of anybody who may read the schema.
        limit: How many; None: all.

    Returns:
        Nothing where there is no history.

    Raises:
        sqlalchemy.exc.DBAPIError: It may not be read.
    """
    there = text("SELECT to_regclass(:name) IS NOT NULL")
    if not connection.execute(there, {"name": f"{SCHEMA}.run"}).scalar_one():
        return ()
    columns = ", ".join(_RUN_COLUMNS)
    runs = text(
        f"SELECT {columns} FROM {SCHEMA}.run ORDER BY started DESC, id LIMIT :limit"  # noqa: S608
    )
    rows = connection.execute(runs, {"limit": limit}).all()
    return tuple(_with_steps(connection, row) for row in rows)


def _with_steps(connection: Connection, row: Any) -> PastRun:
    values = dict(zip(_RUN_COLUMNS, row, strict=True))
    for name in ("heads_before", "heads_after"):
        values[name] = tuple(values[name]) if values[name] is not None else None
    return PastRun(**values, steps=tuple(_steps(connection, values["id"])))


def _steps(connection: Connection, run: str) -> Iterator[PastStep]:
    columns = ", ".join(_STEP_COLUMNS)
    found = text(
        f"SELECT {columns} FROM {SCHEMA}.step WHERE run = :run ORDER BY number"  # noqa: S608
    )
    for row in connection.execute(found, {"run": run}):
        yield PastStep(*row)
