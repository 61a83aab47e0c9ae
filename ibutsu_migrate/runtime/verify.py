"""Is the database what the files say? Looks only; takes no lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from .checksum import checksum_of
from .hook import HISTORY_SCHEMA

Kind = Literal["unknown", "edited", "behind", "heads", "invalid", "unvalidated"]

_INVALID: Final = """
SELECT CAST(CAST(i.indexrelid AS regclass) AS text),
       CAST(CAST(i.indrelid AS regclass) AS text)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relpersistence <> 't'
ORDER BY 1
"""

_UNVALIDATED: Final = """
SELECT conname, CAST(CAST(conrelid AS regclass) AS text)
FROM pg_constraint WHERE NOT convalidated AND conrelid <> 0
ORDER BY 2, 1
"""

# Of each revision the last time that it was applied, by a run that has committed it.
_CHECKSUMS: Final = f"""
SELECT DISTINCT ON (s.revision) s.revision, s.checksum, r.id, r.started,
       r.code_version, s.direction
FROM {HISTORY_SCHEMA}.step s JOIN {HISTORY_SCHEMA}.run r ON r.id = s.run
WHERE s.committed
ORDER BY s.revision, s.finished DESC
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: ``unknown``: the database is at a revision that no file has. ``edited``:
            a file means something else than when it was applied. ``behind``: revisions
            are not applied. ``heads``: the files have several ends. ``invalid``: an
            index that a failed build has left. ``unvalidated``: a NOT VALID constraint.
        name: Of the revision, index or constraint.
        message: What it is, in a sentence.
        remedy: What to do.
    """

    kind: Kind
    name: str
    message: str
    remedy: str

    def as_json(self) -> Mapping[str, Any]:
        """All attributes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        heads: Where the database is.
        expected: Where the files end.
        findings: In order of weight; empty where all is well.
    """

    heads: tuple[str, ...]
    expected: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0: all well. 4: edited or unknown. 2: behind. 1: anything else."""
        kinds = {finding.kind for finding in self.findings}
        if kinds & {"unknown", "edited"}:
            return 4
        return 2 if "behind" in kinds else int(bool(kinds))

    def as_json(self) -> Mapping[str, Any]:
        """All attributes, and the exit code."""
        return {
            "heads": self.heads,
            "expected": self.expected,
            "findings": [finding.as_json() for finding in self.findings],
            "exit_code": self.exit_code,
        }


def verify(config: Config) -> Verification:
    """Compare a database with the files, and look for what failed runs left behind.

    Args:
        config: Alembic's; its env.py connects.

    Raises:
        Exception: What env.py raises; what Alembic raises for broken files.
    """
    script = ScriptDirectory.from_config(config)
    found: list[Verification] = []

    def look(heads: Any, context: Any) -> list[Any]:
        found.append(_verification(script, tuple(sorted(heads)), context.connection))
        return []

    # Alembic's own word for a command that only looks.
    look.__module__ = "alembic.command"
    look.__qualname__ = "current.<locals>.verify"
    with EnvironmentContext(config, script, fn=look, dont_mutate=True):
        script.run_env()
    return found[0]


def _verification(
    script: ScriptDirectory, heads: tuple[str, ...], connection: Connection
) -> Verification:
    expected = tuple(sorted(script.get_heads()))
    past = _history(connection)
    findings = [
        *_unknown(script, heads, past),
        *_edited(script, heads, past),
        *_behind(script, heads, expected),
    ]
    if connection.dialect.name == "postgresql":
        findings += [*_invalid(connection), *_unvalidated(connection)]
    return Verification(heads, expected, tuple(findings))


def _history(connection: Connection) -> dict[str, Any]:
    """Rows of the history by revision; empty where there is none to be read."""
    if connection.dialect.name != "postgresql":
        return {}
    there = text("SELECT to_regclass(:name) IS NOT NULL")
    name = f"{HISTORY_SCHEMA}.step"
    if not connection.execute(there, {"name": name}).scalar_one():
        return {}
    try:
        with connection.begin_nested():
            return {row[0]: row for row in connection.execute(text(_CHECKSUMS))}
    except DBAPIError:
        return {}


def _is_known(script: ScriptDirectory, revision: str) -> bool:
    try:
        return script.revision_map.get_revision(revision) is not None
    except ResolutionError:
        return False


def _unknown(
    script: ScriptDirectory, heads: Iterable[str], past: Mapping[str, Any]
) -> Iterator[Finding]:
    for head in heads:
        if _is_known(script, head):
            continue
        row = past.get(head)
        when = "nothing is known about when it was applied"
        if row is not None:
            code = f", by code version {row[4]}" if row[4] else ""
            when = f"run {row[2]} applied it here on {row[3]:%Y-%m-%d %H:%M}{code}"
        yield Finding(
            "unknown",
            head,
            f"The database is at {head}, and no revision file has this id; {when}.",
            "Use the code that has the file: the database is ahead of this one, or the "
            "file was deleted.",
        )


def _applied(script: ScriptDirectory, heads: Iterable[str]) -> Iterator[Any]:
    known = [head for head in heads if _is_known(script, head)]
    if known:
        yield from script.revision_map.iterate_revisions(
            tuple(known), "base", inclusive=True
        )


def _edited(
    script: ScriptDirectory, heads: Iterable[str], past: Mapping[str, Any]
) -> Iterator[Finding]:
    for revision in _applied(script, heads):
        row = past.get(revision.revision)
        if row is None or row[1] is None or row[5] != "upgrade":
            continue
        now = checksum_of(Path(revision.path))
        if now is not None and now != row[1]:
            yield Finding(
                "edited",
                revision.revision,
                f"{revision.path} means something else than when run {row[2]} applied "
                f"it on {row[3]:%Y-%m-%d %H:%M}.",
                "Take the edit back, and write a new revision for it.",
            )


def _behind(
    script: ScriptDirectory, heads: tuple[str, ...], expected: tuple[str, ...]
) -> Iterator[Finding]:
    if len(expected) > 1:
        yield Finding(
            "heads",
            ", ".join(expected),
            f"The files have {len(expected)} ends: {', '.join(expected)}.",
            "`alembic merge heads`, unless they are meant to be apart.",
        )
    if not all(_is_known(script, head) for head in heads):
        return
    applied = {revision.revision for revision in _applied(script, heads)}
    missing = [
        each.revision
        for each in script.walk_revisions()
        if each.revision not in applied
    ]
    if missing:
        yield Finding(
            "behind",
            ", ".join(reversed(missing)),
            f"Not applied: {', '.join(reversed(missing))}.",
            "`alembic upgrade head`.",
        )


def _invalid(connection: Connection) -> Iterator[Finding]:
    for index, table in connection.execute(text(_INVALID)):
        yield Finding(
            "invalid",
            index,
            f"The index {index} of {table} is invalid: its concurrent build failed.",
            f"DROP INDEX CONCURRENTLY {index}, and build it again.",
        )


def _unvalidated(connection: Connection) -> Iterator[Finding]:
    for name, table in connection.execute(text(_UNVALIDATED)):
        yield Finding(
            "unvalidated",
            name,
            f"The constraint {name} of {table} is NOT VALID: old rows may break it.",
            f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}.",
        )
