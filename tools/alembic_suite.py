"""Run Alembic's own test suite with the graph in C and without, and compare.

    python tools/alembic_suite.py                  the newest Alembic and the oldest
    python tools/alembic_suite.py 1.19.2           that one

The suite is the sdist's, on SQLite, which is what Alembic runs by default. Each version
gets a virtual environment in ``.cache/alembic-suite`` with this checkout installed in
it. Every test must end the same way on both sides, skips with the same words. Exits 1
if one does not, or if C did nothing on one side or something on the other.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
CACHE: Final = ROOT / ".cache" / "alembic-suite"
OLDEST: Final = "1.18.0"
NEEDED: Final = ("pytest", "mako", "black", "tzdata", "setuptools>=77")
# Its tests do not expect SQLAlchemy 2.1's deprecations.
PINNED: Final = {OLDEST: ("SQLAlchemy<2.1",)}
LEFT_OUT: Final = (".git", ".venv", ".cache", "build", "dist", "*.so", "*.egg-info")

Outcomes = dict[str, str]


def run(command: list[str | Path], **kwargs: str | Path) -> str:
    """Run to a good end and return what was printed; fail loudly otherwise."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=kwargs.get("cwd"),
        env={**os.environ, "IBUTSU_MIGRATE_WITHOUT_PQ": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def make_environment(folder: Path, version: str) -> tuple[Path, Path]:
    """Alembic, this checkout and the suite; the Python and the suite's folder."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        run([sys.executable, "-m", "venv", folder / "venv"])
    alembic = f"alembic=={version}" if version else "alembic"
    wanted = [alembic, *PINNED.get(version, ()), *NEEDED]
    run([python, "-m", "pip", "install", "-q", "-U", *wanted])
    source = folder / "ibutsu-migrate"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LEFT_OUT))
    ours = ["--no-deps", "--no-build-isolation", "--force-reinstall", str(source)]
    run([python, "-m", "pip", "install", "-q", *ours])
    code = "import importlib.metadata as m; print(m.version('alembic'))"
    name = f"alembic-{run([python, '-c', code])}"
    if not (folder / name).exists():
        sdist = name.replace("-", "==")
        what = ["--no-deps", "--no-binary", ":all:", sdist]
        run([python, "-m", "pip", "download", "-q", "-d", folder, *what])
        with tarfile.open(folder / f"{name}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    return python, folder / name


def run_suite(python: Path, suite: Path, mode: str) -> tuple[Outcomes, int]:
    """How each test ended, and how many graphs C built."""
    report, stats = suite.parent / f"{mode}.xml", suite.parent / f"{mode}.jsonl"
    stats.unlink(missing_ok=True)
    subprocess.run(
        [
            python,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
        ],
        cwd=suite,
        env={
            **os.environ,
            "IBUTSU_MIGRATE": mode,
            "IBUTSU_MIGRATE_STATS": str(stats),
            "PYTHONHASHSEED": "0",
        },
        stdout=(suite.parent / f"{mode}.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    outcomes = {}
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        outcomes[name] = outcome_of(case)
    lines = stats.read_text().splitlines() if stats.exists() else []
    core = [json.loads(line).get("core", {}) for line in lines]
    return outcomes, sum(each.get("graphs_built", 0) for each in core)


def outcome_of(case: ET.Element) -> str:
    """One word, and for a skip its reason."""
    for kind in ("error", "failure", "skipped"):
        found = case.find(kind)
        if found is not None:
            reason = found.get("message") if kind == "skipped" else ""
            return f"{kind} {reason}".strip()
    return "passed"


def is_same(stock: str | None, ours: str | None) -> bool:
    """Whether a test ended alike.

    Where several reasons for a skip apply, SQLAlchemy's plugin gives some of them in
    the order of a set of objects: one side's words must be among the other's.
    """
    if stock is None or ours is None:
        return False
    one, other = (set(re.findall(r"\w+", each)) for each in (stock, ours))
    return stock.split()[0] == ours.split()[0] and (one <= other or other <= one)


def compare(version: str) -> bool:
    """Run both sides; whether they are the same. What fails in stock may fail here."""
    folder = CACHE / (version or "newest")
    folder.mkdir(parents=True, exist_ok=True)
    python, suite = make_environment(folder, version)
    stock, none = run_suite(python, suite, "off")
    ours, graphs = run_suite(python, suite, "fast")
    for side, outcomes in (("off ", stock), ("fast", ours)):
        counts = Counter(outcome.partition(" ")[0] for outcome in outcomes.values())
        told = ", ".join(f"{count:,} {word}" for word, count in sorted(counts.items()))
        print(f"{suite.name:16} {side} {told}")
    print(f"{suite.name:16} graphs built in C: {none:,} off, {graphs:,} fast")
    different = [
        f"{name}: {stock.get(name)} off, {ours.get(name)} fast"
        for name in sorted(stock.keys() | ours.keys())
        if not is_same(stock.get(name), ours.get(name))
    ]
    print(*different, sep="\n", end="\n" if different else "")
    return not different and none == 0 and graphs > 0


def main() -> int:
    """The exit status."""
    results = [compare(version) for version in sys.argv[1:] or ("", OLDEST)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
