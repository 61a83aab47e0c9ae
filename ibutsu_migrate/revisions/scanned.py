"""A history from the scan alone. Imports nothing of Alembic."""

from __future__ import annotations

import os
import sys

from .._native import require
from .listing import is_revision_file, scan_folders, walked
from .sets import ChildSet, LabelSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._core import Graph
    from ..layout import Layout


class NeedsAlembic(Exception):  # noqa: N818 - a fact, not a fault
    """The scan does not answer for this history; Alembic does, or says what is wrong.

    Attributes:
        reason: Why, in a few words; None where Alembic will say it.
    """

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason or "")
        self.reason = reason


class Scanned:
    """A history that the graph answers for.

    Attributes:
        graph: Finished; its nodes are ints.
    """

    __slots__ = ("graph",)

    def __init__(self, graph: Graph) -> None:
        self.graph = graph


def scan(layout: Layout) -> Scanned:
    """Read a history's files.

    Raises:
        NeedsAlembic: A file is not static or cannot be read, a .pyc may count, or the
            history is not a graph.
        ExtensionError: ``_core`` cannot be loaded.

    Source: ``ScriptDirectory._load_revisions``.
    """
    if layout.sourceless:
        raise NeedsAlembic("sourceless = true: .pyc files have to be imported")
    new, without_doc = require("_core").Graph, sys.flags.optimize > 1
    graph: Graph = new(LabelSet, ChildSet)
    unknown = scan_folders(graph, _plain_folders(layout), without_doc)
    if unknown is None:
        graph = new(LabelSet, ChildSet)
        unknown = graph.scan(revision_files(layout), without_doc)
    if unknown:
        more = len(unknown) - 1
        others = f", and {more} more" if more else ""
        raise NeedsAlembic(f"{why_not(str(graph.path(unknown[0])))}{others}")
    if graph.finish() is not None:
        raise NeedsAlembic
    return Scanned(graph)


def _plain_folders(layout: Layout) -> list[str] | None:
    """Real paths of the folders; None where :func:`revision_files` must look."""
    if layout.recursive:
        return None
    return [os.path.realpath(each) for each in layout.folders if os.path.exists(each)]


def revision_files(layout: Layout) -> list[str]:
    """Real paths of the files that may be revisions.

    Raises:
        NeedsAlembic: A file is found twice, of which Alembic warns.
    """
    found: list[str] = []
    for folder in layout.folders:
        if not os.path.exists(folder):
            continue
        root = os.path.realpath(folder)
        if root.endswith("__pycache__"):
            raise NeedsAlembic
        try:
            found += walked(root, layout.recursive)
        except (OSError, RuntimeError):  # a loop of links
            raise NeedsAlembic from None
    if len(set(found)) != len(found):
        raise NeedsAlembic
    return [path for path in found if is_revision_file(os.path.basename(path))]


def why_not(path: str) -> str:
    """``file:line: reason`` of a file that the scan does not answer for."""
    try:
        header = require("_core").scan_file(path)
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    if isinstance(header, dict):
        return f"{path}: not a revision that a graph holds"
    return f"{path}:{header.line}: not static: {header.reason}"
