"""``RevisionMap`` whose questions are answered in C."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from alembic.script import base
from alembic.script.revision import (
    RangeNotAncestorError,
    Revision,
    RevisionError,
    is_revision,
)
from alembic.script.revision import RevisionMap as _RevisionMap
from alembic.util import memoized_property, not_none, to_tuple

from .history import History
from .lookup import Lookup

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory
    from alembic.script.revision import _RevisionIdentifierType


StockMap = _RevisionMap
"""Alembic's own, whatever stands under its name later."""

_Edges = Literal["needs", "versioned", "next", "all_next"]


class RevisionMap(StockMap):
    """Alembic's ``RevisionMap`` on a graph in C.

    Names and symbols are resolved by Alembic's own methods; what they ask about
    ancestors, lineage, order and plans is answered here. Without a graph (an irregular
    history, or one that other code has added to) everything is Alembic's own.
    """

    _history: History | None = None

    # ---- loading

    @memoized_property
    def _revision_map(self) -> Any:
        self._history = None
        history = self._read()
        if history.flaw is not None:
            return self._as_stock(history)
        graph = history.graph
        ids = graph.ids
        self.heads = tuple(ids[node] for node in graph.ends(False))
        self._real_heads = tuple(ids[node] for node in graph.ends(True))
        self.bases = tuple(ids[node] for node in graph.bases(False))
        self._real_bases = tuple(ids[node] for node in graph.bases(True))
        self._history = history
        return Lookup(history, self._forget)

    def _read(self) -> History:
        directory = _directory(self._generator)
        if directory is not None:
            return History.of_files(directory)
        return History.of_objects(self._generator())

    def _as_stock(self, history: History) -> Any:
        """Let Alembic's own code go over the objects, for its errors and warnings."""
        declared = history.as_declared()
        self._positions = {id(each): place for place, each in enumerate(declared)}
        generator, self._generator = self._generator, lambda: declared
        try:
            return StockMap._revision_map.fget(self)
        except KeyError as error:
            if history.advice is not None:
                error.add_note(history.advice)
            raise
        finally:
            self._generator = generator
            del self._positions

    def _forget(self) -> None:
        self._history = None

    def _graph(self) -> History | None:
        """The history if the graph answers for it; loads it."""
        _ = self._revision_map
        return self._history

    def files(self) -> Iterator[base.Script]:
        """All revisions that have a file, in the order of Alembic's imports."""
        history = self._graph()
        found: Iterable[Any] = (
            dict.fromkeys(self._revision_map.values())
            if history is None
            else map(history.at, range(len(history.graph)))
        )
        return (each for each in found if isinstance(each, base.Script))

    # ---- loading by Alembic's own code: in the order of the files, not of a set

    _positions: dict[int, int] = {}  # noqa: RUF012 - never changed

    def _in_order(self, revisions: Collection[Revision]) -> list[Revision]:
        known = self._positions
        return sorted(revisions, key=lambda each: known.get(id(each), len(known)))

    def _map_branch_labels(self, revisions: Any, map_: Any) -> None:
        super()._map_branch_labels(self._in_order(revisions), map_)

    def _add_branches(self, revisions: Any, map_: Any) -> None:
        super()._add_branches(self._in_order(revisions), map_)

    def _add_depends_on(self, revisions: Any, map_: Any) -> None:
        super()._add_depends_on(self._in_order(revisions), map_)

    def _normalize_depends_on(self, revisions: Any, map_: Any) -> None:
        super()._normalize_depends_on(revisions, map_)
        for each in revisions:
            kept = set(each._normalized_resolved_dependencies)
            declared = dict.fromkeys(each._resolved_dependencies)
            each._normalized_resolved_dependencies = tuple(
                name for name in declared if name in kept
            )

    # ---- identifiers

    def _revision_for_ident(
        self, resolved_id: Any, check_branch: str | None = None
    ) -> Any:
        history = self._graph()
        if history is not None and resolved_id and not check_branch:
            node = history.graph.find(resolved_id)
            if node < 0:
                names = history.graph.starting_with(resolved_id)
                node = history.graph.find(names[0]) if len(names) == 1 else -1
            if node >= 0:
                return history.at(node)
        return super()._revision_for_ident(resolved_id, check_branch)

    def filter_for_lineage(
        self,
        targets: Iterable[Any],
        check_against: str | None,
        include_dependencies: bool = False,
    ) -> tuple[Any, ...]:
        """As Alembic's; the lineage is marked once, not once for each target."""
        history = self._graph()
        if history is None:
            return super().filter_for_lineage(
                targets, check_against, include_dependencies
            )
        ids, label = self._resolve_revision_number(check_against)
        shares = ([label] if label else []) + list(ids or ())
        lineage = _Lineage(self, history, shares, include_dependencies)
        return tuple(target for target in targets if lineage.has(target))

    def _shares_lineage(
        self,
        target: Any,
        test_against_revs: Sequence[Any],
        include_dependencies: bool = False,
    ) -> bool:
        if not test_against_revs:
            return True
        history = self._graph()
        if history is None:
            return super()._shares_lineage(
                target, test_against_revs, include_dependencies
            )
        shares = to_tuple(test_against_revs, default=())
        return _Lineage(self, history, shares, include_dependencies).has(target)

    # ---- walks

    def _get_descendant_nodes(
        self,
        targets: Collection[Any],
        map_: Any = None,
        check: bool = False,
        omit_immediate_dependencies: bool = False,
        include_dependencies: bool = True,
    ) -> Iterator[Any]:
        walked = None
        if not omit_immediate_dependencies:
            edges: _Edges = "all_next" if include_dependencies else "next"
            walked = self._walked(edges, targets, map_, check)
        if walked is not None:
            return walked
        return super()._get_descendant_nodes(
            targets, map_, check, omit_immediate_dependencies, include_dependencies
        )

    def _get_ancestor_nodes(
        self,
        targets: Collection[Any],
        map_: Any = None,
        check: bool = False,
        include_dependencies: bool = True,
    ) -> Iterator[Revision]:
        edges: _Edges = "needs" if include_dependencies else "versioned"
        walked = self._walked(edges, targets, map_, check)
        if walked is not None:
            return walked
        return super()._get_ancestor_nodes(targets, map_, check, include_dependencies)

    def _iterate_related_revisions(
        self, fn: Any, targets: Collection[Any], map_: Any, check: bool = False
    ) -> Iterator[Revision]:
        # Alembic makes a set of them where the lower end names a branch. Which of
        # several that overlap is in the error must not hang on hashes.
        if isinstance(targets, (set, frozenset)):
            known = self._revision_map if map_ is None else map_
            targets = _as_in(known, targets)
        return super()._iterate_related_revisions(fn, targets, map_, check)

    def _walked(
        self, edges: _Edges, targets: Collection[Any], map_: Any, check: bool
    ) -> Iterator[Revision] | None:
        """As ``_iterate_related_revisions``; None where that must do it."""
        if map_ is not None:
            return None
        history = self._graph()
        nodes = history.nodes_of(targets) if history is not None else None
        if history is None or nodes is None:
            return None
        if isinstance(targets, (set, frozenset)):
            nodes.sort()
        found, overlap = history.graph.walk(edges, nodes, check)
        return _yielded(history, found, overlap)

    def _filter_into_branch_heads(self, targets: Iterable[Any]) -> set[Any]:
        targets = set(targets)
        history = self._graph()
        nodes = history.nodes_of(targets) if history is not None else None
        if history is None or nodes is None:
            # Alembic's way, but in order: in a cycle that an id in two files hides, the
            # first one is dropped for another.
            for each in _as_in(self._revision_map, targets):
                after = self._get_descendant_nodes([each], include_dependencies=False)
                if not targets.isdisjoint({*after} - {each}):
                    targets.discard(each)
            return targets
        return {history.at(node) for node in history.graph.tips(nodes, False)}

    def _get_all_current(self, id_: tuple[str, ...]) -> set[Any]:
        history = self._graph()
        nodes = (
            history.nodes_of(self.get_revisions(id_)) if history is not None else None
        )
        if history is None or nodes is None:
            return super()._get_all_current(id_)
        return {history.at(node) for node in history.graph.tips(nodes, True)}

    def _topological_sort(
        self, revisions: Collection[Revision], heads: Any
    ) -> list[str]:
        history = self._graph()
        if history is not None:
            nodes, starts = history.nodes_of(revisions), history.nodes_of(heads)
            if nodes is not None and starts is not None:
                ids = history.graph.ids
                return [ids[node] for node in history.graph.order(nodes, starts)]
        return super()._topological_sort(revisions, heads)

    # ---- plans

    def iterate_revisions(
        self,
        upper: _RevisionIdentifierType,
        lower: _RevisionIdentifierType,
        implicit_base: bool = False,
        inclusive: bool = False,
        assert_relative_length: bool = True,
        select_for_downgrade: bool = False,
    ) -> Iterator[Revision]:
        """As Alembic's; the plan is made in C, and objects only for what is in it."""
        history = self._graph()
        nodes = None
        if history is not None and self._collects_as_stock():
            plan = self._downgrade if select_for_downgrade else self._upgrade
            nodes = plan(
                history, upper, lower, inclusive, implicit_base, assert_relative_length
            )
        if history is None or nodes is None:
            yield from super().iterate_revisions(
                upper,
                lower,
                implicit_base=implicit_base,
                inclusive=inclusive,
                assert_relative_length=assert_relative_length,
                select_for_downgrade=select_for_downgrade,
            )
            return
        for node in nodes:
            yield history.at(node)

    def _collects_as_stock(self) -> bool:
        """Whether a subclass has left the choice of revisions alone."""
        kind = type(self)
        return (
            kind._collect_upgrade_revisions is StockMap._collect_upgrade_revisions
            and kind._collect_downgrade_revisions
            is StockMap._collect_downgrade_revisions
            and kind._topological_sort is RevisionMap._topological_sort
        )

    def _upgrade(
        self,
        history: History,
        upper: _RevisionIdentifierType,
        lower: _RevisionIdentifierType,
        inclusive: bool,
        implicit_base: bool,
        assert_relative_length: bool,
    ) -> list[int] | None:
        """Nodes as ``_collect_upgrade_revisions`` chooses them; None: that must."""
        if isinstance(lower, str) and "@" in lower:
            return None
        targets = self._parse_upgrade_target(
            current_revisions=lower,
            target=upper,
            assert_relative_length=assert_relative_length,
        )
        wanted = history.nodes_of(targets)
        if wanted is None:
            return None
        try:
            current = history.nodes_of(self.get_revisions(cast(Any, lower)))
        except RevisionError:
            # Alembic looks at the targets before it looks for `lower`.
            overlap = history.graph.walk("needs", wanted, True)[1]
            if overlap is not None:
                raise _overlap(history, overlap) from None
            raise
        if current is None:
            return None
        plan = history.graph.upgrade(
            wanted, current, current if inclusive else [], implicit_base
        )
        if plan is None:
            raise RangeNotAncestorError(lower, upper)
        if isinstance(plan, tuple):
            raise _overlap(history, plan)
        return plan

    def _downgrade(
        self,
        history: History,
        upper: _RevisionIdentifierType,
        lower: _RevisionIdentifierType,
        inclusive: bool,
        implicit_base: bool,
        assert_relative_length: bool,
    ) -> list[int] | None:
        """Nodes as ``_collect_downgrade_revisions`` chooses them."""
        label, target = self._parse_downgrade_target(
            current_revisions=upper,
            target=lower,
            assert_relative_length=assert_relative_length,
        )
        if target == "base":
            target = None
        base_or_target = None if target is None else is_revision(target)
        roots = self._downgrade_roots(history, label, base_or_target, inclusive)
        heads = self.get_revisions(cast(Any, upper))
        current = not_none(history.nodes_of(is_revision(head) for head in heads))
        plan = history.graph.downgrade(roots, current, implicit_base)
        if target is not None and not plan and history.node_of(target) not in current:
            raise RangeNotAncestorError("Nothing to drop", upper)
        return plan

    def _downgrade_roots(
        self,
        history: History,
        label: str | None,
        target: Revision | None,
        inclusive: bool,
    ) -> list[int]:
        """The lowest revisions to drop."""
        graph = history.graph
        if target is None:
            roots = graph.bases(False)
        elif inclusive:
            roots = [graph.find(target.revision)]
        else:
            roots = [graph.find(child) for child in target.nextrev]
        if label and len(roots) > 1:
            branch = self._resolve_branch(label)
            found, _ = graph.walk(
                "versioned", [graph.find(not_none(branch).revision)], False
            )
            below = set(found)
            roots = [node for node in roots if node in below]
            if not roots:
                raise RevisionError("Not a valid downgrade target from current heads")
        return roots


class _Lineage:
    """Who shares a lineage with some revisions: marked once, when first asked.

    Source: ``RevisionMap._shares_lineage``, the order of its errors included.
    """

    def __init__(
        self,
        owner: RevisionMap,
        history: History,
        shares: Sequence[Any],
        include_dependencies: bool,
    ) -> None:
        self._owner = owner
        self._history = history
        self._shares = shares
        self._include_dependencies = include_dependencies
        self._marks: bytes | None = None

    def has(self, target: Any) -> bool:
        if not self._shares:
            return True
        revision = not_none(self._resolved(target))
        node = self._history.node_of(revision)
        tests = self._history.graph if self._marks is None else None
        if tests is not None:
            resolved = [self._resolved(each) for each in self._shares]
            nodes = self._history.nodes_of(each for each in resolved if each)
            if nodes is None:
                return self._by_alembic(target)
            self._marks = tests.related(nodes, self._include_dependencies)
        if node is None or self._marks is None:
            return self._by_alembic(target)
        return self._marks[node] != 0

    def _resolved(self, each: Any) -> Revision | None:
        if isinstance(each, Revision):
            return each
        found: Revision | None = self._owner._revision_for_ident(each)
        return found

    def _by_alembic(self, target: Any) -> bool:
        """An object that is not of this history."""
        return StockMap._shares_lineage(
            self._owner, target, self._shares, self._include_dependencies
        )


def _directory(generator: Callable[[], Iterable[Revision]]) -> ScriptDirectory | None:
    """The script directory whose own ``_load_revisions`` this is."""
    function = getattr(generator, "__func__", None)
    owner = getattr(generator, "__self__", None)
    if (
        isinstance(owner, base.ScriptDirectory)
        and function is base.ScriptDirectory._load_revisions
    ):
        return owner
    return None


def _yielded(
    history: History, found: list[int], overlap: tuple[int, list[int]] | None
) -> Iterator[Revision]:
    for node in found:
        yield history.at(node)
    if overlap is not None:
        raise _overlap(history, overlap)


def _as_in(known: Iterable[Any], revisions: Iterable[Any]) -> list[Any]:
    """A set of revisions in the order of a map's keys."""
    places = {key: place for place, key in enumerate(known)}
    return sorted(revisions, key=lambda each: places[each.revision])


def _overlap(history: History, overlap: tuple[int, list[int]]) -> RevisionError:
    """Source: ``RevisionMap._iterate_related_revisions``."""
    target, others = overlap
    ids = history.graph.ids
    return RevisionError(
        f"Requested revision {ids[target]} overlaps with "
        f"other requested revisions {', '.join(ids[node] for node in others)}"
    )
