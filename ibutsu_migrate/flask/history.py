"""Heads and ancestors of the revision files, from the scan alone where possible.

Alembic is imported only for a history that the scanner will not answer for: a header
that is not a literal, a ``.pyc`` without source, a ``depends_on`` by label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .._native import require
from ..errors import ConfigurationError, ExtensionError
from .environment import Environment, Layout, find_layout

# alembic.script.base._only_source_rev_file: editor locks and __init__ are no revisions.
_REVISION_FILE: Final = re.compile(r"(?!\.#|__init__)(.*\.py)$")


class _NeedsAlembicError(Exception):
    """The scan alone does not answer for this history."""


@dataclass(frozen=True, slots=True)
class History:
    """Revision ids and what each stands on.

    Attributes:
        parents: For every revision its down revisions and dependencies.
        heads: Revisions no other one has as its down revision, sorted.
    """

    parents: Mapping[str, tuple[str, ...]]
    heads: tuple[str, ...]

    def applied(self, revisions: Iterable[str]) -> frozenset[str]:
        """These revisions and all that they stand on; unknown ones are left out."""
        seen: set[str] = set()
        waiting = [revision for revision in revisions if revision in self.parents]
        while waiting:
            revision = waiting.pop()
            if revision not in seen:
                seen.add(revision)
                waiting.extend(self.parents[revision])
        return frozenset(seen)


def read_history(environment: Environment) -> History:
    """Read the history of a migration environment.

    Raises:
        ConfigurationError: No environment is configured, or its folder is not there.
        alembic.util.CommandError: Alembic was needed, and refuses these files.
    """
    layout = find_layout(environment)
    if not any(folder.is_dir() for folder in layout.folders):
        raise ConfigurationError(
            f"The folder of the revision files, {layout.folders[0]}, is not there.",
            remedy="Name the folder with env.py: IbutsuMigrate(app, db, directory=...)",
        )
    try:
        return _scanned(layout)
    except _NeedsAlembicError:
        return _from_alembic(environment)


def _files(layout: Layout) -> Iterator[Path]:
    """Revision files, each once. Source: ``Script._list_py_dir``."""
    seen: set[Path] = set()
    for folder in layout.folders:
        found = folder.rglob("*.py") if layout.recursive else folder.glob("*.py")
        for path in found:
            real = path.resolve()
            if _REVISION_FILE.match(path.name) and real not in seen:
                seen.add(real)
                yield real


def _scanned(layout: Layout) -> History:
    if layout.sourceless:
        raise _NeedsAlembicError
    try:
        scan_file = require("_core").scan_file
    except (ExtensionError, AttributeError) as error:
        raise _NeedsAlembicError from error
    down: dict[str, tuple[str, ...]] = {}
    depends: dict[str, tuple[str, ...]] = {}
    for path in _files(layout):
        header = scan_file(str(path))
        if not isinstance(header, dict) or not isinstance(header.get("revision"), str):
            raise _NeedsAlembicError
        revision = header["revision"]
        if revision in down:
            raise _NeedsAlembicError
        down[revision] = _ids(header.get("down_revision"))
        depends[revision] = _ids(header.get("depends_on"))
    return _history(down, depends)


def _ids(value: object) -> tuple[str, ...]:
    """A header's revision ids as Alembic's ``util.to_tuple`` reads them."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (tuple, list, set)):
        return tuple(str(item) for item in value)
    raise _NeedsAlembicError


def _history(
    down: Mapping[str, tuple[str, ...]], depends: Mapping[str, tuple[str, ...]]
) -> History:
    parents = {revision: (*down[revision], *depends[revision]) for revision in down}
    if any(parent not in down for each in parents.values() for parent in each):
        # A dependency named by its label, or a missing file: Alembic knows which.
        raise _NeedsAlembicError
    with_children = {parent for each in down.values() for parent in each}
    return History(parents, tuple(sorted(set(down) - with_children)))


def _from_alembic(environment: Environment) -> History:
    from alembic.script import ScriptDirectory

    from .alembic_config import make_config

    directory = ScriptDirectory.from_config(make_config(environment))
    with directory._catch_revision_errors():
        parents = {
            script.revision: tuple(script._all_down_revisions)
            for script in directory.walk_revisions()
        }
        return History(parents, tuple(sorted(directory.get_heads())))
