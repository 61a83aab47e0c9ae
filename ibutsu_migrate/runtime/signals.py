"""SIGINT, SIGTERM and SIGHUP while a run is at work.

A driver that waits inside libpq does not let Python's handlers run. What the
interpreter does at once is write a byte into a pipe (``signal.set_wakeup_fd``): a
thread reads it, and has the statement cancelled on the server.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Final

from ..errors import RunInterrupted

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NO_MORE: Final = b"\0"  # no signal has this number

_active: Signals | None = None


class Signals:
    """The handlers, which all runs of the process share.

    Only where a signal would have ended the process is it handled here: a handler of
    the application's own stays, and what is ignored stays ignored.

    Attributes:
        received: The first signal, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._read = self._write = -1
        self._thread: threading.Thread | None = None
        self._mutex = threading.Lock()
        self._told: list[Callable[[int], object]] = []
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

    def when_received(self, tell: Callable[[int], object]) -> None:
        """Have a function called with the first signal, in another thread.

        Args:
            tell: Called at once where one has come already. Given twice, it is called
                once.
        """
        with self._mutex:
            if tell in self._told:
                return
            self._told.append(tell)
            number = self.received
        if number is not None:
            tell(number)

    def forget(self, tell: Callable[[int], object]) -> None:
        """Call that function no more."""
        with self._mutex:
            if tell in self._told:
                self._told.remove(tell)

    def _install(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in _SIGNALS:
            known = signal.getsignal(number)
            if known in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = signal.signal(number, self._handle)
        self._thread = threading.Thread(
            target=self._listen, name="ibutsu_migrate signals", daemon=True
        )
        self._thread.start()

    def _remove(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.write(self._write, _NO_MORE)
        if self._thread is not None:
            self._thread.join()
        self._before.clear()
        os.close(self._write)
        os.close(self._read)

    def _listen(self) -> None:
        """In the thread: read the pipe, until it is told that no more comes."""
        numbers = b""
        while _NO_MORE not in numbers:
            numbers = os.read(self._read, 4096)
            others = numbers.replace(_NO_MORE, b"")
            if self._wakeup >= 0 and others:
                # Somebody else, an event loop, listens too.
                with suppress(OSError):
                    os.write(self._wakeup, others)
            ours = [number for number in others if number in self._before]
            if ours:
                self._tell(ours[0])

    def _tell(self, number: int) -> None:
        with self._mutex:
            if self.received is None:
                self.received = number
            told = list(self._told)
        for tell in told:
            tell(number)

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
        # The thread may have set it first; a second signal does not wait any more.
        again, self.received = self.received not in (None, number), number
        if again or not any(busy() for busy in self._busy):
            raise RunInterrupted(number)
