"""The history as values: which runs there were, and what each did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import bindparam, text
from sqlalchemy.engine import Connection

from .hook import HISTORY_SCHEMA as SCHEMA
from .look import look, looking
from .names import read_name


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
        outcome: ``done``, ``failed``, ``interrupted``, ``died``; None: going on, as far
            as can be seen.
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

    @property
    def seconds(self) -> float | None:
        """How long it took; None where its end was not written down."""
        if self.finished is None:
            return None
        return (self.finished - self.started).total_seconds()

    @property
    def lock_seconds(self) -> float:
        """The longest wait for a table."""
        return max((step.lock_seconds for step in self.steps), default=0.0)

    def as_json(self) -> Mapping[str, Any]:
        """All attributes."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **found,
            "started": self.started.isoformat(),
            "finished": self.finished.isoformat() if self.finished else None,
            "seconds": self.seconds,
            "lock_seconds": self.lock_seconds,
            "steps": [step.as_json() for step in self.steps],
        }


_RUN_COLUMNS: Final = tuple(f.name for f in fields(PastRun) if f.name != "steps")
_STEP_COLUMNS: Final = tuple(field.name for field in fields(PastStep))


_ALIVE: Final = "SELECT application_name FROM pg_stat_activity"


@dataclass(frozen=True, slots=True)
class History:
    """What is written down in a database.

    Attributes:
        kept: ``yes``; ``none``: nothing was written yet; ``unsupported``: this kind of
            database has none.
        database: Its kind, as SQLAlchemy calls it.
        runs: The newest first.
    """

    kept: Literal["yes", "none", "unsupported"]
    database: str
    runs: tuple[PastRun, ...] = ()

    def as_json(self) -> Mapping[str, Any]:
        """All attributes."""
        runs = [run.as_json() for run in self.runs]
        return {"history": self.kept, "database": self.database, "runs": runs}


def history_of(config: Config, limit: int | None = 20) -> History:
    """Read the history of the database that env.py connects to.

    Args:
        config: Alembic's.
        limit: How many runs; None: all.

    Raises:
        RunError: env.py does not ask a database.
        sqlalchemy.exc.DBAPIError: The history may not be read.
        Exception: What env.py raises.
    """

    def ask(heads: object, context: MigrationContext) -> History:
        kind, connection = context.dialect.name, context.connection
        if kind != "postgresql" or connection is None:
            return History("unsupported", kind)
        if not _is_there(connection):
            return History("none", kind)
        return History("yes", kind, read_history(connection, limit))

    config = looking(config)
    return look(config, ScriptDirectory.from_config(config), ask)


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
    if not _is_there(connection):
        return ()
    columns = ", ".join(_RUN_COLUMNS)
    runs = text(
        f"SELECT {columns} FROM {SCHEMA}.run ORDER BY started DESC, id LIMIT :limit"  # noqa: S608
    )
    rows = connection.execute(runs, {"limit": limit}).all()
    found = [dict(zip(_RUN_COLUMNS, row, strict=True)) for row in rows]
    steps = _steps(connection, [run["id"] for run in found])
    if any(run["outcome"] is None for run in found):
        _settle(connection, found)
    return tuple(_run(run, steps) for run in found)


def _is_there(connection: Connection) -> bool:
    there = text("SELECT to_regclass(:name) IS NOT NULL")
    return bool(connection.execute(there, {"name": f"{SCHEMA}.run"}).scalar_one())


def _settle(connection: Connection, runs: Iterable[dict[str, Any]]) -> None:
    """Find those that were killed: no connection has their name any more.

    A standby has none of its primary's connections to look at.
    """
    if connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one():
        return
    alive = {read_name(row[0]).run_id for row in connection.execute(text(_ALIVE))}
    for run in runs:
        if run["outcome"] is None and run["id"] not in alive:
            run["outcome"] = "died"


def _run(values: dict[str, Any], steps: Mapping[str, Iterable[PastStep]]) -> PastRun:
    for name in ("heads_before", "heads_after"):
        values[name] = tuple(values[name]) if values[name] is not None else None
    return PastRun(**values, steps=tuple(steps.get(values["id"], ())))


def _steps(connection: Connection, runs: list[str]) -> Mapping[str, list[PastStep]]:
    columns = ", ".join(_STEP_COLUMNS)
    sql = text(
        f"SELECT run, {columns} FROM {SCHEMA}.step WHERE run IN :runs ORDER BY number"  # noqa: S608
    ).bindparams(bindparam("runs", expanding=True))
    found: dict[str, list[PastStep]] = {}
    for run, *values in connection.execute(sql, {"runs": runs}):
        found.setdefault(run, []).append(PastStep(*values))
    return found
