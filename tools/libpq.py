"""Build the driver with every libpq that is supported, and test it on the same server.

    python tools/libpq.py              14 to 18
    python tools/libpq.py 14 17        these

Library, headers and server are those of ``servers.py``. Each gets a copy of the
checkout and a virtual environment in ``.cache/libpq``; the build must be without
warnings.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from checkouts import ROOT, build
from servers import DEFAULT, bin_of, summary_of, test_each

CACHE = ROOT / ".cache" / "libpq"
TESTS = (
    *("bulk", "dbapi", "dbapi_leaks", "dialect", "faults", "interrupt", "pipeline"),
    *("pipeline_migrations", "pipeline_random", "reflection", "values"),
)
WHICH = "from ibutsu_migrate import _pq; print(_pq.libpq_version())"


def test(name: str) -> tuple[bool, str]:
    """Whether the driver's tests pass with one libpq; their summary."""
    folder, programs = CACHE / name, bin_of(name)
    folder.mkdir(parents=True, exist_ok=True)
    variables = {
        "IBUTSU_MIGRATE_PG_CONFIG": str(programs / "pg_config"),
        "LDFLAGS": f"-Wl,-rpath,{programs.parent / 'lib'}",
    }
    python = build(folder, variables)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", *(f"tests/db/test_{each}.py" for each in TESTS)],
        cwd=folder / "src",
        env={**os.environ, "IBUTSU_MIGRATE_PG_BIN": str(programs)},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 0:
        print(done.stdout)
    used = subprocess.run(
        [python, "-c", WHICH], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()
    return done.returncode == 0, f"libpq {used}: {summary_of(done.stdout)}"


if __name__ == "__main__":
    sys.exit(test_each(sys.argv[1:] or DEFAULT, test))
