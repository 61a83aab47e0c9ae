"""Where events go: a person's terminal, a log, a program."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any, Final

from .events import Event, Listener, StatementRunning, Warned

LISTENER_ATTRIBUTE: Final = "ibutsu_migrate.listener"
"""Where a caller leaves a function in ``config.attributes`` that is called with each
event, from the migration's thread and from the watcher's."""

# What others call themselves, and what they execute, must not write on a terminal.
_UNPRINTABLE: Final = {
    code: "?" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != 0x0A
}

_PROGRAM: Final = "ibutsu-migrate"


def listener_for(config: Any, report: str) -> Listener:
    """Whom to tell.

    On a command line: text on stderr or JSON on stdout. Elsewhere: the caller's own
    function if there is one, else the logger ``ibutsu_migrate.run``.

    Args:
        config: Alembic's, or None.
        report: The policy.
    """
    attributes = config.attributes if config is not None else {}
    given: Listener | None = attributes.get(LISTENER_ATTRIBUTE)
    if given is not None:
        return given
    if getattr(config, "cmd_opts", None) is None:
        return _log
    if report == "none":
        return lambda event: None
    if report == "json":
        return _Lines(sys.stdout).json
    return _Lines(sys.stderr).text


class Reporter:
    """Tells what happens in one run.

    Args:
        run_id: Of the run.
        listener: Whom to tell first. What it raises stops nothing.
    """

    def __init__(self, run_id: str, listener: Listener) -> None:
        self._run_id = run_id
        self._listeners = [listener]

    def also(self, listener: Listener) -> None:
        """Tell one more, after those who are there."""
        self._listeners.append(listener)

    def tell(self, kind: type[Event], **fields: Any) -> Event:
        """Make an event that happens now, and pass it on.

        Args:
            kind: Its class.
            **fields: Its fields but for run and time.
        """
        event = kind(run=self._run_id, time=datetime.now(UTC), **fields)
        for listener in self._listeners:
            with suppress(Exception):
                listener(event)
        return event


def _log(event: Event) -> None:
    # Made only now: fileConfig() in an env.py disables the loggers that exist then.
    if _is_live(event) or not event.line():
        return
    level = logging.WARNING if isinstance(event, Warned) else logging.INFO
    logging.getLogger("ibutsu_migrate.run").log(level, "%s", event.line())


class _Lines:
    """Writes lines as a whole, from several threads.

    On a terminal the last line may be a live one, which the next replaces.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._mutex = threading.Lock()
        self._terminal = stream.isatty()
        self._live = False

    def text(self, event: Event) -> None:
        """Lines for people; with a time where they will be read later."""
        line = event.line()
        if not line or (_is_live(event) and not (self._terminal and _can_go_back())):
            return
        when = (
            ""
            if self._terminal
            else f"{event.time.isoformat(' ', 'milliseconds')[:23]}Z "
        )
        self._write(f"{when}{_PROGRAM}: {line}", live=_is_live(event))

    def json(self, event: Event) -> None:
        """A line for programs."""
        if not _is_live(event):
            self._write(json.dumps(event.as_json(), ensure_ascii=False))

    def _write(self, line: str, *, live: bool = False) -> None:
        with self._mutex, suppress(OSError, ValueError):
            # Where the reader has gone, that is no reason to stop a migration.
            back = "\r\033[K" if self._live else ""
            line = line.translate(_UNPRINTABLE)
            if live:
                width = shutil.get_terminal_size().columns - 1
                line = line[:width]
            self._stream.write(f"{back}{line}" if live else f"{back}{line}\n")
            self._stream.flush()
            self._live = live


def _can_go_back() -> bool:
    return os.environ.get("TERM") != "dumb"


def _is_live(event: Event) -> bool:
    return isinstance(event, StatementRunning) and event.live
