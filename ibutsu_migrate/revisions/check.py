"""Everything that is wrong with a history, found at once and without a database."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .._native import require
from ..layout import Layout
from .listing import is_revision_file, sourceless_files, walked
from .records import Finding, Level, Record, read_record


@dataclass(frozen=True, slots=True)
class Report:
    """What checking a history gave.

    Attributes:
        files: How many revision files there are.
        revisions: Ids that are known, in the order of the files.
        bases: Those that stand on none, by ``down_revision``.
        heads: Those that none stands on, by ``down_revision``.
        findings: By file and line.
    """

    files: int
    revisions: tuple[str, ...]
    bases: tuple[str, ...]
    heads: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; information does not count."""
        return all(each.level != "error" for each in self.findings)


def check_history(layout: Layout, *, allow_branches: bool = False) -> Report:
    """Check the revision files of a migration environment.

    Files that are not static are imported. A file that only a .pyc is left of
    (``sourceless``) is not seen.

    Args:
        layout: Where they are.
        allow_branches: Whether several heads are meant to be.

    Source: what ``RevisionMap`` raises or warns of, one thing at a time.
    """
    listing = _Listing(layout)
    records = [read_record(path) for path in listing.paths]
    graph = _Graph(records)
    graph.check(allow_branches)
    findings = [
        *listing.findings,
        *(each for record in records for each in record.findings),
    ]
    return Report(
        len(listing.paths),
        tuple(graph.records),
        tuple(name for name, each in graph.records.items() if not each.down),
        tuple(str(each.revision) for each in graph.heads()),
        tuple(sorted(findings, key=lambda each: (each.file, each.line))),
    )


class _Listing:
    """The files, and what is odd about where they are."""

    def __init__(self, layout: Layout) -> None:
        self.findings: list[Finding] = []
        self.paths: list[str] = []
        for folder in layout.folders:
            if not os.path.isdir(folder):
                self._find(
                    "no-folder",
                    "error",
                    folder,
                    "The folder of revision files is not there.",
                    "Correct script_location or version_locations, or make it.",
                )
                continue
            self._add(_files(os.path.realpath(folder), layout))
        known = set(self.paths)
        for folder in layout.folders:
            self._below(os.path.realpath(folder), known)

    def _add(self, paths: Iterable[str]) -> None:
        known = set(self.paths)
        for path in paths:
            if path not in known:
                self.paths.append(path)
                continue
            self._find(
                "listed-twice",
                "error",
                path,
                "Two version locations lead to this file.",
                "Take one of them out of version_locations.",
            )

    def _below(self, root: str, known: set[str]) -> None:
        """Revisions in folders that nobody looks into."""
        for path in walked(root, True):
            if path in known or not is_revision_file(os.path.basename(path)):
                continue
            revision = _static_id(path)
            if revision is not None:
                self._find(
                    "not-listed",
                    "info",
                    path,
                    f"Revision {revision} is in a folder that Alembic does not look "
                    "into.",
                    "Set recursive_version_locations, or move the file.",
                )

    def _find(self, kind: str, level: Level, file: str, message: str, do: str) -> None:
        self.findings.append(Finding(kind, level, file, 0, None, message, do))


def _files(root: str, layout: Layout) -> list[str]:
    if layout.sourceless:
        return sourceless_files(root, layout.recursive)
    return [
        path
        for path in walked(root, layout.recursive)
        if is_revision_file(os.path.basename(path))
    ]


def _static_id(path: str) -> str | None:
    """The id that a file declares; nobody would import it, so neither is it here."""
    try:
        header = require("_core").scan_file(path)
    except OSError:
        return None
    revision = header.get("revision") if isinstance(header, dict) else None
    down = isinstance(header, dict) and "down_revision" in header
    return revision if down and isinstance(revision, str) else None


class _Graph:
    """Records by id, and the ways between them."""

    def __init__(self, records: list[Record]) -> None:
        self.records: dict[str, Record] = {}
        self.labels: dict[str, Record] = {}
        self._all = [each for each in records if each.revision is not None]
        self._unknown = sum(each.revision is None for each in records)
        for each in self._all:
            self.records.setdefault(str(each.revision), each)
            for label in each.labels:
                self.labels.setdefault(label, each)

    def check(self, allow_branches: bool) -> None:
        """Add to the records what is wrong between them."""
        self._duplicates()
        self._labels_twice()
        self._missing()
        self._cycles()
        self._unreachable()
        self._several_heads(allow_branches)

    # ---- names

    def _duplicates(self) -> None:
        """Files with the id of an earlier one."""
        for each in self._all:
            first = self.records[str(each.revision)]
            if first is not each:
                each.find(
                    "duplicate-id",
                    f"{first.file} has the id {each.revision!r} too.",
                    "Give one of the two files another id, and correct what names it.",
                    line="revision",
                )

    def _labels_twice(self) -> None:
        """Branch labels that mean two revisions."""
        for each in self._all:
            for label in each.labels:
                other = self.records.get(label, self.labels[label])
                if other is not each or label in self.records:
                    each.find(
                        "label-twice",
                        f"The branch label {label!r} is taken by {other.file}.",
                        "Give the branch another label.",
                        line="branch_labels",
                        related=(str(other.revision),),
                    )

    def _missing(self) -> None:
        """Names that no file has."""
        for each in self._all:
            for name in each.down:
                if name not in self.records:
                    self._not_there(each, name, "down_revision", "missing-parent")
            for name in each.depends:
                if name not in self.records and name not in self.labels:
                    self._not_there(each, name, "depends_on", "missing-dependency")

    def _not_there(self, record: Record, name: str, attribute: str, kind: str) -> None:
        if name in self.labels:
            why = "it is a branch label, and `down_revision` takes ids only"
            remedy = f"Write {self.labels[name].revision!r} instead."
        elif self._unknown:
            why = "it may be that of a file that cannot be read"
            remedy = "Correct that file first, and check again."
        else:
            why = "the file was deleted, renamed within, or never committed"
            remedy = f"`git log --all --oneline -S {name} -- '*.py'` looks for it."
        record.find(
            kind,
            f"`{attribute}` names {name!r}, and no file has this id: {why}.",
            remedy,
            line=attribute,
            related=(name,),
        )

    # ---- ways

    def _needs(self, record: Record, depends: bool) -> list[str]:
        """Ids that a revision stands on, those that are there."""
        names = [name for name in record.down if name in self.records]
        for name in record.depends if depends else ():
            found = self.records.get(name) or self.labels.get(name)
            if found is not None:
                names.append(str(found.revision))
        return names

    def _cycles(self) -> None:
        """Revisions that stand on themselves."""
        told: set[str] = set()
        for depends, kind in ((False, "cycle"), (True, "dependency-cycle")):
            needs = {
                name: self._needs(each, depends) for name, each in self.records.items()
            }
            for ring in _rings(needs):
                if told.issuperset(ring):
                    continue
                told.update(ring)
                first = self.records[ring[0]]
                first.find(
                    kind,
                    f"Each of these stands on the next, and so on itself: "
                    f"{' -> '.join((*ring, ring[0]))}.",
                    "Correct the one that was changed last; `git log -p` shows it.",
                    line="depends_on" if depends else "down_revision",
                    related=ring[1:],
                )

    def _unreachable(self) -> None:
        """Revisions that no upgrade comes to, for what is wrong below them."""
        needs = {name: self._needs(each, True) for name, each in self.records.items()}
        reached = _reached(needs, self._broken())
        guilty = self._broken() | {name for ring in _rings(needs) for name in ring}
        for name, record in self.records.items():
            if name not in reached and name not in guilty:
                below = next(each for each in needs[name] if each not in reached)
                record.find(
                    "unreachable",
                    f"No upgrade comes to this revision: it stands on {below}, which "
                    "cannot be reached.",
                    "Correct what is wrong there; nothing is to be done here.",
                    line="down_revision",
                    related=(below,),
                )

    def _broken(self) -> set[str]:
        """Revisions that name something that is not there."""
        return {
            name
            for name, each in self.records.items()
            if any(down not in self.records for down in each.down)
            or any(
                one not in self.records and one not in self.labels
                for one in each.depends
            )
        }

    def heads(self) -> list[Record]:
        """Revisions that no ``down_revision`` names."""
        below = {name for each in self._all for name in each.down}
        return [each for name, each in self.records.items() if name not in below]

    def _several_heads(self, allowed: bool) -> None:
        """Heads beside the first one."""
        heads = self.heads()
        names = [str(each.revision) for each in heads]
        for each in heads if len(heads) > 1 else ():
            others = tuple(name for name in names if name != each.revision)
            each.find(
                "several-heads",
                f"{each.revision} is one of {len(heads)} heads; `upgrade head` does "
                f"not know which to take. The others: {', '.join(others)}.",
                'Type `ibutsu-migrate merge -m "Merge" heads`, or say that branches '
                "are meant: --allow-branches.",
                line="revision",
                level="info" if allowed else "error",
                related=others,
            )


def _reached(needs: Mapping[str, Iterable[str]], broken: set[str]) -> set[str]:
    """What is reached from the bases, each after all that it stands on."""
    waits = {name: len(set(names)) for name, names in needs.items()}
    above: dict[str, list[str]] = {}
    for name, names in needs.items():
        for below in set(names):
            above.setdefault(below, []).append(name)
    ready = [name for name, count in waits.items() if not count and name not in broken]
    reached: set[str] = set()
    while ready:
        name = ready.pop()
        reached.add(name)
        for each in above.get(name, ()):
            waits[each] -= 1
            if not waits[each] and each not in broken:
                ready.append(each)
    return reached


def _rings(needs: Mapping[str, list[str]]) -> Iterator[tuple[str, ...]]:
    """A ring for each group of revisions that stand on one another.

    Tarjan's strongly connected components, without recursion.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    for start in needs:
        if start in index:
            continue
        work = [(start, iter(needs[start]))]
        index[start] = low[start] = len(index)
        path.append(start)
        on_path.add(start)
        while work:
            name, rest = work[-1]
            below = next(rest, None)
            if below is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    group = set(_popped(path, name))
                    on_path -= group
                    if len(group) > 1 or name in needs[name]:
                        yield _ring(needs, group, name)
            elif below not in index:
                index[below] = low[below] = len(index)
                path.append(below)
                on_path.add(below)
                work.append((below, iter(needs[below])))
            elif below in on_path:
                low[name] = min(low[name], index[below])


def _popped(path: list[str], last: str) -> Iterator[str]:
    """Take the end of a path, down to an item."""
    while True:
        name = path.pop()
        yield name
        if name == last:
            return


def _ring(
    needs: Mapping[str, list[str]], group: set[str], start: str
) -> tuple[str, ...]:
    """One way from a revision of a group back to itself."""
    came = {start: start}
    waiting = [start]
    for name in waiting:
        for below in needs[name]:
            if below == start:
                ring = [name]
                while ring[-1] != start:
                    ring.append(came[ring[-1]])
                return tuple(reversed(ring))
            if below in group and below not in came:
                came[below] = name
                waiting.append(below)
    raise AssertionError("a group without a ring")
