"""What the scan answers is what Alembic prints, byte for byte."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runs import alembic, ours, without_alembic
from differential import graph_cases, graph_files

from ibutsu_migrate import _core
from ibutsu_migrate.revisions.sets import ChildSet, LabelSet

HISTORIES = 250


@pytest.fixture(autouse=True)
def _no_alembic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("IBUTSU_MIGRATE", "ALEMBIC_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    # Alembic logs each failure too.
    monkeypatch.setattr(logging.getLogger("alembic"), "disabled", True)
    monkeypatch.setattr(logging.getLogger("alembic.util.messaging"), "disabled", True)
    with without_alembic():
        yield


def write(case: graph_cases.Case, seed: int, folder: Path) -> None:
    """The history as files; in one of four some may not be static."""
    graph_files.write(case, seed, folder)
    for path in (folder / "alembic" / "versions").iterdir() if seed % 4 else ():
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"\(lambda: (.*)\)\(\)$", r"\1", text, flags=re.M)
        path.write_text(text, encoding="utf-8")


def questions(case: graph_cases.Case, rng: random.Random) -> Iterator[list[str]]:
    ids = [each.id for each in case]
    labels = [label for each in case for label in each.labels]
    names = [*ids, *labels, *(each[:-1] for each in ids if len(each) > 1)]

    def name() -> str:
        symbols = ["head", "heads", "base", "head", f"{rng.choice(names)}@head"]
        symbols += [f"{rng.choice(names)}@heads", "nil", "head@head", "a@b@head"]
        return rng.choice([*symbols, *(rng.choice(names) for _ in range(6))])

    for flags in ([], ["-v"], ["--resolve-dependencies"]):
        yield ["heads", *flags]
    for flags in ([], ["--verbose"]):
        yield ["branches", *flags]
        yield ["history", *flags]
    for _ in range(4):
        yield ["show", name()]
        yield ["history", "-r", f"{name()}:{name()}"]
    yield ["history", rng.choice(("-v", "-r:")), f"--rev-range={name()}:"]
    yield ["history", f"-r:{name()}", "-v"]


def is_regular(folder: Path) -> bool:
    """Whether each file is static, and a graph holds them."""
    graph = _core.Graph(LabelSet, ChildSet)
    files = sorted(map(str, (folder / "alembic" / "versions").iterdir()))
    return graph.scan(files, False) == [] and graph.finish() is None


def words(text: str) -> list[list[str]]:
    """Lines and lists in any order: stock Alembic's hangs on hashes."""
    return sorted(sorted(re.findall(r"[^\s,()]+", line)) for line in text.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_random_histories(
    part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asked = 0
    for seed in range(part * HISTORIES // 5, (part + 1) * HISTORIES // 5):
        case = graph_cases.make_case(seed)
        folder = tmp_path / str(seed)
        write(case, seed, folder)
        monkeypatch.chdir(folder)
        for arguments in questions(case, random.Random(seed)):
            expected, got = alembic(arguments), ours(arguments)
            asked += 1
            answered += got is not None
            assert got in (None, expected), (seed, arguments)
            if not is_regular(folder) or expected.status != 0:
                continue
            # A branch below a range is Alembic's to find.
            if not any(re.search("@.*:", each) for each in arguments):
                assert got == expected, f"seed {seed}: {arguments} was left to Alembic"
    assert answered > asked / 3


def test_nothing_is_answered_where_alembic_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = graph_cases.make_case(1)
    graph_files.write(case, 1, tmp_path)
    monkeypatch.chdir(tmp_path)
    for arguments in (["show", "nil"], ["history", "-r", "nil:"], ["history", "-rx"]):
        assert alembic(arguments).status == 255
        assert ours(arguments) is None
