"""Run the libFuzzer targets: ``tests/fuzz/fuzz_*.c`` with clang.

New inputs go to ``.cache/fuzz/NAME``, the kept corpus is only read. An input that
crashes is written there as ``crash-*``: put it into ``tests/fuzz/corpora/NAME``, where
``make c-test`` replays it for ever.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FUZZ = ROOT / "tests" / "fuzz"
OUT = ROOT / ".cache" / "fuzz"
NO_CLANG = "make fuzz needs clang with libFuzzer: apt-get install clang"


def find_clang() -> str | None:
    """The newest clang on PATH, also under a name with its version."""
    names = ["clang", *(f"clang-{version}" for version in range(25, 13, -1))]
    return next((path for name in names if (path := shutil.which(name))), None)


def fuzz(clang: str, target: Path, seconds: int) -> int:
    """Build and run one target; its exit status."""
    name = target.stem.removeprefix("fuzz_")
    found = OUT / name
    found.mkdir(parents=True, exist_ok=True)
    program = OUT / target.stem
    core = sorted(str(path) for path in (ROOT / "csrc" / "core").glob("*.c"))
    flags = ["-std=c11", "-g", "-O1", "-fsanitize=fuzzer,address,undefined"]
    flags += ["-fno-sanitize-recover=all", "-DIMIG_FAIL_ALLOC", "-Icsrc/core"]
    command = [clang, *flags, str(target), *core, "-o", str(program)]
    built = subprocess.run(command, cwd=ROOT)
    if built.returncode != 0:
        return built.returncode
    corpora = [str(found), str(FUZZ / "corpora" / name)]
    limits = [f"-max_total_time={seconds}", f"-artifact_prefix={found}/", "-timeout=10"]
    print(f"# {name}: {seconds} s", flush=True)
    return subprocess.run([str(program), *limits, *corpora], cwd=ROOT).returncode


def main() -> int:
    """The exit status: 1 where a target crashed or there is no clang."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="such as scan; without it, all")
    parser.add_argument("--seconds", type=int, default=60, help="for each")
    asked = parser.parse_args()
    clang = find_clang()
    if clang is None:
        print(NO_CLANG, file=sys.stderr)
        return 1
    targets = sorted(FUZZ.glob(f"fuzz_{asked.target or '*'}.c"))
    if not targets:
        print(f"There is no tests/fuzz/fuzz_{asked.target or '*'}.c", file=sys.stderr)
        return 1
    return max(1 if fuzz(clang, target, asked.seconds) else 0 for target in targets)


if __name__ == "__main__":
    sys.exit(main())
