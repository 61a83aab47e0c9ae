"""The end of a command line that a signal stops: soon, whatever the server does.

A driver that waits inside libpq, for a connection or an answer that does not come, does
not let Python's handlers run: a signal alone would not end the process. Only a command
line may be ended so; it is the one that makes a ``Deadline``.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import Final

DEADLINE_ATTRIBUTE: Final = "ibutsu_migrate.deadline"
"""Where a command line leaves its ``Deadline`` in ``config.attributes``."""

_SECONDS: Final = 4.5


class Deadline:
    """Ends the process some time after the first signal, if nothing else has.

    Threads: any.
    """

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None
        self._mutex = threading.Lock()
        self._over = False

    def begin(self, number: int) -> None:
        """Count from now on; a second call changes nothing.

        Args:
            number: Of the signal.
        """
        with self._mutex:
            if self._timer is None and not self._over:
                self._timer = threading.Timer(_SECONDS, _leave, (number,))
                self._timer.daemon = True
                self._timer.start()

    def end(self) -> None:
        """The command has come to its end by itself."""
        with self._mutex:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()


def _leave(number: int) -> None:
    # Nobody may be reading any more; and flushing may be what hangs.
    with suppress(OSError, ValueError):
        os.write(
            sys.stderr.fileno(),
            b"FAILED: stopped by a signal, and the server does not answer. What it was "
            b"doing is rolled back when it notices that this process has gone.\n",
        )
    os._exit(128 + number)
