"""Random histories: every answer is Alembic's, and the same whatever the hash seed."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest
from differential import graph_cases, graph_files

from ibutsu_migrate.revisions.map import RevisionMap

GRAPHS = 2000
PARTS = 10


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_answers_are_alembics(part: int) -> None:
    each = GRAPHS // PARTS
    assert graph_cases.report(range(part * each, (part + 1) * each)) is None


def test_the_cases_are_of_all_kinds() -> None:
    cases = [graph_cases.make_case(seed) for seed in range(500)]
    revisions = [revision for case in cases for revision in case]
    assert sum(len(revision.down) > 1 for revision in revisions) > 100
    assert sum(bool(revision.depend) for revision in revisions) > 100
    assert sum(bool(revision.labels) for revision in revisions) > 100
    irregular = [case for case in cases if not graph_cases.is_acyclic(case)]
    assert 10 < len(irregular) < 100
    on_the_graph = 0
    for case in cases[:100]:
        ours = graph_cases.make_sides(case)[1]
        ours.outcome(lambda m: m.heads)
        on_the_graph += ours.map.__dict__.get("_history") is not None
    assert on_the_graph > 80


def test_a_difference_is_found_and_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself: an order that is not Alembic's does not go unseen."""
    stock = RevisionMap._topological_sort

    def wrong(self: object, revisions: object, heads: object) -> list[str]:
        found: list[str] = stock(self, revisions, heads)  # type: ignore[arg-type]
        return found[:-2] + found[:-3:-1]

    monkeypatch.setattr(RevisionMap, "_topological_sort", wrong)
    report = graph_cases.report(range(40))
    assert report is not None
    assert "_topological_sort" in report
    assert report.count("Declared(") <= 6


def test_files_are_read_as_alembic_reads_them(tmp_path: Path) -> None:
    for seed in range(60):
        folder = tmp_path / str(seed)
        assert graph_files.differences(graph_cases.make_case(seed), seed, folder) == []


# `history -v` and `branches -v`, word for word, in a process of its own.
TELL = """
import sys
from alembic import command, config
c = config.Config(sys.argv[1])
command.history(c, verbose=True)
command.branches(c, verbose=True)
"""
MERGE = """
def names(*each):
    return set(each)

revision = "m1"
down_revision = names("d1", "c1", "b1")
branch_labels = names("six", "five", "seven")
depends_on = {"z1", "y1"}
"""


def told(ini: Path) -> str:
    """The same under every hash seed."""
    said = set()
    for seed in range(4):
        done = subprocess.run(
            [sys.executable, "-c", TELL, str(ini)],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "IBUTSU_MIGRATE": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(done.stdout)
    (one,) = said
    return one


@pytest.mark.parametrize("sourceless", [False, True])
def test_the_hash_seed_changes_nothing(tmp_path: Path, sourceless: bool) -> None:
    case = (
        graph_cases.Declared("a1", labels=("one", "two", "three")),
        graph_cases.Declared("b1", ("a1",), labels=("four",)),
        graph_cases.Declared("c1", ("a1",)),
        graph_cases.Declared("d1", ("a1",)),
        graph_cases.Declared("x1"),
        graph_cases.Declared("y1"),
        graph_cases.Declared("z1", ("x1",), ("d1", "c1", "b1", "y1")),
    )
    ini = graph_files.write(case, 1, tmp_path)
    versions = next(tmp_path.rglob("versions"))
    (versions / "merge.py").write_text(MERGE)
    if sourceless:
        ini.write_text(f"{ini.read_text()}sourceless = true\n")
        for source in versions.glob("*.py"):
            py_compile.compile(str(source), str(source.with_suffix(".pyc")))
            source.unlink()
    history = told(ini)
    assert "Branch names: one, two, three, four" in history
    assert "Branches into: b1, c1, d1" in history
    assert "Merges: b1, c1, d1\nAlso depends on: y1, z1\n" in history
