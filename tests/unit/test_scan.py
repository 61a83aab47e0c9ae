"""scan_file() and scan_source(): real files, refusals, errors, type NotStatic."""

from __future__ import annotations

import errno
import gc
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import util as alembic_util
from alembic.config import Config
from alembic.script import ScriptDirectory

from ibutsu_migrate import _core

DATA = Path(__file__).parent.parent / "data" / "revisions"
WORDS = ("revision", "down_revision", "branch_labels", "depends_on", "exec", "globals")


def imported(path: Path) -> dict[str, object]:
    """What Alembic would read from the file, by importing it as Alembic does."""
    module = alembic_util.load_python_file(str(path.parent), path.name)
    names = ("revision", "down_revision", "branch_labels", "depends_on")
    found = {name: getattr(module, name) for name in names if hasattr(module, name)}
    if module.__doc__ is not None:
        found["doc"] = module.__doc__
    return found


@pytest.mark.parametrize("path", sorted(DATA.glob("*.py")), ids=lambda path: path.stem)
def test_real_world_files(path: Path) -> None:
    """Files as teams have them: each is static, and scanned as it is imported."""
    assert _core.scan_file(path) == imported(path)


@pytest.mark.parametrize(
    "template", ["generic", "async", "multidb", "pyproject", "pyproject_async"]
)
def test_alembics_templates(template: str, tmp_path: Path) -> None:
    """What `alembic revision` writes, in every layout that `alembic init` has."""
    source = Path(Config().get_template_directory(), template, "script.py.mako")
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("databases", "one, two")
    (tmp_path / "versions").mkdir()
    (tmp_path / "script.py.mako").write_text(source.read_text())
    directory = ScriptDirectory.from_config(config)
    revisions: list[dict[str, Any]] = [
        {"branch_labels": "left", "message": "first"},
        {"message": 'with "quotes"', "head": "base", "depends_on": "rev0"},
        {"message": "merge", "head": ["rev0", "rev1"]},
    ]
    for index, options in enumerate(revisions):
        rev_id = f"rev{index}"
        directory.generate_revision(
            rev_id, refresh=True, splice=True, config=config, **options
        )
        (path,) = (tmp_path / "versions").glob(f"{rev_id}_*.py")
        scanned = _core.scan_file(path)
        assert isinstance(scanned, dict)
        assert scanned == imported(path)
        assert scanned["revision"] == rev_id


def test_not_static() -> None:
    found = _core.scan_source(b"x = 1\nrevision = f()\n")
    assert isinstance(found, _core.NotStatic)
    assert not found
    assert found.reason == "a value is not a literal"
    assert found.line == 2
    assert repr(found) == "<NotStatic: a value is not a literal, line 2>"


def test_not_static_cannot_be_made_or_changed() -> None:
    found = _core.scan_source(b"revision = f()\n")
    with pytest.raises(TypeError, match="cannot create"):
        _core.NotStatic()
    with pytest.raises(AttributeError):
        found.reason = "x"  # type: ignore[misc,union-attr]
    with pytest.raises(TypeError, match="immutable"):
        _core.NotStatic.reason = "x"  # type: ignore[misc]


def test_not_static_holds_no_type_reference_when_gone() -> None:
    before = sys.getrefcount(_core.NotStatic)
    for _ in range(100):
        _core.scan_source(b"revision = f()\n")
    gc.collect()
    # The interpreter's own caches may hold one or two.
    assert sys.getrefcount(_core.NotStatic) < before + 10


def test_types() -> None:
    found = _core.scan_source(
        b"revision = 'a'\ndown_revision = None\n"
        b"branch_labels = ['b', 'b']\ndepends_on = {'c', 'c', 'd'}\n"
    )
    assert found == {
        "revision": "a",
        "down_revision": None,
        "branch_labels": ["b", "b"],
        "depends_on": {"c", "d"},
    }


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_sources(make: type) -> None:
    assert _core.scan_source(make(b"revision = 'a'")) == {"revision": "a"}


def test_source_must_be_bytes() -> None:
    with pytest.raises(TypeError):
        _core.scan_source("revision = 'a'")  # type: ignore[arg-type]


def test_path_kinds(tmp_path: Path) -> None:
    path = tmp_path / "a\nb é.py"
    path.write_text("revision = 'a'\n")
    for spelled in (path, str(path), os.fsencode(path)):
        assert _core.scan_file(spelled) == {"revision": "a"}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "folder.py"
    folder.mkdir()
    link = tmp_path / "link.py"
    link.symlink_to("nowhere")
    fifo = tmp_path / "fifo.py"
    os.mkfifo(fifo)
    for path, code in (
        (tmp_path / "none.py", errno.ENOENT),
        (folder, errno.EISDIR),
        (link, errno.ENOENT),
        (fifo, errno.EINVAL),
    ):
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is checked
            _core.scan_file(path)
        assert caught.value.errno == code
        assert caught.value.filename == path
    with pytest.raises(ValueError, match="null"):
        _core.scan_file("a\0b.py")
    with pytest.raises(TypeError):
        _core.scan_file(5)  # type: ignore[arg-type]


def test_file_of_200_megabytes(tmp_path: Path) -> None:
    """It is not read: whoever wants it imports it."""
    path = tmp_path / "large.py"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    found = _core.scan_file(path)
    assert isinstance(found, _core.NotStatic)
    assert found.reason == "the file is larger than 64 MiB"


def test_header_of_a_mebibyte() -> None:
    ids = tuple(f"{number:012x}" for number in range(60_000))
    source = f"revision = 'a'\ndown_revision = {ids!r}\n".encode()
    assert len(source) > 1 << 19
    assert _core.scan_source(source) == {"revision": "a", "down_revision": ids}


def test_counters(tmp_path: Path) -> None:
    before = _core.counters()
    (tmp_path / "a.py").write_text("revision = 'a'")
    _core.scan_file(tmp_path / "a.py")
    _core.scan_source(b"revision = f()")
    after = _core.counters()
    assert after["files_scanned"] - before["files_scanned"] == 2
    assert after["files_not_static"] - before["files_not_static"] == 1


def test_without_docstrings() -> None:
    """Python -OO has none, so a scan there has none either."""
    code = "from ibutsu_migrate import _core; print(_core.scan_source(b'\"doc\"'))"
    for options, expected in ([], "{'doc': 'doc'}"), (["-OO"], "{}"):
        done = subprocess.run(
            [sys.executable, *options, "-c", code], capture_output=True, text=True
        )
        assert done.stdout.strip() == expected, done.stderr


WITHOUT_THE_MODULE = """
import gc, sys, weakref
import ibutsu_migrate
from ibutsu_migrate import _core
kind = weakref.ref(_core.NotStatic)
del sys.modules['ibutsu_migrate._core'], ibutsu_migrate._core, _core
gc.collect()
print(kind())
"""

IN_ANOTHER_INTERPRETER = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters
from ibutsu_migrate import _core
inner = interpreters.create()
found = interpreters.run_string(inner, '''if True:
    from ibutsu_migrate import _core
    assert _core.scan_source(b'revision = 1').line == 1
    assert _core.scan_source(b'revision = None') == {'revision': None}
    assert id(_core.NotStatic) != %d
''' % id(_core.NotStatic))
assert found is None, found
interpreters.destroy(inner)
assert _core.scan_source(b'revision = 1').line == 1
print('done')
"""

FAIL_EACH_ALLOCATION = r"""
import _testcapi
from ibutsu_migrate import _core
literals = b"revision = 'a'\ndepends_on = {'b'}\ndown_revision = ['c', 'd']"
failed = 0
for source in (literals, b"revision = f()"):
    expected = repr(_core.scan_source(source))
    for n in range(1, 60):
        found = None
        _testcapi.set_nomemory(n, n + 1)
        try:
            found = _core.scan_source(source)
        except MemoryError:
            failed += 1
        _testcapi.remove_mem_hooks()
        assert found is None or repr(found) == expected
    assert found is not None
print(failed)
"""


def run(code: str) -> str:
    """What a program prints; its exit code is 0."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_module_is_collected() -> None:
    """The module and its type refer to each other; nothing else holds them."""
    assert run(WITHOUT_THE_MODULE) == "None"


def test_second_interpreter() -> None:
    """Each interpreter has a NotStatic of its own."""
    assert run(IN_ANOTHER_INTERPRETER) == "done"


def test_out_of_memory() -> None:
    """Each allocation of Python's fails once: MemoryError or the answer, no crash."""
    assert int(run(FAIL_EACH_ALLOCATION)) > 5


def harmless_ranges() -> Iterator[range]:
    """The table of imig_word.c, read from its source."""
    source = Path(__file__).parents[2] / "csrc" / "core" / "imig_word.c"
    text = source.read_text().partition("harmless[] = {")[2].partition("};")[0]
    numbers = [int(part.strip(" {}\n"), 16) for part in text.split(",") if "0x" in part]
    for first, last in zip(numbers[::2], numbers[1::2], strict=True):
        yield range(first, last + 1)


def test_harmless_letters_stay_what_they_are() -> None:
    """No letter that the scanner lets pass is normalised into ASCII only."""
    ranges = list(harmless_ranges())
    assert len(ranges) > 10
    for each in ranges:
        for code in each:
            assert not unicodedata.normalize("NFKC", chr(code)).isascii(), hex(code)


@pytest.mark.parametrize("word", WORDS)
def test_letters_that_become_ascii_are_not_static(word: str) -> None:
    """Every letter of Unicode that NFKC turns into a letter of a name."""
    for code in range(0x80, sys.maxunicode + 1):
        plain = unicodedata.normalize("NFKC", chr(code))
        if plain.isascii() and plain and plain in word:
            spelled = word.replace(plain, chr(code), 1)
            found = _core.scan_source(f"x = 1\n{spelled}\n".encode())
            assert isinstance(found, _core.NotStatic), hex(code)


def words_that_matter() -> list[str]:
    """The words of imig_word.c that need no other one to be refused."""
    source = Path(__file__).parents[2] / "csrc" / "core" / "imig_word.c"
    found = re.findall(r'\{"(\w+)", IMIG_WORD_(\w+)\}', source.read_text())
    kinds = [
        "REVISION",
        "DOWN_REVISION",
        "BRANCH_LABELS",
        "DEPENDS_ON",
        "RESERVED",
        "TRICK",
        "ATTR",
        "LOCALS",
        "GLOBALS",
        "TRICK_ATTR",
        "MODULES",
    ]
    return [word for word, kind in found if kind in kinds]


def test_no_word_that_matters_is_overlooked_after_the_header() -> None:
    """What follows the header is looked at as bytes: each word must be found there."""
    header = b"revision = 'a'\ndown_revision = None\ndef f():\n"
    words = words_that_matter()
    assert len(words) > 30
    for word in words:
        for space in range(40):
            # "$" is no Python: where it is read the file is not static.
            source = header + b" " * space + f"{word} = $".encode()
            assert not _core.scan_source(source, b""), word
    assert _core.scan_source(header + b"x = $", b"")


def test_names_table_is_pythons() -> None:
    """Each \\N{...} that the table has, and one that it has not."""
    table = Path(__file__).parents[2] / "csrc" / "core" / "imig_names.c"
    names = [
        line.split('"')[1] for line in table.read_text().split("\n") if "0x" in line
    ]
    assert len(names) > 500
    for name in names:
        source = f"revision = '\\N{{{name}}}'".encode()
        assert _core.scan_source(source) == {"revision": unicodedata.lookup(name)}
    assert not _core.scan_source(b"revision = '\\N{SNOWMAN}'")
