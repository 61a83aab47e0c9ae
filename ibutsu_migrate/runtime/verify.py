"""Is the database what the files say? Looks only; takes no lock."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import to_tuple
from sqlalchemy.engine import Connection

from .checksum import checksum_of
from .look import look, looking, rows_of
from .past import Kept, Past, past_of

Kind = Literal[
    "unknown",
    "ahead",
    "edited",
    "overlap",
    "behind",
    "heads",
    "invalid",
    "unvalidated",
]

# One that is being built is not valid yet; who may not look into others' sessions does
# not see that.
_INVALID: Final = """
SELECT CAST(CAST(i.indexrelid AS regclass) AS text),
       CAST(CAST(i.indrelid AS regclass) AS text)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relpersistence <> 't'
AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p
                WHERE p.index_relid = i.indexrelid)
ORDER BY 1
"""

# From PostgreSQL 18 on those that are not enforced are not validated either.
_UNVALIDATED: Final = """
SELECT quote_ident(conname), CAST(CAST(conrelid AS regclass) AS text)
FROM pg_constraint c WHERE NOT convalidated AND conrelid <> 0
AND coalesce(to_jsonb(c) ->> 'conenforced', 'true') = 'true'
ORDER BY 2, 1
"""

_LOOK_FOR_IT: Final = "`git log --all --oneline -S {} -- '*.py'` looks for it."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: ``unknown``: the database is at a revision that no file has. ``ahead``:
            the same, and as the history tells it came on top of all that the files
            have. ``edited``: a file means something else than when it was applied.
            ``overlap``: the version table has a revision and one beneath it.
            ``behind``: revisions are not applied. ``heads``: the files have several
            ends. ``invalid``: an index that a failed build has left. ``unvalidated``:
            a NOT VALID constraint.
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


def version_code(findings: Iterable[Finding]) -> int:
    """The exit code of what is wrong with the version: 4: edited or unknown. 5: ahead.

    Args:
        findings: All of them; 0 where none is of these kinds.
    """
    kinds = {finding.kind for finding in findings}
    if kinds & {"unknown", "edited"}:
        return 4
    return 5 if "ahead" in kinds else 0


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        heads: Where the database is.
        expected: Where the files end.
        findings: In order of weight; empty where all is well.
        history: What the files could be compared with: ``yes``, ``none``: no run was
            written down; ``denied``: the user may not read it; ``unsupported``: this
            kind of database has none.
    """

    heads: tuple[str, ...]
    expected: tuple[str, ...]
    findings: tuple[Finding, ...]
    history: Kept = "none"

    @property
    def exit_code(self) -> int:
        """0: all well. 4: edited or unknown. 5: ahead. 2: behind. 1: anything else."""
        kinds = {finding.kind for finding in self.findings}
        return version_code(self.findings) or (
            2 if "behind" in kinds else int(bool(kinds))
        )

    def as_json(self) -> Mapping[str, Any]:
        """All attributes, and the exit code."""
        return {
            "heads": self.heads,
            "expected": self.expected,
            "findings": [finding.as_json() for finding in self.findings],
            "history": self.history,
            "exit_code": self.exit_code,
        }


def verify(config: Config | str | os.PathLike[str]) -> Verification:
    """Compare a database with the files, and look for what failed runs left behind.

    Args:
        config: Alembic's, or the path of its file; its env.py connects.

    Raises:
        RunError: env.py does not ask a database.
        Exception: What env.py raises; what Alembic raises for broken files.
    """
    config = looking(config)
    script = ScriptDirectory.from_config(config)
    return look(config, script, lambda at, context: _verified(script, at, context))


def _verified(
    script: ScriptDirectory, heads: tuple[str, ...], context: MigrationContext
) -> Verification:
    expected = tuple(sorted(script.get_heads()))
    past = past_of(context)
    findings = [
        *version_findings(script, heads, past),
        *_overlapping(script, heads),
        *_several(expected),
        *_behind(script, heads),
    ]
    connection = context.connection
    if context.dialect.name == "postgresql" and connection is not None:
        findings += [*_invalid(connection), *_unvalidated(connection)]
    return Verification(heads, expected, tuple(findings), past.kept)


def version_findings(
    script: ScriptDirectory, heads: tuple[str, ...], past: Past
) -> Iterator[Finding]:
    """What of the database's revisions is not as the files have it.

    Args:
        script: The files.
        heads: Where the database is.
        past: Its history.
    """
    yield from _unknown(script, heads, past)
    yield from _edited(script, heads, past)


def _is_known(script: ScriptDirectory, revision: str) -> bool:
    try:
        found = script.revision_map.get_revision(revision)
    except ResolutionError:
        return False
    # A part of an id is found too, and is no revision that a file has.
    return found is not None and found.revision == revision


def _unknown(
    script: ScriptDirectory, heads: Iterable[str], past: Past
) -> Iterator[Finding]:
    unknown = [head for head in heads if not _is_known(script, head)]
    lacking = _not_beneath(script, heads, past) if unknown else frozenset()
    for head in unknown:
        arrival = past.arrivals.get(head)
        when = str(arrival or "nothing is known about when it was applied")
        code = arrival.code_version if arrival is not None else None
        use = f"Use the code that has the file{f' ({code})' if code else ''}; "
        first = f"The database is at {head}, and no revision file has this id"
        if lacking is not None and not lacking:
            yield Finding(
                "ahead",
                head,
                f"{first}: it is ahead of these files; {when}.",
                use + _LOOK_FOR_IT.format(head),
            )
            continue
        other = ""
        if lacking:
            other = f" These files have others on the same base: {_list(lacking)}."
        yield Finding(
            "unknown",
            head,
            f"{first}; {when}.{other}",
            f"{use}{_LOOK_FOR_IT.format(head)} The database is ahead of this one, or "
            "the file was deleted or renamed.",
        )


def _not_beneath(
    script: ScriptDirectory, heads: Iterable[str], past: Past
) -> frozenset[str] | None:
    """Revisions of the files that the database lacks, though it is at unknown ones.

    None where the history does not tell.
    """
    known = past.beneath(heads, lambda revision: _is_known(script, revision))
    if known is None:
        return None
    applied = {each.revision for each in _applied(script, known)}
    return frozenset(each.revision for each in script.walk_revisions()) - applied


def _list(revisions: Iterable[str]) -> str:
    return ", ".join(sorted(revisions))


def _applied(script: ScriptDirectory, heads: Iterable[str]) -> Iterator[Script]:
    """Each known head, and all beneath it."""
    known = [head for head in heads if _is_known(script, head)]
    seen: set[str] = set()
    revisions = script.revision_map
    for head in known:
        for each in revisions.iterate_revisions(head, "base", inclusive=True):
            if each.revision not in seen and isinstance(each, Script):
                seen.add(each.revision)
                yield each


def _edited(
    script: ScriptDirectory, heads: Iterable[str], past: Past
) -> Iterator[Finding]:
    known = past.beneath(heads, lambda revision: _is_known(script, revision))
    for revision in _applied(script, heads if known is None else known):
        arrival = past.arrivals.get(revision.revision)
        if arrival is None or arrival.direction != "upgrade" or not arrival.checksum:
            continue
        now = checksum_of(Path(revision.path))
        if now is not None and now != arrival.checksum:
            yield Finding(
                "edited",
                revision.revision,
                f"{revision.path} means something else than when run {arrival.run} "
                f"applied it on {arrival.time:%Y-%m-%d %H:%M}.",
                "Take the edit back, and write a new revision for it.",
            )


def _overlapping(script: ScriptDirectory, heads: tuple[str, ...]) -> Iterator[Finding]:
    """Source: ``RevisionMap._upgrade_revs``, which refuses to go on from there."""
    for head in heads:
        for other in sorted(_beneath(script, head).intersection(heads)):
            yield Finding(
                "overlap",
                other,
                f"The version table has {head}, and {other}, which is beneath it.",
                "Stamp what is true: `alembic stamp --purge "
                f"{' '.join(sorted(set(heads) - {other}))}`.",
            )


def _beneath(script: ScriptDirectory, head: str) -> set[str]:
    """All that a revision stands on by ``down_revision`` alone."""
    seen: set[str] = set()
    pending = [head] if _is_known(script, head) else []
    while pending:
        found = script.revision_map.get_revision(pending.pop())
        for down in to_tuple(found.down_revision, ()) if found is not None else ():
            if down not in seen:
                seen.add(down)
                pending.append(down)
    return seen


def _several(expected: tuple[str, ...]) -> Iterator[Finding]:
    if len(expected) > 1:
        yield Finding(
            "heads",
            ", ".join(expected),
            f"The files have {len(expected)} ends: {', '.join(expected)}.",
            "`alembic merge heads`, unless they are meant to be apart.",
        )


def _behind(script: ScriptDirectory, heads: tuple[str, ...]) -> Iterator[Finding]:
    if not all(_is_known(script, head) for head in heads):
        return
    applied = {revision.revision for revision in _applied(script, heads)}
    missing = [
        each.revision
        for each in script.walk_revisions()
        if each.revision not in applied
    ]
    if missing:
        target = "head" if len(script.get_heads()) == 1 else "heads"
        yield Finding(
            "behind",
            ", ".join(reversed(missing)),
            f"Not applied: {', '.join(reversed(missing))}.",
            f"`ibutsu-migrate plan {target}` shows them, `alembic upgrade {target}` "
            "applies them.",
        )


def _invalid(connection: Connection) -> Iterator[Finding]:
    for index, table in rows_of(connection, _INVALID):
        yield Finding(
            "invalid",
            index,
            f"The index {index} of {table} is invalid: its concurrent build failed.",
            f"DROP INDEX CONCURRENTLY {index}, and build it again.",
        )


def _unvalidated(connection: Connection) -> Iterator[Finding]:
    for name, table in rows_of(connection, _UNVALIDATED):
        yield Finding(
            "unvalidated",
            name,
            f"The constraint {name} of {table} is NOT VALID: old rows may break it.",
            f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}.",
        )
