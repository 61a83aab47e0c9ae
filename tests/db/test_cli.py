"""``ibutsu-migrate`` where a database is needed: Alembic's commands, its output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Shop

TABLE = "op.create_table('made', sa.Column('id', sa.Integer))"


@pytest.fixture(params=["shop", "hook_shop", "sqlite_shop"])
def three(request: pytest.FixtureRequest) -> Shop:
    """A shop with three revisions: plain env.py, our hook, and SQLite."""
    made: Shop = request.getfixturevalue(request.param)
    made.add("a1a1", None, TABLE, "op.drop_table('made')")
    made.add("b2b2", "a1a1")
    made.add("c3c3", "b2b2")
    return made


def both(shop: Shop, *command: str) -> str:
    """What both programs print; they must print the same and end alike."""
    ours = shop.run("ibutsu-migrate", *command)
    stock = shop.run("alembic", *command)
    assert (ours.returncode, ours.stdout) == (stock.returncode, stock.stdout)
    assert ours.stderr.replace("ibutsu-migrate", "alembic") == stock.stderr
    return ours.stdout


def test_a_superset_of_alembic(three: Shop) -> None:
    assert three.done("ibutsu-migrate", "upgrade", "b2b2") == ""
    assert both(three, "current") == "b2b2\n"
    assert "b2b2" in both(three, "current", "--verbose")
    assert both(three, "history", "-i").splitlines()[1] == (
        "a1a1 -> b2b2 (current), make b2b2"
    )
    assert both(three, "history", "-r", "current:") == (
        "b2b2 -> c3c3 (head), make c3c3\na1a1 -> b2b2, make b2b2\n"
    )
    assert both(three, "history", "-r:current").startswith("a1a1 -> b2b2")
    assert "Rev: b2b2" in both(three, "show", "current")
    assert both(three, "history", "--rev-range=-1:").startswith("b2b2 -> c3c3")
    assert "CREATE TABLE" in both(three, "upgrade", "--sql", "a1a1")
    three.done("ibutsu-migrate", "downgrade", "-1")
    assert both(three, "current") == "a1a1\n"
    three.done("ibutsu-migrate", "stamp", "head")
    assert both(three, "current") == "c3c3 (head)\n"
    three.done("ibutsu-migrate", "revision", "-m", "four", "--rev-id", "d4d4")
    assert both(three, "heads") == "d4d4 (head)\n"
    assert both(three, "history", "-r", "c3c3:").splitlines()[0] == (
        "c3c3 -> d4d4 (head), four"
    )
    three.done("ibutsu-migrate", "-q", "downgrade", "base")
    assert both(three, "current") == ""


def test_a_closed_pipe_is_no_error(three: Shop) -> None:
    """Where a revision's own operation is the first to notice."""
    read, write = os.pipe()
    os.close(read)
    program = Path(sys.executable).with_name("ibutsu-migrate")
    done = subprocess.run(
        [str(program), "upgrade", "head", "--sql"],
        cwd=three.folder,
        env={**os.environ, "PYTHONPATH": str(three.folder), "DATABASE": three.url},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(write)
    assert done.returncode == 141
    assert "Error" not in done.stderr
    assert "FAILED" not in done.stderr


def test_revision_environment(three: Shop) -> None:
    """The history then goes through env.py, as Alembic's does."""
    ini = three.folder / "alembic.ini"
    ini.write_text(ini.read_text() + "revision_environment = true\n")
    env = three.folder / "alembic" / "env.py"
    env.write_text("print('env.py was run')\n" + env.read_text())
    assert both(three, "history").startswith("env.py was run\n")
    assert not both(three, "heads").startswith("env.py was run\n")


def test_failures(three: Shop) -> None:
    # The hook means safe, whose lines have a time.
    three.environ["IBUTSU_MIGRATE"] = "fast"
    assert both(three, "upgrade", "nil").startswith("FAILED: Can't locate revision")
    assert both(three, "history", "-r", "nil:").startswith("FAILED: Can't locate")
    said = three.run("ibutsu-migrate", "upgrade", "nil").stderr
    assert "`ibutsu-migrate history` lists the revisions." in said
    broken = three.add("d4d4", "c3c3", "1 / 0")
    result = three.run("ibutsu-migrate", "upgrade", "head")
    assert result.returncode == 1
    assert str(broken) in result.stderr
    assert "`ibutsu-migrate current` says where the database is" in result.stderr
    # Nothing of this needs the database.
    assert both(three, "heads") == "d4d4 (head)\n"


def test_a_broken_file_stops_only_who_needs_it(three: Shop, tmp_path: Path) -> None:
    path = three.add("d4d4", "c3c3")
    path.write_text(path.read_text() + "def (\n")
    assert both(three, "heads") == "d4d4 (head)\n"
    assert three.run("ibutsu-migrate", "upgrade", "head").returncode == 1
    found = three.run("ibutsu-migrate", "check-history")
    assert found.returncode == 1
    assert "alembic/versions/d4d4_.py:" in found.stdout
    assert (
        found.stdout.splitlines()[-1] == "1 error: 4 revisions in 4 files, head d4d4."
    )
