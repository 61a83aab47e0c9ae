"""Which statements SQLAlchemy may leave in the driver's queue, and whose error it was.

A statement is queued only where no code could notice: the driver says that nothing
can depend on its answer (``docs/design/pipeline.md``), and no code of a revision
between the call and Alembic's runner stands in a ``try`` or in a ``with`` block that
may act on an error.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from importlib.util import find_spec
from types import CodeType
from typing import Any, Final

import sqlalchemy
from sqlalchemy.dialects.postgresql.base import PGExecutionContext
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine import cursor as _cursor
from sqlalchemy.engine.interfaces import ExecuteStyle

from .blocks import is_guarded, is_thrown_away

OPTION: Final = "ibutsu_pipeline"
UNREAD: Final = "ibutsu_unread"
"""Execution option: whatever rows a statement returns, nobody reads them."""

Origin = tuple[str, int, str]

# Found without being imported: the dialect is used without Alembic too.
_spec = find_spec("alembic")
_ALEMBIC: Final = (_spec.origin if _spec is not None else None) or ""

# Whose frames are no code of a revision: these places and no others, so that a helper
# of SQLAlchemy's or Alembic's tests, or an application's, counts as a caller.
_OWN: Final = tuple(
    os.path.join(os.path.dirname(package), place)
    for package, places in (
        (
            sqlalchemy.__file__,
            ("engine/", "sql/", "dialects/", "util/", "event/", "orm/"),
        ),
        (_ALEMBIC, ("runtime/", "operations/", "ddl/", "util/")),
        (os.path.dirname(__file__), ("engine/", "env/", "runtime/", "troubles.py")),
    )
    for place in places
)
_RUNNER: Final = os.path.join(os.path.dirname(_ALEMBIC), "runtime", "migration.py")

_QUERY: Final = os.path.join(os.path.dirname(sqlalchemy.__file__), "orm", "query.py")
_RESULT: Final = tuple(
    os.path.join(os.path.dirname(sqlalchemy.__file__), place)
    for place in ("engine/", "util/")
)

# What runs a generator that is a context manager: whoever wrote it and whoever says
# `with` have frames of their own.
_MANAGER: Final = contextlib._GeneratorContextManager
_MANAGERS: Final = (_MANAGER.__enter__.__code__, _MANAGER.__exit__.__code__)

# The write of a version that Alembic is making: what to say where no row matches.
_version_write: ContextVar[str | None] = ContextVar("_version_write", default=None)

# Selects nothing where one row was changed. Else the text is no number, and the
# server's error contains it.
_COUNTED: Final = (
    "WITH changed AS ({statement} RETURNING 1) SELECT pg_catalog.count(*) FROM changed "
    "HAVING CASE pg_catalog.count(*) WHEN 1 THEN false ELSE ('ibutsu_migrate: ' || "
    "pg_catalog.count(*)::text || ' rows, ' || {reason})::pg_catalog.bool END"
)
_MISMATCH: Final = re.compile(r'"ibutsu_migrate: (\d+) rows, (.*)"', re.S)


@contextlib.contextmanager
def version_write(reason: str) -> Iterator[None]:
    """While Alembic writes a version: it is queued, and the server counts the rows.

    Args:
        reason: What Alembic would say, with ``%d`` for the number of rows.
    """
    token = _version_write.set(reason)
    try:
        yield
    finally:
        _version_write.reset(token)


def mismatch(error: BaseException) -> str | None:
    """What Alembic would say, where an error is that a version's row did not match."""
    if getattr(error, "sqlstate", None) != "22P02":
        return None
    if not (getattr(error, "statement", None) or "").startswith("WITH changed AS ("):
        return None
    found = _MISMATCH.search(str(error))
    return found[2].replace("%d", found[1]) if found else None


# Frames


def find_origin(depth: int = 1) -> tuple[Origin, bool]:
    """Where a statement comes from, and whether code there may act on its error.

    Args:
        depth: How many frames to leave out.
    """
    frame = sys._getframe(depth)
    first: Origin | None = None
    last: Origin = ("", 0, "")
    current: Any = frame
    while current is not None:
        code: CodeType = current.f_code
        file = code.co_filename
        last = (file, current.f_lineno or 0, code.co_name)
        if code.co_name == "run_migrations" and file == _RUNNER:
            break
        if (
            file != "<string>"
            and not file.startswith(_OWN)
            and not (code in _MANAGERS and _is_untroubled(current))
        ):
            first = first or last
            if is_guarded(current):
                return first, True
        current = current.f_back
    return first or last, False


def _is_untroubled(frame: Any) -> bool:
    """Whether a block is entered, or left without an error.

    ``__exit__(self, typ, ...)``, where ``typ`` is None, and ``__enter__`` catch nothing
    but StopIteration (``contextlib._GeneratorContextManager``).
    """
    code: CodeType = frame.f_code
    return code is _MANAGERS[0] or frame.f_locals[code.co_varnames[1]] is None


def _is_querys() -> bool:
    """Whether only ``Query.update`` or ``delete`` reads a row count, for nobody.

    They return it, and their callers seldom want it. A listener of their events may:
    it is given the result.
    """
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(_RESULT):
        frame = frame.f_back
    if frame is None or frame.f_code.co_filename != _QUERY:
        return False
    name = frame.f_code.co_name
    session = getattr(frame.f_locals.get("self"), "session", None)
    if name not in ("update", "delete") or session is None:
        return False
    if getattr(session.dispatch, f"after_bulk_{name}"):
        return False
    return is_thrown_away(frame.f_back)


# SQLAlchemy


class PipelineContext(PGExecutionContext):
    """Leaves statements in the queue where the option says so and nobody can tell."""

    _deferred = False
    _counted = False

    def send(self, cursor: Any, statement: str, parameters: Any) -> None:
        """Execute, or queue."""
        self._deferred = self._counted = False
        if not self._queues():
            cursor.execute(statement, parameters)
            return
        if (
            self.execute_style is not ExecuteStyle.EXECUTE
            or self._is_server_side
            or self.execution_options.get("preserve_rowcount")
        ):
            cursor.enqueue(statement, parameters)
            return
        reason = _version_write.get()
        if reason is not None and self.compiled is not None:
            self._send_version(cursor, statement, parameters, reason)
            return
        origin, guarded = find_origin(3)
        self._deferred = cursor.enqueue(
            statement,
            parameters,
            None if guarded else origin,
            bool(self.execution_options.get(UNREAD)),
            (statement, parameters),
        )

    def _queues(self) -> bool:
        """What the options say; never on what only resembles PostgreSQL."""
        dialect: Any = self.dialect
        said = self.execution_options.get(OPTION)
        return bool(dialect.ibutsu_pipeline if said is None else said) and bool(
            dialect.is_postgresql
        )

    def _send_version(
        self, cursor: Any, statement: str, parameters: Any, reason: str
    ) -> None:
        origin, _ = find_origin(4)
        label = (statement, parameters)
        if self.isinsert:
            self._deferred = cursor.enqueue(statement, parameters, origin, True, label)
            return
        quoted = "'" + reason.replace("'", "''").replace("%", "%%") + "'"
        sql = _COUNTED.format(statement=statement, reason=quoted)
        self._deferred = cursor.enqueue(sql, parameters, origin, True, label)
        self._counted = True  # one that was awaited matched one row

    def post_exec(self) -> None:
        """Log the server's notices, as with psycopg2."""
        if not self._deferred:
            log_notices(self.cursor)

    def _setup_result_proxy(self) -> Any:
        if not self._deferred:
            stock: Any = super()
            return stock._setup_result_proxy()
        result: Any = _cursor.CursorResult(self, _cursor._NO_CURSOR_DML, None)
        result._soft_close()
        self._soft_closed = result._soft_closed
        return result

    @property
    def rowcount(self) -> int:
        """Of the statement; one that is queued is awaited for it."""
        if self._counted:
            return 1
        if self._deferred and self._rowcount is None:
            if _is_querys():
                return -1
            try:
                self._rowcount = self.cursor.rowcount
            except Exception as error:
                # Of whichever statement failed; as when it had been executed.
                self.root_connection._handle_dbapi_exception(
                    error, None, None, self.cursor, self
                )
        return int(super().rowcount)


def log_notices(cursor: Any) -> None:
    """Hand the server's notices to SQLAlchemy's logger, and forget them."""
    import logging

    notices = getattr(cursor.connection, "notices", None)
    if not isinstance(notices, list) or not notices:
        return
    logger = logging.getLogger("sqlalchemy.dialects.postgresql")
    for notice in notices:
        logger.info("%s", str(notice).rstrip())
    notices.clear()


def name_origin(context: ExceptionContext) -> None:
    """A listener of ``handle_error``: the error tells the statement that it is of."""
    error: Any = context.original_exception
    wrapped: Any = context.sqlalchemy_exception
    if wrapped is None:
        return
    if getattr(error, "origin", None) is not None:
        label = error.label or (error.statement, None)
        wrapped.statement, wrapped.params = label
        wrapped.ismulti = False
    for note in getattr(error, "__notes__", ()):
        wrapped.add_note(note)
