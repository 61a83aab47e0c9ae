"""A server that speaks the protocol and says that it is something else."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

    from .conftest import Shop

pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

# Passes bytes on, and replaces one text in the server's answers by another as long.
# What clients say is written down.
PROXY = """
import socket, sys, threading
target, old, new = sys.argv[1], sys.argv[2].encode(), sys.argv[3].encode()
log = open(sys.argv[4], "wb", buffering=0)
assert len(old) == len(new)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)

def pass_on(source, sink, change):
    while data := source.recv(1 << 16):
        if not change:
            log.write(data)
        sink.sendall(data.replace(old, new) if change else data)
    sink.shutdown(socket.SHUT_WR)

while True:
    client = listener.accept()[0]
    server = socket.socket(socket.AF_UNIX)
    server.connect(target)
    for ends in ((client, server, False), (server, client, True)):
        threading.Thread(target=pass_on, args=ends, daemon=True).start()
"""
WORK = """
import sys
import sqlalchemy as sa
from ibutsu_migrate import _pq
engine = sa.create_engine(sys.argv[1], ibutsu_pipeline=True)
connection = engine.connect()
before = _pq.counters()["round_trips"]
for number in range(20):
    connection.exec_driver_sql(f"CREATE TABLE t{number} (a int)")
connection.commit()
print(_pq.counters()["round_trips"] - before)
connection.close()
"""


Say = Callable[[str, str], str]


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """Where everything is that clients said."""
    return tmp_path / "said"


@pytest.fixture
def say(database: Database, said: Path) -> Iterator[Say]:
    """Makes a URL whose server's answers have one text for another."""
    cluster = database.cluster
    path = cluster.socket_dir / f".s.PGSQL.{cluster.port}"
    with contextlib.ExitStack() as stack:

        def make(old: str, new: str) -> str:
            command = [sys.executable, "-c", PROXY, str(path), old, new, str(said)]
            proxy = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(proxy.kill)
            assert proxy.stdout is not None
            port = proxy.stdout.readline().strip()
            address = f"postgres@127.0.0.1:{port}/{database.name}"
            return f"postgresql+ibutsu://{address}?sslmode=disable"

        yield make


def platform(database: Database) -> str:
    """As in ``version()``: x86_64-pc-linux-gnu."""
    version = database.cluster.psql("SELECT version()")
    return version.partition(" on ")[2].partition(",")[0]


def round_trips(url: str, folder: Path) -> int:
    """Of twenty statements in one transaction, in no ``with`` block of anybody's."""
    path = folder / "work.py"
    path.write_text(WORK)
    done = subprocess.run(
        [sys.executable, str(path), url], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_what_says_that_it_is_postgresql(
    database: Database, say: Say, tmp_path: Path
) -> None:
    words = platform(database)
    assert round_trips(say(words, words), tmp_path) <= 2


@pytest.mark.parametrize("name", ["Yugabyte", "Redshift", "RisingWave"])
def test_relatives_are_not_queued_for(
    database: Database, say: Say, tmp_path: Path, name: str
) -> None:
    words = platform(database)
    assert len(words) >= len(name)
    assert round_trips(say(words, name.ljust(len(words), "-")), tmp_path) >= 20


# A Parse message of the statement; in a simple query the length stands before it.
QUEUED_BEGIN = b"\0BEGIN"


@pytest.mark.parametrize(
    ("name", "environ", "queued"),
    [
        (None, {}, True),
        (None, {"IBUTSU_MIGRATE_PIPELINE": "off"}, False),
        ("Redshift", {}, False),
    ],
)
def test_what_a_safe_run_sends_by_itself(
    database: Database,
    say: Say,
    said: Path,
    new_shop: Callable[..., Shop],
    name: str | None,
    environ: dict[str, str],
    queued: bool,
) -> None:
    words = platform(database)
    url = say(words, words if name is None else name.ljust(len(words), "-"))
    shop = new_shop(url)
    shop.add("a1", upgrade="op.execute('CREATE TABLE a1 (a int)')")
    shop.done("alembic", "upgrade", "head", IBUTSU_MIGRATE="safe", **environ)
    bytes_said = said.read_bytes()
    assert (QUEUED_BEGIN in bytes_said) is queued
    assert b"CREATE TABLE a1" in bytes_said
    assert b"pg_try_advisory_xact_lock" in bytes_said
