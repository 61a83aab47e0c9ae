"""Build and test with every supported Python that can be had.

    python tools/matrix.py              all of them
    python tools/matrix.py 3.13 3.14    these

Each gets a copy of the checkout and a virtual environment in ``.cache/matrix``. The
build must be without warnings. An interpreter that is not on the machine is named with
the reason; it is an error only if it was asked for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from checkouts import ROOT, build
from debian_python import Interpreter, UnavailableError, fetch

CACHE = ROOT / ".cache" / "matrix"
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
FROM_DEBIAN = ("3.14",)
DRIVER = (
    *("bulk", "dbapi", "dbapi_leaks", "dialect", "interrupt", "values"),
    *("pipeline", "pipeline_blocks"),
)
TESTS = (
    "tests/unit",
    "tests/native",
    "tests/differential",
    "tests/db/test_handbook.py",
    "tests/db/test_migrated_database.py",
    "tests/db/test_runtime_api.py",
    *(f"tests/db/test_{name}.py" for name in DRIVER),
    "tests/packaging/test_sources.py",
)


def candidates(version: str) -> Iterator[Path]:
    """Programs that may be that Python."""
    found = shutil.which(f"python{version}")
    if found:
        yield Path(found)
    yield from (
        folder / f"python{version}"
        for folder in map(Path, ("/usr/bin", "/usr/local/bin"))
    )
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    yield from sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True)


def find(version: str) -> Interpreter:
    """An interpreter with headers and venv.

    Raises:
        UnavailableError: There is none; the message says what was tried.
    """
    code = (
        "import os, sys, sysconfig, ensurepip, venv\n"
        "header = sysconfig.get_path('include') + '/Python.h'\n"
        "assert os.path.exists(header), 'no Python.h'\n"
        f"assert '%d.%d' % sys.version_info[:2] == {version!r}"
    )
    tried = []
    for path in dict.fromkeys(candidates(version)):
        if not path.exists():
            continue
        done = subprocess.run([path, "-c", code], capture_output=True, text=True)
        if done.returncode == 0:
            return Interpreter(path)
        tried.append(f"{path}: {done.stderr.strip().splitlines()[-1]}")
    if version in FROM_DEBIAN:
        return fetch(version, CACHE / f"python{version}")
    raise UnavailableError("; ".join(tried) or "not on PATH, not in pyenv")


def make_environment(interpreter: Interpreter, folder: Path) -> Path:
    """A virtual environment with the package built in it; its Python."""
    if interpreter.include is None:
        return build(folder, {}, (str(interpreter.path), "-m", "venv"))
    make = (sys.executable, "-m", "virtualenv", "-q", "-p", str(interpreter.path))
    # After the host's own: that folder has another C library's headers too.
    return build(folder, {"CFLAGS": f"-idirafter {interpreter.include}"}, make)


def test(version: str, interpreter: Interpreter) -> str | None:
    """Build and test; None, or what failed."""
    folder = CACHE / version
    folder.mkdir(parents=True, exist_ok=True)
    try:
        python = make_environment(interpreter, folder)
    except subprocess.CalledProcessError as error:
        return f"does not build: {error}"
    tests = [name for name in TESTS if (folder / "src" / name).exists()]
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q", *tests], cwd=folder / "src"
    )
    return None if done.returncode == 0 else "tests failed"


def main() -> int:
    """The exit status: 1 where something failed, or is not there and was asked for."""
    asked = sys.argv[1:]
    results: dict[str, str] = {}
    status = 0
    for version in asked or VERSIONS:
        begin = time.perf_counter()
        print(f"# Python {version}", flush=True)
        try:
            failed = test(version, find(version))
        except UnavailableError as error:
            results[version] = f"not tested, cannot be had here: {error}"
            status = max(status, int(bool(asked)))
            continue
        took = time.perf_counter() - begin
        results[version] = f"{failed or 'ok'} ({took:.0f} s)"
        status = max(status, int(failed is not None))
    print("\n".join(f"Python {name}: {result}" for name, result in results.items()))
    return status


if __name__ == "__main__":
    sys.exit(main())
