"""The settings object: one frozen value, and where each part of it came from."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .errors import ConfigurationError

ENVIRONMENT_VARIABLE: Final = "IBUTSU_MIGRATE"


class Mode(enum.StrEnum):
    """How much of this package is at work."""

    OFF = "off"
    """Stock Alembic, as if this package were not installed."""
    FAST = "fast"
    """Same results as stock Alembic, the revision graph in C. The default."""
    SAFE = "safe"
    """Fast, and: lock, bounded waits, history, plan."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one run goes by.

    Attributes:
        mode: The switch.
        mode_source: Where it was set, as a user would name the place.
    """

    mode: Mode = Mode.FAST
    mode_source: str = "default"


def parse_mode(text: str, source: str) -> Mode:
    """Read a mode.

    Args:
        text: As the user wrote it; case and surrounding space do not count.
        source: Where it stands, for the message.

    Raises:
        ConfigurationError: It is none of off, fast, safe.
    """
    wanted = text.strip().lower()
    try:
        return Mode(wanted)
    except ValueError:
        near = difflib.get_close_matches(wanted, list(Mode), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Use off, fast or safe."
        raise ConfigurationError(
            f"{source} is {text!r}, which is no mode.", remedy=hint
        ) from None


def settings_from_environment(environ: Mapping[str, str]) -> Settings:
    """Settings as the environment alone gives them.

    Args:
        environ: Usually ``os.environ``.

    Raises:
        ConfigurationError: ``IBUTSU_MIGRATE`` is not a mode.
    """
    text = environ.get(ENVIRONMENT_VARIABLE, "")
    if not text.strip():
        return Settings()
    source = f"{ENVIRONMENT_VARIABLE} in the environment"
    return Settings(parse_mode(text, source), source)
