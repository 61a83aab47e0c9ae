"""What a system lacks: installed for root, named in one line for everybody else.

Only the system is pretended: folders of programs, and an apt-get that keeps notes.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0
PROGRAMS = ["bash", "cat", "dirname", "env", "find", "flock", "grep", "head", "ls"]
PROGRAMS += ["mkdir", "rm", "sha256sum", "sort", "xargs"]


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A folder that everybody can enter, with what bootstrap.sh reads, and programs."""
    folder = Path("/tmp", f"imt-bootstrap-{os.getpid()}")
    (folder / "bin").mkdir(parents=True)
    (folder / "tools").mkdir()
    for name in ("pyproject.toml", "setup.py", "tools/bootstrap.sh"):
        shutil.copy(ROOT / name, folder / name)
    for name in PROGRAMS:
        program = shutil.which(name)
        assert program is not None, name
        (folder / "bin" / name).symlink_to(program)
    add_program(folder, "apt-get", f'echo "$@" >>{folder}/notes')
    (folder / "libpq-fe.h").touch()
    add_program(folder, "pg_config", f"echo {folder}")
    for path in (folder, folder / "bin", folder / "tools"):
        path.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def add_program(folder: Path, name: str, does: str) -> None:
    path = folder / "bin" / name
    path.write_text(f"#!/bin/bash\n{does}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def bootstrap(
    folder: Path, *, as_root: bool, **environ: str
) -> subprocess.CompletedProcess[str]:
    drop: dict[str, Any] = {}
    if IS_ROOT and not as_root:
        account = pwd.getpwnam("nobody")
        drop = {"user": account.pw_uid, "group": account.pw_gid}
    return subprocess.run(
        [folder / "tools" / "bootstrap.sh", "demo"],
        env={"PATH": str(folder / "bin"), "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        **drop,
    )


def python(folder: Path, *, lacks: str = "") -> None:
    """A Python that has everything but what is named."""
    add_program(
        folder,
        "python3",
        f"""case "$*" in
        *version_info*) exit 0;;
        *ensurepip*) exit {int("venv" in lacks)};;
        *Python.h*) exit {int("dev" in lacks)};;
        -) echo python3;;
        esac""",
    )


def test_without_python(checkout: Path) -> None:
    done = bootstrap(checkout, as_root=False)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


def test_an_ordinary_user_gets_the_one_line(checkout: Path) -> None:
    python(checkout, lacks="venv dev")
    done = bootstrap(checkout, as_root=False)
    assert done.returncode == 1
    assert done.stdout == "apt-get install -y python3-venv python3-dev gcc\n"
    assert not (checkout / ".venv").exists()
    assert not (checkout / "notes").exists()


def test_only_what_is_missing_is_named(checkout: Path) -> None:
    python(checkout)
    done = bootstrap(checkout, as_root=False)
    assert (done.returncode, done.stdout) == (1, "apt-get install -y gcc\n")


def test_a_system_without_apt(checkout: Path) -> None:
    python(checkout)
    (checkout / "bin" / "apt-get").unlink()
    done = bootstrap(checkout, as_root=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "lacks what Debian calls: gcc" in done.stderr


@pytest.mark.skipif(not IS_ROOT, reason="only root installs packages")
def test_root_has_it_installed(checkout: Path) -> None:
    python(checkout, lacks="venv")
    done = bootstrap(checkout, as_root=True)
    update, install = (checkout / "notes").read_text().splitlines()
    assert update.startswith("update")
    assert install.endswith("--no-install-recommends python3-venv gcc")
    # This apt-get has not installed anything, and that is noticed.
    assert done.returncode == 1
    assert "still lacks: python3-venv gcc" in done.stderr


def test_a_bad_argument_is_refused(checkout: Path) -> None:
    done = subprocess.run(
        [checkout / "tools" / "bootstrap.sh"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "usage: tools/bootstrap.sh demo|test" in done.stderr
