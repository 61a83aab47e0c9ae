"""check-history: each thing that can be wrong is found, with its place, all at once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from differential import graph_cases, graph_files

from ibutsu_migrate.layout import Layout
from ibutsu_migrate.revisions.check import Report, check_history
from ibutsu_migrate.revisions.map import StockMap

PROGRAM = Path(sys.executable).parent / "ibutsu-migrate"
INI = "[alembic]\nscript_location = %(here)s/alembic\n"


def revision(name: str, down: object = None, rest: str = "") -> str:
    return f'"""Make {name}"""\n\nrevision = {name!r}\ndown_revision = {down!r}\n{rest}'


def versions(folder: Path, files: dict[str, str | bytes]) -> Path:
    under = folder / "alembic" / "versions"
    under.mkdir(parents=True)
    (folder / "alembic.ini").write_text(INI)
    for name, content in files.items():
        path = under / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return under


def checked(folder: Path, **how: Any) -> Report:
    under = str(folder / "alembic" / "versions")
    return check_history(Layout([under], False, False), **how)


def told(report: Report) -> list[tuple[str, str, int, str | None]]:
    return [
        (each.kind, os.path.basename(each.file), each.line, each.revision)
        for each in report.findings
    ]


def test_nothing_is_wrong(tmp_path: Path) -> None:
    versions(
        tmp_path,
        {
            "a.py": revision("a1", None, "branch_labels = 'left'\n"),
            "b.py": revision("b2", "a1"),
            "c.py": revision("c3", "a1"),
            "d.py": revision("d4", ("b2", "c3"), "depends_on = ['left', 'b2']\n"),
        },
    )
    report = checked(tmp_path)
    assert report == Report(4, ("a1", "b2", "c3", "d4"), ("a1",), ("d4",), ())


FILE_FLAWS: dict[str, tuple[str | bytes, list[tuple[str, int, str | None]]]] = {
    "syntax": (revision("x") + "def (\n", [("syntax", 5, "x")]),
    "syntax before": ("(\n" + revision("x"), [("syntax", 1, None)]),
    "return": (revision("x") + "return\n", [("syntax", 5, "x")]),
    "NUL": (revision("x").encode() + b"\0", [("syntax", 0, None)]),
    "no id": ("down_revision = None\n", [("no-revision", 0, None)]),
    "no parent": ("revision = 'x'\n", [("no-down-revision", 1, "x")]),
    "reserved": (revision("x+1"), [("bad-id", 3, None)]),
    "symbol": (revision("heads"), [("bad-id", 3, None)]),
    "empty": (revision(""), [("bad-id", 3, None)]),
    "no text": ("revision = None\ndown_revision = None\n", [("bad-id", 1, None)]),
    "not static": (revision("x") + "revision += ''\n", [("not-static", 5, "x")]),
    "import": (
        revision("x") + "revision += ''\nimport nil_nil\n",
        [("not-static", 5, None), ("import", 6, None)],
    ),
    "exit": (
        revision("x") + "revision += ''\nraise SystemExit(3)\n",
        [("not-static", 5, None), ("import", 6, None)],
    ),
    "number": (
        revision("x") + "down_revision = int('1')\n",
        [("not-static", 5, "x"), ("bad-id", 5, "x")],
    ),
    "self": (revision("x", "x"), [("cycle", 4, "x")]),
    "self by dependency": (
        revision("x", None, "depends_on = 'x'\n"),
        [("dependency-cycle", 5, "x")],
    ),
    "missing": (revision("x", "nil"), [("missing-parent", 4, "x")]),
    "missing dependency": (
        revision("x", None, "if True:\n    depends_on = ('x1', 'x2')\n"),
        [("not-static", 6, "x"), *[("missing-dependency", 6, "x")] * 2],
    ),
    "label is an id": (
        revision("x", None, "branch_labels = ('l', 'x')\n"),
        [("label-twice", 5, "x")],
    ),
    "parent by label": (
        revision("x", "l", "branch_labels = 'l'\n"),
        [("missing-parent", 4, "x")],
    ),
}


@pytest.mark.parametrize("flaw", FILE_FLAWS)
def test_one_file(flaw: str, tmp_path: Path) -> None:
    text, expected = FILE_FLAWS[flaw]
    # A name that is no id by itself, as it could be in Alembic 0.1.
    versions(tmp_path, {"file.py": text})
    report = checked(tmp_path)
    found = [(kind, line, revision) for kind, _, line, revision in told(report)]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert report.ok == (expected == [("not-static", 5, "x")])


def test_unreadable(tmp_path: Path) -> None:
    under = versions(tmp_path, {"a.py": revision("a1")})
    (under / "b.py").symlink_to("nothing.py")
    (under / "c.py").mkdir()
    report = checked(tmp_path)
    assert told(report) == [("unreadable", "nothing.py", 0, None)]
    assert "No such file" in report.findings[0].message


def test_several_files(tmp_path: Path) -> None:
    """All of it in one run."""
    under = versions(
        tmp_path,
        {
            "a.py": revision("a1"),
            "b.py": revision("a1", None, "branch_labels = ['l']\n"),
            "c.py": revision("c3", "d4", "branch_labels = ['l']\n"),
            "d.py": revision("d4", "c3"),
            "e.py": revision("e5", "c3"),
            "f.py": revision("f6", "gone"),
            "g.py": revision("g7", "f6"),
            "h.py": revision("h8", "a1", "depends_on = 'i9'\n"),
            "i.py": revision("i9", "a1", "depends_on = 'h8'\n"),
        },
    )
    report = checked(tmp_path)
    assert [each for each in told(report) if each[0] != "several-heads"] == [
        ("duplicate-id", "b.py", 3, "a1"),
        ("cycle", "c.py", 4, "c3"),
        ("label-twice", "c.py", 5, "c3"),
        ("unreachable", "e.py", 4, "e5"),
        ("missing-parent", "f.py", 4, "f6"),
        ("unreachable", "g.py", 4, "g7"),
        ("dependency-cycle", "h.py", 5, "h8"),
    ]
    heads = [each[3] for each in told(report) if each[0] == "several-heads"]
    assert heads == ["e5", "g7", "h8", "i9"]
    ring = next(each for each in report.findings if each.kind == "dependency-cycle")
    assert "h8 -> i9 -> h8" in ring.message
    twice = next(each for each in report.findings if each.kind == "duplicate-id")
    assert str(under / "a.py") in twice.message


def test_several_heads(tmp_path: Path) -> None:
    files = {
        f"{name}.py": revision(name, "a" if name != "a" else None) for name in "abc"
    }
    versions(tmp_path, {**files})
    report = checked(tmp_path)
    assert told(report) == [
        ("several-heads", "b.py", 3, "b"),
        ("several-heads", "c.py", 3, "c"),
    ]
    assert report.findings[0].related == ("c",)
    assert not report.ok
    meant = checked(tmp_path, allow_branches=True)
    assert told(meant) == told(report)
    assert meant.ok


def test_where_files_are(tmp_path: Path) -> None:
    under = versions(
        tmp_path,
        {
            "a.py": revision("a1"),
            "old/b.py": revision("b2", "a1"),
            "old/helper.py": "x = 1\n",
            "old/__pycache__/c.py": revision("c3"),
        },
    )
    folders = [str(under), str(under / "old"), str(tmp_path / "gone"), str(under)]
    report = check_history(Layout(folders, False, False))
    assert sorted(told(report)) == [
        ("listed-twice", "a.py", 0, None),
        ("no-folder", "gone", 0, None),
        ("no-revision", "helper.py", 0, None),
    ]
    report = checked(tmp_path)
    assert told(report) == [("not-listed", "b.py", 0, None)]
    assert report.ok
    assert report.revisions == ("a1",)


def test_sourceless(tmp_path: Path) -> None:
    under = versions(tmp_path, {"a.py": revision("a1"), "b.py": revision("b2", "a1")})
    command = [sys.executable, "-m", "compileall", "-q", str(under)]
    subprocess.run([*command, "-b"], check=True)
    subprocess.run(command, check=True)
    assert check_history(Layout([str(under)], False, True)).ok
    for name in ("a.py", "a.pyc"):
        (under / name).unlink()
        report = check_history(Layout([str(under)], False, True))
        assert (report.ok, report.heads) == (True, ("b2",))
    assert [each.kind for each in checked(tmp_path).findings] == ["missing-parent"]


@pytest.mark.slow
def test_random_histories_as_alembic(tmp_path: Path) -> None:
    """Where Alembic warns or fails there is an error, and nowhere else."""
    wrong = 0
    for seed in range(400):
        folder = tmp_path / str(seed)
        case = graph_cases.make_case(seed)
        graph_files.write(case, seed, folder)
        report = checked(folder, allow_branches=True)
        directory = ScriptDirectory(str(folder / "alembic"))
        directory.revision_map = StockMap(directory._load_revisions)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                heads = directory.get_heads()
            except Exception:
                heads = None
        # Alembic takes these ids, and some rings; nobody can upgrade to them.
        unusable = {"head", "heads", "base"} & {each.id for each in case}
        if heads is None or unusable or not graph_cases.is_acyclic(case):
            wrong += 1
            assert not report.ok, seed
        else:
            assert report.ok, (seed, report.findings)
            assert set(report.heads) == set(heads)
    assert wrong > 10


def test_a_long_history_is_checked_without_recursion(tmp_path: Path) -> None:
    count = 3000
    order = random.Random(1).sample(range(count), count)
    versions(
        tmp_path,
        {
            f"{place:05}.py": f"revision = 'r{at}'\ndown_revision = 'r{at - 1}'\n"
            for place, at in enumerate(order)
        },
    )
    report = checked(tmp_path)
    kinds = [each.kind for each in report.findings]
    assert kinds.count("missing-parent") == 1
    assert kinds.count("unreachable") == count - 1


def run(folder: Path, *options: str, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        **how,
    )


def test_the_program(tmp_path: Path) -> None:
    under = versions(
        tmp_path,
        {"a.py": revision("a1"), "b.py": revision("b2", "nil"), "c.py": "print('hi'"},
    )
    result = run(tmp_path, "check-history", "--allow-branches")
    assert result.returncode == 1
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].startswith("alembic/versions/a.py:3: info: a1 is one of 2 heads;")
    assert (
        "alembic/versions/b.py:4: error: `down_revision` names 'nil'" in result.stdout
    )
    assert "alembic/versions/c.py:1: error: The file is not valid Py" in result.stdout
    assert lines[-1] == "2 errors: 2 revisions in 3 files, heads a1, b2."
    # By argparse, with an abbreviation: the same.
    again = run(tmp_path, "check-history", "--allow")
    assert (again.returncode, again.stdout) == (1, result.stdout)
    assert run(tmp_path, "-q", "check-history").stdout == ""
    (under / "b.py").unlink()
    (under / "c.py").unlink()
    good = run(tmp_path, "check-history")
    assert (good.returncode, good.stdout) == (
        0,
        "Nothing is wrong: 1 revision in 1 file, head a1.\n",
    )


def test_json(tmp_path: Path) -> None:
    noisy = "print('not JSON')\nrevision = str('b2')\ndown_revision = 'nil'\n"
    under = versions(tmp_path, {"a.py": revision("a1"), "b.py": noisy})
    result = run(tmp_path, "check-history", "--json")
    assert result.returncode == 1
    assert result.stderr == "not JSON\n"
    report = json.loads(result.stdout)
    findings = report.pop("findings")
    assert report == {
        "schema": "ibutsu-migrate/check-history/1",
        "ok": False,
        "files": 2,
        "revisions": 2,
        "bases": ["a1"],
        "heads": ["a1", "b2"],
    }
    missing = next(each for each in findings if each["kind"] == "missing-parent")
    assert missing == {
        "kind": "missing-parent",
        "level": "error",
        "file": str(under / "b.py"),
        "line": 3,
        "revision": "b2",
        "message": missing["message"],
        "remedy": missing["remedy"],
        "related": ["nil"],
    }


def test_many_findings_of_one_kind_are_not_all_told(tmp_path: Path) -> None:
    versions(
        tmp_path,
        {f"{at:02}.py": revision(f"r{at:02}", f"r{at - 1:02}") for at in range(15)},
    )
    result = run(tmp_path, "check-history")
    assert result.stdout.count("No upgrade comes to this revision") == 10
    assert "... and 4 more of unreachable; --json lists them." in result.stdout


def test_neither_alembic_nor_sqlalchemy(tmp_path: Path) -> None:
    versions(tmp_path, {"a.py": revision("a1")})
    environ = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    result = run(tmp_path, "check-history", env=environ)
    assert result.returncode == 0
    names = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "ibutsu_migrate.revisions.check" in names
    assert {"alembic", "sqlalchemy", "flask"} & names == set()


def test_no_environment(tmp_path: Path) -> None:
    result = run(tmp_path, "check-history", "--json")
    assert (result.returncode, result.stdout) == (255, "")
    assert result.stderr == "FAILED: No 'script_location' key found in configuration.\n"
