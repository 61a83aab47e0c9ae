"""The policies of a safe run: name, kind, default and reason of each, in one table.

``docs/reference/settings.md`` shows the table; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .errors import ConfigurationError

Value = float | bool | str | None

_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)?")
_YES: Final = frozenset(("1", "true", "yes", "on"))
_NO: Final = frozenset(("0", "false", "no", "off"))
_LONGEST: Final = 24 * 86400.0  # the server counts milliseconds in 31 bits


@dataclass(frozen=True, slots=True)
class Policy:
    """One setting besides the mode.

    Attributes:
        name: Of the field of ``Settings``, and in every place it can be set.
        default: As a user would write it.
        meaning: What it does.
        reason: Why the default is what it is.
        choices: The words that it takes; empty: a duration.
        none: Whether ``none`` may be said in place of a duration.
    """

    name: str
    default: str
    meaning: str
    reason: str
    choices: tuple[str, ...] = ()
    none: bool = False

    @property
    def unit(self) -> str:
        """What may be written, in words."""
        if self.choices:
            return ", ".join(self.choices)
        return "duration, or none" if self.none else "duration"

    def parse(self, given: object, source: str) -> Value:
        """Read a value.

        Args:
            given: Text; or a number, a truth value or None where the place has types.
            source: Where it stands, for the message.

        Raises:
            ConfigurationError: It cannot be meant.
        """
        if self.choices == ("on", "off"):
            return _flag(given, source)
        if self.choices:
            return _choice(given, self.choices, source)
        if given is None or str(given).strip().lower() == "none":
            if self.none:
                return None
            raise ConfigurationError(
                f"{source} is none, and {self.name} must be a duration.",
                remedy="0 switches it off.",
            )
        return _seconds(given, source)


POLICIES: Final = (
    Policy(
        "lock_wait",
        "10min",
        "how long a run waits for another run on the same version table",
        "longer than most upgrades, shorter than what a deployment waits for a pod",
    ),
    Policy(
        "lock_timeout",
        "1s",
        "how long one statement waits for a table before it is taken back and tried "
        "again; 0 waits without end",
        "whoever comes later queues behind the statement that waits, readers too",
    ),
    Policy(
        "lock_patience",
        "10min",
        "how long a revision is tried again in all",
        "reports and backups that block a table end within minutes",
    ),
    Policy(
        "statement_timeout",
        "0",
        "how long one statement may run; 0 is no limit",
        "an index on a large table takes as long as it takes; the app's own limit is "
        "meant for requests",
    ),
    Policy(
        "terminate_blockers_after",
        "none",
        "after how long those who hold the table are disconnected",
        "to end somebody's work is a decision for people",
        none=True,
    ),
    Policy(
        "wait_for_database",
        "0",
        "how long a run waits for a server that is not up yet",
        "a server that is missing is an error, unless pod and server start together",
    ),
    Policy(
        "history",
        "on",
        "whether runs and steps are written down in the schema ibutsu_migrate",
        "who did what, when, is asked only afterwards",
        choices=("on", "off"),
    ),
    Policy(
        "report",
        "auto",
        "how a run on a command line tells what it does: text on stderr, JSON lines on "
        "stdout, or nothing; auto is text",
        "people read more runs than programs do",
        choices=("auto", "text", "json", "none"),
    ),
)
"""All of them, in the order in which they are shown."""

BY_NAME: Final = {policy.name: policy for policy in POLICIES}


def nearest(name: str, known: Iterable[str], cutoff: float = 0.4) -> str:
    """``Did you mean 'x'?``, or all that is known where nothing is near."""
    import difflib  # the one user of a slow import: only bad names come here

    all_known = list(known)
    near = difflib.get_close_matches(name, all_known, n=1, cutoff=cutoff)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"It has only: {', '.join(all_known)}."


def show_seconds(seconds: float | None) -> str:
    """A duration as a user would write it."""
    if seconds is None:
        return "none"
    if seconds == 0:
        return "0"
    for unit in ("d", "h", "min", "s"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:g}{unit}"
    return f"{round(seconds * 1000)}ms"


def _seconds(given: object, source: str) -> float:
    found = (
        None
        if isinstance(given, bool)
        else _DURATION.fullmatch(str(given).strip().lower())
    )
    if found is None:
        raise ConfigurationError(
            f"{source} is {given!r}, which is no duration.",
            remedy="Write a number of seconds, or a number with one of ms, s, min, h, d"
            " behind it.",
        )
    seconds = float(found[1]) * _UNITS[found[2] or "s"]
    if seconds > _LONGEST:
        raise ConfigurationError(f"{source} is {given!r}; the longest is 24d.")
    return seconds


def _flag(given: object, source: str) -> bool:
    word = str(given).strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise ConfigurationError(f"{source} is {given!r}.", remedy="Use on or off.")


def _choice(given: object, choices: tuple[str, ...], source: str) -> str:
    word = str(given).strip().lower()
    if word in choices:
        return word
    raise ConfigurationError(f"{source} is {given!r}.", remedy=nearest(word, choices))
