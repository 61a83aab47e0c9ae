"""Where events go: a person's terminal, a log, a program."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any, Final

from ..colours import are_wanted, can_go_back, painted
from .events import Event, Listener, Span, StatementRunning, Warned

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

    On a terminal the last line may be a live one, which the next replaces; a dumb
    terminal has none. Lines for people have colours where those are wanted.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._mutex = threading.Lock()
        self._terminal = stream.isatty()
        self._colours = are_wanted(stream)
        self._live = False

    def text(self, event: Event) -> None:
        """Lines for people; with a time where they will be read later."""
        live = _is_live(event)
        if not event.line() or (live and not (self._terminal and can_go_back())):
            return
        when = (
            ""
            if self._terminal
            else f"{event.time.isoformat(' ', 'milliseconds')[:23]}Z "
        )
        self._write((("", f"{when}{_PROGRAM}: "), *event.spans()), live=live)

    def json(self, event: Event) -> None:
        """A line for programs."""
        if not _is_live(event):
            self._write((("", json.dumps(event.as_json(), ensure_ascii=False)),))

    def _write(self, spans: Iterable[Span], *, live: bool = False) -> None:
        with self._mutex, suppress(OSError, ValueError):
            # Where the reader has gone, that is no reason to stop a migration.
            back = "\r\033[K" if self._live else ""
            left = shutil.get_terminal_size().columns - 1 if live else None
            line = self._shown(spans, left)
            self._stream.write(f"{back}{line}" if live else f"{back}{line}\n")
            self._stream.flush()
            self._live = live

    def _shown(self, spans: Iterable[Span], left: int | None) -> str:
        """The line; with so many characters at most, of which colours are none."""
        found: list[str] = []
        for tone, text in spans:
            text = text.translate(_UNPRINTABLE)[:left]
            if left is not None:
                left -= len(text)
            found.append(painted(text, tone) if self._colours else text)
        return "".join(found)


def _is_live(event: Event) -> bool:
    return isinstance(event, StatementRunning) and event.live
