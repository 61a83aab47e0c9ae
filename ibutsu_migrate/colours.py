"""A few colours for those who read a terminal.

Sources: no-color.org, force-color.org, bixense.com/clicolors; ``can_colorize()`` of
CPython for the order in which they are asked.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO, Final, Literal

    Tone = Literal["", "error", "waits", "done", "aside"]
    """What a piece of text is: plain, or something to be seen from afar."""

# Of the terminal's own palette, so that they can be read on any background.
_CODES: Final = {"error": "31", "waits": "33", "done": "32", "aside": "2"}


def are_wanted(
    stream: IO[str] | None, environ: Mapping[str, str] | None = None
) -> bool:
    """Whether whoever reads a stream wants colours.

    ``NO_COLOR`` says no; else ``FORCE_COLOR`` and ``CLICOLOR_FORCE`` say yes, unless
    they are 0; else a terminal does, unless it is a dumb one or ``CLICOLOR`` is 0.

    Args:
        stream: Where the text goes.
        environ: ``os.environ`` where None.
    """
    environ = os.environ if environ is None else environ
    if environ.get("NO_COLOR"):
        return False
    if any(
        environ.get(name, "") not in ("", "0")
        for name in ("FORCE_COLOR", "CLICOLOR_FORCE")
    ):
        return True
    if environ.get("CLICOLOR") == "0" or not can_go_back(environ):
        return False
    return stream is not None and stream.isatty()


def can_go_back(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the terminal does more than to write one line below the other."""
    return (os.environ if environ is None else environ).get("TERM") != "dumb"


def painted(text: str, tone: Tone) -> str:
    """The text in the colour of its kind."""
    code = _CODES.get(tone)
    return f"\033[{code}m{text}\033[m" if code is not None and text else text


def failed(text: str) -> str:
    """``FAILED: ...`` for stderr, as Alembic says it."""
    word = "FAILED:"
    return f"{painted(word, 'error') if are_wanted(sys.stderr) else word} {text}"
