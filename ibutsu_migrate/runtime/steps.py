"""What Alembic's steps say about themselves."""

from __future__ import annotations

from typing import Any, Final

from ..errors import ConfigurationError
from ..policies import BY_NAME, nearest

_LIMITS: Final = ("statement_timeout", "lock_timeout")


def target_of(opts: Any) -> str | None:
    """What was asked for, as it was typed.

    Args:
        opts: ``MigrationContext.opts``.
    """
    given = opts.get("destination_rev")
    if given is None or isinstance(given, str):
        return given
    return " ".join(str(each) for each in given)


def revision_of(step: Any) -> str:
    """The revision that a step applies, takes back or stamps."""
    script = getattr(step, "revision", None)
    if script is not None:
        return str(script.revision)
    return ", ".join(step.info.up_revision_ids or step.info.down_revision_ids)


def direction_of(step: Any) -> str:
    """``upgrade``, ``downgrade`` or ``stamp``."""
    info = step.info
    if info.is_stamp:
        return "stamp"
    return "upgrade" if info.is_upgrade else "downgrade"


def limits_of(step: Any) -> dict[str, float]:
    """Limits that a revision file sets for itself.

    ``ibutsu_migrate = {"statement_timeout": "5min", "lock_timeout": "0"}`` in it.

    Raises:
        ConfigurationError: It says something else.
    """
    script = getattr(step, "revision", None)
    given = getattr(getattr(script, "module", None), "ibutsu_migrate", None)
    if not isinstance(given, dict):
        return {}
    place = f"ibutsu_migrate in {getattr(script, 'path', None)}"
    found: dict[str, float] = {}
    for name, value in given.items():
        if name not in _LIMITS:
            raise ConfigurationError(
                f"{name!r} of {place} is no limit of a revision.",
                remedy=nearest(str(name), _LIMITS),
            )
        parsed = BY_NAME[name].parse(value, f"{name!r} of {place}")
        found[name] = float(parsed or 0)
    return found
