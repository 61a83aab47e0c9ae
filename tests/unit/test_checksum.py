"""The checksum of a revision file: what changes it and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ibutsu_migrate.runtime.checksum import checksum_of

PLAIN = '''"""Add a table"""
revision = "a1"
down_revision = None


def upgrade():
    """Make it."""
    op.create_table("item", sa.Column("id", sa.Integer))
'''
SAME = {
    "formatting": PLAIN.replace('("item", sa', '(\n        "item",\n        sa'),
    "comments": PLAIN.replace("def upgrade", "# why\ndef upgrade"),
    "quotes": PLAIN.replace('"item"', "'item'"),
    "docstrings": PLAIN.replace("Make it.", "Makes it.").replace("Add", "Adds"),
    "no docstring": PLAIN.replace('"""Add a table"""\n', ""),
    "line ends": PLAIN.replace("\n", "\r\n"),
    "concatenation": PLAIN.replace('"item"', '"it" "em"'),
}
OTHER = {
    "a name": PLAIN.replace("item", "items"),
    "a type": PLAIN.replace("Integer", "Text"),
    "a statement": PLAIN + "    op.execute('SELECT 1')\n",
    "a field's name as text": PLAIN.replace('"item"', '".item"'),
    "None": PLAIN.replace("down_revision = None", "down_revision = ()"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "revision.py"


def checksum(path: Path, text: str) -> str | None:
    path.write_bytes(text.encode())
    return checksum_of(path)


@pytest.mark.parametrize("name", SAME)
def test_same(name: str, path: Path) -> None:
    assert SAME[name] != PLAIN
    assert checksum(path, SAME[name]) == checksum(path, PLAIN)


@pytest.mark.parametrize("name", OTHER)
def test_other(name: str, path: Path) -> None:
    assert checksum(path, OTHER[name]) != checksum(path, PLAIN)


def test_it_is_the_same_with_every_python(path: Path) -> None:
    """Written down in databases: it must not change, not even with the syntax tree."""
    assert checksum(path, PLAIN) == "f546f8e4a7bef038"


def test_no_checksum(path: Path) -> None:
    assert checksum_of(path) is None
    assert checksum(path, "def upgrade(:") is None


def test_an_expression_that_is_deep(path: Path) -> None:
    """Python's parser has a limit of its own, which depends on the version."""
    short, long = ("x = " + " + ".join(["1"] * count) for count in (200, 100_000))
    assert checksum(path, short) is not None
    assert checksum(path, long) is None
