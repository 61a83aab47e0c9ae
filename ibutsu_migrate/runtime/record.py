"""The SQL of a revision, written down instead of executed, as ``--sql`` does it."""

from __future__ import annotations

import copy
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, Literal

import alembic.op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine

from .._core import sql_facts
from ..errors import RunError
from ..weight.words import statements_of

Known = Literal["offline", "partly", "none", "not asked"]

_OPENING: Final = frozenset(("BEGIN",))
_ENDING: Final = frozenset(("COMMIT", "ROLLBACK"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A statement that ``upgrade()`` or ``downgrade()`` would execute.

    Attributes:
        sql: With its values in it; a whole text where its statements run into another.
        line: Of the revision's file; None where it comes from elsewhere.
        in_transaction: Whether it is executed inside a transaction.
        is_one: Whether it is one statement.
    """

    sql: str
    line: int | None
    in_transaction: bool
    is_one: bool = True


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a revision's SQL.

    Attributes:
        known: ``offline``: all of it; ``partly``: until it needed an answer of the
            database; ``none``: nothing; ``not asked``.
        why: What stopped it; None where nothing did.
        statements: In order.
    """

    known: Known
    why: str | None
    statements: tuple[Recorded, ...]


class Recorder:
    """Runs revisions against no database, within a context that has one.

    Alembic's ``op`` and ``context`` are offline meanwhile, so that what a revision does
    by them is written down. What it does by a SQLAlchemy engine of its own, or of the
    application, is refused. Anything else that it does happens.

    Args:
        context: Alembic's, online; its connection is not used.
        function: Of the modules: ``upgrade`` or ``downgrade``.
    """

    def __init__(self, context: MigrationContext, function: str) -> None:
        self._online = context
        self._function = function
        opts = {**context.opts, "as_sql": True, "output_buffer": io.StringIO()}
        opts.pop("output_encoding", None)
        opts.pop("starting_rev", None)
        self._offline = MigrationContext.configure(
            dialect=_named(context.dialect),
            environment_context=context.environment_context,
            opts=opts,
        )
        self._found: list[Recorded] = []
        self._file = ""
        self._is_open = bool(self._offline.impl.transactional_ddl)
        setattr(self._offline.impl, "static_output", self._hear)  # noqa: B010

    def record(self, migrate: Callable[..., Any], file: str) -> Recording:
        """Run one revision's function.

        Args:
            migrate: That function.
            file: The revision's, for line numbers.

        Returns:
            Also where it fails: what it needs may be an answer of the database.
        """
        self._found, self._file = [], os.path.abspath(file)
        self._is_open = bool(self._offline.impl.transactional_ddl)
        try:
            with self._offline_instead(), _no_statements():
                migrate()
        except (Exception, SystemExit) as error:
            known: Known = "partly" if self._found else "none"
            return Recording(known, self._reason(error), tuple(self._found))
        return Recording("offline", None, tuple(self._found))

    @contextmanager
    def _offline_instead(self) -> Iterator[None]:
        environment: Any = self._online.environment_context
        outer = getattr(alembic.op, "_proxy", None)
        if environment is not None:
            options = environment.context_opts
            before = (environment._migration_context, options.get("as_sql", False))
            environment._migration_context = self._offline
            options["as_sql"] = True
        try:
            with Operations.context(self._offline):
                yield
        finally:
            if environment is not None:
                environment._migration_context, options["as_sql"] = before
            if outer is not None:
                # Leaving the inner one has taken the outer one's names away.
                outer._install_proxy()

    def _hear(self, text: str) -> None:
        """Alembic has a statement, or several, with a semicolon behind."""
        line = self._line(sys._getframe(1))
        statements = statements_of(text)
        if statements is None:
            self._found.append(Recorded(text, line, self._is_open, is_one=False))
            return
        for sql in statements:
            verb = sql_facts(sql)["verb"]
            if verb in _OPENING or verb in _ENDING:
                self._is_open = verb in _OPENING
            else:
                self._found.append(Recorded(sql, line, self._is_open))

    def _line(self, frame: FrameType | None) -> int | None:
        while frame is not None:
            if os.path.abspath(frame.f_code.co_filename) == self._file:
                return frame.f_lineno
            frame = frame.f_back
        return None

    def _reason(self, error: BaseException) -> str:
        line: int | None = None
        trace = error.__traceback__
        while trace is not None:
            if os.path.abspath(trace.tb_frame.f_code.co_filename) == self._file:
                line = trace.tb_lineno
            trace = trace.tb_next
        said = str(error).strip().partition("\n")[0]
        place = f"at line {line}" if line is not None else "before its first line"
        return (
            f"{self._function}() stops {place}, where the database is not asked "
            f"({type(error).__name__}: {said})"
        )


@contextmanager
def _no_statements() -> Iterator[None]:
    """Let this thread execute nothing, on any engine; others go on."""
    here = threading.get_ident()

    def refuse(*_: object) -> None:
        if threading.get_ident() == here:
            raise RunError("A plan executes nothing.")

    event.listen(Engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", refuse)


def _named(dialect: Dialect) -> Dialect:
    """The same dialect with named parameters: others write ``%`` twice."""
    found: Any = copy.copy(dialect)
    found.paramstyle, found.positional = "named", False
    found.identifier_preparer = found.preparer(found)
    return found  # type: ignore[no-any-return]
