"""Heads and ancestors of the revision files, from the scan alone where possible.

Alembic is imported only for a history that the scanner will not answer for: a header
that is not a literal, a ``.pyc`` without source, a history with something wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, ExtensionError
from ..revisions.scanned import NeedsAlembic, scan
from .environment import Environment, find_layout

if TYPE_CHECKING:
    from .._core import Graph


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
    if not any(os.path.isdir(folder) for folder in layout.folders):
        raise ConfigurationError(
            f"The folder of the revision files, {layout.folders[0]}, is not there.",
            remedy="Name the folder with env.py: IbutsuMigrate(app, db, directory=...)",
        )
    try:
        return _of_graph(scan(layout).graph)
    except (NeedsAlembic, ExtensionError):
        return _from_alembic(environment)


def _of_graph(graph: Graph) -> History:
    ids = graph.ids
    parents: dict[str, tuple[str, ...]] = {}
    for node, revision in enumerate(ids):
        fields = graph.fields(node)
        down = fields["down_revision"] or ()
        down = (down,) if isinstance(down, str) else down
        parents[revision] = (*down, *fields["_resolved_dependencies"])
    return History(parents, tuple(sorted(ids[node] for node in graph.ends(False))))


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
