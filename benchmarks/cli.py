"""Whole-process times of ``ibutsu-migrate`` beside ``alembic`` and an empty Python.

Usage: ``python benchmarks/cli.py [--rounds N] [--revisions N]``

The program runs in a virtual environment with nothing but this package in it, as an
installed one would: a checkout's editable install makes every Python start slower,
the empty one too. The start script is the one that pip wrote. All take turns within
each round; every figure is the median over the rounds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from histories import identifier, write_history

import ibutsu_migrate

BIN = Path(sys.executable).parent
GOAL = 3.0

COMMANDS = (
    ("heads",),
    ("history",),
    ("history", "-v"),
    ("branches",),
    ("show", identifier(0)),
)


def plain_environment(folder: Path) -> Path:
    """A virtual environment with a copy of this package; its ``bin``."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    source = Path(ibutsu_migrate.__file__).parent
    shutil.copytree(source, site / source.name, ignore=shutil.ignore_patterns("*.pyc"))
    script = (BIN / "ibutsu-migrate").read_text().partition("\n")[2]
    program = folder / "bin" / "ibutsu-migrate"
    program.write_text(f"#!{folder / 'bin' / 'python'}\n{script}")
    program.chmod(0o755)
    return folder / "bin"


def seconds(command: list[str], folder: Path, mode: str = "fast") -> float:
    """Wall time of a process."""
    environ = {**os.environ, "IBUTSU_MIGRATE": mode}
    for name in ("PYTHONDONTWRITEBYTECODE", "ALEMBIC_CONFIG"):
        environ.pop(name, None)
    start = time.perf_counter()
    subprocess.run(
        command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - start


def with_toml(ini: Path, folder: Path) -> Path:
    """The same history, configured by pyproject.toml; that folder."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\ndependencies = ["alembic>=1.18"]\n\n'
        f'[tool.alembic]\nscript_location = "{ini.parent / "migrations"}"\n'
    )
    return folder


def main() -> int:
    """Measure and print the table; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--revisions", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = plain_environment(folder / "environment")
        ini = write_history(folder / "history", asked.revisions, 10)
        toml = with_toml(ini, folder / "toml")
        ours = str(programs / "ibutsu-migrate")
        runs = {"python -c pass": ([str(programs / "python"), "-c", "pass"], folder)}
        for command in COMMANDS:
            line = " ".join(("ibutsu-migrate", *command))
            runs[line] = ([ours, *command], ini.parent)
        runs["ibutsu-migrate heads (pyproject.toml)"] = ([ours, "heads"], toml)
        runs["alembic heads, stock"] = ([str(BIN / "alembic"), "heads"], ini.parent)
        times: dict[str, list[float]] = {line: [] for line in runs}
        for turn in range(asked.rounds + 1):
            for line, (command_line, where) in runs.items():
                mode = "off" if "stock" in line else "fast"
                taken = seconds(command_line, where, mode)
                if turn:  # the first one compiles
                    times[line].append(taken)
    floor = statistics.median(times["python -c pass"])
    print(f"{asked.revisions} revisions, a merge every ten; {asked.rounds} rounds\n")
    print("| whole process | ms | python -c pass = 1 |\n|---|---:|---:|")
    worst = 0.0
    for line, taken_each in times.items():
        median = statistics.median(taken_each)
        if line.startswith("ibutsu"):
            worst = max(worst, median / floor)
        print(f"| `{line}` | {median * 1e3:.1f} | {median / floor:.1f} |")
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
