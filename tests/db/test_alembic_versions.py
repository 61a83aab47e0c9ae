"""The real ``alembic`` command of several versions, with this package beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

    from .conftest import Shop

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "alembic"
# The oldest that has plugins, then one for each form in which it loaded them.
OLD = ("1.18.0", "1.18.4", "1.19.2", "1.20.0")


def install(version: str) -> Path:
    """A folder with that version, and nothing else; made once."""
    target = CACHE / version
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        making = CACHE / f"{version}.{os.getpid()}"
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        wanted = ["--target", str(making), f"alembic=={version}"]
        subprocess.run([*command, *wanted], check=True)
        try:
            making.rename(target)
        except OSError:
            # Another process was faster.
            shutil.rmtree(making)
    return target


@pytest.fixture(params=[*OLD, "installed"])
def version(request: pytest.FixtureRequest) -> str:
    """The version of Alembic; "installed" is the newest, as pip took it."""
    return str(request.param)


@pytest.fixture
def make(
    version: str, database: Database, new_shop: Callable[..., Shop]
) -> Callable[[str], Shop]:
    """Make an app with three revisions, two of them heads, under that version."""

    def make(driver: str) -> Shop:
        shop = new_shop(database.url(driver), plain=True)
        if version != "installed":
            path = os.pathsep.join((str(shop.folder), str(install(version))))
            shop = replace(shop, environ={"PYTHONPATH": path})
        shop.add("a1", None, "op.create_table('a', sa.Column('x', sa.Integer))")
        column = (
            "op.add_column('a', sa.Column('y', sa.Text))",
            "op.drop_column('a', 'y')",
        )
        shop.add("b1", "a1", *column)
        index = ("op.create_index('i', 'a', ['x'])", "op.drop_index('i', 'a')")
        shop.add("b2", "a1", *index)
        return shop

    return make


def counted(path: Path) -> dict[str, Any]:
    """What C did, from the file that IBUTSU_MIGRATE_STATS names."""
    lines = path.read_text().splitlines() if path.exists() else []
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return found


def columns(database: Database) -> str:
    query = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute "
    query += "WHERE attrelid = 'a'::regclass AND attnum > 0 AND NOT attisdropped"
    return database.cluster.psql(query, database.name).strip()


def test_the_graph(make: Callable[[str], Shop], version: str, tmp_path: Path) -> None:
    """Same lines on standard output as without this package; the graph is in C.

    Where there are several heads stock Alembic's order goes by the hash seed, ours is
    always the same.
    """
    shop = make("psycopg2")
    stats = tmp_path / "stats.jsonl"
    said = shop.done("alembic", "--version").split()[-1]
    assert version in ("installed", said)

    def both(*command: str) -> list[str]:
        stock = shop.done("alembic", *command, IBUTSU_MIGRATE="off")
        ours = shop.done("alembic", *command, IBUTSU_MIGRATE_STATS=str(stats))
        assert sorted(ours.splitlines()) == sorted(stock.splitlines())
        return ours.splitlines()

    assert both("heads") == ["b1 (head)", "b2 (head)"]
    assert counted(stats)["core"]["files_scanned"] == 3
    assert both("history")[-1] == "<base> -> a1 (branchpoint), make a1"
    assert any("ADD COLUMN y" in line for line in both("upgrade", "b1", "--sql"))


@pytest.mark.parametrize("driver", ["ibutsu", "psycopg2"])
def test_the_database(
    make: Callable[[str], Shop], database: Database, tmp_path: Path, driver: str
) -> None:
    shop = make(driver)
    stats = tmp_path / "stats.jsonl"
    shop.done("alembic", "upgrade", "heads", IBUTSU_MIGRATE_STATS=str(stats))
    assert counted(stats)["core"]["files_scanned"] == 3
    if driver == "ibutsu":
        assert counted(stats)["pq"]["statements"] > 0
    assert columns(database) == "x y"
    heads = shop.done("alembic", "current").splitlines()
    assert sorted(heads) == ["b1 (head)", "b2 (head)"]
    shop.done("alembic", "merge", "heads", "-m", "join", "--rev-id", "c1")
    shop.done("alembic", "upgrade", "head")
    assert shop.done("alembic", "current") == "c1 (head) (mergepoint)\n"
    failed = shop.run("alembic", "upgrade", "nil")
    assert failed.returncode != 0
    assert "Can't locate revision identified by 'nil'" in failed.stderr + failed.stdout
    shop.done("alembic", "downgrade", "a1")
    assert columns(database) == "x"
