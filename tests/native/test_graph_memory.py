"""Out of memory in the graph's binding: MemoryError or success, nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ibutsu_migrate import _core

testcapi = pytest.importorskip(
    "_testcapi", reason="this Python was built without its test modules"
)

HISTORY = (
    ("a1", None, ("one", "two"), None),
    ("b1", "a1", None, None),
    ("c1", "a1", "three", "b1"),
    ("d1", ("b1", "c1"), None, None),
    ("e1", "d1", None, ("c1",)),
)


def everything(paths: list[str]) -> None:
    """Fill a graph, finish it, and ask it all there is to ask."""
    graph = _core.Graph(set, frozenset)
    assert graph.scan(paths, False) == []
    assert graph.put(5, ("f1",), ("a1",), (), ("four",))
    assert graph.finish() is None
    assert (len(graph.ids), len(graph.labels())) == (6, 4)
    for node in range(6):
        graph.fields(node)
        graph.declared(node)
        graph.doc(node)
    assert graph.find("a1") == 0
    assert graph.starting_with("thr") == ["three"]
    assert graph.ends(False) == graph.ends(True) == [4, 5]
    assert graph.bases(True) == [0]
    assert graph.walk("needs", [4, 0], True)[1] == (4, [0])
    assert len(graph.related([1], True)) == 6
    assert graph.tips([4, 5], True) == [4, 5]
    assert graph.order([0, 1, 2], [1, 2]) == [2, 1, 0]
    assert graph.upgrade([4, 5], [], [], True) == [4, 3, 2, 1, 5, 0]
    assert graph.upgrade([4, 0], [], [], True) == (4, [0])
    assert graph.downgrade([0], [4, 5], True) == [4, 3, 2, 1, 5, 0]


def test_every_allocation_fails_once(tmp_path: Path) -> None:
    paths = []
    for name, down, labels, depends in HISTORY:
        path = tmp_path / f"{name}.py"
        path.write_text(
            f'"""Doc"""\nrevision = {name!r}\ndown_revision = {down!r}\n'
            f"branch_labels = {labels!r}\ndepends_on = {depends!r}\n"
        )
        paths.append(str(path))
    everything(paths)
    for allocation in range(100_000):
        testcapi.set_nomemory(allocation, allocation + 1)
        try:
            everything(paths)
        except MemoryError:
            continue
        finally:
            testcapi.remove_mem_hooks()
        break
    assert allocation > 100
