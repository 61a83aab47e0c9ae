"""A PgBouncer in transaction mode, in front of a throwaway server.

Needs the program pgbouncer (Debian, Ubuntu: apt-get install pgbouncer). As a plugin,
``pytest -p pgbouncer``, it puts itself between the tests and their databases.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from ibutsu_migrate.testing import Cluster, Database

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIGURATION = """
[databases]
* = host={socket_dir} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 8
ignore_startup_parameters = options,extra_float_digits
logfile = {folder}/log
"""

# Tests of what a pooler in transaction mode is known not to give, whatever the driver.
_NUMBER = "PgBouncer has process numbers of its own"
NOT_POOLED = {
    "test_dbapi.py::test_info": _NUMBER,
    "test_pipeline.py::test_the_server_ends_the_session": _NUMBER,
    "test_dbapi.py::test_notifies": "LISTEN ends with the transaction's backend",
    "test_values.py::test_hstore_is_a_dict_where_its_type_is_known": (
        "PgBouncer takes no search_path from a connection's options"
    ),
}


@contextmanager
def started(cluster: Cluster) -> Iterator[int]:
    """The port of a PgBouncer in front of this server."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.fail("pgbouncer is not installed: apt-get install pgbouncer")
    with socket.socket() as probe, TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        probe.close()
        Path(folder).chmod(0o755)
        Path(folder, "users").write_text('"postgres" ""\n')
        ini = Path(folder, "pgbouncer.ini")
        ini.write_text(
            CONFIGURATION.format(
                socket_dir=cluster.socket_dir,
                server_port=cluster.port,
                port=port,
                folder=folder,
            )
        )
        user = cluster.socket_dir.owner()
        if os.getuid() == 0:
            shutil.chown(folder, user)
        switch = ["-u", user] if os.getuid() == 0 else []
        process = subprocess.Popen(
            [program, *switch, ini],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int) -> None:
    end = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < end, "PgBouncer does not start"
        time.sleep(0.02)


@pytest.fixture(scope="session", autouse=True)
def _through_pgbouncer(postgres_cluster: Cluster) -> Iterator[None]:
    """Every database of the tests' server is reached through the pooler."""
    with started(postgres_cluster) as port, pytest.MonkeyPatch.context() as patch:

        def dsn(self: Database) -> str:
            return f"host=127.0.0.1 port={port} user=postgres dbname='{self.name}'"

        def url(self: Database, driver: str | None) -> str:
            scheme = "postgresql" if driver is None else f"postgresql+{driver}"
            return f"{scheme}://postgres@127.0.0.1:{port}/{self.name}?connect_timeout=9"

        patch.setattr(Database, "dsn", property(dsn))
        patch.setattr(Database, "url", url)
        yield


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Leave out what no pooler gives, and say why."""
    for item in items:
        for part, reason in NOT_POOLED.items():
            if item.nodeid.partition("[")[0].endswith(part):
                item.add_marker(pytest.mark.skip(reason=reason))
