"""Safe runs beside a real standby: refused there, and the primary is found."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from safe_runs import ENVS, SAFE, TABLE, stock_env, until, until_says, write_env

from ibutsu_migrate.testing.cluster import Cluster

if TYPE_CHECKING:
    from .conftest import Shop

HBA = "local all all trust\nlocal replication all trust\n"


@dataclass(frozen=True)
class Pair:
    """A primary, and its standby in the same folder.

    Attributes:
        primary: The server.
        port: Of the standby.
    """

    primary: Cluster
    port: int

    def url(self, *ports: int, more: str = "") -> str:
        hosts = ",".join(str(self.primary.socket_dir) for _ in ports)
        numbers = ",".join(map(str, ports))
        where = f"host={hosts}&port={numbers}{more}"
        return f"postgresql+psycopg2://postgres@/postgres?{where}"

    def ask(self, port: int, sql: str) -> str:
        psql = [str(self.primary.bin_dir / "psql"), "-qAtX", "-U", "postgres"]
        psql += ["-h", str(self.primary.socket_dir), "-p", str(port), "-c", sql]
        return subprocess.run(psql, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Cluster.start() as primary:
        # Beside the socket: that folder is the server's, and goes with it.
        folder = primary.socket_dir / "standby"
        (primary.socket_dir.parent / "data" / "pg_hba.conf").write_text(HBA)
        primary.psql("SELECT pg_reload_conf()")
        user = primary.socket_dir.owner() if os.getuid() == 0 else None
        copy = [str(primary.bin_dir / "pg_basebackup"), "-R", "-c", "fast"]
        copy += ["-D", str(folder), "-h", str(primary.socket_dir)]
        copy += ["-p", str(primary.port), "-U", "postgres"]
        subprocess.run(copy, check=True, user=user, cwd="/")
        port = primary.port - 1
        process = subprocess.Popen(
            [
                *(primary.bin_dir / "postgres", "-D", folder, "-p", str(port)),
                *("-k", primary.socket_dir, "-h", ""),
            ],
            user=user,
            cwd="/",
            # The receiver's libpq is the server's own, not an older one of the system.
            env={**os.environ, "LD_LIBRARY_PATH": str(primary.bin_dir.parent / "lib")},
            stderr=subprocess.DEVNULL,
        )
        found = Pair(primary, port)
        try:
            until(lambda: found.ask(port, "SELECT 1") == "1")
            yield found
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["one", "hook"])
def safe(request: pytest.FixtureRequest, shop: Shop) -> Shop:
    """Mode safe, on psycopg2 and on the C driver."""
    shop.environ.update(SAFE)
    write_env(shop.folder, ENVS[request.param])
    shop.add("a1", upgrade=TABLE)
    return shop


def test_beside_a_standby(safe: Shop, pair: Pair) -> None:
    """Refused there; of several hosts the writable one; and it is waited for."""
    only = pair.url(pair.port)
    result = safe.run("alembic", "upgrade", "head", DATABASE=only)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert (
        "FAILED: The server of database postgres is in recovery (a standby): nothing "
        "can be migrated there.\nName the primary; with several hosts in the URL, add "
        "?target_session_attrs=read-write.\n"
    ) in result.stderr

    both = pair.url(pair.port, pair.primary.port, more="&target_session_attrs=primary")
    safe.done("alembic", "upgrade", "head", DATABASE=both)
    version = "SELECT version_num FROM alembic_version"
    assert pair.primary.psql(version).strip() == "a1"

    until(lambda: pair.ask(pair.port, version) == "a1")
    runner = safe.start(
        "alembic",
        *("upgrade", "head"),
        DATABASE=only,
        IBUTSU_MIGRATE_WAIT_FOR_DATABASE="60s",
    )
    until_says(runner, "waiting for the database")
    pair.ask(pair.port, "SELECT pg_promote()")
    result = safe.finish(runner)
    assert result.returncode == 0, result.stderr
    assert "nothing to do: the database is at a1" in result.stderr


def test_a_lock_on_another_server_is_none(shop: Shop, pair: Pair) -> None:
    """The second connection of one engine may go elsewhere than the first."""
    shop.environ.update(SAFE)
    ports = (pair.primary.port, pair.port)
    connect = (
        f"iter([__import__('psycopg2').connect(host={str(pair.primary.socket_dir)!r}, "
        f"port=port, user='postgres') for port in {ports}]).__next__"
    )
    write_env(shop.folder, stock_env(f"creator={connect}"))
    shop.add("a1", upgrade=TABLE)
    result = shop.run("alembic", "upgrade", "head")
    assert result.returncode == 1
    assert "FAILED: The second connection, which holds the lock, went to another" in (
        result.stderr
    )
    assert "target_session_attrs=read-write" in result.stderr
    assert pair.primary.psql("SELECT to_regclass('item') IS NULL").strip() == "t"


def test_a_database_that_is_read_only(safe: Shop, pair: Pair) -> None:
    pair.primary.psql("ALTER DATABASE postgres SET default_transaction_read_only = on")
    url = pair.url(pair.primary.port)
    result = safe.run("alembic", "upgrade", "head", DATABASE=url)
    assert result.returncode == 1
    assert "(25006): cannot execute CREATE TABLE in a read-only" in result.stderr
    assert "Next: find out who made the database read only" in result.stderr
