"""Waiting for a server that is not up yet: env.py is run again until it is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Final

from ..advice import is_connection_failure, is_not_up_yet
from ..config import Settings
from ..errors import StandbyError
from .events import DatabaseWaiting
from .names import new_run_id
from .report import Reporter, listener_for
from .signals import Signals

_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 2.0
_TELL_EVERY: Final = 5.0


def run_when_up(
    run_env: Callable[[], object], failed: Exception, config: Any, settings: Settings
) -> None:
    """Run env.py again while its database is not up.

    A wrong password, a missing database, an unknown user do not get better: those are
    raised at once.

    Args:
        run_env: ``ScriptDirectory.run_env``.
        failed: What it raised the first time.
        config: Alembic's.
        settings: ``wait_for_database`` says how long.

    Raises:
        Exception: What env.py raised the last time.
    """
    limit = settings.wait_for_database
    tell = Reporter(new_run_id(), listener_for(config, settings.report)).tell
    signals = Signals.enter(_is_idle)
    begun, told, pause = time.monotonic(), -_TELL_EVERY, _FIRST_PAUSE
    error = failed
    try:
        while True:
            waited = time.monotonic() - begun
            if waited >= limit or not _may_pass(error):
                raise error
            if waited - told >= _TELL_EVERY:
                told = waited
                reason = " ".join(str(_driver_s(error)).split())[:200]
                tell(
                    DatabaseWaiting,
                    reason=reason,
                    waited_seconds=waited,
                    limit_seconds=limit,
                )
            signals.sleep(min(pause, limit) * random.uniform(0.8, 1.2))  # noqa: S311
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            try:
                run_env()
                return
            except Exception as again:
                error = again
    finally:
        signals.leave(_is_idle)


def _is_idle() -> bool:
    return False


def _driver_s(error: BaseException) -> BaseException:
    """The driver's error, in SQLAlchemy's, in this package's."""
    found = error
    while found.__cause__ is not None:
        found = found.__cause__
    inner = getattr(found, "orig", None)
    return inner if isinstance(inner, BaseException) else found


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, StandbyError):
        return True
    causes = (error, error.__cause__)
    return any(
        each is not None and is_connection_failure(each) and is_not_up_yet(each)
        for each in causes
    )
