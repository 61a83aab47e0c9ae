"""``verify``: whether the database is what the files say, told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..runtime.verify import verify as look
from .ask import counted, tell

if TYPE_CHECKING:
    from alembic.config import Config

    from ..runtime.verify import Verification

SCHEMA: Final = "ibutsu-migrate/verify/1"

_HISTORY: Final = {
    "yes": "",
    "none": "No run is written down here, so edited files cannot be told.",
    "denied": (
        "The history may not be read, so edited files cannot be told.\n"
        "As its owner: GRANT USAGE ON SCHEMA ibutsu_migrate TO ...; "
        "GRANT SELECT ON ALL TABLES IN SCHEMA ibutsu_migrate TO ...;"
    ),
    "unsupported": "",
}


def verify(config: Config, json: bool) -> None:
    """Tell what is not as it should be.

    Args:
        config: Alembic's.
        json: For programs.
    """
    tell(
        config,
        lambda: look(config),
        as_text,
        (lambda found: {"schema": SCHEMA, **found.as_json()}) if json else None,
        lambda found: found.exit_code,
    )


def as_text(found: Verification) -> str:
    """A line and a remedy for each finding, then the sum."""
    lines: list[str] = []
    for finding in found.findings:
        lines += [f"{finding.kind}: {finding.message}", f"    {finding.remedy}"]
    lines += [line for line in (_HISTORY[found.history], _sum(found)) if line]
    return "\n".join(lines) + "\n"


def _sum(found: Verification) -> str:
    at, ends = (", ".join(each) for each in (found.heads, found.expected))
    place = f"the database is at {at or 'no revision'}"
    if not found.findings:
        return f"Nothing is wrong: {place}, where the files end."
    count = counted(len(found.findings), "finding")
    return f"{count}: {place}, the files end at {ends or 'no revision'}."
