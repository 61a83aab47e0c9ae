"""SIGINT, SIGTERM and SIGHUP while a run is at work.

A driver that waits inside libpq does not let Python's handlers run. What the
interpreter does at once is write a byte into a pipe (``signal.set_wakeup_fd``): the
watcher reads it in its own thread and cancels the statement on the server.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from ..errors import RunInterrupted

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_active: Signals | None = None


class Signals:
    """The handlers, which all runs of the process share.

    Only where a signal would have ended the process is it handled here: a handler of
    the application's own stays, and what is ignored stays ignored.

    Attributes:
        received: The first signal, or None.
        pipe: What a watcher reads; -1 where nothing is installed.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.pipe = -1
        self._write = -1
        self._busy: list[Callable[[], bool]] = []
        self._before: dict[int, Any] = {}
        self._wakeup = -1

    @classmethod
    def enter(cls, busy: Callable[[], bool]) -> Signals:
        """Handle signals from now on.

        Outside the main thread nothing is installed, as Python wants it.

        Args:
            busy: Whether a statement is being executed, which will be cancelled: then
                the handler raises nothing, the statement will.
        """
        global _active
        if threading.current_thread() is not threading.main_thread():
            return cls()
        found = _active
        if found is None:
            found = _active = cls()
            found._install()
        found._busy.append(busy)
        return found

    def leave(self, busy: Callable[[], bool]) -> None:
        """Put back what was there, when the last run leaves."""
        global _active
        if busy in self._busy:
            self._busy.remove(busy)
            if not self._busy:
                _active = None
                self._remove()

    def _install(self) -> None:
        self.pipe, self._write = os.pipe()
        os.set_blocking(self.pipe, False)
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in _SIGNALS:
            known = signal.getsignal(number)
            if known in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = signal.signal(number, self._handle)

    def _remove(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        signal.set_wakeup_fd(self._wakeup)
        pipe, self.pipe = self.pipe, -1
        os.close(self._write)
        os.close(pipe)

    def read(self) -> None:
        """In a watcher: empty the pipe, and see whether we are to stop."""
        try:
            numbers = os.read(self.pipe, 4096)
        except OSError:
            return
        if self._wakeup >= 0:
            # Somebody else, an event loop, listens too.
            os.write(self._wakeup, numbers)
        ours = [number for number in numbers if number in self._before]
        if ours and self.received is None:
            self.received = ours[0]

    def check(self) -> None:
        """In the thread that migrates, before it goes on.

        Raises:
            RunInterrupted: A signal has come.
        """
        if self.received is not None:
            raise RunInterrupted(self.received)

    def sleep(self, seconds: float) -> None:
        """Sleep; a signal ends it.

        Raises:
            RunInterrupted: A signal has come.
        """
        self.check()
        time.sleep(seconds)
        self.check()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # The watcher may have set it first; a second signal does not wait any more.
        again, self.received = self.received not in (None, number), number
        if again or not any(busy() for busy in self._busy):
            raise RunInterrupted(number)
