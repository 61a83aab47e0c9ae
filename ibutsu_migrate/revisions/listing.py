"""Files of a folder, in Alembic's order. Imports nothing of Alembic."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

    from .._core import Graph


def scan_folders(
    graph: Graph, roots: Sequence[str] | None, without_doc: bool
) -> list[int] | None:
    """Scan folders, and none below them, in C; None where the walk must find the files.

    Args:
        graph: Empty; after None it is not to be used.
        roots: Real paths; None is answered by None.
        without_doc: As for ``Graph.scan``.
    """
    if roots is None or len(set(roots)) != len(roots):
        return None
    unknown: list[int] = []
    for root in roots:
        found = None
        if not root.endswith("__pycache__"):
            found = graph.scan_folder(root, without_doc)
        if found is None:
            return None
        unknown += found
    return unknown


def walked(root: str, recursive: bool) -> Iterator[str]:
    """Real paths of all files, without the price of a Path and a resolve() for each.

    Args:
        root: A folder's real path.
        recursive: Whether folders below count too.

    Source: ``Script._list_py_dir`` and ``Path.walk``.
    """
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        files, folders = _entries(folder)
        prefix = folder.rstrip(os.sep) + os.sep
        if not folder.endswith("__pycache__"):
            for name in sorted(files):
                path = prefix + name
                yield resolved(path) if files[name] else path
        if not recursive:
            return
        waiting.extend(prefix + name for name in sorted(folders, reverse=True))


def sourceless_files(root: str, recursive: bool) -> list[str]:
    """Real paths of revision files where a .pyc counts that has no source.

    Args:
        root: A folder's real path.
        recursive: Whether folders below count too.

    Source: ``Script._list_py_dir`` and ``Script._from_path``.
    """
    found: list[str] = []
    folders = [root]
    if recursive:
        folders = sorted({root, *map(os.path.dirname, walked(root, True))})
    for folder in folders:
        files = list(walked(folder, False))
        stems = {os.path.basename(path).split(".")[0] for path in files}
        cache = walked(os.path.join(folder, "__pycache__") + os.sep, False)
        files += (
            path for path in cache if os.path.basename(path).split(".")[0] not in stems
        )
        for path in files:
            source = path[:-1] if path.endswith(("c", "o")) else path
            hidden = source != path and os.path.exists(source)
            if is_revision_file(os.path.basename(source)) and not hidden:
                found.append(path)
    return found


def is_revision_file(name: str) -> bool:
    """Whether a file of that name may be a revision, with source.

    Source: ``alembic.script.base._only_source_rev_file``.
    """
    # The pattern's "$" stands before a last newline too; its "." is none.
    line = name.removesuffix("\n")
    return (
        line.endswith(".py")
        and "\n" not in line
        and not line.startswith((".#", "__init__"))
    )


# Path.walk, which Alembic uses from Python 3.12 on, takes a link to a folder for a
# file; os.walk takes it for a folder and does not enter it.
_LINKS_ARE_FILES: Final = sys.version_info >= (3, 12)


def _entries(folder: str) -> tuple[dict[str, bool], list[str]]:
    """Files, each with whether it is a link, and folders to enter."""
    files: dict[str, bool] = {}
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                link = entry.is_symlink()
                if not link and entry.is_dir():
                    folders.append(entry.name)
                elif not link or _LINKS_ARE_FILES or not _is_folder(entry):
                    files[entry.name] = link
    except OSError:
        # A folder that cannot be listed is passed over by both walks.
        return {}, []
    return files, folders


def _is_folder(link: os.DirEntry[str]) -> bool:
    try:
        return link.is_dir()
    except OSError:  # a loop of links
        return False


def resolved(path: str | os.PathLike[str]) -> str:
    """A path without links.

    Args:
        path: Of a file.

    Raises:
        RuntimeError: A loop of links, before Python 3.13.
    """
    from pathlib import Path

    # Path.resolve, not realpath: on a loop of links they differ.
    return str(Path(path).resolve())
