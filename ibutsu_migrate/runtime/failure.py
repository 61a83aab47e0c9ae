"""How a run failed, in four parts: what, what was said, where things are, next."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from ..advice import missing_grant
from ..blame import failed_at
from .driver import diagnostic, sqlstate
from .events import Blocker, revisions, shown

_SHOWN_SQL: Final = 500

_CAUSES: Final = {
    "25006": "find out who made the database read only (SHOW "
    "default_transaction_read_only; a role, the database, or a provider whose disk is "
    "full), have that ended",
    "42501": "have the owner of the object grant what is missing, or migrate as the "
    "owner",
    "53100": "make room on the server's disk",
}

# What Python calls the ways in which a file is none of its own.
_BROKEN: Final = frozenset(("SyntaxError", "IndentationError", "TabError"))


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known after a run has failed.

    Attributes:
        run_id: Of the run.
        operation: ``upgrade``, ``downgrade``, ``stamp``, ...
        revision: At which it failed, or None where it was before or after them.
        path: Its file; without a revision that of a file that cannot be loaded.
        line: There, or None.
        statement: The SQL, or None where it was none.
        skipped: How many statements that the driver had queued behind it did not run.
        kind: The error's class.
        message: What the server or Python said.
        sqlstate: From the server.
        detail: From the server.
        hint: From the server.
        heads: Where the database is now; None where that cannot be read.
        moved: Whether the run has brought it there.
        rolled_back: Whether nothing of that revision is left.
        blockers: Who was in the way.
        remedy: What to type next.
    """

    run_id: str
    operation: str
    revision: str | None
    path: str | None
    line: int | None
    statement: str | None
    skipped: int
    kind: str
    message: str
    sqlstate: str | None
    detail: str | None
    hint: str | None
    heads: tuple[str, ...] | None
    moved: bool
    rolled_back: bool
    blockers: tuple[Blocker, ...]
    remedy: str

    def __str__(self) -> str:
        return "\n".join(
            (*self._what(), *self._said(), self._state(), f"Next: {self.remedy}")
        )

    def _what(self) -> Iterator[str]:
        if self.revision is None and self.path is not None:
            broken = self.kind in _BROKEN
            how = "is not valid Python" if broken else "cannot be loaded"
            yield f"The revision file {self.path}:{self.line} {how}."
            return
        where = f" at {self.path}:{self.line}" if self.line else ""
        which = f"revision {self.revision}" if self.revision else self.operation
        yield f"{which} failed{where}."
        if self.statement:
            yield f"SQL: {shown(self.statement, _SHOWN_SQL)}"
        if self.skipped:
            were = "statement was" if self.skipped == 1 else "statements were"
            yield f"{self.skipped} later {were} not executed."

    def _said(self) -> Iterator[str]:
        code = f" ({self.sqlstate})" if self.sqlstate else ""
        yield f"{self.kind}{code}: {self.message}"
        if self.detail:
            yield f"Detail: {self.detail}"
        if self.hint:
            yield f"Hint: {self.hint}"
        for blocker in self.blockers:
            yield f"In the way: {blocker}"

    def _state(self) -> str:
        at = "at an unknown revision (it could not be read)"
        if self.heads is not None:
            at = f"at {revisions(self.heads)}"
        which = f"revision {self.revision}" if self.revision else "this run"
        if self.moved and self.revision is None:
            return f"The database is {at}: what the run did until there is committed."
        if self.rolled_back:
            return f"The database is {at}; nothing of {which} is left in it."
        return (
            f"The database is {at}; a part of {which} was committed before it failed, "
            "and is still there."
        )


def describe(
    error: BaseException,
    *,
    run_id: str,
    operation: str,
    step: Any,
    stopped_by: int | None,
    heads: tuple[str, ...] | None,
    moved: bool,
    rolled_back: bool,
    blockers: tuple[Blocker, ...],
    program: str,
    role: str | None = None,
    folders: Iterable[Path] = (),
) -> Failure:
    """Describe a failure.

    Args:
        error: What was raised.
        run_id: Of the run.
        operation: Of the run.
        step: Alembic's step that failed, or None.
        stopped_by: The signal that stopped the run, or None.
        heads: Where the database is now.
        moved: Whether the run has brought it there.
        rolled_back: Whether nothing of the step is left.
        blockers: Who was in the way.
        program: ``alembic`` or ``flask db``.
        role: Who was connected, where it is known.
        folders: Version locations.
    """
    grant = missing_grant(error, role)
    cause = f"as the owner or a superuser {grant};" if grant else None
    script = getattr(step, "revision", None)
    path = getattr(script, "path", None)
    line = _line_in(path, error.__traceback__)
    place = failed_at(error, folders) if script is None else None
    if place is not None and place[2] == "<module>":
        path, line, _ = place
    driver = getattr(error, "orig", None) or error
    primary = diagnostic(error, "message_primary")
    message = primary or str(driver).strip() or type(driver).__name__
    stopped = stopped_by is not None
    if stopped_by is not None:
        message = f"stopped by {signal.Signals(stopped_by).name}"
    return Failure(
        run_id=run_id,
        operation=operation,
        revision=getattr(script, "revision", None),
        path=path,
        line=_origin(path, driver) or line,
        statement=getattr(error, "statement", None) or _sent(driver),
        skipped=int(getattr(driver, "skipped", 0)),
        kind="Interrupted" if stopped else type(driver).__name__,
        message=message,
        sqlstate=sqlstate(error),
        detail=diagnostic(error, "message_detail"),
        hint=diagnostic(error, "message_hint"),
        heads=heads,
        moved=moved,
        rolled_back=rolled_back,
        blockers=blockers,
        remedy=_remedy(
            f"type `{program} {operation} ...` again",
            stopped,
            rolled_back,
            blockers,
            cause or _CAUSES.get(sqlstate(error) or "", "correct the cause"),
        ),
    )


def _line_in(path: str | None, trace: TracebackType | None) -> int | None:
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _origin(path: str | None, driver: Any) -> int | None:
    """The line that queued a statement, where it failed only later."""
    file = queued_in(driver)
    return int(driver.origin[1]) if file is not None and file == path else None


def queued_in(error: object) -> str | None:
    """The file that queued the statement which an error is of.

    Args:
        error: The driver's, or SQLAlchemy's around it.
    """
    origin = getattr(getattr(error, "orig", None) or error, "origin", None)
    return str(origin[0]) if isinstance(origin, tuple) else None


def _sent(driver: object) -> str | None:
    found = getattr(driver, "statement", None)
    return found if isinstance(found, str) else None


def _remedy(
    again: str,
    stopped: bool,
    rolled_back: bool,
    blockers: tuple[Blocker, ...],
    cause: str,
) -> str:
    if not rolled_back:
        return (
            "look what of the revision is there, take it back or complete it by hand, "
            f"then {again}; split what runs outside a transaction into a revision of "
            "its own."
        )
    if blockers:
        return (
            "let those in the way end, or end them, and "
            f"{again}; -x ibutsu_migrate.lock_patience=1h is more patient."
        )
    return f"{again}." if stopped else f"{cause}, and {again}."
