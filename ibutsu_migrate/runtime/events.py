"""What happens in a run, as values; each can say itself in one line.

``docs/reference/json.md`` shows them as JSON; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from ..colours import Tone

Listener = Callable[["Event"], object]
Emit = Callable[..., "Event"]
"""``Reporter.tell``: the event's class and its fields."""

Span = tuple["Tone", str]
"""A part of a line, and what it is."""

# CREATE ROLE, ALTER ROLE, CREATE USER MAPPING; the text may have been cut behind it.
_PASSWORD: Final = re.compile(
    r"(\bPASSWORD\s+)(?:E?'(?:[^']|'')*(?:'|$)|\$(\w*)\$.*?(?:\$\2\$|$))", re.I
)
_CAPITALS: Final = re.compile(r"(?<=[a-z])([A-Z])")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        name: Of the kind: the class's in small letters.
        tone: What its line is, where all of it is one thing.
        run: Id of the run.
        time: When.
    """

    name: ClassVar[str] = "event"
    tone: ClassVar[Tone] = ""
    run: str
    time: datetime

    def __init_subclass__(cls) -> None:
        if "name" not in cls.__dict__:
            cls.name = _CAPITALS.sub(r"_\1", cls.__name__).lower()

    def line(self) -> str:
        """For people; empty where there is nothing to say to them."""
        return "".join(text for _, text in self.spans())

    def spans(self) -> tuple[Span, ...]:
        """The line's parts."""
        return ((self.tone, self._line()),)

    def _line(self) -> str:
        return ""

    def as_json(self) -> Mapping[str, Any]:
        """For programs: ``event``, ``time``, ``run``, and what the event has."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        blockers = found.get("blockers")
        if blockers is not None:
            found["blockers"] = [blocker.as_json() for blocker in blockers]
        found.pop("start", None)
        time = self.time.isoformat(timespec="milliseconds")
        return {"event": self.name, **found, "time": time}


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that others wait for.

    Attributes:
        pid: Of its backend; 0 is a prepared transaction.
        waits: For whom it is in the way: the migration's or another blocker's pid.
        user: Database user.
        application: Application name.
        client: Address, or None through a socket.
        state: Such as ``idle in transaction``.
        transaction_seconds: Since its transaction began.
        query_seconds: Since its present or last query began.
        query: That query, cut.
        mode: Its strongest lock on the relation that is waited for.
        protected: Why it is never terminated: a superuser, autovacuum against
            wraparound; None if it may be.
    """

    pid: int
    waits: int
    user: str | None
    application: str | None
    client: str | None
    state: str | None
    transaction_seconds: float | None
    query_seconds: float | None
    query: str | None
    mode: str | None
    protected: str | None

    def as_json(self) -> Mapping[str, Any]:
        """All attributes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        if self.pid == 0:
            return "a prepared transaction (see pg_prepared_xacts)"
        whose = f" of {self.user}" if self.user else ""
        name = f" ({self.application})" if self.application else ""
        host = f" from {self.client}" if self.client else ""
        state = f", {self.state}" if self.state else ""
        since = self.transaction_seconds
        age = f", in its transaction for {elapsed(since)}" if since is not None else ""
        mode = f", holds {self.mode}" if self.mode else ""
        query = f": {self.query}" if self.query else ""
        return (
            f"pid {self.pid}{whose}{name}{host}{state}{age}{self._query_age()}{mode}"
            f"{query}"
        )

    def _query_age(self) -> str:
        since = self.query_seconds
        if since is None:
            return ""
        # Only of who is active the query is what it does now.
        if self.state == "active":
            return f", in its query for {elapsed(since)}"
        return f", last query {elapsed(since)} ago"


def shown(sql: str, limit: int) -> str:
    """A statement for people: one line, cut, without the passwords of roles."""
    text = _PASSWORD.sub(r"\1'***'", " ".join(sql.split()))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def elapsed(seconds: float) -> str:
    """A time span for people: ``0.12 s``, ``35 s``, ``12 min 5 s``, ``3 h 2 min``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def revisions(names: tuple[str, ...]) -> str:
    """Revisions of a database in words."""
    return ", ".join(names) or "no revision"


@dataclass(frozen=True, slots=True)
class Waiting(Event):
    """A run waits for something before it begins."""

    tone: ClassVar[Tone] = "waits"
    waited_seconds: float
    limit_seconds: float

    def _waited(self) -> str:
        spans = (self.waited_seconds, self.limit_seconds)
        return "waited {} of {}".format(*map(elapsed, spans))


@dataclass(frozen=True, slots=True)
class DatabaseWaiting(Waiting):
    """The server is not up yet."""

    reason: str

    def _line(self) -> str:
        return f"waiting for the database; {self._waited()}: {self.reason}"


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run begins: it is about to ask for the lock. People hear of it later."""

    operation: str
    target: str | None
    database: str
    host: str | None
    user: str | None
    lock: str | None

    def where(self) -> str:
        """The run in words: what, on what, as whom."""
        what = f"{self.operation} {self.target}" if self.target else self.operation
        where = f" at {self.host}" if self.host else ""
        who = f" as {self.user}" if self.user else ""
        lock = f", lock {self.lock}" if self.lock else ""
        return f"{what} (run {self.run}): database {self.database}{where}{who}{lock}"


@dataclass(frozen=True, slots=True)
class LockWaiting(Waiting):
    """Another run holds the lock."""

    holder_pid: int | None
    holder_run: str | None
    holder_host: str | None
    holder_process: int | None
    holder_seconds: float | None
    holder_revision: str | None

    def _line(self) -> str:
        if self.holder_run is not None:
            who = f"run {self.holder_run} ({self.holder_host}:{self.holder_process}"
            who += f", backend {self.holder_pid})" if self.holder_pid else ")"
        else:
            who = f"backend {self.holder_pid}" if self.holder_pid else "another run"
        since = self.holder_seconds
        age = f" for {elapsed(since)}" if since is not None else ""
        at = f", which is at {self.holder_revision}" if self.holder_revision else ""
        return f"waiting for the lock, held by {who}{age}{at}; {self._waited()}"


@dataclass(frozen=True, slots=True)
class OrphanFound(Event):
    """A backend of a run that is dead still works."""

    tone: ClassVar[Tone] = "waits"
    pid: int
    orphan_run: str | None
    state: str | None
    query: str | None
    terminated: bool

    def _line(self) -> str:
        done = "terminated" if self.terminated else "waiting for its end"
        query = f": {self.query}" if self.query else ""
        return (
            f"backend {self.pid} of run {self.orphan_run}, which is dead, is still "
            f"{self.state or 'there'}; {done}{query}"
        )


@dataclass(frozen=True, slots=True)
class PlanMade(Event):
    """The lock is held, the heads are read, the way is known."""

    heads: tuple[str, ...]
    steps: tuple[str, ...]
    waited_seconds: float
    start: RunStarted

    def _line(self) -> str:
        if not self.steps:
            return ""
        count = len(self.steps)
        ends = self.steps[0] if count == 1 else f"{self.steps[0]} to {self.steps[-1]}"
        return (
            f"{self.start.where()}, at {revisions(self.heads)}; {count} "
            f"revision{'s' if count != 1 else ''} to go ({ends})"
        )


@dataclass(frozen=True, slots=True)
class OfRevision(Event):
    """Something about one step of the plan.

    Attributes:
        revision: Its id.
        direction: ``upgrade``, ``downgrade`` or ``stamp``.
        number: Of the plan's steps, from 1.
        count: Of those.
    """

    revision: str
    direction: str
    number: int
    count: int


@dataclass(frozen=True, slots=True)
class RevisionStarted(OfRevision):
    """A revision begins. People hear of its end."""


@dataclass(frozen=True, slots=True)
class RevisionDone(OfRevision):
    """A revision is through; whether it is committed, ``committed`` says."""

    message: str | None
    checksum: str | None
    seconds: float
    statements: int
    lock_seconds: float
    attempts: int
    committed: bool

    def spans(self) -> tuple[Span, ...]:
        """What was done, and how long it took."""
        said = f" {self.message}" if self.message else ""
        waited = f", {elapsed(self.lock_seconds)} of it for locks"
        waited = waited if self.lock_seconds >= 0.1 else ""
        again = f", {self.attempts} attempts" if self.attempts > 1 else ""
        return (
            ("done", f"{self.direction} {self.revision}"),
            ("", f" ({self.number}/{self.count}){said}: "),
            ("aside", f"{elapsed(self.seconds)}{waited}{again}"),
        )


@dataclass(frozen=True, slots=True)
class Blocked(Event):
    """A statement waits for others; they are named, the nearest first."""

    tone: ClassVar[Tone] = "waits"
    relation: str | None
    mode: str | None
    statement: str
    waited_seconds: float
    blockers: tuple[Blocker, ...]

    def _line(self) -> str:
        what = f"{self.mode or 'a lock'} on {self.relation or 'something'}"
        first = f"waiting for {what} for {elapsed(self.waited_seconds)}"
        rest = [f"blocked by {self.blockers[0]}"] if self.blockers else []
        rest += [
            f"{'' if one.waits == self.blockers[0].waits else f'{one.waits} is '}"
            f"blocked by {one}"
            for one in self.blockers[1:]
        ]
        return "\n  ".join([first, *rest])


@dataclass(frozen=True, slots=True)
class Retrying(Event):
    """A lock was not got in time: all was taken back, and will be tried again."""

    tone: ClassVar[Tone] = "waits"
    revision: str | None
    attempt: int
    pause_seconds: float
    left_seconds: float
    reason: str

    def _line(self) -> str:
        which = f"{self.revision}: " if self.revision else ""
        pause, left = elapsed(self.pause_seconds), elapsed(self.left_seconds)
        return (
            f"{which}{self.reason}; taken back, attempt {self.attempt + 1} in at most "
            f"{pause}; patience left: {left}"
        )


@dataclass(frozen=True, slots=True)
class BlockerTerminated(Event):
    """Somebody was disconnected, as ``terminate_blockers_after`` asks."""

    tone: ClassVar[Tone] = "waits"
    pid: int
    done: bool
    blockers: tuple[Blocker, ...]

    def _line(self) -> str:
        blocker = self.blockers[0]
        if self.done:
            return f"terminated {blocker}"
        why = blocker.protected or "the server does not let this user"
        return f"not terminated ({why}): {blocker}"


@dataclass(frozen=True, slots=True)
class StatementRunning(Event):
    """A statement takes long.

    Attributes:
        live: Only to be shown where it can be overwritten by what comes next.
    """

    statement: str
    seconds: float
    phase: str | None
    percent: float | None
    live: bool

    def spans(self) -> tuple[Span, ...]:
        """For how long, how far, what."""
        done = f", {self.percent:.0f} %" if self.percent is not None else ""
        phase = f" ({self.phase}{done})" if self.phase else ""
        return (
            ("", "running for "),
            ("aside", elapsed(self.seconds)),
            ("", f"{phase}: {self.statement}"),
        )


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """Something that people should know, and that stops nothing."""

    name: ClassVar[str] = "warning"
    tone: ClassVar[Tone] = "waits"
    message: str

    def _line(self) -> str:
        return f"warning: {self.message}"


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The end of a run, whichever it is.

    Attributes:
        outcome: ``done``, ``nothing to do``, ``failed`` or ``interrupted``.
        heads: Where the database is now; None where that cannot be read.
    """

    outcome: str
    heads: tuple[str, ...] | None
    steps: int
    seconds: float
    error: str | None

    def spans(self) -> tuple[Span, ...]:
        """How it ended, how much it did, where the database is."""
        at = "unknown" if self.heads is None else revisions(self.heads)
        well = self.outcome in ("done", "nothing to do")
        outcome: Span = ("done" if well else "error", f"{self.outcome}:")
        if self.outcome == "nothing to do":
            return (outcome, ("", f" the database is at {at}"))
        many = f"{self.steps} revision{'s' if self.steps != 1 else ''}"
        return (
            outcome,
            ("", f" {many} in "),
            ("aside", elapsed(self.seconds)),
            ("", f"; the database is at {at}"),
        )
