"""What the history knows of each revision: when it came here, how, on top of what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from alembic.runtime.migration import MigrationContext

from .database import identify
from .hook import HISTORY_SCHEMA
from .look import rows_if_allowed
from .names import LockKey

# Newer formats may have more columns; these are of the first.
_STEPS: Final = f"""
SELECT s.revision, s.direction, s.checksum, r.id, r.started, r.host, r.code_version,
       r.heads_before
FROM {HISTORY_SCHEMA}.step s JOIN {HISTORY_SCHEMA}.run r ON r.id = s.run
WHERE s.committed AND r.version_table = :version_table
ORDER BY s.finished, r.started, s.number
"""  # noqa: S608 - a constant

_THERE: Final = "SELECT to_regclass(:name) IS NOT NULL"

Kept = Literal["yes", "none", "denied", "unsupported"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """The last time that a revision was applied, taken back or stamped.

    Attributes:
        revision: Its id.
        direction: ``upgrade``, ``downgrade`` or ``stamp``.
        checksum: Of the file's meaning at that time.
        run: Id of the run.
        time: When that began.
        host: Where it ran.
        code_version: Of the application; None where nobody knows.
        beneath: Where the database was before the run, and what the run did before.
    """

    revision: str
    direction: str
    checksum: str | None
    run: str
    time: datetime
    host: str
    code_version: str | None
    beneath: frozenset[str]

    def __str__(self) -> str:
        did = {"stamp": "stamped it here", "downgrade": "took it back here"}
        code = f", by code version {self.code_version}" if self.code_version else ""
        return (
            f"run {self.run} {did.get(self.direction, 'applied it here')} on "
            f"{self.time:%Y-%m-%d %H:%M}, from {self.host}{code}"
        )


@dataclass(frozen=True, slots=True)
class Past:
    """The history of one version table.

    Attributes:
        kept: ``yes``; ``none``: nothing was written; ``denied``: the user may not read
            it; ``unsupported``: this kind of database has none.
        arrivals: By revision.
    """

    kept: Kept
    arrivals: Mapping[str, Arrival]

    def beneath(
        self, revisions: Iterable[str], is_known: Callable[[str], bool]
    ) -> frozenset[str] | None:
        """The known revisions on top of which others were applied.

        Args:
            revisions: The others.
            is_known: Whether a revision is among the files.

        Returns:
            None where the history does not reach down to known ones, or to nothing.
        """
        found: set[str] = set()
        seen: set[str] = set()
        pending = list(revisions)
        while pending:
            revision = pending.pop()
            if revision in seen:
                continue
            seen.add(revision)
            if is_known(revision):
                found.add(revision)
                continue
            arrival = self.arrivals.get(revision)
            if arrival is None or arrival.direction == "downgrade":
                return None
            pending += arrival.beneath
        return frozenset(found)


def past_of(context: MigrationContext) -> Past:
    """Read the history of a context's version table.

    Args:
        context: Alembic's, online.

    Raises:
        sqlalchemy.exc.DBAPIError: Reading fails, and not for missing rights.
    """
    connection = context.connection
    if context.dialect.name != "postgresql" or connection is None:
        return Past("unsupported", {})
    name = {"name": f"{HISTORY_SCHEMA}.step"}
    there = rows_if_allowed(connection, _THERE, name)
    if there is None or not there[0][0]:
        return Past("denied" if there is None else "none", {})
    table, schema = context.version_table, context.version_table_schema
    place = identify(connection, table, schema)
    key = {"version_table": str(LockKey(place.schema, table))}
    rows = rows_if_allowed(connection, _STEPS, key)
    if rows is None:
        return Past("denied", {})
    arrivals: dict[str, Arrival] = {}
    before: dict[str, set[str]] = {}
    for revision, direction, checksum, run, time, host, code, heads in rows:
        beneath = before.setdefault(run, set(heads))
        arrivals[revision] = Arrival(
            *(revision, direction, checksum, run, time, host, code),
            beneath=frozenset(beneath),
        )
        beneath.add(revision)
    return Past("yes", arrivals)
