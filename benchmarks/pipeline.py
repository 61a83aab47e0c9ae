"""Round trips: stock Alembic and psycopg2 beside this package, queued and not.

Usage: ``python benchmarks/pipeline.py [--rounds N] [--revisions N] [--delays 0,2,10]
[--save]``

Every connection goes through a proxy that holds back what it passes on for half the
round trip time in each direction, and counts how often a client waited: bytes to the
server after bytes from it. The sides take turns within each round. Times are those of
the whole process; the last columns leave out Python's start and imports (the driver's
and the revisions' too): from the call of ``run_migrations()`` to its end, and the same
statements through one pipeline with nothing else (``probe_pipeline.py``), which waits
where rows come back and at each commit. Stock Alembic on psycopg takes part where
psycopg is installed (``pip install "psycopg[binary]"``). ``--save`` writes
``benchmarks/PIPELINE.md``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from proxy import Proxy
from publish import Head, publish

from ibutsu_migrate.testing.cluster import Cluster

ROOT = Path(__file__).resolve().parent.parent
ALEMBIC = Path(sys.executable).with_name("alembic")

HEAD = Head(
    "PIPELINE.md",
    "Migrations over a network",
    "python benchmarks/pipeline.py --save",
)
SIDES = {
    "stock": ("psycopg2", {"IBUTSU_MIGRATE": "off"}),
    "psycopg": ("psycopg", {"IBUTSU_MIGRATE": "off"}),
    "fast": ("ibutsu", {"IBUTSU_MIGRATE": "fast"}),
    "safe": ("ibutsu", {"IBUTSU_MIGRATE": "safe"}),
}
if find_spec("psycopg") is None:
    del SIDES["psycopg"]
# Each statement by itself, as the log of them shall be.
AWAITED = {"IBUTSU_MIGRATE": "fast", "IBUTSU_MIGRATE_PIPELINE": "off"}
PROBE = Path(__file__).with_name("probe_pipeline.py")

ENV = """\
import os
import time
from alembic import context
from sqlalchemy import make_url
from ibutsu_migrate.env import run_migrations
# Not the time of statements: loading the revisions and the driver.
for revision in context.script.walk_revisions():
    revision.module
make_url(os.environ["BENCHMARK_URL"]).get_dialect().import_dbapi()
if "BENCHMARK_LOG" in os.environ:
    import sys
    sys.path.insert(0, os.environ["BENCHMARK_FOLDER"])
    import probe_pipeline
    probe_pipeline.record(os.environ["BENCHMARK_LOG"])
driver = None if os.environ.get("IBUTSU_MIGRATE") == "off" else "ibutsu"
each = os.environ.get("BENCHMARK_TRANSACTIONS") != "one"
begun = time.perf_counter()
run_migrations(
    url=os.environ["BENCHMARK_URL"], driver=driver, transaction_per_migration=each
)
print("within:", time.perf_counter() - begun)
"""

REVISION = """\
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {before!r}


def upgrade():
    op.create_table(
        "t{n}", sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Text)
    )
    op.add_column("t{n}", sa.Column("b", sa.Integer, server_default="0"))
    op.create_index("i{n}", "t{n}", ["b"])
    op.execute("INSERT INTO t{n} (a) SELECT 'x' FROM generate_series(1, 10)")
    op.execute("UPDATE t{n} SET b = 1 WHERE id > 5")
{look}

def downgrade():
    op.drop_table("t{n}")
"""


def write_revisions(folder: Path, count: int) -> Path:
    """A history of ``count`` revisions of five statements; a look-up in each tenth."""
    versions = folder / "scripts" / "versions"
    versions.mkdir(parents=True)
    (folder / "scripts" / "env.py").write_text(ENV)
    ini = folder / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = %(here)s/scripts\n")
    for n in range(count):
        look = '    assert op.get_bind().scalar(sa.text("SELECT count(*) FROM t{n}"))\n'
        (versions / f"r{n:04}.py").write_text(
            REVISION.format(
                revision=f"r{n:04}",
                before=f"r{n - 1:04}" if n else None,
                n=n,
                look=look.format(n=n) if n % 10 == 0 else "",
            )
        )
    return ini


def ibutsu_revisions(folder: Path) -> Path:
    """The Ibutsu Server's history, under an env.py that can be measured."""
    scripts = folder / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "env.py").write_text(ENV)
    ini = folder / "alembic.ini"
    versions = ROOT / "alembic" / "versions"
    ini.write_text(
        "[alembic]\nscript_location = %(here)s/scripts\npath_separator = os\n"
        f"version_locations = {versions}\n"
    )
    return ini


@dataclass
class Run:
    """One run: seconds of the process, seconds within it, waits."""

    whole: float
    within: float
    waits: int


class Bench:
    """Runs sides on new databases, through the proxy.

    Attributes:
        proxy: To the cluster.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._log = folder / "statements.jsonl"
        self.proxy = Proxy(str(cluster.socket_dir / f".s.PGSQL.{cluster.port}"))
        self.proxy.start()

    def upgrade(self, side: str, ini: Path, transactions: str) -> Run:
        """``alembic upgrade head``."""
        driver, variables = SIDES[side]
        names = {"BENCHMARK_TRANSACTIONS": transactions, **variables}
        return self._upgrade(ini, driver, names)

    def _upgrade(self, ini: Path, driver: str, names: dict[str, str]) -> Run:
        command = [str(ALEMBIC), "-c", str(ini), "upgrade", "head"]
        return self._run(command, f"postgresql+{driver}", names)

    def floor(self, ini: Path, transactions: str) -> Run:
        """The statements of the history, and nothing else."""
        if not self._log.exists():
            names = {"BENCHMARK_TRANSACTIONS": transactions, **AWAITED}
            names |= {"BENCHMARK_LOG": str(self._log)}
            names |= {"BENCHMARK_FOLDER": str(PROBE.parent)}
            self._upgrade(ini, "ibutsu", names)
        command = [sys.executable, str(PROBE), str(self._log)]
        return self._run(command, "postgresql", {})

    def forget(self) -> None:
        """The next history has other statements."""
        self._log.unlink(missing_ok=True)

    def _run(self, command: list[str], scheme: str, names: dict[str, str]) -> Run:
        with self._cluster.create_database() as database:
            url = f"{scheme}://postgres@127.0.0.1:{self.proxy.port}/{database.name}"
            environ = {**os.environ, "BENCHMARK_URL": url, **names}
            environ.pop("PYTHONDONTWRITEBYTECODE", None)
            self.proxy.turns = 0
            start = time.perf_counter()
            done = subprocess.run(
                command, env=environ, capture_output=True, text=True, check=False
            )
            taken = time.perf_counter() - start
        if done.returncode != 0:
            sys.exit(f"{command} failed:\n{done.stdout}{done.stderr}")
        within = done.stdout.rpartition("within: ")[2]
        return Run(taken, float(within), self.proxy.turns)


def rows(bench: Bench, ini: Path, name: str, asked: argparse.Namespace) -> list[str]:
    """The lines of one history."""
    lines = []
    transactions = "one" if "one transaction" in name else "each"
    bench.proxy.delay = 0.0
    bench.upgrade("stock", ini, transactions)  # leaves the .pyc files
    for delay in (float(text) for text in asked.delays.split(",")):
        bench.proxy.delay = delay / 2000
        found: dict[str, list[Run]] = {side: [] for side in (*SIDES, "floor")}
        for _ in range(asked.rounds):
            for side in SIDES:
                found[side].append(bench.upgrade(side, ini, transactions))
            found["floor"].append(bench.floor(ini, transactions))
        whole = {
            side: statistics.median(run.whole for run in found[side]) for side in SIDES
        }
        within = {
            side: statistics.median(run.within for run in found[side])
            for side in ("fast", "floor")
        }
        waits = {side: runs[-1].waits for side, runs in found.items()}
        cells = " | ".join(f"{whole[side]:.2f} | {waits[side]:,}" for side in SIDES)
        ratios = (whole[side] / whole["stock"] for side in ("fast", "safe"))
        lines.append(
            f"| {name} | {delay:g} ms | {cells} | "
            + " | ".join(f"{ratio:.2f}" for ratio in ratios)
            + f" | {within['fast']:.2f} | {within['floor']:.2f} | {waits['floor']:,} |"
        )
    bench.forget()
    return lines


def table(bench: Bench, asked: argparse.Namespace, folder: Path) -> list[str]:
    """The lines of the table."""
    sides = " | ".join(f"{side}, s | waits" for side in SIDES)
    head = f"| history | delay | {sides} | fast / stock | safe / stock "
    lines = [f"{head}| fast within, s | floor, s | waits |"]
    lines.append("|---|" + "---:|" * (6 + 2 * len(SIDES)))
    lines += rows(bench, ibutsu_revisions(folder / "ibutsu"), "Ibutsu", asked)
    count = asked.revisions
    ini = write_revisions(folder / "generated", count)
    lines += rows(bench, ini, f"{count} revisions, one transaction", asked)
    lines += rows(bench, ini, f"{count} revisions, one each", asked)
    return lines


def main() -> None:
    """Measure, print, and save when asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--revisions", type=int, default=500)
    parser.add_argument("--delays", default="0,2,10")
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    if asked.save and find_spec("psycopg") is None:
        parser.error("--save has psycopg beside it: pip install 'psycopg[binary]'")
    with tempfile.TemporaryDirectory() as name, Cluster.start() as cluster:
        folder = Path(name)
        lines = table(Bench(cluster, folder), asked, folder)
    publish(lines, asked.rounds, HEAD if asked.save else None)


if __name__ == "__main__":
    main()
