"""What ``log``, ``verify`` and ``plan`` have in common: asking, failing, printing."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, Final, TypeVar

from alembic.util import CommandError

from ..advice import explain_no_rights
from ..colours import failed
from ..runtime.look import OTHERS
from ..troubles import URL_ATTRIBUTE, explained, notes
from .program import FAILED, write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alembic.config import Config

Answer = TypeVar("Answer")

STATUS: Final = "ibutsu_migrate.status"
"""Where a command leaves its exit status in ``config.attributes``."""

_ONE_OF: Final = (
    "env.py connects to {} databases: only the first was looked at. For another one "
    "let env.py choose it, by -x for example."
)


def tell(
    config: Config,
    ask: Callable[[], Answer],
    as_text: Callable[[Answer], str],
    as_json: Callable[[Answer], Mapping[str, Any]] | None,
    status: Callable[[Answer], int] = lambda _: 0,
) -> None:
    """Ask the database and print the answer; leave the exit status in the config.

    Args:
        config: Alembic's, with its command line.
        ask: What env.py is run for.
        as_text: The answer for people.
        as_json: The answer for programs; None: for people.
        status: The exit status that an answer means.

    Raises:
        Exception: What env.py raises and nobody can explain; all with ``--raiseerr``.
    """
    try:
        # What env.py and the application print does not belong into the answer.
        with redirect_stdout(sys.stderr):
            answer = ask()
    except Exception as error:
        text = None if _is_wanted(config, "raiseerr") else _explained(error, config)
        if text is None:
            raise
        print(failed(text), file=sys.stderr)
        config.attributes[STATUS] = FAILED
        return
    if not _is_wanted(config, "quiet"):
        others = config.attributes.get(OTHERS, 0)
        if others:
            print(_ONE_OF.format(others + 1), file=sys.stderr)
        write(
            json.dumps(as_json(answer), indent=2) + "\n"
            if as_json is not None
            else as_text(answer)
        )
    config.attributes[STATUS] = status(answer)


def _is_wanted(config: Config, option: str) -> bool:
    return bool(getattr(config.cmd_opts, option, False))


def _explained(error: Exception, config: Config) -> str | None:
    """Cause and remedy; None where only a traceback helps."""
    if isinstance(error, CommandError):
        return "\n".join(part for part in (str(error), notes(error, config)) if part)
    url = config.attributes.get(URL_ATTRIBUTE)
    role = getattr(url, "username", None)
    return explain_no_rights(error, role, reading=True) or explained(error, config)


def shown_seconds(seconds: float) -> str:
    """A duration for people."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def counted(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
