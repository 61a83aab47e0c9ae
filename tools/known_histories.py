"""Run the migrations of well-known applications on the driver and on psycopg2.

    python tools/known_histories.py                  all of them
    python tools/known_histories.py mlflow zou       these
    python tools/known_histories.py --filled 0.5     and with rows, after half of them
    python tools/known_histories.py --save           and write benchmarks/HISTORIES.md

Each application's package is fetched once, into a virtual environment of its own in
``.cache/histories``, with the libraries its revisions import; its env.py is replaced
by the env hook. ``alembic upgrade heads`` and ``alembic downgrade base`` then run as
stock Alembic on psycopg2, and on the driver: queued, in mode ``safe``, and statement
by statement. What ``pg_dump`` says of each must be the same, errors too. The waits are
counted by a proxy; the floor is that of ``benchmarks/probe_pipeline.py``.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from history_list import HISTORIES, TOOLS, History
from proxy import Proxy
from publish import Head, publish

from ibutsu_migrate.testing.cluster import Cluster, Database

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "histories"
ROWS = ROOT / "tools" / "history_rows.sql"
PROBE = ROOT / "benchmarks" / "probe_pipeline.py"
DELAY = 0.010  # seconds of a round trip, where time is measured

SIDES = {
    "stock": ("psycopg2", {"IBUTSU_MIGRATE": "off"}),
    "fast": ("ibutsu", {"IBUTSU_MIGRATE": "fast"}),
    "safe": ("ibutsu", {"IBUTSU_MIGRATE": "safe"}),
    "awaited": (
        "ibutsu",
        {"IBUTSU_MIGRATE": "fast", "IBUTSU_MIGRATE_PIPELINE": "off"},
    ),
}

# Prints its own time, and what an error was, whichever driver raised it.
ENV = """\
import json
import os
import sys
import time
import alembic.context
metadata = None
{prelude}
from ibutsu_migrate.env import run_migrations
if "HISTORY_LOG" in os.environ:
    sys.path.insert(0, {benchmarks!r})
    import probe_pipeline
    probe_pipeline.record(os.environ["HISTORY_LOG"])
if "HISTORY_WHY" in os.environ:
    sys.path.insert(0, {tools!r})
    import history_waits
    history_waits.listen()
if "HISTORY_LOADED" in os.environ:
    for revision in alembic.context.script.walk_revisions():
        revision.module
driver = None if os.environ.get("IBUTSU_MIGRATE") == "off" else "ibutsu"
begun = time.perf_counter()
try:
    run_migrations(
        url=os.environ["HISTORY_URL"],
        target_metadata=metadata,
        driver=driver,
        transaction_per_migration={each} or "HISTORY_EACH" in os.environ,
    )
except Exception as error:
    cause = getattr(error, "orig", None) or error
    names = [type(error).__name__, type(cause).__name__, str(cause).strip()]
    print("error: " + json.dumps(names))
    raise
print("within:", time.perf_counter() - begun)
"""

INI = """\
[alembic]
script_location = %(here)s
path_separator = newline
version_locations =
    {folders}
prepend_sys_path =
"""

# Those between nothing and the target.
REVISIONS = """\
import sys
from alembic.config import Config
from alembic.script import ScriptDirectory
script = ScriptDirectory.from_config(Config(sys.argv[1]))
print(*(each.revision for each in script.iterate_revisions(sys.argv[2], "base")))
"""


# Environments


def environment_of(name: str, history: History) -> Path:
    """The folder of a history: its virtual environment, alembic.ini and env.py.

    Raises:
        subprocess.CalledProcessError: A package cannot be had.
    """
    folder = CACHE / name
    venv, stamp = folder / "venv", folder / "stamp"
    needs = [f"SQLAlchemy=={history.sqlalchemy}", *TOOLS, *history.needs]
    parts = [history.package, *history.modules, needs, sys.version]
    wanted = json.dumps(parts)
    if not stamp.exists() or stamp.read_text() != wanted:
        stamp.unlink(missing_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *TOOLS], check=True)
        own = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
        subprocess.run([*pip, *own], check=True)
        # After what was built with setuptools, which an application may want older.
        needs = [each for each in needs if not each.startswith(("setup", "wheel"))]
        subprocess.run([*pip, *needs], check=True)
        subprocess.run(
            [*pip, "--no-deps", history.package, *history.modules], check=True
        )
        stamp.write_text(wanted)
    packages = next(venv.glob("lib/python*/site-packages"))
    folders = [str(packages / each) for each in history.folders]
    (folder / "alembic.ini").write_text(INI.format(folders="\n    ".join(folders)))
    text = ENV.format(
        prelude=history.prelude,
        each=history.each,
        benchmarks=str(ROOT / "benchmarks"),
        tools=str(ROOT / "tools"),
    )
    (folder / "env.py").write_text(text)
    return folder


# Runs


@dataclass
class Run:
    """What one run said and left.

    Attributes:
        whole: Seconds of the process.
        within: Seconds of ``run_migrations()``; 0 where it failed.
        waits: How often a client waited for the server.
        error: SQLAlchemy's class, the driver's class, and the message.
        output: Of the process, standard error at the end.
    """

    whole: float
    within: float
    waits: int
    error: list[str] | None
    output: str


@dataclass
class Side:
    """What a side left after each command."""

    waits: int = 0
    dumps: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[str] | None] = field(default_factory=dict)
    waited: list[str] = field(default_factory=list)


class Bench:
    """Runs one history on new databases, through the proxy.

    Attributes:
        folder: What ``environment_of`` made.
        log: The statements of the upgrade, once ``compare`` has run.
        why: Whether a queued upgrade tells what it waited for.
    """

    why = False

    def __init__(
        self, cluster: Cluster, proxy: Proxy, folder: Path, history: History, log: Path
    ) -> None:
        self._cluster = cluster
        self._proxy = proxy
        self._history = history
        self._python = str(folder / "venv" / "bin" / "python")
        self._environ = {
            **os.environ,
            "PYTHONHASHSEED": "0",  # the order of sets is part of some data
            **{
                name: value.replace("HERE", str(folder))
                for name, value in history.environ.items()
            },
        }
        self._environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.folder = folder
        self.log = log

    def revisions(self) -> list[str]:
        """From the first to the last."""
        done = subprocess.run(
            [
                *(self._python, "-c", REVISIONS, self.folder / "alembic.ini"),
                self._history.until,
            ],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()[-1].split()[::-1]

    @contextmanager
    def filled(self, share: float) -> Iterator[str]:
        """A database that stock has brought that far, with rows in its tables.

        Args:
            share: Of the revisions.
        """
        revisions = self.revisions()
        command = "upgrade " + revisions[int(len(revisions) * share)]
        with self._database() as database:
            run = self._alembic("stock", command, database.name, {})
            if run.error is not None:
                sys.exit(f"stock, {command}: {run.error}")
            self._cluster.psql(ROWS.read_text(), database.name)
            yield database.name

    def side(self, name: str, template: str | None = None) -> Side:
        """Upgrade, dump, downgrade, dump.

        Args:
            name: Of the side.
            template: The database to begin with; None: an empty one.

        Raises:
            SystemExit: The upgrade failed, for no reason that ``error:`` tells.
        """
        found = Side()
        with self._database(template) as database:
            for command in ("upgrade " + self._history.until, "downgrade base"):
                # A downgrade that fails is to leave what it did until then.
                names = {"HISTORY_EACH": "1"}
                if not found.dumps and template is None:
                    names = self._listeners(name)
                run = self._alembic(name, command, database.name, names)
                found.waits = found.waits or run.waits
                found.dumps[command] = self._dump(database.name)
                found.errors[command] = run.error
                found.waited += re.findall("^waited: (.*)$", run.output, re.M)
                if run.error is not None:
                    break
        return found

    def _listeners(self, side: str) -> dict[str, str]:
        """What takes notes of the upgrade, where something does."""
        if side == "awaited":
            return {"HISTORY_LOG": str(self.log)}
        return {"HISTORY_WHY": "1"} if side == "fast" and self.why else {}

    def timed(self, name: str) -> Run:
        """One upgrade of a side, or its statements alone: ``floor``."""
        with self._database() as database:
            if name == "floor":
                command = [sys.executable, str(PROBE), str(self.log)]
                url = self._url("postgresql", database.name)
                return self._run(command, {"BENCHMARK_URL": url})
            command_line = "upgrade " + self._history.until
            names = {"HISTORY_LOADED": "1"}
            return self._alembic(name, command_line, database.name, names)

    @contextmanager
    def _database(self, template: str | None = None) -> Iterator[Database]:
        with self._cluster.create_database(template=template) as database:
            if self._history.prepare and template is None:
                subprocess.run(
                    [self._python, "-c", self._history.prepare],
                    env={**self._environ, "HISTORY_URL": database.url("psycopg2")},
                    capture_output=True,
                    check=True,
                )
            yield database

    def _url(self, scheme: str, database: str) -> str:
        return f"{scheme}://postgres@127.0.0.1:{self._proxy.port}/{database}"

    def _alembic(
        self, side: str, command: str, database: str, names: dict[str, str]
    ) -> Run:
        driver, variables = SIDES[side]
        url = self._url(f"postgresql+{driver}", database)
        program = self.folder / "venv" / "bin" / "alembic"
        ini = self.folder / "alembic.ini"
        line = [str(program), "-c", str(ini), *command.split()]
        return self._run(line, {"HISTORY_URL": url, **variables, **names})

    def _run(self, command: list[str], names: dict[str, str]) -> Run:
        environ = {**self._environ, **names}
        self._proxy.turns = 0
        start = time.perf_counter()
        done = subprocess.run(
            command, env=environ, cwd=self.folder, capture_output=True, text=True
        )
        whole = time.perf_counter() - start
        within = re.search(r"^within: (.*)$", done.stdout, re.M)
        error = re.search(r"^error: (.*)$", done.stdout, re.M)
        output = done.stdout + done.stderr
        if done.returncode != 0 and error is None:
            sys.exit(f"{command} failed:\n{output}")
        return Run(
            whole,
            float(within[1]) if within else 0.0,
            self._proxy.turns,
            json.loads(re.sub("0x[0-9a-f]+", "0x", error[1])) if error else None,
            output,
        )

    def _dump(self, database: str) -> str:
        command = [str(self._cluster.bin_dir / "pg_dump"), "--no-owner"]
        command += ["--exclude-schema=ibutsu_migrate", "-U", "postgres", "-d", database]
        command += ["-h", str(self._cluster.socket_dir), "-p", str(self._cluster.port)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return masked(done.stdout)


def masked(dump: str) -> str:
    """Without what differs between two runs of the same: random and current values."""
    dump = re.sub(r"^\\(un)?restrict .*\n", "", dump, flags=re.M)
    dump = re.sub(r"\b[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b", "UUID", dump)
    epoch = str(int(time.time()))[:6]  # of seconds, or milliseconds
    dump = re.sub(rf"\b{epoch}[0-9]{{4}}([0-9]{{3}})?\b", "NOW", dump)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return re.sub(rf"{today}[ T][0-9:.]+(\+00(:00)?)?", "NOW", dump)


# The comparison


def compare(
    bench: Bench, template: str | None = None
) -> tuple[dict[str, Side], list[str]]:
    """All sides, and how what they left differs from stock."""
    sides = {name: bench.side(name, template) for name in SIDES}
    stock = sides["stock"]
    wrong = []
    for name, side in sides.items():
        for command, dump in stock.dumps.items():
            mine, error = side.dumps.get(command, ""), side.errors.get(command)
            lines = difflib.unified_diff(
                dump.splitlines(), mine.splitlines(), "stock", name, lineterm="", n=1
            )
            wrong += [f"{name}, {command}: {line}" for line in list(lines)[:40]]
            if error != stock.errors[command]:
                wrong.append(f"{name}, {command}: stock: {stock.errors[command]}")
                wrong.append(f"{name}, {command}: {name}: {error}")
    return sides, wrong


def measure(bench: Bench, proxy: Proxy, rounds: int) -> tuple[float, float]:
    """At a delay: the time of ``fast`` over stock, and within over the floor."""
    names = ("stock", "fast", "floor")
    proxy.delay = DELAY / 2
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for name in names * rounds:
        runs[name].append(bench.timed(name))
    proxy.delay = 0.0
    whole = {name: median(run.whole for run in runs[name]) for name in names}
    within = {name: median(run.within for run in runs[name]) for name in names}
    return whole["fast"] / whole["stock"], within["fast"] / within["floor"]


HEAD = (
    "| history | SQLAlchemy | revisions | statements | stock | queued | safe "
    "| each awaited | floor | time, queued / stock | within / floor | downgrade |"
)
PAGE = Head(
    "HISTORIES.md", "Well-known histories", "python tools/known_histories.py --save"
)
MEANING = (
    "`alembic upgrade` to the last revision that stock Alembic on psycopg2 comes to, "
    "on an empty database. Catalogue, data and errors are the same on all sides, after "
    "it and after `alembic downgrade base`, as far as stock gets. From `stock` to "
    "`floor` the numbers are waits: how often the client spoke after the server had "
    "answered. `floor`: the same statements through one pipeline that waits for rows, "
    "at commits and outside transactions. The last two numbers are of a round trip of "
    f"{DELAY * 1000:g} ms: time of the process; time in `run_migrations()`, with all "
    "revisions loaded, over that pipeline's."
)


def examine(
    name: str, cluster: Cluster, proxy: Proxy, asked: argparse.Namespace
) -> tuple[str, list[str]]:
    """The line of one history, and what is wrong."""
    history = HISTORIES[name]
    label = f"{name} {history.package.rpartition('==')[2]}"
    folder = environment_of(name, history)
    with TemporaryDirectory() as scratch:
        log = Path(scratch, "statements.jsonl")
        bench = Bench(cluster, proxy, folder, history, log)
        bench.why = asked.why
        sides, wrong = compare(bench)
        for share in map(float, asked.filled.split(",") if asked.filled else ()):
            with bench.filled(share) as template:
                full, more = compare(bench, template)
            wrong += more
            ends = [error and error[1] for error in full["stock"].errors.values()]
            print(f"{name} filled at {share:g}: {ends}", flush=True)
        upgrade = "upgrade " + history.until
        for side in sides.values():
            if (error := side.errors[upgrade]) is not None:
                return f"| {label} | does not run: {error} |", [*wrong, str(error)]
        statements = sum(line != "null\n" for line in log.open())
        floor = bench.timed("floor").waits
        ratios = measure(bench, proxy, asked.rounds) if asked.rounds else (0.0, 0.0)
        error = sides["stock"].errors["downgrade base"]
        for place in sides["fast"].waited:
            print(f"{name} waited: {place}")
    down = "to base" if error is None else f"{error[1]}, as stock"
    waits = " | ".join(f"{side.waits:,}" for side in sides.values())
    return (
        f"| {label} | {history.sqlalchemy} | {len(bench.revisions())} | {statements:,} "
        f"| {waits} | {floor:,} | {ratios[0]:.2f} | {ratios[1]:.2f} | {down} |"
    ), wrong


def main() -> int:
    """Run them, print the table, and save it when asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(HISTORIES))
    parser.add_argument("--rounds", type=int, default=1, help="of timing; 0: none")
    parser.add_argument("--filled", metavar="0.3,0.6", help="rows after such a share")
    parser.add_argument("--why", action="store_true", help="what was waited for")
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(HISTORIES):
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(HISTORIES)}")
    lines, failures = [HEAD, "|---|---|" + "---:|" * 9 + "---|"], []
    with Cluster.start() as cluster:
        proxy = Proxy(str(cluster.socket_dir / f".s.PGSQL.{cluster.port}"))
        proxy.start()
        for name in asked.names:
            line, wrong = examine(name, cluster, proxy, asked)
            print("\n".join([line, *wrong]), flush=True)
            lines.append(line)
            failures += [f"{name}: {each}" for each in wrong]
    publish([*lines, "", MEANING], asked.rounds, PAGE if asked.save else None)
    print(f"{len(asked.names)} histories, {'DIFFERENT' if failures else 'the same'}")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
