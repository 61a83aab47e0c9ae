"""The sdist holds everything, and a wheel built from it is complete."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

# One sdist and one wheel for all tests here, also where several processes share them.
pytestmark = pytest.mark.xdist_group("sdist")

ROOT = Path(__file__).resolve().parents[2]
# What only a checkout needs.
NOT_SHIPPED = (".ci/", ".gitignore", ".editorconfig")

SDIST = "import setuptools.build_meta as m; print(m.build_sdist({!r}))"
LOOK = """
import ibutsu_migrate, sys
from ibutsu_migrate._native import require
from importlib.metadata import version
print(ibutsu_migrate.__file__, version("ibutsu-migrate"))
print(require("_core").counters(), require("_pq").__name__)
"""


def tracked_files() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: an unpacked sdist has no history")
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = done.stdout.split("\0")[:-1]
    return [name for name in names if (ROOT / name).exists()]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of a copy of the checkout, so that nothing is written into it."""
    folder = tmp_path_factory.mktemp("sdist")
    for name in tracked_files():
        target = folder / "checkout" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    subprocess.run(
        [sys.executable, "-c", SDIST.format(str(folder))],
        cwd=folder / "checkout",
        check=True,
        capture_output=True,
    )
    (made,) = folder.glob("*.tar.gz")
    return made


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """A wheel built from the unpacked sdist."""
    unpacked = sdist.parent / "unpacked"
    unpacked.mkdir()
    # tarfile's filters came with 3.11.4, and from 3.14 on it insists on them.
    subprocess.run(["tar", "-xf", str(sdist), "-C", str(unpacked)], check=True)
    (source,) = unpacked.iterdir()
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation"]
    subprocess.run(
        [*command, "--no-deps", "-w", str(sdist.parent), str(source)],
        check=True,
        # Warnings must not be errors on a user's machine, but none is wanted here.
        env={**os.environ, "IBUTSU_MIGRATE_WERROR": "1"},
    )
    (made,) = sdist.parent.glob("*.whl")
    return made


def test_the_sdist_holds_every_file(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {name for name in tracked_files() if not name.startswith(NOT_SHIPPED)}
    assert wanted - held == set()
    made = {name for name in held if name.startswith("ibutsu_migrate.egg-info")}
    extra = held - wanted - made - {"", "PKG-INFO", "setup.cfg"}
    assert {name for name in extra if not any(w.startswith(name) for w in wanted)} == (
        set()
    )


@pytest.mark.slow
def test_the_wheel_is_complete(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    modules = {
        name
        for name in tracked_files()
        if name.startswith("ibutsu_migrate/")
        and name.endswith((".py", ".pyi", "py.typed"))
    }
    assert modules - held == set()
    assert "ibutsu_migrate/py.typed" in held
    libraries = {name.split(".")[0] for name in held if name.endswith(".so")}
    assert libraries == {"ibutsu_migrate/_core", "ibutsu_migrate/_pq"}
    tops = {name.partition("/")[0] for name in held}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ibutsu_migrate"}


@pytest.mark.slow
def test_the_wheel_works(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    subprocess.run([*command, "--target", str(target), str(wheel)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(target))
