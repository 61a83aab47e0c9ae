"""The drop-in: what is made and imported when, and what other code may do to it."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic import util
from alembic.config import Config
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from alembic.script.base import Script
from alembic.script.revision import Revision, RevisionError
from alembic.util import CommandError

from ibutsu_migrate import _core
from ibutsu_migrate.revisions.map import RevisionMap, StockMap
from ibutsu_migrate.revisions.script import Plan
from ibutsu_migrate.revisions.sets import ChildSet, LabelSet

BODY = "\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n"


@pytest.fixture
def directory(tmp_path: Path) -> Callable[..., ScriptDirectory]:
    """Make a straight history a, b, c, ...; ``extra`` goes to the end of each file."""

    def make(ids: str, extra: str = "", **of: str) -> ScriptDirectory:
        versions = tmp_path / "versions"
        versions.mkdir()
        before = None
        for id_ in ids:
            text = f'"""Make {id_}\n\nLong."""\nrevision = {id_!r}\n'
            text += f"down_revision = {before!r}\n{BODY}{of.get(id_, extra)}"
            (versions / f"{id_}.py").write_text(text)
            before = id_
        made = ScriptDirectory(str(tmp_path))
        assert isinstance(made.revision_map, RevisionMap), "the plugin is installed"
        return made

    return make


def made(directory: ScriptDirectory) -> list[str]:
    """Revisions for which there is an object."""
    history = directory.revision_map._history  # type: ignore[attr-defined]
    return [each.revision for each in history._objects if each is not None]


def test_objects_are_made_for_what_is_asked(
    directory: Callable[..., ScriptDirectory],
) -> None:
    script = directory("abcdefgh")
    assert script.get_heads() == ["h"]
    assert script.get_bases() == ["a"]
    assert "c" in script.revision_map._revision_map
    assert made(script) == []
    assert script.get_revision("c").revision == "c"
    assert made(script) == ["c"]
    assert [each.revision for each in script.iterate_revisions("e", "c")] == ["e", "d"]
    assert made(script) == ["c", "d", "e"]
    assert script.revision_map._get_all_current(("g",)) == {script.get_revision("g")}
    assert made(script) == ["c", "d", "e", "g"]


def test_nothing_is_imported_before_it_is_needed(
    directory: Callable[..., ScriptDirectory],
) -> None:
    script = directory("abc", b="raise ValueError('no')")
    texts = [
        each.log_entry + each.cmd_format(False) for each in script.walk_revisions()
    ]
    assert "Make b\n" in texts[1]
    plan = script._upgrade_revs("c", "b")
    assert [step.doc for step in plan] == ["Make c"]
    plan = script._upgrade_revs("heads", None)  # type: ignore[arg-type]
    assert (len(plan), plan[0].revision.revision) == (3, "a")
    with pytest.raises(ValueError, match="no") as raised:
        list(plan)
    assert str(raised.traceback[-1].path).endswith("versions/b.py")
    with pytest.raises(ValueError, match="no"):
        _ = script.get_revision("b").module


@pytest.mark.parametrize("failure", ["raise ValueError('no')", "raise SystemExit(3)"])
def test_a_plan_imports_all_files(
    directory: Callable[..., ScriptDirectory],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: str,
) -> None:
    """As Alembic does: what one file imports, another one may use."""
    package = tmp_path / "one_shop"
    package.mkdir()
    (package / "__init__.py").write_text("order = []\n")
    (package / "kinds.py").write_text("money = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    note = "import one_shop\none_shop.order.append(revision)\n"
    script = directory(
        "dabc",
        a=f"{note}import one_shop.kinds\n",
        b=f"{note}{failure}\n",
        c=f"{note}money = one_shop.kinds.money\n",
        d=note,
    )
    try:
        plan = script._upgrade_revs("c", "b")
        assert "one_shop" not in sys.modules
        for _ in range(2):
            assert [step.revision.revision for step in plan] == ["c"]
        assert sys.modules["one_shop"].order == ["a", "b", "c", "d"]
    finally:
        sys.modules.pop("one_shop", None)
        sys.modules.pop("one_shop.kinds", None)


def test_a_module_is_loaded_once_whatever_the_threads(
    directory: Callable[..., ScriptDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = directory("ab")
    loaded: list[str] = []
    stock = util.load_python_file

    def slow(folder: Path, name: str) -> ModuleType:
        loaded.append(name)
        time.sleep(0.05)
        return stock(folder, name)

    monkeypatch.setattr(util, "load_python_file", slow)
    revision = script.get_revision("a")
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(revision.module)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == ["a.py"]
    assert len(found) == 8
    assert len({id(module) for module in found}) == 1
    assert revision.module.revision == "a"
    assert revision.longdoc == "Make a\n\nLong."


def test_a_step_is_alembics(directory: Callable[..., ScriptDirectory]) -> None:
    script = directory("ab")
    (step,) = script._upgrade_revs("b", "a")
    stock = RevisionStep(script.revision_map, script.get_revision("b"), True)
    assert step == stock
    assert (repr(step), str(step)) == (repr(stock), str(stock))
    assert step.migration_fn is script.get_revision("b").module.upgrade
    (down,) = script._downgrade_revs("a", "b")
    assert down.name == "downgrade"
    assert isinstance(script._upgrade_revs("b", "b"), Plan)


def test_a_module_without_upgrade(directory: Callable[..., ScriptDirectory]) -> None:
    script = directory("a", a="\ndel upgrade\n")
    plan = script._upgrade_revs("a", None)  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="upgrade"):
        list(plan)


def test_other_code_adds_revisions(directory: Callable[..., ScriptDirectory]) -> None:
    script = directory("abc")
    assert script.get_heads() == ["c"]
    script.revision_map.add_revision(Revision("d", "c", branch_labels=("new",)))
    assert script.get_heads() == ["d"]
    assert [each.revision for each in script.walk_revisions()] == ["d", "c", "b", "a"]
    assert script.get_revision("new@head").revision == "d"
    assert script.get_revision("a").branch_labels == {"new"}
    with pytest.warns(UserWarning, match="Revision d is present more than once"):
        script.revision_map.add_revision(Revision("d", "c"))
    with pytest.raises(Exception, match="revision x not in map"):
        script.revision_map.add_revision(Revision("x", "c"), _replace=True)


@pytest.mark.parametrize("touch", [None, "a", "c", "all"])
def test_adding_is_as_alembic_has_it(
    directory: Callable[..., ScriptDirectory], touch: str | None
) -> None:
    """Whatever was looked at before."""
    script = directory("abc")
    answers = []
    for kind in (StockMap, RevisionMap):
        map_ = kind(script._load_revisions)
        if touch == "all":
            list(map_._revision_map.values())
        elif touch is not None:
            map_.get_revision(touch)
        map_.add_revision(Revision("d", "b", "c", ("new",)))
        map_.add_revision(Revision("e", ("d", "c")))
        answers.append(
            [
                (map_.heads, map_._real_heads, map_.bases, list(map_._revision_map)),
                [each.revision for each in map_.iterate_revisions("heads", None)],
                [
                    (key, sorted(each.nextrev), sorted(each.branch_labels))
                    for key, each in map_._revision_map.items()
                    if each is not None
                ],
            ]
        )
    assert answers[0] == answers[1]


def test_the_dict_is_a_dict(directory: Callable[..., ScriptDirectory]) -> None:
    script = directory("abc")
    lookup: Any = script.revision_map._revision_map
    assert isinstance(lookup, dict)
    assert (len(lookup), list(lookup)) == (5, ["a", "b", "c", None, ()])
    assert lookup[None] is None
    assert lookup.get("x", 1) == 1
    assert "x" not in lookup
    assert 1 not in lookup
    assert bool(lookup)
    with pytest.raises(KeyError, match="x"):
        lookup["x"]
    with pytest.raises(KeyError):
        lookup["\ud800"]
    assert lookup["b"] is script.get_revision("b")
    assert made(script) == ["b"]
    assert [each and each.revision for each in lookup.values()] == [
        *"abc",
        None,
        None,
    ]
    assert dict(lookup) == lookup == {**lookup}
    assert list(reversed(lookup)) == [(), None, *"cba"]
    lookup["z"] = Revision("z", "c")
    assert script.get_revision("z").revision == "z"
    del lookup["z"]
    with pytest.raises(CommandError, match="Can't locate"):
        script.get_revision("z")


def test_objects_of_another_map(directory: Callable[..., ScriptDirectory]) -> None:
    script = directory("abc")
    other = RevisionMap(lambda: [Revision("a", None), Revision("b", "a")])
    map_ = script.revision_map
    foreign = other.get_revision("b")
    assert map_.filter_for_lineage([foreign], "a") == (foreign,)
    assert map_._shares_lineage("b", [foreign]) is False  # type: ignore[list-item]
    assert {each.revision for each in map_._get_ancestor_nodes([foreign])} == {"b", "a"}


def test_a_revision_class_that_decides_itself() -> None:
    class Own(Revision):
        @property
        def _versioned_down_revisions(self) -> tuple[str, ...]:
            return super()._versioned_down_revisions

    map_ = RevisionMap(lambda: [Own("a", None), Own("b", "a")])
    assert map_.heads == ("b",)
    assert map_._history is None, "that is Alembic's own code to answer"


def test_objects_that_have_been_in_a_map() -> None:
    revisions = [Revision("a", None), Revision("b", "a")]
    assert RevisionMap(lambda: revisions).heads == ("b",)
    again = RevisionMap(lambda: revisions)
    assert again.heads == ("b",)
    assert again._history is None, "they are not as their constructor left them"


def test_subclasses_keep_their_say() -> None:
    class Own(RevisionMap):
        def _collect_upgrade_revisions(self, *args: Any, **kwargs: Any) -> Any:
            found, heads = super()._collect_upgrade_revisions(*args, **kwargs)
            return {each for each in found if each.revision != "a"}, heads

    map_ = Own(lambda: [Revision("a", None), Revision("b", "a")])
    assert [each.revision for each in map_.iterate_revisions("b", None)] == ["b"]


def test_a_missing_parent_names_the_file(
    directory: Callable[..., ScriptDirectory], tmp_path: Path
) -> None:
    script = directory("abc")
    (tmp_path / "versions" / "b.py").unlink()
    with (
        pytest.warns(UserWarning, match="Revision b referenced from b -> c"),
        pytest.raises(KeyError, match="b") as raised,
    ):
        script.get_heads()
    (note,) = raised.value.__notes__
    assert note.startswith("revision b referenced from c is not present (in ")
    assert note.endswith("versions/c.py)")


def test_labels_that_clash_are_told_in_the_order_of_the_files() -> None:
    for _ in range(5):
        map_ = RevisionMap(
            lambda: [Revision(id_, None, None, "same") for id_ in ("a", "b", "c")]
        )
        with pytest.raises(
            RevisionError, match=r"in revision b already used by rev.* a"
        ):
            _ = map_.heads


def test_sets_keep_their_order() -> None:
    labels = LabelSet(("b", "a", "c"))
    assert list(labels) == ["b", "a", "c"]
    assert ", ".join(labels) == "b, a, c"
    assert labels == {"a", "b", "c"}
    labels.discard("a")
    labels.update(["z", "y"])
    assert repr(labels) == "{'b', 'c', 'y', 'z'}"
    children = ChildSet(("b", "a"))
    assert (list(children), repr(children)) == (["b", "a"], "frozenset({'b', 'a'})")
    assert children == frozenset("ab")
    assert hash(children) == hash(frozenset("ab"))


def test_the_switch_in_the_configuration(
    directory: Callable[..., ScriptDirectory], tmp_path: Path
) -> None:
    directory("ab")
    ini = tmp_path / "alembic.ini"
    for mode, kind in (("off", StockMap), ("fast", RevisionMap)):
        ini.write_text(
            f"[alembic]\nscript_location = {tmp_path}\nibutsu_migrate = {mode}\n"
        )
        script = ScriptDirectory.from_config(Config(str(ini)))
        assert type(script.revision_map) is kind
        assert script.get_heads() == ["b"]
        assert type(script.get_revision("a")) is Script or kind is RevisionMap
    for mode, says in (("fst", "Did you mean 'fast'"), ("sfe", "Did you mean 'safe'")):
        ini.write_text(
            f"[alembic]\nscript_location = {tmp_path}\nibutsu_migrate = {mode}\n"
        )
        with pytest.raises(CommandError, match=says):
            ScriptDirectory.from_config(Config(str(ini)))


def test_counters_count_work(directory: Callable[..., ScriptDirectory]) -> None:
    script = directory("abc", b="\nrevision = revision.lower()\n")
    before = _core.counters()
    assert len(script._upgrade_revs("heads", None)) == 3  # type: ignore[arg-type]
    after = _core.counters()
    assert {name: after[name] - before[name] for name in after if name in before} | {
        "files_scanned": 3,
        "files_not_static": 1,
        "graphs_built": 1,
        "plans_made": 1,
    } == {name: after[name] - before[name] for name in after}


def test_a_graph_is_collected(directory: Callable[..., ScriptDirectory]) -> None:
    import weakref

    script = directory("abc")
    list(script.walk_revisions())
    gone = weakref.ref(script.get_revision("a"))
    del script
    gc.collect()
    assert gone() is None


def test_a_second_interpreter_has_its_own() -> None:
    if sys.version_info < (3, 12):
        pytest.skip("interpreters of their own have their own GIL from Python 3.12 on")
    code = (
        "import _xxsubinterpreters as i\n"
        if sys.version_info < (3, 13)
        else "import _interpreters as i\n"
    )
    code += (
        "from ibutsu_migrate import _core\n"
        "one = i.create()\n"
        "i.run_string(one, 'from ibutsu_migrate import _core\\n"
        "g = _core.Graph(set, frozenset)\\n"
        'assert g.put(0, ("a",), (), (), ()) and g.finish() is None\')\n'
        "assert _core.counters()['graphs_built'] == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_misuse_of_a_graph() -> None:
    graph = _core.Graph(LabelSet, ChildSet)
    assert graph.put(0, ("a",), (), (), ()) is True
    assert graph.put(1, ("b@",), (), (), ()) is False
    assert graph.put(1, ("\ud800",), (), (), ()) is False
    assert len(graph) == 1
    with pytest.raises(ValueError, match="not finished"):
        graph.ends(False)
    with pytest.raises(IndexError):
        graph.put(3, ("x",), (), (), ())
    assert graph.finish() is None
    with pytest.raises(ValueError, match="is finished"):
        graph.put(1, ("b",), (), (), ())
    for ask in (graph.fields, graph.declared, graph.doc):
        for node in (-1, 1, 2**70):
            with pytest.raises((IndexError, OverflowError)):
                ask(node)
    with pytest.raises(IndexError):
        graph.walk("needs", [7], False)
    with pytest.raises(ValueError, match="edges"):
        graph.walk("up", [0], False)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        graph.tips((0,), False)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        graph.find(3)  # type: ignore[arg-type]


def test_ten_thousand_revisions_take_no_second() -> None:
    """Alembic needs a quarter of a minute for this plan."""
    count = 10_000
    revisions = [Revision("r0", None)]
    for number in range(1, count):
        down: Any = f"r{number - 1}"
        if number % 10 == 9:
            down = f"r{number - 2}"
        elif number % 10 == 0:
            down = (f"r{number - 2}", f"r{number - 1}")
        revisions.append(Revision(f"r{number}", down))
    map_ = RevisionMap(lambda: revisions)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(map_.heads) == 2
    start = time.process_time()
    assert sum(1 for _ in map_.iterate_revisions("heads", None)) == count
    assert len(map_._get_all_current(("r9998", "r9999"))) == 2
    assert time.process_time() - start < 1
