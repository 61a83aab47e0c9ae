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
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import URL

from ..errors import LockWaitError
from ..policies import show_seconds
from . import events
from .base import GuardedRun, Stock
from .names import control_name, read_name

_POLL: Final = 0.1
_TELL_EVERY: Final = 5.0


def lock_file_of(url: URL) -> Path | None:
    """The file to lock; None for a database in memory."""
    name = url.database
    if not name or name == ":memory:" or url.query.get("mode") == "memory":
        return None
    path = Path(name.removeprefix("file:").partition("?")[0])
    return path.with_name(f".{path.name}.ibutsu_migrate")


class FileRun(GuardedRun):
    """A run under a file's lock. Arguments are those of ``GuardedRun``."""

    _file = -1

    def execute(self, stock: Stock, kw: dict[str, Any]) -> None:
        """Run the migrations. Arguments are those of ``GuardedRun.execute``.

        Raises:
            LockWaitError: Another run held the lock for too long.
        """
        path = lock_file_of(self._connection.engine.url)
        try:
            if path is not None:
                self._acquire(path)
            stock(self._context, **kw)
        except BaseException:
            self._end()
            raise
        self._applied()

    def prove_lock(self) -> None:
        """A file's lock is not lost."""

    def _end(self) -> None:
        file, self._file = self._file, -1
        path = lock_file_of(self._connection.engine.url)
        if file >= 0 and path is not None:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(file)

    def _fail(self, error: BaseException) -> None:
        self._end()

    def _acquire(self, path: Path) -> None:
        begun, told = time.monotonic(), -_TELL_EVERY
        limit = self._settings.lock_wait
        while not self._try(path):
            waited = time.monotonic() - begun
            if waited - told >= _TELL_EVERY:
                told = waited
                self._tell(path, waited)
            if waited >= limit:
                raise LockWaitError(
                    f"Another run holds the lock of {path}, and it was waited for "
                    f"{events.elapsed(waited)} (lock_wait is "
                    f"{show_seconds(limit)}). Nothing was done.",
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
            limit_seconds=self._settings.lock_wait,
        )
