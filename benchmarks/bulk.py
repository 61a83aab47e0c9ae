"""Many rows: INSERT and SELECT through SQLAlchemy Core, drivers in turns.

Usage: ``python benchmarks/bulk.py [--rows N] [--rounds N] [--save]``; prints a table of
median seconds and of how much the process grew while it inserted: SQLAlchemy makes a
dict of each row's parameters, whatever the driver. psycopg, in its C implementation,
takes part where it is installed (``pip install "psycopg[binary]"``). ``--save`` writes
``benchmarks/BULK.md``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import decimal
import json
import os
import statistics
import subprocess
import sys
from importlib.util import find_spec

from publish import Head, publish

from ibutsu_migrate.testing.cluster import Cluster

HEAD = Head("BULK.md", "Many rows", "python benchmarks/bulk.py --save")
SIDES = {
    "ours": ("ibutsu", "true"),
    "ours, without COPY": ("ibutsu", "false"),
    "psycopg2": ("psycopg2", ""),
    "psycopg": ("psycopg", ""),
}

# One process for each turn, so that its growth is that of this one insert.
PROGRAM = """
import json, os, resource, sys, time
import sqlalchemy as sa
from bulk import make_rows

metadata = sa.MetaData()
table = sa.Table(
    "t", metadata,
    sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text),
    sa.Column("price", sa.Numeric(12, 2)), sa.Column("made", sa.DateTime),
    sa.Column("score", sa.Float), sa.Column("good", sa.Boolean),
)
switch = os.environ["COPY"]
options = {"ibutsu_copy": switch == "true"} if switch else {}
engine = sa.create_engine(os.environ["DATABASE"], **options)
rows = make_rows(int(os.environ["ROWS"]))
with engine.begin() as connection:
    metadata.drop_all(connection)
    metadata.create_all(connection)
statement = table.insert()
with engine.begin() as connection:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    connection.execute(statement, rows)
    inserted = time.perf_counter() - start
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - size
del rows
with engine.connect() as connection:
    start = time.perf_counter()
    count = sum(1 for row in connection.execute(sa.select(table)))
    selected = time.perf_counter() - start
assert count == int(os.environ["ROWS"])
print(json.dumps({"insert": inserted, "select": selected, "grown": grown / 1024}))
"""


def make_rows(count: int) -> list[dict[str, object]]:
    """Six columns of six types."""
    start = dt.datetime(2026, 1, 1)
    return [
        {
            "id": number,
            "name": f"name {number}",
            "price": decimal.Decimal(number) / 4,
            "made": start + dt.timedelta(seconds=number),
            "score": number / 3,
            "good": number % 2 == 0,
        }
        for number in range(count)
    ]


def turn(database: str, switch: str, rows: int) -> dict[str, float]:
    """What one process reports."""
    environment = {
        **os.environ,
        "DATABASE": database,
        "COPY": switch,
        "ROWS": str(rows),
        "PYTHONPATH": os.path.dirname(os.path.abspath(__file__)),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    report: dict[str, float] = json.loads(done.stdout)
    return report


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    if asked.save and find_spec("psycopg") is None:
        parser.error("--save has psycopg beside it: pip install 'psycopg[binary]'")
    sides = {
        name: side for name, side in SIDES.items() if find_spec(side[0]) or side[1]
    }
    reports: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    with Cluster.start() as cluster, cluster.create_database("bulk") as database:
        for _ in range(asked.rounds):
            for name, (driver, switch) in sides.items():
                report = turn(database.url(driver), switch, asked.rows)
                reports[name].append(report)
        server = cluster.psql("SHOW server_version").strip()
    rows = f"{asked.rows:,} rows"
    lines = [f"| {rows} | insert s | grown MB | select s |"]
    lines.append("|---|---:|---:|---:|")
    for name, found in reports.items():
        insert, grown, select = (
            statistics.median(each[key] for each in found)
            for key in ("insert", "grown", "select")
        )
        lines.append(f"| {name} | {insert:.2f} | {grown:.0f} | {select:.2f} |")
    publish(lines, asked.rounds, HEAD if asked.save else None, server)


if __name__ == "__main__":
    main()
