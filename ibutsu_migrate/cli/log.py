"""``log``: the runs that a database remembers, told."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from ..runtime.history import history_of
from .ask import counted, shown_seconds, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from alembic.config import Config

    from ..runtime.history import History, PastRun, PastStep

SCHEMA: Final = "ibutsu-migrate/log/1"

_NOTHING: Final = {
    "none": (
        "No run is written down in this database: mode safe does it, and only for runs "
        "that do something.\n"
    ),
    "unsupported": "There is no history on {}: only PostgreSQL has one.\n",
}


def log(config: Config, json: bool, number: int) -> None:
    """Tell the last runs.

    Args:
        config: Alembic's.
        json: For programs.
        number: How many; 0: all.
    """
    tell(
        config,
        lambda: history_of(config, number or None),
        as_text,
        (lambda found: {"schema": SCHEMA, **found.as_json()}) if json else None,
    )


def as_text(found: History) -> str:
    """The runs for people, the newest first; ``--json`` has everything."""
    if found.kept != "yes" or not found.runs:
        return _NOTHING.get(found.kept, _NOTHING["none"]).format(found.database)
    tables = {run.version_table for run in found.runs}
    return "\n".join("\n".join(_lines(run, len(tables) > 1)) for run in found.runs)


def _lines(run: PastRun, several: bool) -> Iterator[str]:
    target = f" {run.target}" if run.target else ""
    ending = run.outcome or "going on"
    took = f" in {shown_seconds(run.seconds)}" if run.seconds is not None else ""
    on = f" of {run.version_table}" if several else ""
    yield f"run {run.id}: {run.operation}{target}{on}: {ending}{took}"
    yield f"  {_time(run.started)}, {_whence(run)}"
    yield f"  {_versions(run)}"
    after = "?" if run.heads_after is None else _heads(run.heads_after)
    yield f"  from {_heads(run.heads_before)} to {after}; {_waits(run)}"
    if run.error:
        yield f"  {run.error}"
    for step in run.steps:
        yield f"    {_step(step)}"
    yield ""


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def _whence(run: PastRun) -> str:
    who = f"{run.os_user} on {run.host}" if run.os_user else run.host
    program = f" ({run.program})" if run.program else ""
    role = f", database user {run.database_user}" if run.database_user else ""
    return f"{who}, process {run.process}{program}{role}"


def _versions(run: PastRun) -> str:
    code = run.code_version or "not known"
    return f"code version {code}, ibutsu-migrate {run.package_version}"


def _heads(heads: tuple[str, ...]) -> str:
    return ", ".join(heads) or "no revision"


def _waits(run: PastRun) -> str:
    steps = counted(len(run.steps), "step")
    return f"{steps}, longest wait for a table {shown_seconds(run.lock_seconds)}"


def _step(step: PastStep) -> str:
    message = f" {step.message}" if step.message else ""
    ends = {True: "", False: ", taken back", None: ", its end is not known"}
    tries = f", attempt {step.attempts}" if step.attempts > 1 else ""
    return (
        f"{step.direction} {step.revision}{message}: {shown_seconds(step.seconds)}, "
        f"{counted(step.statements, 'statement')}{tries}{ends[step.committed]}"
    )
