"""Round trips: stock Alembic and psycopg2 beside this package, queued and not.

Usage: ``python benchmarks/pipeline.py [--rounds N] [--revisions N] [--delays 0,2,10]``

Every connection goes through a proxy that holds back what it passes on for half the
round trip time in each direction, and counts how often a client waited: bytes to the
server after bytes from it. The sides take turns within each round.
"""

from __future__ import annotations

import argparse
import os
import queue
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from ibutsu_migrate.testing.cluster import Cluster

ROOT = Path(__file__).resolve().parent.parent
ALEMBIC = Path(sys.executable).with_name("alembic")

SIDES = {
    "stock": ("psycopg2", {"IBUTSU_MIGRATE": "off"}),
    "ours": ("ibutsu", {"IBUTSU_MIGRATE_PIPELINE": "off"}),
    "queue": ("ibutsu", {"IBUTSU_MIGRATE_PIPELINE": "on"}),
}

ENV = """\
import os
from ibutsu_migrate.env import run_migrations
driver = None if os.environ.get("IBUTSU_MIGRATE") == "off" else "ibutsu"
run_migrations(url=os.environ["BENCHMARK_URL"], driver=driver)
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


@dataclass
class Proxy:
    """Passes bytes on to a server, late.

    Attributes:
        target: The server's socket file.
        delay: Of one direction, in seconds.
        turns: How often a client spoke after the server had answered.
    """

    target: str
    delay: float = 0.0
    turns: int = 0
    port: int = 0
    _listener: socket.socket = field(default_factory=socket.socket)

    def start(self) -> None:
        """Accept connections until the process ends."""
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            spoke = ["server"]
            self._pass_on(client, server, "client", spoke)
            self._pass_on(server, client, "server", spoke)

    def _pass_on(
        self, source: socket.socket, sink: socket.socket, who: str, spoke: list[str]
    ) -> None:
        late: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

        def read() -> None:
            while True:
                try:
                    data = source.recv(65536)
                except OSError:
                    data = b""
                if data and who == "client" and spoke[0] == "server":
                    self.turns += 1
                if data:
                    spoke[0] = who
                late.put((time.monotonic() + self.delay, data))
                if not data:
                    return

        def write() -> None:
            while True:
                due, data = late.get()
                if (pause := due - time.monotonic()) > 0:
                    time.sleep(pause)
                try:
                    if not data:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    sink.sendall(data)
                except OSError:
                    return

        for action in (read, write):
            threading.Thread(target=action, daemon=True).start()


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


def upgrade(side: str, cluster: Cluster, proxy: Proxy, ini: Path | None) -> float:
    """Seconds of ``alembic upgrade head`` on an empty database."""
    driver, variables = SIDES[side]
    with cluster.create_database() as database:
        url = f"postgresql+{driver}://postgres@127.0.0.1:{proxy.port}/{database.name}"
        names = ("BENCHMARK_URL", "SQLALCHEMY_DATABASE_URI")
        environ = {**os.environ, **dict.fromkeys(names, url), **variables}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        chosen = ["-c", str(ini)] if ini is not None else []
        start = time.perf_counter()
        done = subprocess.run(
            [str(ALEMBIC), *chosen, "upgrade", "head"],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        taken = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{side} failed:\n{done.stdout}{done.stderr}")
    return taken


def table(cluster: Cluster, asked: argparse.Namespace, folder: Path) -> list[str]:
    """The lines of the table."""
    generated = write_revisions(folder, asked.revisions)
    proxy = Proxy(str(cluster.socket_dir / f".s.PGSQL.{cluster.port}"))
    proxy.start()
    lines = [
        "| history | delay | stock, s | waits | ours, s | waits | queue, s | waits "
        "| queue / stock |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    histories = {"Ibutsu": None, f"{asked.revisions} generated revisions": generated}
    for name, ini in histories.items():
        upgrade("stock", cluster, proxy, ini)  # leaves the .pyc files
        for delay in (float(text) for text in asked.delays.split(",")):
            proxy.delay = delay / 2000
            times: dict[str, list[float]] = {side: [] for side in SIDES}
            turns = dict.fromkeys(SIDES, 0)
            for _ in range(asked.rounds):
                for side in SIDES:
                    proxy.turns = 0
                    times[side].append(upgrade(side, cluster, proxy, ini))
                    turns[side] = proxy.turns
            found = {side: statistics.median(times[side]) for side in SIDES}
            cells = " | ".join(f"{found[s]:.2f} | {turns[s]:,}" for s in SIDES)
            ratio = found["queue"] / found["stock"]
            lines.append(f"| {name} | {delay:g} ms | {cells} | {ratio:.2f} |")
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--revisions", type=int, default=500)
    parser.add_argument("--delays", default="0,2,10")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Cluster.start() as cluster:
        lines = table(cluster, asked, Path(folder))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
