"""The benchmark: stock Alembic with psycopg2 beside this package, in the same run.

Usage: ``python benchmarks/run.py [--rounds N] [--revisions N] [--save]``

The two sides take turns within each round, so that a slow minute of the machine hits
both. Every figure is the median over the rounds; ``--save`` writes the table with the
machine and all versions to ``benchmarks/RESULTS.md``.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from histories import write_history
from publish import Head, publish

from ibutsu_migrate.testing.cluster import Cluster, Database

ROOT = Path(__file__).resolve().parent.parent
ALEMBIC = Path(sys.executable).with_name("alembic")
HEAD = Head("RESULTS.md", "Benchmark results", "make bench SAVE=1")
SIDES = {"stock": ("off", "psycopg2"), "ours": ("fast", "ibutsu")}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: What was measured.
        stock: Median of stock Alembic with psycopg2, in seconds.
        ours: Median of this package, in seconds.
    """

    name: str
    stock: float
    ours: float

    def markdown(self) -> str:
        """The line of the table, times in milliseconds."""
        return (
            f"| {self.name} | {self.stock * 1e3:,.1f} | {self.ours * 1e3:,.1f} "
            f"| {self.stock / self.ours:.1f} x |"
        )


def environment(side: str, database: Database | None = None) -> dict[str, str]:
    """Environment variables that make a child one side or the other."""
    mode, driver = SIDES[side]
    found = {**os.environ, "IBUTSU_MIGRATE": mode}
    # Without its .pyc files stock Alembic would be slower than users see it.
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    if database is not None:
        found["SQLALCHEMY_DATABASE_URI"] = database.url(driver)
    return found


def run(arguments: list[str], side: str, database: Database | None = None) -> str:
    """Run a child to its end and return what it printed; fail loudly otherwise."""
    done = subprocess.run(
        arguments,
        env=environment(side, database),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{side}: {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def medians(rounds: int, measure: Callable[[str], dict[str, float]]) -> list[Row]:
    """Take turns between the sides and make one row per figure."""
    seen: dict[str, dict[str, list[float]]] = {side: {} for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            for name, value in measure(side).items():
                seen[side].setdefault(name, []).append(value)
    return [
        Row(name, statistics.median(values), statistics.median(seen["ours"][name]))
        for name, values in seen["stock"].items()
    ]


def graph_rows(rounds: int, revisions: int, folder: Path) -> list[Row]:
    """Load, plan and walk of a straight history and of one with merges."""
    rows = []
    for shape, merge_every in (("straight", None), ("merge every 10", 10)):
        ini = write_history(folder / shape.replace(" ", "-"), revisions, merge_every)
        probe = [sys.executable, str(ROOT / "benchmarks" / "probe.py"), str(ini)]

        def measure(
            side: str, probe: list[str] = probe, shape: str = shape
        ) -> dict[str, float]:
            report = json.loads(run(probe, side))
            if report["revisions"] != revisions or report["steps"] != revisions:
                sys.exit(f"{side} saw another history: {report}")
            prefix = f"{revisions:,} revisions, {shape}:"
            return {f"{prefix} {name}": report[name] for name in ("load+plan", "walk")}

        measure("stock")  # leaves the .pyc files that stock Alembic profits from
        rows += medians(rounds, measure)
    return rows


def heads_rows(rounds: int, revisions: int, folder: Path) -> list[Row]:
    """The whole process ``alembic heads``."""
    ini = folder / "straight" / "alembic.ini"
    command = [str(ALEMBIC), "-c", str(ini), "heads"]
    name = f"`alembic heads`, {revisions:,} revisions, whole process"
    return medians(rounds, lambda side: {name: seconds(lambda: run(command, side))})


def server_rows(rounds: int, cluster: Cluster) -> list[Row]:
    """The Ibutsu Server's history on an empty database, then ``alembic current``."""

    def measure(side: str) -> dict[str, float]:
        with cluster.create_database() as database:
            upgrade = [str(ALEMBIC), "upgrade", "head"]
            current = [str(ALEMBIC), "current"]
            return {
                "Ibutsu `alembic upgrade head`, whole process": seconds(
                    lambda: run(upgrade, side, database)
                ),
                "Ibutsu `alembic current`, whole process": seconds(
                    lambda: run(current, side, database)
                ),
            }

    measure("stock")
    return medians(rounds, measure)


def main() -> None:
    """Measure, print the table, save it when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--revisions", type=int, default=2000)
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Cluster.start() as cluster:
        rows = graph_rows(asked.rounds, asked.revisions, Path(folder))
        rows += heads_rows(asked.rounds, asked.revisions, Path(folder))
        rows += server_rows(asked.rounds, cluster)
        lines = [
            "| | Alembic + psycopg2, ms | ibutsu-migrate, ms | ratio |",
            "|---|---:|---:|---:|",
            *(row.markdown() for row in rows),
        ]
        server = cluster.psql("SHOW server_version").strip()
    publish(lines, asked.rounds, HEAD if asked.save else None, server)


if __name__ == "__main__":
    main()
