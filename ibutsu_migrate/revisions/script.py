"""``Script`` and ``RevisionStep`` that import a revision file when it is needed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import util
from alembic.runtime.migration import RevisionStep
from alembic.script import base
from alembic.script.revision import Revision

if TYPE_CHECKING:
    from alembic.script.revision import RevisionMap

    from .._core import Graph

_log = logging.getLogger("ibutsu_migrate.revisions")


class _Module:
    """``Script.module``: imported on first touch, once, whichever thread comes first.

    Not a data descriptor: the instance's own attribute goes before it from then on.
    """

    def __get__(self, script: Any, owner: type) -> Any:
        if script is None:
            return self
        state = script.__dict__
        # setdefault() is atomic; the lock is one script's, so that files that wait for
        # one another's imports in two threads do not wait for ever.
        with state.setdefault("_loading", threading.RLock()):
            if "module" not in state:
                path = Path(script.path)
                state["module"] = util.load_python_file(path.parent, path.name)
            return state["module"]


class Script(base.Script):
    """A revision known from its file's header."""

    _graph: Graph
    _node: int
    if not TYPE_CHECKING:
        module = _Module()

    @classmethod
    def from_graph(cls, graph: Graph, node: int, path: str) -> Script:
        """The script of a finished graph's node."""
        script = cls.__new__(cls)
        state = graph.fields(node)
        state["path"] = path
        state["_graph"] = graph
        state["_node"] = node
        script.__dict__ = state
        return script

    @classmethod
    def as_declared(cls, graph: Graph, node: int, path: str) -> Script:
        """The script as its file declares it, without what other revisions add."""
        script = cls.__new__(cls)
        script.path, script._graph, script._node = path, graph, node
        revision, down, dependencies, labels = graph.declared(node)
        Revision.__init__(
            script, revision, down, branch_labels=labels, dependencies=dependencies
        )
        return script

    @property
    def is_loaded(self) -> bool:
        """Whether the file has been imported."""
        return "module" in self.__dict__

    @property
    def longdoc(self) -> str:
        """The docstring of the file."""
        if self.is_loaded:
            return super().longdoc
        return (self._graph.doc(self._node) or "").strip()


class _MigrationFn:
    """``RevisionStep.migration_fn``, from the module on first touch."""

    def __get__(self, step: Any, owner: type) -> Any:
        if step is None:
            return self
        name = "upgrade" if step.is_upgrade else "downgrade"
        found = step.__dict__["migration_fn"] = getattr(step.revision.module, name)
        return found


class LazyStep(RevisionStep):
    """One step of a plan whose file is not imported yet."""

    if not TYPE_CHECKING:
        migration_fn = _MigrationFn()

    def __init__(
        self, revision_map: RevisionMap, revision: base.Script, is_upgrade: bool
    ) -> None:
        self.revision_map = revision_map
        self.revision = revision
        self.is_upgrade = is_upgrade


class Plan(list[RevisionStep]):
    """Steps to run. Whoever starts to go through them has all files imported.

    So a file that cannot be imported stops the run before its first statement, as it
    does in stock Alembic, and a plan that is only counted imports nothing. The files
    of other revisions are imported too, and all in Alembic's order: one of the plan
    may use a module that only another one imports. What is wrong with a file outside
    the plan stays that file's.
    """

    def __init__(self, steps: Iterable[RevisionStep]) -> None:
        super().__init__(steps)
        self._imported = False

    def __iter__(self) -> Iterator[RevisionStep]:
        if not self._imported:
            for step in super().__iter__():
                self._import_all(step.revision_map)
                break
            for step in super().__iter__():
                _ = step.migration_fn
            self._imported = True
        return super().__iter__()

    def _import_all(self, revision_map: Any) -> None:
        needed = {id(step.revision) for step in super().__iter__()}
        files = getattr(revision_map, "files", None)
        for script in files() if files is not None else ():
            try:
                _ = script.module
            # A module may well end the process where it may not be run.
            except (Exception, SystemExit) as error:
                if id(script) in needed:
                    raise
                _log.debug("%s, which no step needs: %r", script.path, error)
