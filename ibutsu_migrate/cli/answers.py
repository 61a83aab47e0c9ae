"""heads, history, show and branches from a scanned history, in Alembic's words.

Source: ``alembic.command`` for what is asked, ``alembic.script.base.Script`` for how a
revision is told, ``alembic.script.revision.RevisionMap`` for how it is named.
"""

from __future__ import annotations

from ..revisions.scanned import NeedsAlembic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..revisions.scanned import Scanned
    from .arguments import Asked


def answer(asked: Asked, scanned: Scanned) -> str:
    """What the command prints.

    Raises:
        NeedsAlembic: The database has to be asked, a name is not a plain one, or the
            answer is an error, for which Alembic has the words.
    """
    teller = _Teller(scanned)
    verbose = "verbose" in asked.flags
    if asked.command == "heads":
        nodes = scanned.graph.ends("resolve_dependencies" in asked.flags)
        return teller.lines(nodes, verbose, tree=False)
    if asked.command == "show":
        nodes = Names(scanned).resolve(asked.revision)
        return "".join(f"{teller.entry(node)}\n" for node in nodes)
    if asked.command == "history":
        nodes = _history(asked, scanned)
        return teller.lines(nodes, verbose, doc=True, parents=True)
    return _branches(teller, Names(scanned).between("base", "heads"), verbose)


def _history(asked: Asked, scanned: Scanned) -> list[int]:
    if "indicate_current" in asked.flags:
        raise NeedsAlembic
    lower, upper = "", ""
    if asked.rev_range is not None:
        parts = asked.rev_range.strip().split(":")
        if len(parts) != 2 or "current" in parts:
            raise NeedsAlembic
        lower, upper = parts
    return Names(scanned).between(lower or "base", upper or "heads")


def _branches(teller: _Teller, nodes: list[int], verbose: bool) -> str:
    """Source: ``alembic.command.branches``."""
    told: list[str] = []
    for node in nodes:
        script = teller.script(node)
        if not script.is_branch_point:
            continue
        indent = " " * len(script.revision)
        children = "\n".join(
            f"{indent} -> {teller.line(child, False, doc=verbose)}"
            for child in map(teller.graph.find, script.children)
        )
        told.append(f"{teller.line(node, verbose)}\n{children}\n\n")
    return "".join(told)


class Names:
    """Revisions by what people call them.

    Args:
        scanned: The history.
    """

    def __init__(self, scanned: Scanned) -> None:
        self.graph = scanned.graph

    def resolve(self, name: str) -> list[int]:
        """Nodes that a name stands for.

        Relative names are not read; only Alembic counts steps.

        Raises:
            NeedsAlembic: There is no such revision, or more than one.

        Source: ``RevisionMap.get_revisions``.
        """
        branch, at, symbol = name.rpartition("@")
        if any(each in name for each in "+-:") or (at and not _is_plain(branch)):
            raise NeedsAlembic
        if symbol == "base":
            return []
        if symbol not in ("head", "heads"):
            if at:
                raise NeedsAlembic
            return [self._find(symbol)]
        heads = self.graph.ends(symbol == "heads" and not at)
        if at:
            marks = self.graph.related([self._find(branch)], False)
            heads = [node for node in heads if marks[node]]
        if symbol == "head" and len(heads) > 1:
            raise NeedsAlembic
        return heads

    def _find(self, name: str) -> int:
        """Source: ``RevisionMap._revision_for_ident``."""
        node = self.graph.find(name)
        if node < 0 and name:
            longer = self.graph.starting_with(name)
            node = self.graph.find(longer[0]) if len(longer) == 1 else -1
        if node < 0:
            raise NeedsAlembic
        return node

    def between(self, lower: str, upper: str) -> list[int]:
        """Nodes of a range with both its ends, newest first.

        Raises:
            NeedsAlembic: It is no range.

        Source: ``ScriptDirectory.walk_revisions``.
        """
        if "@" in lower:
            raise NeedsAlembic
        current = self.resolve(lower)
        plan = self.graph.upgrade(self.resolve(upper), current, current, False)
        if not isinstance(plan, list):
            raise NeedsAlembic
        return plan


def _is_plain(branch: str) -> bool:
    """Whether a branch's name can be nothing but a label or an id."""
    return branch not in ("", "base", "head", "heads") and "@" not in branch


class _Script:
    """What ``alembic.script.base.Script`` tells of a revision."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.revision: str = fields["revision"]
        self.down = _comma(fields["down_revision"]) or "<base>"
        self.is_merge_point = isinstance(fields["down_revision"], tuple)
        self.dependencies = _comma(fields["dependencies"])
        self.children: Iterable[str] = fields["nextrev"]
        self.is_head = not fields["nextrev"]
        self.is_real_head = not fields["_all_nextrev"]
        self.is_branch_point = len(fields["nextrev"]) > 1
        self.labels = _comma(fields["branch_labels"])

    def head_only(
        self, tree: bool = True, parents: bool = False, doc: str | bool = False
    ) -> str:
        """Source: ``Script._head_only``."""
        text = self.revision
        if parents:
            depends = f" ({self.dependencies})" if self.dependencies else ""
            text = f"{self.down}{depends} -> {text}"
        if self.labels:
            text += f" ({self.labels})"
        if self.is_real_head:
            text += " (head)"
        elif self.is_head:
            text += " (effective head)"
        if tree:
            text += " (branchpoint)" if self.is_branch_point else ""
            text += " (mergepoint)" if self.is_merge_point else ""
        return text if doc is False else f"{text}, {doc}"


def _comma(names: Any) -> str:
    """Source: ``alembic.util.format_as_comma``."""
    if not names:
        return ""
    return names if isinstance(names, str) else ", ".join(names)


class _Teller:
    """Revisions as Alembic prints them."""

    def __init__(self, scanned: Scanned) -> None:
        self.graph = scanned.graph

    def script(self, node: int) -> _Script:
        return _Script(self.graph.fields(node))

    def _longdoc(self, node: int) -> str:
        return (self.graph.doc(node) or "").strip()

    def lines(self, nodes: list[int], verbose: bool, **how: bool) -> str:
        """A line for each, or with ``verbose`` an entry."""
        return "".join(f"{self.line(node, verbose, **how)}\n" for node in nodes)

    def line(
        self,
        node: int,
        verbose: bool,
        tree: bool = True,
        parents: bool = False,
        doc: bool = False,
    ) -> str:
        """Source: ``Script.cmd_format``."""
        if verbose:
            return self.entry(node)
        text: str | bool = self._longdoc(node).split("\n\n", 1)[0] if doc else False
        return self.script(node).head_only(tree, parents, text)

    def entry(self, node: int) -> str:
        """Source: ``Script.log_entry``."""
        script = self.script(node)
        text = f"Rev: {script.revision}"
        text += " (head)" if script.is_head else ""
        text += " (branchpoint)" if script.is_branch_point else ""
        text += " (mergepoint)" if script.is_merge_point else ""
        what = "Merges" if script.is_merge_point else "Parent"
        text += f"\n{what}: {script.down}\n"
        if script.dependencies:
            text += f"Also depends on: {script.dependencies}\n"
        if script.is_branch_point:
            text += f"Branches into: {', '.join(script.children)}\n"
        if script.labels:
            text += f"Branch names: {script.labels}\n"
        doc = "\n".join(f"    {line}" for line in self._longdoc(node).splitlines())
        return f"{text}Path: {self.graph.path(node)}\n\n{doc}\n"
