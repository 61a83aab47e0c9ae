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


@pytest.fixture(params=["ibutsu", "psycopg2"])
def shop(
    version: str,
    database: Database,
    new_shop: Callable[..., Shop],
    request: pytest.FixtureRequest,
) -> Shop:
    """An app with three revisions, one of them a branch, under that version."""
    shop = new_shop(database.url(request.param), plain=True)
    if version != "installed":
        path = os.pathsep.join((str(shop.folder), str(install(version))))
        shop = replace(shop, environ={"PYTHONPATH": path})
    shop.add("a1", None, "op.create_table('a', sa.Column('x', sa.Integer))")
    shop.add("b1", "a1", "op.add_column('a', sa.Column('y', sa.Text))")
    shop.add("b2", "a1", "op.create_index('i', 'a', ['x'])", "op.drop_index('i', 'a')")
    return shop


def counted(path: Path) -> dict[str, Any]:
    """What C did, from the file that IBUTSU_MIGRATE_STATS names."""
    lines = path.read_text().splitlines() if path.exists() else []
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return found


def test_it_is_that_version(shop: Shop, version: str) -> None:
    said = shop.done("alembic", "--version").split()[-1]
    assert version in ("installed", said)
    assert tuple(map(int, said.split("."))) >= (1, 18)


def test_the_commands(shop: Shop, database: Database, tmp_path: Path) -> None:
    """Same words on standard output as without this package; the graph is in C."""
    stats = tmp_path / "stats.jsonl"

    def both(*command: str) -> str:
        stock = shop.done("alembic", *command, IBUTSU_MIGRATE="off")
        ours = shop.done("alembic", *command, IBUTSU_MIGRATE_STATS=str(stats))
        assert ours == stock
        return ours

    assert both("heads").splitlines() == ["b1 (head)", "b2 (head)"]
    assert counted(stats)["core"]["files_scanned"] == 3
    assert both("history").splitlines() == [
        "a1 -> b1 (head), make b1",
        "a1 -> b2 (head), make b2",
        "<base> -> a1 (branchpoint), make a1",
    ]
    both("branches")
    both("show", "b1")
    both("upgrade", "heads", "--sql")

    done = shop.run("alembic", "upgrade", "heads", IBUTSU_MIGRATE_STATS=str(stats))
    assert done.returncode == 0, done.stdout + done.stderr
    if "+ibutsu" in shop.url:
        assert counted(stats)["pq"]["statements"] > 0
    assert both("current").splitlines() == ["b1 (head)", "b2 (head)"]
    columns = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute "
    columns += "WHERE attrelid = 'a'::regclass AND attnum > 0"
    assert database.cluster.psql(columns, database.name) == "x y\n"
    shop.done("alembic", "merge", "heads", "-m", "join", "--rev-id", "c1")
    shop.done("alembic", "upgrade", "head")
    assert both("current").splitlines() == ["c1 (head) (mergepoint)"]
    shop.done("alembic", "downgrade", "b2")
    assert "b2" in both("current")
    failed = shop.run("alembic", "upgrade", "nil")
    assert failed.returncode != 0
    assert "Can't locate revision identified by 'nil'" in failed.stderr + failed.stdout
