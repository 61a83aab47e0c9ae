"""Which files are revision files, in Alembic's order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from alembic import util
from alembic.script import base

from .listing import resolved, walked

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

_STOCK_PATTERN: Final = base._only_source_rev_file
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


def plain_folders(directory: ScriptDirectory) -> list[str] | None:
    """Real paths of the locations; None where :func:`revision_files` must look.

    Source: ``ScriptDirectory._load_revisions``.
    """
    if directory.recursive_version_locations or not _lists_as_stock():
        return None
    locations = directory._version_locations
    return [resolved(location) for location in locations if location.exists()]


def _lists_as_stock() -> bool:
    return (
        base.Script._list_py_dir.__func__ is _STOCK_LIST  # type: ignore[attr-defined]
        and base._only_source_rev_file is _STOCK_PATTERN
    )


def _listed(directory: ScriptDirectory, location: os.PathLike[str]) -> Iterator[str]:
    """Real paths of all files in one location."""
    root = resolved(location)
    stock = _lists_as_stock()
    if directory.sourceless or not stock or root.endswith("__pycache__"):
        for path in base.Script._list_py_dir(directory, location):  # type: ignore[arg-type]
            yield resolved(path)
    else:
        yield from walked(root, directory.recursive_version_locations)
