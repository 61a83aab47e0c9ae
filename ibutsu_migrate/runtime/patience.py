"""How long, and how often, a lock that was not got is tried again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from ..policies import show_seconds
from .blockers import still_blocked
from .events import Blocker

_REASONS: Final = {
    "55P03": "no lock within {limit}",
    "40P01": "a deadlock",
    "40001": "a conflict with another transaction",
}
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0
_LOOK_EVERY: Final = 0.25


class Patience:
    """Pauses that double, each a bit different, until a limit.

    Args:
        limit: Seconds in all, from now.
    """

    def __init__(self, limit: float) -> None:
        self._until = time.monotonic() + limit
        self._next = _FIRST_PAUSE

    @staticmethod
    def is_about(state: str | None) -> bool:
        """Whether a SQLSTATE says that trying again may help."""
        return state in _REASONS

    @staticmethod
    def reason(state: str | None, limit: float) -> str:
        """That SQLSTATE in words."""
        return _REASONS.get(state or "", "{limit}").format(limit=show_seconds(limit))

    def left(self) -> float:
        """Seconds until the limit."""
        return max(self._until - time.monotonic(), 0.0)

    def pause(self) -> float | None:
        """How long to wait before the next attempt; None when it is enough."""
        left = self.left()
        if left <= 0:
            return None
        pause = self._next * random.uniform(0.6, 1.0)  # noqa: S311
        self._next = min(self._next * 2, _LONGEST_PAUSE)
        return min(pause, left)

    def wait(
        self,
        pause: float,
        ask: Callable[..., Any],
        blockers: Sequence[Blocker],
        sleep: Callable[[float], object],
    ) -> None:
        """Wait for the pause, or until those in the way have gone.

        Args:
            pause: Seconds.
            ask: ``Control.look``.
            blockers: Those in the way at the last look.
            sleep: Sleeps; raises when the run is to stop.
        """
        end = time.monotonic() + pause
        while (left := end - time.monotonic()) > 0:
            sleep(min(left, _LOOK_EVERY))
            if blockers and not still_blocked(ask, blockers):
                return
