"""Which files are revision files, in Alembic's order."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import util
from alembic.script import base

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

_STOCK_LIST: Final = base.Script._list_py_dir.__func__  # type: ignore[attr-defined]


def revision_files(directory: ScriptDirectory) -> list[str]:
    """Real paths of all files that may be revisions, each once.

    Warns about a file that is found twice, as Alembic does.

    Source: ``ScriptDirectory._load_revisions``, ``Script._list_py_dir`` and the file
    name patterns of ``Script._from_path``.
    """
    pattern = base._only_source_rev_file
    if directory.sourceless:
        pattern = base._sourceless_rev_file
    seen: set[str] = set()
    found: list[str] = []
    for location in directory._version_locations:
        if not location.exists():
            continue
        for path in _listed(directory, location):
            if path in seen:
                util.warn(
                    f"File {path} loaded twice! ignoring. "
                    "Please ensure version_locations is unique."
                )
                continue
            seen.add(path)
            if pattern.match(path.rpartition(os.sep)[2]):
                found.append(path)
    return found


def _listed(directory: ScriptDirectory, location: os.PathLike[str]) -> Iterator[str]:
    """Real paths of all files in one location."""
    root = _resolved(location)
    stock = base.Script._list_py_dir.__func__ is _STOCK_LIST  # type: ignore[attr-defined]
    if directory.sourceless or not stock or root.endswith("__pycache__"):
        for path in base.Script._list_py_dir(directory, location):  # type: ignore[arg-type]
            yield _resolved(path)
    else:
        yield from _walked(root, directory.recursive_version_locations)


def _resolved(path: str | os.PathLike[str]) -> str:
    # Path.resolve, not realpath: on a loop of links they differ.
    return str(Path(path).resolve())


def _walked(root: str, recursive: bool) -> Iterator[str]:
    """As ``Path.walk``, without the price of a Path and a resolve() for each file."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        files, folders = _entries(folder)
        prefix = folder.rstrip(os.sep) + os.sep
        if not folder.endswith("__pycache__"):
            for name in sorted(files):
                path = prefix + name
                yield _resolved(path) if files[name] else path
        if not recursive:
            return
        waiting.extend(prefix + name for name in sorted(folders, reverse=True))


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
