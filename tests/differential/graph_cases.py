"""Random histories, and all questions to them: Alembic's answers beside ours.

Alembic's order hangs on hashes in a few places. The oracle is Alembic with those fixed
to one of the orders that it can have: sets of revisions in the order of the files,
normalized dependencies as declared. What is only a set stays one here.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from alembic.script import ScriptDirectory
from alembic.script.revision import Revision

from ibutsu_migrate.revisions.map import RevisionMap, StockMap


@dataclass(frozen=True)
class Declared:
    """One revision as its file declares it."""

    id: str
    down: tuple[str, ...] = ()
    depend: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


Case = tuple[Declared, ...]
Question = tuple[str, Any]

_LABELS = ("left", "right", "core", "x", "longlabel", "abcdlabel")
_FLAWS = ("duplicate", "missing", "cycle", "self", "reserved", "label", "symbol")


class Placed(Revision):
    """A revision that knows its place among the files."""

    place = 0


def by_place(revisions: Any) -> list[Placed]:
    return sorted(revisions, key=lambda each: each.place)


def by_key(known: Any, revisions: Any) -> list[Any]:
    keys = list(known)
    return sorted(revisions, key=lambda each: keys.index(each.revision))


class Oracle(StockMap):
    """Alembic's own, where it goes through a set: in the order of the files."""

    def _map_branch_labels(self, revisions: Any, map_: Any) -> None:
        super()._map_branch_labels(by_place(revisions), map_)

    def _add_branches(self, revisions: Any, map_: Any) -> None:
        super()._add_branches(by_place(revisions), map_)

    def _add_depends_on(self, revisions: Any, map_: Any) -> None:
        super()._add_depends_on(by_place(revisions), map_)

    def _iterate_related_revisions(
        self, fn: Any, targets: Any, map_: Any, check: bool = False
    ) -> Iterator[Any]:
        # A set where the lower end names a branch; of several that overlap the first
        # one is in the error.
        if isinstance(targets, set):
            known = self._revision_map if map_ is None else map_
            targets = by_key(known, targets)
        return super()._iterate_related_revisions(fn, targets, map_, check)

    def _filter_into_branch_heads(self, targets: Any) -> set[Any]:
        # Where an id in two files hides a cycle, each of them comes after the others.
        left = set(targets)
        for each in by_key(self._revision_map, left):
            around = self._get_descendant_nodes([each], include_dependencies=False)
            if left.intersection(around).difference([each]):
                left.remove(each)
        return left

    def _normalize_depends_on(self, revisions: Any, map_: Any) -> None:
        super()._normalize_depends_on(revisions, map_)
        for each in revisions:
            kept = set(each._normalized_resolved_dependencies)
            ordered = dict.fromkeys(each._resolved_dependencies)
            each._normalized_resolved_dependencies = tuple(
                name for name in ordered if name in kept
            )


def make_id(rng: random.Random, taken: set[str]) -> str:
    while True:
        kind = rng.random()
        if kind < 0.15:
            made = rng.choice("abcdefgh0123456789")
        elif kind < 0.5:
            made = "abcdef"[: rng.randint(1, 6)] + rng.choice(("", "1", "2", "é"))
        else:
            made = "".join(rng.choice("abc012") for _ in range(rng.randint(3, 7)))
        if made not in taken and made not in _LABELS:
            taken.add(made)
            return made


def make_case(seed: int) -> Case:
    """A history: mostly regular; one in eight has something wrong."""
    rng = random.Random(seed)
    taken: set[str] = set()
    labels = list(_LABELS)
    rng.shuffle(labels)
    shape = rng.choice(("line", "branches", "merges", "any", "any"))
    made: list[Declared] = []
    for _ in range(rng.choice((1, 2, 3, 5, 8, 8, 12, 16))):
        made.append(_one(rng, shape, made, taken, labels))
    if rng.random() < 0.7:
        rng.shuffle(made)
    if rng.random() < 0.125:
        made = _spoil(rng, made)
    return tuple(made)


def _one(
    rng: random.Random,
    shape: str,
    made: list[Declared],
    taken: set[str],
    labels: list[str],
) -> Declared:
    ids = [each.id for each in made]
    parents = {
        "line": (1,),
        "branches": (0, 1, 1, 1),
        "merges": (1, 1, 1, 2),
        "any": (0, 1, 1, 1, 1, 2, 2, 3),
    }[shape]
    count = min(len(ids), rng.choice(parents))
    near = ids[-1:] if shape == "line" else ids[-5:]
    down = tuple(rng.sample(near, min(count, len(near))))
    depend: list[str] = []
    if ids and rng.random() < (0.3 if shape == "any" else 0.1):
        names = ids + [label for each in made for label in each.labels]
        depend = [rng.choice(names) for _ in range(rng.choice((1, 1, 2, 3)))]
    own: list[str] = []
    while labels and rng.random() < 0.12:
        own.append(labels.pop())
    return Declared(make_id(rng, taken), down, tuple(depend), tuple(own))


def _spoil(rng: random.Random, made: list[Declared]) -> list[Declared]:
    at = rng.randrange(len(made))
    old, other = made[at], rng.choice(made)
    flaw = rng.choice(_FLAWS)
    changed = {
        "duplicate": Declared(other.id, old.down, old.depend, old.labels),
        "missing": Declared(old.id, (*old.down, "gone"), old.depend, old.labels),
        "cycle": Declared(old.id, (*old.down, other.id), old.depend, old.labels),
        "self": Declared(old.id, old.down, (*old.depend, old.id), old.labels),
        "reserved": Declared(old.id + rng.choice("@-+:"), old.down, (), ()),
        "label": Declared(old.id, old.down, old.depend, (*old.labels, other.id)),
        "symbol": Declared(rng.choice(("head", "base", "heads")), old.down, (), ()),
    }[flaw]
    return [*made[:at], changed, *made[at + 1 :]]


# ---- the two maps


@dataclass
class Side:
    """A map, and how its answers are told."""

    map: StockMap
    said: list[str] = field(default_factory=list)

    def outcome(self, ask: Callable[[StockMap], Any]) -> tuple[Any, ...]:
        """What asking gives: a value, or an exception with all that it carries."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                answer: tuple[Any, ...] = ("answer", told(ask(self.map)))
            except Exception as error:
                answer = told_error(error)
        return (
            *answer,
            [str(each.message).replace("Placed(", "Revision(") for each in caught],
        )


def told(value: Any) -> Any:
    """A value in terms of ids."""
    if isinstance(value, Revision):
        return ("revision", value.revision)
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, map(told, value)))
    if isinstance(value, (list, tuple)):
        return [told(each) for each in value]
    return value


def told_error(error: BaseException) -> tuple[Any, ...]:
    if isinstance(error, AssertionError):
        return ("error", "AssertionError")
    text = str(error)
    if "overlaps with" in text:
        head, _, names = text.rpartition("revisions ")
        text = head + " ".join(sorted(names.split(", ")))
    carried = {
        name: told(getattr(error, name))
        for name in ("heads", "argument", "lower", "upper", "revisions")
        if hasattr(error, name)
    }
    cause = error.__cause__
    because = told_error(cause) if isinstance(cause, Exception) else None
    return ("error", type(error).__name__, text, carried, because)


def make_sides(case: Case) -> tuple[Side, Side]:
    def generate(kind: type[Revision]) -> Iterator[Revision]:
        for place, each in enumerate(case):
            made = kind(each.id, each.down, each.depend or None, each.labels)
            if isinstance(made, Placed):
                made.place = place
            yield made

    return (
        Side(Oracle(lambda: generate(Placed))),
        Side(RevisionMap(lambda: generate(Revision))),
    )


# ---- the questions


def questions(case: Case, seed: int, loads: bool) -> Iterator[Question]:
    """All questions to a history, each with a name to print."""
    rng = random.Random(seed + 1)
    yield from whole(case)
    if loads and not is_acyclic(case):
        # Alembic does not see all cycles, and then may walk in one for ever.
        return
    yield from about_names(case, rng)
    if loads:
        # Alembic may load a history that fails twice, and say its warnings twice.
        yield from about_lineage(case, rng)
        yield from about_plans(case, rng)


def whole(case: Case) -> Iterator[Question]:
    for name in ("heads", "_real_heads", "bases", "_real_bases"):
        yield name, lambda m, name=name: getattr(m, name)
    yield "keys", lambda m: [key for key in m._revision_map]
    yield "length", lambda m: len(m._revision_map)
    for each in case:
        yield f"all of {each.id}", lambda m, id=each.id: state(m._revision_map[id])
    yield "items", lambda m: [(key, value) for key, value in m._revision_map.items()]


_STATE = (
    "revision",
    "down_revision",
    "dependencies",
    "branch_labels",
    "_orig_branch_labels",
    "nextrev",
    "_all_nextrev",
    "_resolved_dependencies",
    "_normalized_resolved_dependencies",
    "is_head",
    "_is_real_head",
    "is_base",
    "_is_real_base",
    "is_branch_point",
    "is_merge_point",
    "_is_real_branch_point",
    "_all_down_revisions",
    "_normalized_down_revisions",
    "_versioned_down_revisions",
)


def state(revision: Revision) -> Any:
    return {name: told(getattr(revision, name)) for name in _STATE}


def names_of(case: Case, rng: random.Random) -> list[Any]:
    ids = [each.id for each in case]
    labels = [label for each in case for label in each.labels]
    some = rng.sample(ids, min(4, len(ids)))
    names: list[Any] = ["head", "heads", "base", None, "nothing", "", *some, *labels]
    names += [name[: rng.randint(1, 5)] for name in some + labels]
    for left in [*labels, *some[:2], "nothing", labels[0][:4] if labels else "lef"]:
        right = [*some[:2], "head", "heads", "base", "+1", "-1", "-2", some[0][:3]]
        names += [f"{left}@{name}" for name in right]
    names += [f"{name}{step}" for name in some for step in ("+1", "-1", "+2", "-3")]
    names += ["+1", "-1", "+2", "-2", "+0", "head-1", "heads-1", "base+1"]
    return names


def about_names(case: Case, rng: random.Random) -> Iterator[Question]:
    names = names_of(case, rng)
    for name in rng.sample(names, min(24, len(names))):
        yield f"get_revision({name!r})", lambda m, n=name: m.get_revision(n)
        yield f"get_revisions({name!r})", lambda m, n=name: m.get_revisions(n)
    for some in (("heads", names[6]), tuple(names[6:9]), (None,), (), [1], (2,)):
        yield f"get_revisions({some!r})", lambda m, n=some: m.get_revisions(n)
    for label in (None, *_LABELS[:2], case[0].id, "nothing"):
        yield f"current({label!r})", lambda m, n=label: m.get_current_head(n)
    for name in rng.sample(names, min(6, len(names))):
        steps, over = rng.choice((1, -1, 2, -2)), rng.random() < 0.5
        yield (
            f"_walk({name!r}, {steps}, no_overwalk={over})",
            lambda m, n=name, s=steps, o=over: m._walk(n, s, no_overwalk=o),
        )


def about_lineage(case: Case, rng: random.Random) -> Iterator[Question]:
    ids = [each.id for each in case]
    for name in rng.sample(names_of(case, rng), 6):
        for deps in (False, True):
            yield (
                f"filter_for_lineage(ids, {name!r}, {deps})",
                lambda m, n=name, d=deps: m.filter_for_lineage(ids, n, d),
            )
    for _ in range(4):
        some = rng.sample(ids, rng.randint(1, min(4, len(ids))))
        yield f"_get_all_current({some})", lambda m, s=some: m._get_all_current(s)
        yield (
            f"_filter_into_branch_heads({some})",
            lambda m, s=some: m._filter_into_branch_heads(m.get_revisions(s)),
        )
        yield (
            f"_shares_lineage({some})",
            lambda m, s=some: m._shares_lineage(s[0], s[1:], True),
        )
        for check in (False, True):
            for deps in (False, True):
                yield (
                    f"ancestors({some}, check={check}, {deps})",
                    lambda m, s=some, c=check, d=deps: list(
                        m._get_ancestor_nodes(
                            m.get_revisions(s), check=c, include_dependencies=d
                        )
                    ),
                )
                yield (
                    f"descendants({some}, check={check}, {deps})",
                    lambda m, s=some, c=check, d=deps: set(
                        m._get_descendant_nodes(
                            m.get_revisions(s), check=c, include_dependencies=d
                        )
                    ),
                )
        heads = rng.sample(ids, rng.randint(1, min(3, len(ids))))
        yield (
            f"_topological_sort({some}, {heads})",
            lambda m, s=some, h=heads: m._topological_sort(
                m.get_revisions(s), m.get_revisions(h)
            ),
        )


def about_plans(case: Case, rng: random.Random) -> Iterator[Question]:
    ids = [each.id for each in case]
    labels = [label for each in case for label in each.labels]
    several = tuple(rng.sample(ids, min(2, len(ids))))
    uppers: list[Any] = [
        "heads",
        "head",
        "+1",
        "+2",
        "-1",
        f"{ids[0]}+1",
        ids[-1],
        several,
    ]
    uppers += [f"{label}@{to}" for label in labels[:2] for to in ("head", "+1", "+2")]
    lowers: list[Any] = [
        None,
        "base",
        (),
        "-1",
        "-2",
        f"{ids[-1]}-1",
        ids[0],
        several,
        ids[0][:4],
    ]
    lowers += [f"{name}@{to}" for name in labels[:2] for to in ("base", "-1", "head")]
    lowers += [f"{ids[0]}@base", f"{ids[0]}@-1"]
    for _ in range(14):
        upper, lower = rng.choice(uppers), rng.choice(lowers)
        flags = {
            "implicit_base": rng.random() < 0.5,
            "inclusive": rng.random() < 0.4,
            "assert_relative_length": rng.random() < 0.5,
            "select_for_downgrade": rng.random() < 0.4,
        }
        yield (
            f"iterate_revisions({upper!r}, {lower!r}, {flags})",
            lambda m, u=upper, w=lower, f=flags: list(m.iterate_revisions(u, w, **f)),
        )
    current: list[Any] = ["heads", several, ids[0], (), None]
    for _ in range(6):
        to, at = rng.choice(uppers + lowers), rng.choice(current)
        for name in ("_upgrade", "_downgrade", "_stamp"):
            yield (
                f"{name}_revs({to!r}, {at!r})",
                lambda m, n=name, t=to, a=at: steps(m, f"{n}_revs", t, a),
            )


class NoModule:
    """In place of a revision's module, which is not asked for here."""

    upgrade = downgrade = None


def steps(map_: Any, method: str, to: Any, at: Any) -> Any:
    """What ScriptDirectory makes of it."""
    directory = ScriptDirectory.__new__(ScriptDirectory)
    directory.revision_map = map_
    if method != "_stamp_revs":
        for revision in map_._revision_map.values():
            if revision is not None:
                revision.module = NoModule
        return [each.revision for each in getattr(directory, method)(to, at)]
    return [
        (each.from_, each.to_, each.is_upgrade, each.branch_move)
        for each in directory._stamp_revs(to, at)
    ]


def is_acyclic(case: Case) -> bool:
    """Whether no revision is above itself."""
    names = {label: each.id for each in case for label in each.labels}
    waiting = {each.id: each for each in case}
    done: set[str] = set()
    while waiting:
        ready = [
            id_
            for id_, each in waiting.items()
            if all(names.get(name, name) in done for name in (*each.down, *each.depend))
        ]
        if not ready:
            return False
        for id_ in ready:
            done.add(id_)
            del waiting[id_]
    return True


def differences(case: Case, seed: int) -> list[str]:
    """Questions that are answered differently, with both answers."""
    oracle, ours = make_sides(case)
    found = []

    def heads(map_: StockMap) -> Any:
        return map_.heads

    first = oracle.outcome(heads)
    if first != ours.outcome(heads):
        found.append("heads")
    for name, ask in questions(case, seed, first[0] == "answer"):
        wanted, got = oracle.outcome(ask), ours.outcome(ask)
        if wanted != got:
            found.append(f"{name}\n  Alembic: {wanted}\n  ours:    {got}")
    return found


def shrunk(case: Case, seed: int) -> Case:
    """Leave out revisions and names for as long as the sides still differ."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(case):
            if candidate and differences(candidate, seed):
                case, smaller = candidate, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    for at, gone in enumerate(case):
        rest = (*case[:at], *case[at + 1 :])
        yield tuple(
            Declared(
                each.id,
                tuple(name for name in each.down if name != gone.id),
                tuple(n for n in each.depend if n not in (gone.id, *gone.labels)),
                each.labels,
            )
            for each in rest
        )
    for at, each in enumerate(case):
        for name in ("down", "depend", "labels"):
            if getattr(each, name):
                fewer = {**each.__dict__, name: getattr(each, name)[1:]}
                yield (*case[:at], Declared(**fewer), *case[at + 1 :])


def report(seeds: Sequence[int]) -> str | None:
    """The first case that differs, shrunk; None when there is none."""
    for seed in seeds:
        case = make_case(seed)
        if differences(case, seed):
            small = shrunk(case, seed)
            lines = "\n".join(f"  {each}" for each in small)
            return f"seed {seed}:\n{lines}\n" + "\n".join(differences(small, seed)[:3])
    return None
