"""A history: the graph in C and the Revision objects that were asked for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from alembic.script import base
from alembic.script.revision import Revision
from alembic.util import not_none, to_tuple

from .._native import require
from .files import plain_folders, revision_files
from .listing import scan_folders
from .script import Script
from .sets import ChildSet, LabelSet

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from .._core import Graph

# What the graph takes for granted about a Revision.
_RELIED_ON: Final = (
    "add_nextrev",
    "is_base",
    "is_head",
    "is_merge_point",
    "_all_down_revisions",
    "_is_real_base",
    "_is_real_branch_point",
    "_is_real_head",
    "_normalized_down_revisions",
    "_versioned_down_revisions",
)


# What a file declares, and where Alembic's Revision keeps it.
_DECLARED: Final = {
    "down_revision": "down_revision",
    "depends_on": "dependencies",
    "branch_labels": "_orig_branch_labels",
}


class History:
    """Nodes, and for each the object that stands for it.

    Attributes:
        graph: In C; its nodes are ints.
        flaw: None for a history that the graph answers for. Otherwise why not, and
            Alembic's own code goes on with :meth:`as_declared`.
        advice: What to add to the KeyError that Alembic then raises, or None.
    """

    def __init__(self) -> None:
        self.graph: Graph = require("_core").Graph(LabelSet, ChildSet)
        self.flaw: str | None = None
        self.advice: str | None = None
        self._objects: list[Revision | None] = []
        self._lock = threading.Lock()

    @classmethod
    def of_files(cls, directory: ScriptDirectory) -> History:
        """Scan the revision files of a script directory.

        A file that the scanner will not answer for is imported as Alembic does it, with
        whatever that raises.

        Source: ``ScriptDirectory._load_revisions``.
        """
        if directory.sourceless:
            # Which of x.py, x.pyc and __pycache__/x.*.pyc counts is Alembic's to say.
            paths = revision_files(directory)
            scripts = (base.Script._from_path(directory, path) for path in paths)
            return cls.of_objects(
                _settled(each) for each in scripts if each is not None
            )
        history = cls()
        without_doc = sys.flags.optimize > 1
        unknown = scan_folders(history.graph, plain_folders(directory), without_doc)
        if unknown is None:
            history = cls()
            unknown = history.graph.scan(revision_files(directory), without_doc)
        history._objects = [None] * len(history.graph)
        for node in unknown:
            script = base.Script._from_path(directory, history._path(node))
            history._put(node, _settled(not_none(script)))
        history._finish()
        return history

    @classmethod
    def of_objects(cls, revisions: Iterable[Revision]) -> History:
        """Take Revision objects that somebody else made."""
        history = cls()
        for node, revision in enumerate(revisions):
            history._objects.append(None)
            history._put(node, revision)
        history._finish()
        return history

    def _put(self, node: int, revision: Revision) -> None:
        self._objects[node] = revision
        if self.flaw is None and not (
            _is_plain(revision)
            and self.graph.put(
                node,
                (revision.revision,),
                to_tuple(revision.down_revision, default=()),
                to_tuple(revision.dependencies, default=()),
                tuple(revision._orig_branch_labels),
            )
        ):
            self.flaw = "a revision that no graph holds"

    def _finish(self) -> None:
        if self.flaw is not None:
            return
        found = self.graph.finish()
        if found is not None:
            self.flaw, node, sentence = found
            if self.flaw == "missing":
                path = self.graph.path(node)
                if path is None:
                    path = getattr(self._objects[node], "path", None)
                self.advice = f"{sentence} (in {path})" if path else sentence
            return
        for node, revision in enumerate(self._objects):
            if revision is not None:
                self._complete(node, revision)

    def _complete(self, node: int, revision: Revision) -> None:
        """Give an object that we did not make what it gets from other revisions."""
        fields = self.graph.fields(node)
        labels = fields["branch_labels"]
        if len(labels) > 1 or len(labels) > len(revision.branch_labels):
            revision.branch_labels = labels  # a set that keeps its order
        for name in (
            "nextrev",
            "_all_nextrev",
            "_resolved_dependencies",
            "_normalized_resolved_dependencies",
        ):
            setattr(revision, name, fields[name])

    def _path(self, node: int) -> str:
        return not_none(self.graph.path(node))

    def at(self, node: int) -> Revision:
        """The object of a node, made now if it is the first time."""
        found = self._objects[node]
        if found is None:
            with self._lock:
                found = self._objects[node]
                if found is None:
                    found = Script.from_graph(self.graph, node, self._path(node))
                    self._objects[node] = found
        return found

    def node_of(self, revision: object) -> int | None:
        """The node of an object of this history, None for any other object."""
        if not isinstance(revision, Revision):
            return None
        node = self.graph.find(revision.revision)
        return node if node >= 0 and self._objects[node] is revision else None

    def nodes_of(self, revisions: Iterable[object]) -> list[int] | None:
        """Nodes of objects, None if one of them is not of this history."""
        nodes = [self.node_of(revision) for revision in revisions]
        known = [node for node in nodes if node is not None]
        return known if len(known) == len(nodes) else None

    def as_declared(self) -> list[Revision]:
        """All objects without what they get from one another.

        Raises:
            alembic.script.revision.RevisionError: An id that Alembic refuses.
        """
        return [
            found
            if found is not None
            else Script.as_declared(self.graph, node, self._path(node))
            for node, found in enumerate(self._objects)
        ]


def _settled(script: base.Script) -> base.Script:
    """The script; what its file declares as a set comes in the order of the names.

    Alembic makes a tuple of the set, whose order hangs on the hash seed.
    """
    for name, attribute in _DECLARED.items():
        value: object = getattr(script.module, name, None)
        if (
            isinstance(value, set | frozenset)
            and len(value) > 1
            and all(isinstance(each, str) for each in value)
        ):
            setattr(script, attribute, tuple(sorted(value)))
    return script


@cache
def _is_stock(kind: Any) -> bool:
    return all(getattr(kind, name) is getattr(Revision, name) for name in _RELIED_ON)


def _is_plain(revision: Revision) -> bool:
    """Whether the object is as its constructor leaves it, of a class that we know."""
    return (
        _is_stock(cast(Any, type(revision)))
        and not revision._all_nextrev
        and not revision.nextrev
        and revision.branch_labels == set(revision._orig_branch_labels)
    )
