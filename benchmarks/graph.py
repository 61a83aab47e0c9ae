"""The revision graph: stock Alembic beside this package, and the floor.

Usage: ``python benchmarks/graph.py [--sizes 10,500,2000,10000] [--rounds N] [--save]``

Each figure is a child process's own (``probe.py``), the median over the rounds, the
sides in turns. The floor is what reading the same files takes in C, without looking at
them (``floor.c``), in a child like the others. ``--save`` writes
``benchmarks/GRAPH.md``.

Every figure is of files that the system has in memory. A run that had to wait for the
disk all the same (``disk_blocks``: a folder's own blocks get lost between two runs) is
made again, whichever side's it is: it would tell the disk's time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from histories import write_history
from publish import Head, publish

ROOT: Final = Path(__file__).resolve().parent.parent
HEAD: Final = Head(
    "GRAPH.md", "The revision graph", "python benchmarks/graph.py --save"
)
SIDES: Final = ("off", "fast")
SHAPES: Final = {"straight": None, "merge every 10": 10}
FIGURES: Final = ("load", "plan", "walk")

Figures = dict[str, list[float]]


def run(arguments: list[str], mode: str) -> str:
    """Run a child to its good end and return what it printed."""
    environment = {**os.environ, "IBUTSU_MIGRATE": mode}
    # Without its .pyc files stock Alembic would be slower than users see it.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        arguments, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{mode}: {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout


def probed(arguments: list[str], mode: str) -> dict[str, float]:
    """Run a probe until a run of it reads nothing from the disk."""
    for _ in range(10):
        report: dict[str, float] = json.loads(run(arguments, mode))
        if report.pop("disk_blocks") == 0:
            return report
    sys.exit(f"{mode}: {' '.join(arguments)}\nread from the disk ten times in ten")


def build_floor(folder: Path) -> Path:
    """Compile floor.c."""
    library, source = folder / "floor.so", ROOT / "benchmarks" / "floor.c"
    compiler = os.environ.get("CC", "cc")
    options = ["-std=c11", "-O2", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, str(source), "-o", str(library)], check=True)
    return library


def measured(
    ini: Path, revisions: int, rounds: int, library: Path
) -> dict[str, Figures]:
    """Every figure of both sides and of the floor, one value for each round."""
    least = [sys.executable, str(ROOT / "benchmarks" / "probe_floor.py"), str(library)]
    least.append(str(ini.parent / "migrations" / "versions"))
    probe = [sys.executable, str(ROOT / "benchmarks" / "probe.py"), str(ini)]
    heads = [sys.executable, "-m", "alembic", "-c", str(ini), "heads"]
    found: dict[str, Figures] = {side: {} for side in (*SIDES, "floor")}
    run(probe, "off")  # leaves the .pyc files that stock Alembic profits from
    for _ in range(rounds):
        found["floor"].setdefault("load", []).append(probed(least, "off")["load"])
        for side in SIDES:
            report = probed(probe, side)
            if report["revisions"] != revisions or report["steps"] != revisions:
                sys.exit(f"{side} saw another history: {report}")
            start = time.perf_counter()
            run(heads, side)
            report["`alembic heads`"] = time.perf_counter() - start
            for name, value in report.items():
                found[side].setdefault(name, []).append(value)
    return found


def rows(folder: Path, size: int, rounds: int, floor: Path) -> Iterator[str]:
    """The table's lines for one size."""
    for shape, merge_every in SHAPES.items():
        ini = write_history(folder / f"{size}-{merge_every}", size, merge_every)
        found = measured(ini, size, rounds, floor)
        name = f"{size:,}, {shape}"
        stock, ours = (
            {
                figure: statistics.median(values)
                for figure, values in found[side].items()
            }
            for side in SIDES
        )
        for figure in (*FIGURES, "`alembic heads`"):
            before, now = stock[figure], ours[figure]
            yield (
                f"| {name} | {figure} | {before * 1e3:,.2f} ms "
                f"| {now * 1e3:,.2f} ms | {before / now:,.1f} |"
            )
        peak = [side["peak_kib"] / 1024 for side in (stock, ours)]
        yield (
            f"| {name} | peak memory | {peak[0]:,.0f} MiB | {peak[1]:,.0f} MiB "
            f"| {peak[0] / peak[1]:,.1f} |"
        )
        least = statistics.median(found["floor"]["load"])
        yield (
            f"| {name} | load beside the floor | {least * 1e3:,.2f} ms (floor) "
            f"| {ours['load'] * 1e3:,.2f} ms | {least / ours['load']:,.2f} |"
        )


def main() -> None:
    """Measure, print, and save when asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="10,500,2000,10000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    lines = [
        "| revisions | | Alembic | ibutsu-migrate | ratio |",
        "|---|---|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        floor = build_floor(folder)
        for size in sizes:
            lines += rows(folder, size, asked.rounds, floor)
    publish(lines, asked.rounds, HEAD if asked.save else None)


if __name__ == "__main__":
    main()
