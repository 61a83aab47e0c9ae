"""Where revision files stand, and what may be in their place: as in stock Alembic."""

from __future__ import annotations

import os
import py_compile
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from alembic.script.revision import Revision

from ibutsu_migrate import _core
from ibutsu_migrate.revisions import files, history
from ibutsu_migrate.revisions.map import RevisionMap, StockMap
from ibutsu_migrate.revisions.sets import ChildSet, LabelSet

Files = dict[str, str | bytes]


def revision(id_: str, down: str | None = None, rest: str = "") -> str:
    return f'"""Make {id_}"""\nrevision = {id_!r}\ndown_revision = {down!r}\n{rest}\n'


def write(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def outcome(kind: type[StockMap], folder: Path, **options: Any) -> Any:
    """All that a script directory says about its files, or how it fails."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            directory = ScriptDirectory(str(folder), **options)
            directory.revision_map = kind(directory._load_revisions)
            scripts: list[Any] = list(directory.walk_revisions())
            answer: Any = [
                (each.revision, each.down_revision, each.path, each.doc, str(each))
                for each in scripts
            ]
        except Exception as error:
            answer = type(error), str(error)
    return answer, [str(each.message) for each in caught]


def assert_same(folder: Path, **options: Any) -> Any:
    stock = outcome(StockMap, folder, **options)
    ours = outcome(RevisionMap, folder, **options)
    assert ours == stock
    return ours[0]


def ids(answer: Any) -> list[str]:
    return [each[0] for each in answer]


def test_names_of_files(tmp_path: Path) -> None:
    named: Files = {
        f"versions/{name}": revision(f"r{place}")
        for place, name in enumerate(
            ("a b.py", "x-y.py", "é.py", "01.py", "a\nb.py", ".#lock.py", "__init__.py")
        )
    }
    named |= {"versions/no.txt": "?", "versions/x.pyc": b"\0", "versions/y.py~": "?"}
    found = ids(assert_same(write(tmp_path, named)))
    # Alembic's pattern does not cross the end of a line.
    assert sorted(found) == ["r0", "r1", "r2", "r3"]


def test_names_of_files_that_c_lists(tmp_path: Path) -> None:
    names = "b.py a.py A.py 01.py a_.py aaaaaaaaz.py aaaaaaaab.py .#l.py __init__.py"
    named: Files = {
        f"versions/{name}": revision(f"r{place}")
        for place, name in enumerate(names.split())
    }
    write(tmp_path, named | {"versions/folder.py/x.py": "?", "versions/no.txt": "?"})
    found = assert_same(tmp_path)
    graph = _core.Graph(LabelSet, ChildSet)
    assert graph.scan_folder(f"{tmp_path}/versions//", False) == []
    paths = [graph.path(node) for node in range(len(graph))]
    assert len(paths) == 7
    assert paths == sorted(each[2] for each in found)


def test_folders_that_c_does_not_list(tmp_path: Path) -> None:
    write(tmp_path, {"plain/a.py": revision("a"), "wide/é.py": revision("b")})
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "x").symlink_to(tmp_path / "plain" / "a.py")
    graph = _core.Graph(LabelSet, ChildSet)
    for name in ("nowhere", "wide", "link", "plain/a.py"):
        assert graph.scan_folder(tmp_path / name, False) is None
    assert len(graph) == 0
    assert graph.scan_folder(tmp_path / "plain", False) == []
    assert graph.put(1, ("b",), (), (), ())
    assert graph.path(1) is None
    with pytest.raises(IndexError):
        graph.path(2)
    with pytest.raises(TypeError, match="scan_folder"):
        graph.scan_folder(tmp_path)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="null"):
        graph.scan_folder("a\0b", False)


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    write(tmp_path, {"versions/a.py": revision("a")})
    name = os.fsencode(tmp_path / "versions") + b"/\xff.py"
    Path(os.fsdecode(name)).write_text(revision("b", "a"))
    assert ids(assert_same(tmp_path)) == ["b", "a"]


@pytest.mark.parametrize("recursive", [False, True])
def test_several_folders(tmp_path: Path, recursive: bool) -> None:
    write(
        tmp_path,
        {
            "one/a.py": revision("a"),
            "one/sub/b.py": revision("b", "a"),
            "one/sub/deep/c.py": revision("c", "b"),
            "one/__pycache__/d.py": revision("d"),
            "two/e.py": revision("e", "a"),
        },
    )
    places = [str(tmp_path / name) for name in ("one", "two", "gone")]
    found = assert_same(
        tmp_path, version_locations=places, recursive_version_locations=recursive
    )
    assert sorted(ids(found)) == (["a", "b", "c", "e"] if recursive else ["a", "e"])


def test_a_folder_twice(tmp_path: Path) -> None:
    write(tmp_path, {"one/a.py": revision("a"), "one/sub/b.py": revision("b")})
    (tmp_path / "link").symlink_to("one")
    places = [str(tmp_path / name) for name in ("one", "link", "one/sub")]
    found = assert_same(
        tmp_path, version_locations=places, recursive_version_locations=True
    )
    assert sorted(ids(found)) == ["a", "b"]


def test_links(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "versions/a.py": revision("a"),
            "else/b.py": revision("b", "a"),
            "else/text.txt": revision("c"),
            "else/folder/d.py": revision("d"),
        },
    )
    versions = tmp_path / "versions"
    (versions / "link.txt").symlink_to("../else/b.py")
    (versions / "link.py").symlink_to("../else/text.txt")
    (versions / "folder").symlink_to("../else/folder")
    assert ids(assert_same(tmp_path)) == ["b", "a"]
    assert ids(assert_same(tmp_path, recursive_version_locations=True)) == ["b", "a"]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("dangling link", lambda path: path.symlink_to("nothing.py")),
        ("loop", lambda path: path.symlink_to(path.name)),
        ("folder", lambda path: path.mkdir()),
        ("nothing in it", lambda path: path.write_bytes(b"")),
        ("NUL", lambda path: path.write_bytes(b"revision = 'x'\0\n")),
        ("not UTF-8", lambda path: path.write_bytes(b"revision = '\xff'\n")),
        ("no id", lambda path: path.write_text("down_revision = None\n")),
        ("id of a file", lambda path: path.write_text("x = 1\ndown_revision = None\n")),
        ("no down_revision", lambda path: path.write_text("revision = 'x'\n")),
        (
            "number",
            lambda path: path.write_text("revision = 1\ndown_revision = None\n"),
        ),
        (
            "none",
            lambda path: path.write_text("revision = None\ndown_revision = 'a'\n"),
        ),
        ("reserved", lambda path: path.write_text(revision("x@y-z"))),
        ("itself", lambda path: path.write_text(revision("x", "x"))),
        ("raises", lambda path: path.write_text("1 / 0\n")),
        ("duplicate", lambda path: path.write_text(revision("a"))),
        ("missing", lambda path: path.write_text(revision("x", "gone"))),
        ("empty", lambda path: path.write_text(revision("x", ""))),
        (
            "tuple",
            lambda path: path.write_text("revision = 'x'\ndown_revision = ('a',)"),
        ),
        ("list", lambda path: path.write_text("revision = 'x'\ndown_revision = ['a']")),
        (
            "computed",
            lambda path: path.write_text("revision = 'x' * 3\ndown_revision = 'a'"),
        ),
        ("head", lambda path: path.write_text(revision("head", "a"))),
    ],
)
def test_in_place_of_a_file(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    write(tmp_path, {"versions/a.py": revision("a"), "versions/z.py": revision("z")})
    make(tmp_path / "versions" / "m.py")
    assert_same(tmp_path)


def test_id_from_an_old_file_name(tmp_path: Path) -> None:
    write(tmp_path, {"versions/abc123.py": '"""Old"""\ndown_revision = None\n'})
    assert ids(assert_same(tmp_path)) == ["abc123"]


def test_a_file_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between listing and reading."""
    write(tmp_path, {"versions/a.py": revision("a"), "versions/b.py": revision("b")})
    listed = files.revision_files

    def vanishing(directory: ScriptDirectory) -> list[str]:
        found = listed(directory)
        Path(found[1]).unlink()
        return found

    monkeypatch.setattr(history, "revision_files", vanishing)
    monkeypatch.setattr(history, "plain_folders", lambda directory: None)
    answer, _ = outcome(RevisionMap, tmp_path)
    assert answer == (ImportError, f"Can't find Python file {tmp_path}/versions/b.py")


def test_no_permission(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write(Path(name), {"versions/a.py": revision("a")})
        folder.chmod(0o755)
        assert ids(assert_same(folder)) == ["a"]
        (folder / "versions" / "a.py").chmod(0)
        # Python would take what it compiled before.
        shutil.rmtree(folder / "versions" / "__pycache__", ignore_errors=True)
        before = os.geteuid()
        if before == 0:  # root may read every file
            os.seteuid(65534)
        try:
            kind, text = assert_same(folder)
        finally:
            os.seteuid(before)
    assert kind is PermissionError
    assert "a.py" in text


def test_a_very_large_file(tmp_path: Path) -> None:
    """Over the scanner's limit it is imported, as in stock Alembic."""
    write(tmp_path, {"versions/a.py": revision("a")})
    with (tmp_path / "versions" / "b.py").open("w") as file:
        file.write(revision("b", "a"))
        line = "#" + "x" * 1023 + "\n"
        for _ in range(80):
            file.write(line * 1024)
    answer, warned = outcome(RevisionMap, tmp_path)
    assert (ids(answer), warned) == (["b", "a"], [])


@pytest.mark.parametrize("style", ["beside", "pycache", "both"])
def test_sourceless(tmp_path: Path, style: str) -> None:
    write(
        tmp_path, {"versions/a.py": revision("a"), "versions/b.py": revision("b", "a")}
    )
    versions = tmp_path / "versions"
    for name in ("a", "b"):
        source = versions / f"{name}.py"
        if style in ("beside", "both"):
            py_compile.compile(str(source), str(versions / f"{name}.pyc"))
        if style in ("pycache", "both"):
            py_compile.compile(str(source))
        source.unlink()
    (versions / "c.py").write_text(revision("c", "b"))
    assert ids(assert_same(tmp_path, sourceless=True)) == ["c", "b", "a"]


def test_a_pattern_of_another_script_class(tmp_path: Path) -> None:
    """Whoever makes Revision objects in another way is asked for them."""
    write(tmp_path, {"versions/a.py": revision("a")})

    class Other(ScriptDirectory):
        def _load_revisions(self) -> Any:
            yield from super()._load_revisions()
            yield Revision("b", "a")

    directory = Other(str(tmp_path))
    directory.revision_map = RevisionMap(directory._load_revisions)
    assert directory.get_heads() == ["b"]
    assert [each.revision for each in directory.walk_revisions()] == ["b", "a"]


def test_listing_does_not_resolve_every_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only links cost a system call each."""
    named: Files = {f"versions/f{n}.py": revision(f"r{n}") for n in range(50)}
    write(tmp_path, named)
    resolved = []
    stock = Path.resolve

    def counting(path: Path, strict: bool = False) -> Path:
        resolved.append(path)
        return stock(path, strict)

    directory = ScriptDirectory(str(tmp_path))
    directory.revision_map = RevisionMap(directory._load_revisions)
    monkeypatch.setattr(Path, "resolve", counting)
    assert len(directory.get_heads()) == 50
    assert len(resolved) < 5
