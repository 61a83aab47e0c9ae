"""Is a database at the code's revision? Answered without Alembic, in one look."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import IbutsuMigrateError

if TYPE_CHECKING:
    from .history import History


class State(enum.StrEnum):
    """How a database's revision stands to the revision files."""

    CURRENT = "current"
    """Every revision file is applied."""
    BEHIND = "behind"
    """Some revision files are not applied; an upgrade is due."""
    AHEAD = "ahead"
    """It is at a revision that no file has: newer code was here, or a file is lost."""
    UNREACHABLE = "unreachable"
    """It did not answer, or would not."""


@dataclass(frozen=True, slots=True)
class Status:
    """What one look at the database and the revision files gave.

    Attributes:
        state: The answer.
        database_heads: Revisions in the version table, sorted; empty without one.
        script_heads: Head revisions of the files, sorted.
        missing: How many revision files are not applied; 0 where unreachable.
        unknown: Those of ``database_heads`` that no file has.
        detail: The same as a sentence, with what to type next; no password in it.
    """

    state: State
    database_heads: tuple[str, ...]
    script_heads: tuple[str, ...]
    missing: int
    unknown: tuple[str, ...]
    detail: str


class DatabaseNotCurrent(IbutsuMigrateError):  # noqa: N818 - names a state
    """The database is not at the revision of the code.

    Attributes:
        status: What was found.
    """

    def __init__(self, status: Status) -> None:
        super().__init__(status.detail)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.status,))


def unreachable(script_heads: tuple[str, ...], reason: str) -> Status:
    """The status of a database that did not answer."""
    return Status(State.UNREACHABLE, (), script_heads, 0, (), reason)


def compare(history: History, versions: tuple[str, ...]) -> Status:
    """The status of a database that is at some revisions.

    Args:
        history: The revision files.
        versions: The rows of the version table, sorted.
    """
    unknown = tuple(each for each in versions if each not in history.parents)
    missing = len(history.parents) - len(history.applied(versions))
    state = State.AHEAD if unknown else State.BEHIND if missing else State.CURRENT
    return Status(
        state,
        versions,
        history.heads,
        missing,
        unknown,
        _detail(state, versions, history.heads, missing, unknown),
    )


def _detail(
    state: State,
    versions: tuple[str, ...],
    heads: tuple[str, ...],
    missing: int,
    unknown: tuple[str, ...],
) -> str:
    at = ", ".join(versions) or "no revision"
    head = ", ".join(heads) or "no revision"
    if state is State.CURRENT:
        return f"The database is current, at {at}."
    if state is State.AHEAD:
        return (
            f"The database is at {', '.join(unknown)}, which no revision file here "
            "has: newer code has migrated it, or the file was lost. This code ends at "
            f"{head}.\nDeploy the code that has the file; nothing was changed."
        )
    some = "1 revision" if missing == 1 else f"{missing} revisions"
    return (
        f"The database is {some} behind: it is at {at}, this code needs {head}.\n"
        f"Type `flask db upgrade {'head' if len(heads) == 1 else 'heads'}`."
    )
