"""``gcc -fanalyzer`` over all C files; a warning is an error.

The analyzer follows each function's paths through the others of its file, for leaks,
double frees, NULL, and values that nothing has set. It needs gcc; for C it is of use
from version 12 on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from setup import find_libpq  # noqa: E402

FLAGS = ["-std=c11", "-O1", "-fanalyzer", "-Werror", "-c", "-o", os.devnull]
TIMEOUT = 600


def analyze(source: Path, includes: list[str]) -> tuple[Path, str]:
    """The file and what the compiler says about it."""
    layers = [f"-I{ROOT / 'csrc' / layer}" for layer in ("core", "pq", "py")]
    command = ["gcc", *FLAGS, *layers, *includes, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    failed = done.returncode != 0
    return source, (done.stderr or f"status {done.returncode}\n") if failed else ""


def main() -> int:
    """The exit status."""
    if shutil.which("gcc") is None:
        print("make analyze needs gcc: apt-get install gcc", file=sys.stderr)
        return 1
    folders = [sysconfig.get_path("include"), *find_libpq()["include_dirs"]]
    includes = [f"-I{folder}" for folder in folders]
    sources = sorted((ROOT / "csrc").glob("*/*.c"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda source: analyze(source, includes), sources)
        wrong = [(source, said) for source, said in found if said]
    for _, said in wrong:
        sys.stderr.write(said)
    print(f"{len(sources)} files, {len(wrong)} with warnings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
