"""``plan``: what an upgrade or downgrade would do, told."""

from __future__ import annotations

import os
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ..runtime.plan import plan as look
from ..weight.locks import STOPS
from .ask import counted, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config

    from ..runtime.plan import Plan, PlannedLock, PlannedRevision, PlannedStatement

SCHEMA: Final = "ibutsu-migrate/plan/1"

# Of statements that do the same one after the other; --json has them all.
_SHOWN: Final = 3
_SQL_SHOWN: Final = 200
_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")
_WHENCE: Final = {
    "offline": "",
    "partly": "its SQL is known in part: ",
    "none": "its SQL is not known: ",
    "not asked": "its SQL was not asked for",
}


def plan(
    config: Config, json: bool, no_sql: bool, downgrade: bool, revision: str
) -> None:
    """Tell what ``upgrade`` or ``downgrade`` would do.

    Args:
        config: Alembic's.
        json: For programs.
        no_sql: Whether to leave the revisions' code alone.
        downgrade: Whether the way leads down, where the target may mean both.
        revision: The target.
    """
    tell(
        config,
        lambda: look(config, revision, sql=not no_sql, downgrade=downgrade),
        as_text,
        (lambda found: {"schema": SCHEMA, **found.as_json()}) if json else None,
        lambda found: found.exit_code,
    )


def as_text(found: Plan) -> str:
    """The revisions with their statements, then the sum."""
    lines: list[str] = []
    for finding in found.findings:
        lines += [f"{finding.kind}: {finding.message}", f"    {finding.remedy}"]
    lines.append(_first(found))
    for revision in found.revisions:
        lines += ["", *_revision(revision)]
    if found.revisions:
        lines += ["", *_sum(found)]
    return "\n".join(lines) + "\n"


def _first(found: Plan) -> str:
    at = f"The database is at {', '.join(found.heads) or 'no revision'}"
    if found.exit_code in (4, 5) and not found.revisions:
        return f"{at}: nothing is planned from there."
    if not found.revisions:
        return f"{at}: nothing to do for {_target(found)}."
    count = counted(len(found.revisions), "revision")
    if found.direction == "downgrade":
        return f"{at}; {count} to take back ({_target(found)})."
    return f"{at}; {count} to go to {found.target}."


def _target(found: Plan) -> str:
    down = "downgrade " if found.direction == "downgrade" else ""
    return f"{down}{found.target}"


def _revision(revision: PlannedRevision) -> Iterator[str]:
    message = f" {revision.message}" if revision.message else ""
    yield f"{revision.revision}{message} ({_path(revision.file)})"
    for _, group in groupby(revision.statements, _alike):
        statements = list(group)
        for each in statements[:_SHOWN]:
            yield from _statement(each)
        if len(statements) > _SHOWN:
            count = len(statements) - _SHOWN
            yield f"  ... and {count} more of {statements[0].kind}"
    if not revision.statements and revision.known == "offline":
        yield "  no statement"
    if revision.known != "offline":
        yield f"  {_WHENCE[revision.known]}{revision.why or ''}"
    for reason in revision.needs_approval:
        yield f"  needs approval: {reason}"


def _alike(statement: PlannedStatement) -> object:
    return statement.kind, statement.locks, statement.in_transaction


def _statement(each: PlannedStatement) -> Iterator[str]:
    sql = " ".join(each.sql.split())
    shown = sql if len(sql) <= _SQL_SHOWN else f"{sql[: _SQL_SHOWN - 3]}..."
    yield f"  {each.line or '-':>4}  {shown}"
    for lock in each.locks:
        yield f"        {_lock(lock)}"
    if not each.is_known:
        yield "        locks: not known"


def _lock(lock: PlannedLock) -> str:
    stops = STOPS.get(lock.mode, "stops neither readers nor writers")
    does = [
        text
        for value, text in (
            (lock.rewrites, "rewrites it"),
            (lock.scans, "scans it"),
        )
        for text in _does(value, text)
    ]
    size = f" ({_size(lock)})" if lock.size is not None else ""
    return f"{lock.mode} on {lock.relation}{size}: {', '.join([stops, *does])}"


def _does(value: bool | None, text: str) -> Iterator[str]:
    if value is not False:
        yield text if value else f"may be that it {text}"


def _size(lock: PlannedLock) -> str:
    if lock.size is None:
        return ""
    rows = lock.size.rows
    count = "rows not counted yet" if rows is None else f"about {rows:,} rows"
    return f"{_bytes(lock.size.bytes)}, {count}"


def _bytes(size: float) -> str:
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    return f"{size:.0f} {_UNITS[unit]}" if unit < 2 else f"{size:.1f} {_UNITS[unit]}"


def _sum(found: Plan) -> Iterator[str]:
    strongest = found.strongest()
    if strongest:
        yield "Strongest lock on each table:"
        yield from (f"  {_lock(lock)}" for lock in strongest)
    asked = [each.revision for each in found.revisions if each.needs_approval]
    if asked:
        yield f"Needs approval: {', '.join(asked)}."
    if found.exit_code in (2, 3):
        yield f"Next: `alembic {found.direction} {found.target}`."


def _path(file: str) -> str:
    """From the working directory where that is shorter."""
    path = os.path.relpath(file)
    return file if path.startswith(os.pardir) else path
