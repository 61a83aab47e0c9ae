"""``alembic check`` on many tables in three schemas, stock and ours, in turns.

Usage: ``python benchmarks/check.py [--tables N] [--rounds N]``; prints a table of
median seconds for the whole command and of statements that SQLAlchemy executed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ibutsu_migrate.testing.cluster import Cluster, Database

SIDES = {"stock": ("off", "psycopg2"), "ours": ("fast", "ibutsu")}

MODELS = """
import os
import sqlalchemy as sa

metadata = sa.MetaData()
for number in range(int(os.environ["TABLES"])):
    sa.Table(
        f"t{number}",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), server_default=f"name {number}", unique=True),
        sa.Column("state", sa.String(9), server_default="new", index=True),
        schema=(None, "first", "second")[number % 3],
    )
engine = sa.create_engine(os.environ["DATABASE"])
"""

ENV = """
from alembic import context
from models import engine, metadata

with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()
"""

CREATE = """
from models import engine, metadata

with engine.begin() as connection:
    connection.exec_driver_sql("CREATE SCHEMA first; CREATE SCHEMA second")
    metadata.create_all(connection)
"""

CHECK = """
import io, json, sys, time
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import models

count = 0

def executed(*_):
    global count
    count += 1

sa.event.listen(models.engine, "before_cursor_execute", executed)
config = Config(stdout=io.StringIO())
config.set_main_option("script_location", ".")
start = time.perf_counter()
command.check(config)
report = {"seconds": time.perf_counter() - start, "statements": count, "trips": None}
if models.engine.driver == "ibutsu":
    from ibutsu_migrate import _pq

    report["trips"] = _pq.counters()["round_trips"]
print(json.dumps(report), file=sys.stderr)
"""


def run(folder: Path, program: str, side: str, database: Database, tables: int) -> str:
    """Run a program of one side; what it wrote to stderr."""
    mode, driver = SIDES[side]
    environment = {
        **os.environ,
        "IBUTSU_MIGRATE": mode,
        "DATABASE": database.url(driver),
        "TABLES": str(tables),
        "PYTHONPATH": str(folder),
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ).stderr


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    reports: dict[str, list[dict[str, float | None]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as name, Cluster.start() as cluster:
        folder = Path(name)
        (folder / "models.py").write_text(MODELS)
        (folder / "env.py").write_text(ENV)
        (folder / "versions").mkdir()
        with cluster.create_database("check") as database:
            run(folder, CREATE, "stock", database, asked.tables)
            for _ in range(asked.rounds):
                for side, found in reports.items():
                    text = run(folder, CHECK, side, database, asked.tables)
                    found.append(json.loads(text.splitlines()[-1]))
    lines = ["| | s | statements | round trips |", "|---|---:|---:|---:|"]
    for side, found in reports.items():
        seconds = statistics.median(each["seconds"] or 0 for each in found)
        last = found[-1]
        trips = last["trips"] if last["trips"] is not None else "not counted"
        lines.append(f"| {side} | {seconds:.2f} | {last['statements']} | {trips} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
