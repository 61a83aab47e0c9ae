"""Safe runs on SQLite: one at a time, by a lock on a file beside the database.

SQLite has neither advisory locks nor table locks to wait for; what a run has here is
the lock. The database's own file must not be locked: closing it would drop the locks
that SQLite itself has on it in this process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import URL, Connection

from ..config import Settings
from ..errors import LockWaitError
from ..policies import show_seconds
from . import events
from .names import control_name, new_run_id, read_name
from .report import Reporter, listener_for

_POLL: Final = 0.1
_TELL_EVERY: Final = 5.0


def lock_file_of(url: URL) -> Path | None:
    """The file to lock; None for a database in memory."""
    name = url.database
    if not name or name == ":memory:" or url.query.get("mode") == "memory":
        return None
    path = Path(name.removeprefix("file:").partition("?")[0])
    return path.with_name(f".{path.name}.ibutsu_migrate")


class FileRun:
    """A run under a file's lock; ends when env.py is through.

    Args:
        context: Alembic's, online, on SQLite.
        connection: Its connection.
        settings: What to go by.
        operation: ``upgrade``, ``downgrade``, ...
    """

    def __init__(
        self,
        context: MigrationContext,
        connection: Connection,
        settings: Settings,
        operation: str,
    ) -> None:
        self.run_id = new_run_id()
        self._context = context
        self._connection = connection
        self._waits_for_commit = False
        self._path = lock_file_of(connection.engine.url)
        self._limit = settings.lock_wait
        listener = listener_for(context.config, settings.report)
        self._emit = Reporter(self.run_id, listener).tell
        self._file = -1

    def execute(self, stock: Callable[..., Any], kw: dict[str, Any]) -> None:
        """Run the migrations.

        Raises:
            LockWaitError: Another run held the lock for too long.
        """
        try:
            if self._path is not None:
                self._acquire(self._path)
            stock(self._context, **kw)
        except BaseException:
            self._release()
            raise
        self._waits_for_commit = self._connection.in_transaction()
        if not self._waits_for_commit:
            self._release()

    def prove_lock(self) -> None:
        """A file's lock is not lost."""

    def transaction_ended(self, error: BaseException | None) -> None:
        """Called when env.py's transaction around ``run_migrations()`` is over."""
        if self._waits_for_commit:
            self._release()

    def _acquire(self, path: Path) -> None:
        begun, told = time.monotonic(), -_TELL_EVERY
        while not self._try(path):
            waited = time.monotonic() - begun
            if waited - told >= _TELL_EVERY:
                told = waited
                self._tell(path, waited)
            if waited >= self._limit:
                raise LockWaitError(
                    f"Another run holds the lock of {path}, and it was waited for "
                    f"{events.elapsed(waited)} (lock_wait is "
                    f"{show_seconds(self._limit)}). Nothing was done.",
                    remedy="Let it end, and type the command again.",
                    run_id=self.run_id,
                )
            time.sleep(_POLL * random.uniform(0.8, 1.2))  # noqa: S311

    def _try(self, path: Path) -> bool:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it has deleted it: then it is not the one others will lock.
            if os.fstat(file).st_ino != path.stat().st_ino:
                raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):
            os.close(file)
            return False
        os.ftruncate(file, 0)
        os.write(file, control_name(self.run_id).encode())
        self._file = file
        return True

    def _tell(self, path: Path, waited: float) -> None:
        name = ""
        with contextlib.suppress(OSError):
            name = path.read_text()
        owner = read_name(name)
        self._emit(
            events.LockWaiting,
            holder_pid=None,
            holder_run=owner.run_id,
            holder_host=owner.host,
            holder_process=owner.pid,
            holder_seconds=None,
            holder_revision=None,
            waited_seconds=waited,
            limit_seconds=self._limit,
        )

    def _release(self) -> None:
        file, self._file = self._file, -1
        if file >= 0 and self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            os.close(file)
