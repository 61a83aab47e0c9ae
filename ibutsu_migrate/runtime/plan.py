"""What an upgrade or downgrade would do, seen from the database. Looks only."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from ..weight.locks import MODES, Nothing, TableLock
from ..weight.meanwhile import Meanwhile
from ..weight.rules import weigh
from ..weight.words import without_passwords
from .look import ARGUMENTS, look, looking
from .past import past_of
from .record import Known, Recorded, Recorder, Recording
from .tables import Size, Tables
from .verify import Finding, version_code, version_findings

Direction = Literal["upgrade", "downgrade"]

# No upgrade leads there: base, so many steps back; of a branch too.
_DOWN: Final = re.compile(r"(?:.+@)?(?:base|-\d+)")


@dataclass(frozen=True, slots=True)
class PlannedLock:
    """A table that a statement locks.

    Attributes:
        relation: As it is written.
        mode: The strongest lock on it, as PostgreSQL's documentation spells it.
        rewrites: Whether it is written anew; None: it depends.
        scans: Whether it is read through; None: it depends.
        size: Now; None where it is not there yet, or cannot be seen.
    """

    relation: str
    mode: str
    rewrites: bool | None
    scans: bool | None
    size: Size | None

    def as_json(self) -> Mapping[str, Any]:
        """All attributes, with those of the size among them."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        found.pop("size")
        size = self.size.as_json() if self.size is not None else {}
        return {**found, "bytes": size.get("bytes"), "rows": size.get("rows")}


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """A statement of a revision.

    Attributes:
        sql: As it would be sent.
        kind: What it is, such as ``ALTER TABLE ADD COLUMN``.
        line: Of the revision's file; None: it comes from elsewhere.
        in_transaction: Whether it is rolled back with the rest.
        is_known: Whether there is a rule for it; if not, its locks are not known.
        locks: On tables that are there before the upgrade.
        destroys: What is gone afterwards; empty: nothing.
    """

    sql: str
    kind: str
    line: int | None
    in_transaction: bool
    is_known: bool
    locks: tuple[PlannedLock, ...]
    destroys: str

    def as_json(self) -> Mapping[str, Any]:
        """All attributes."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**found, "locks": [lock.as_json() for lock in self.locks]}


@dataclass(frozen=True, slots=True)
class PlannedRevision:
    """A revision that is to be applied, or to be taken back.

    Attributes:
        revision: Its id.
        message: The file's first line.
        file: Its path.
        known: How far its SQL is known: ``offline``, ``partly``, ``none``,
            ``not asked``.
        why: Why not all of it is.
        statements: In order.
        needs_approval: Why somebody should look at it first: what it destroys, what is
            outside a transaction, what is not known. Empty where nothing asks for that.
    """

    revision: str
    message: str
    file: str
    known: Known
    why: str | None
    statements: tuple[PlannedStatement, ...]
    needs_approval: tuple[str, ...]

    def as_json(self) -> Mapping[str, Any]:
        """All attributes."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**found, "statements": [each.as_json() for each in self.statements]}


@dataclass(frozen=True, slots=True)
class Plan:
    """What an upgrade or a downgrade would do.

    Attributes:
        database: Its name; of SQLite the file's.
        heads: Where it is.
        target: As it was asked for.
        direction: ``upgrade`` or ``downgrade``.
        revisions: Those to be applied, or to be taken back, in order.
        findings: Why no upgrade should be made from here: ``unknown``, ``ahead``,
            ``edited``.
    """

    database: str | None
    heads: tuple[str, ...]
    target: str
    direction: Direction
    revisions: tuple[PlannedRevision, ...]
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """4: unknown or edited. 5: ahead. 3: needs approval. 2: pending. 0: nothing."""
        wrong = version_code(self.findings)
        if wrong:
            return wrong
        if any(revision.needs_approval for revision in self.revisions):
            return 3
        return 2 if self.revisions else 0

    def strongest(self) -> tuple[PlannedLock, ...]:
        """For each table the strongest lock of all statements, the strongest first."""
        found: dict[str, PlannedLock] = {}
        for lock in self._locks():
            known = found.get(lock.relation)
            if known is not None:
                sum_ = _plain(known) | _plain(lock)
                lock = PlannedLock(
                    sum_.relation, sum_.mode, sum_.rewrites, sum_.scans, known.size
                )
            found[lock.relation] = lock
        return tuple(sorted(found.values(), key=lambda lock: -MODES.index(lock.mode)))

    def _locks(self) -> Iterator[PlannedLock]:
        for revision in self.revisions:
            for statement in revision.statements:
                yield from statement.locks

    def as_json(self) -> Mapping[str, Any]:
        """All attributes, and the exit code."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **found,
            "revisions": [each.as_json() for each in self.revisions],
            "findings": [each.as_json() for each in self.findings],
            "exit_code": self.exit_code,
        }


def _plain(lock: PlannedLock) -> TableLock:
    return TableLock(lock.relation, lock.mode, lock.rewrites, lock.scans)


def plan(
    config: Config | str | os.PathLike[str],
    target: str = "head",
    *,
    sql: bool = True,
    downgrade: bool = False,
) -> Plan:
    """Say what ``upgrade`` or ``downgrade`` would do. Nothing is executed.

    The SQL is what ``--sql`` writes: ``upgrade()`` or ``downgrade()`` of each revision
    is run with an offline ``op``. Statements by a SQLAlchemy engine are refused
    meanwhile; what it does else happens.

    Args:
        config: Alembic's, or the path of its file; its env.py connects.
        target: Revision. ``base`` and ``-1`` can but mean a downgrade.
        sql: Whether to run the revisions' code for it.
        downgrade: Whether the way leads down, where the target may mean both.

    Raises:
        alembic.util.CommandError: There is no such target.
        RunError: env.py does not ask a database.
        Exception: What env.py raises; what importing a revision raises.
    """
    config = looking(config)
    script = ScriptDirectory.from_config(config)
    down = downgrade or _DOWN.fullmatch(target) is not None
    empty = Plan(None, (), target, "downgrade" if down else "upgrade", (), ())

    def ask(heads: tuple[str, ...], context: MigrationContext) -> Plan:
        return _planned(replace(empty, heads=heads), script, context, sql)

    return look(config, script, ask)


def _planned(
    empty: Plan, script: ScriptDirectory, context: MigrationContext, sql: bool
) -> Plan:
    """The plan, of which there are the heads, the target and the direction."""
    connection = context.connection
    database = connection.engine.url.database if connection is not None else None
    findings = tuple(version_findings(script, empty.heads, past_of(context)))
    empty = replace(empty, database=database, findings=findings)
    if any(finding.kind != "edited" for finding in findings):
        return empty
    heads: Any = empty.heads
    if empty.direction == "downgrade":
        steps = script._downgrade_revs(empty.target, heads)
    else:
        steps = script._upgrade_revs(empty.target, heads)
    recordings = list(_recorded(context, steps, sql, empty.direction))
    weigher = _Weigher(context)
    revisions = tuple(
        weigher.weighed(step.revision, recording)
        for step, recording in zip(steps, recordings, strict=True)
    )
    return replace(empty, revisions=weigher.sized(revisions))


def _recorded(
    context: MigrationContext, steps: Sequence[Any], sql: bool, direction: Direction
) -> Iterator[Recording]:
    recorder = Recorder(context, direction) if sql and steps else None
    arguments = getattr(context.environment_context, ARGUMENTS, {})
    for step in steps:
        if recorder is None:
            yield Recording("not asked", None, ())
        else:
            migrate = functools.partial(step.migration_fn, **arguments)
            yield recorder.record(migrate, step.revision.path)


class _Weigher:
    """Weighs the statements of a plan, one after the other.

    Args:
        context: Alembic's, online.
    """

    def __init__(self, context: MigrationContext) -> None:
        self._tables: Tables | None = None
        self._rules = context.dialect.name == "postgresql"
        if self._rules and context.connection is not None:
            self._tables = Tables(context.connection)
        # What the plan has made itself nobody waits for, and nobody loses.
        self._meanwhile = Meanwhile(self._tables or Nothing())

    def weighed(self, revision: Script, recording: Recording) -> PlannedRevision:
        """A revision with what its statements do."""
        statements = tuple(self._weigh(each) for each in recording.statements)
        if recording.why is not None:
            self._meanwhile.doubt()
        return PlannedRevision(
            revision=revision.revision,
            message=revision.doc or "",
            file=revision.path,
            known=recording.known,
            why=recording.why,
            statements=statements,
            needs_approval=tuple(dict.fromkeys(self._reasons(statements, recording))),
        )

    def _reasons(
        self, statements: Iterable[PlannedStatement], recording: Recording
    ) -> Iterator[str]:
        for each in statements:
            place = f" (line {each.line})" if each.line is not None else ""
            if each.destroys:
                yield f"destroys {each.destroys}{place}"
            # Elsewhere no statement is rolled back, and no rule is known.
            if self._rules and not each.in_transaction:
                yield f"{each.kind} is outside a transaction, and stays{place}"
            if self._rules and not each.is_known:
                yield f"nothing is known about what {each.kind} locks{place}"
        if recording.why is not None:
            yield f"its SQL is not known: {recording.why}"

    def _weigh(self, recorded: Recorded) -> PlannedStatement:
        weight = weigh(recorded.sql, self._meanwhile)
        # IF NOT EXISTS makes none where there is one.
        there = self._tables is not None and any(
            self._tables.is_there(name) for name in weight.creates
        )
        is_known = weight.is_known and self._rules and recorded.is_one
        locks = [
            PlannedLock(lock.relation, lock.mode, lock.rewrites, lock.scans, None)
            for lock in weight.locks
            if is_known and not self._meanwhile.has_made(lock.relation)
        ]
        self._meanwhile.note(weight, made=not there)
        destroys = weight.destroys
        new_only = weight.locks and not locks and is_known
        return PlannedStatement(
            sql=without_passwords(recorded.sql),
            kind=weight.kind,
            line=recorded.line,
            in_transaction=recorded.in_transaction and not weight.own_transaction,
            is_known=is_known,
            locks=tuple(locks),
            destroys="" if new_only else destroys,
        )

    def sized(
        self, revisions: tuple[PlannedRevision, ...]
    ) -> tuple[PlannedRevision, ...]:
        """The same with the sizes of the tables as they are now."""
        if self._tables is None:
            return revisions
        names = {
            lock.relation
            for revision in revisions
            for statement in revision.statements
            for lock in statement.locks
        }
        sizes = self._tables.sizes(sorted(names))
        return tuple(
            replace(
                revision,
                statements=tuple(
                    replace(
                        each,
                        locks=tuple(
                            replace(lock, size=sizes.get(lock.relation))
                            for lock in each.locks
                        ),
                    )
                    for each in revision.statements
                ),
            )
            for revision in revisions
        )
