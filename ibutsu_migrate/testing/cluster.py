"""Throwaway PostgreSQL servers: started in a second, gone with their owner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, cast
from urllib.parse import quote

from ibutsu_migrate.errors import IbutsuMigrateError

from .servers import find_server

_KEEPER: Final = Path(__file__).with_name("keeper.py")

SETTINGS: Final[Mapping[str, str]] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
    "max_connections": "100",
    "max_prepared_transactions": "20",
    # In the data directory, which is deleted: nothing of ours is in /dev/shm, which
    # containers keep small.
    "dynamic_shared_memory_type": "mmap",
    "autovacuum": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
"""What the server runs with unless the caller says otherwise."""


class ClusterError(IbutsuMigrateError):
    """A throwaway server does not start, or a statement for it fails."""


class Cluster:
    """A PostgreSQL server of its own, which ends with the process that started it.

    It listens on a Unix socket in a private folder, where everybody who can enter is
    trusted, and on 127.0.0.1, where a password is asked for (SCRAM). The superuser is
    ``postgres``; it has no password. No process and no file is left behind when the
    owner leaves the ``with`` block, ends in any way, or is killed.

    Attributes:
        bin_dir: The folder of the server's programs.
        version: Major and minor version.
        socket_dir: The private folder.
        port: Of both listeners.
        log_file: What the server has to say; gone with the server.

    Threads: all methods may be called from any. A forked child cannot stop the server.
    """

    def __init__(
        self,
        keeper: subprocess.Popen[bytes],
        bin_dir: Path,
        version: tuple[int, ...],
        ready: Mapping[str, Any],
    ) -> None:
        self._keeper = keeper
        self._owner = os.getpid()
        self.bin_dir = bin_dir
        self.version = version
        self.socket_dir = Path(ready["socket_dir"])
        self.port = int(ready["port"])
        self.log_file = Path(ready["folder"], "server.log")

    @classmethod
    def start(
        cls,
        bin_dir: str | os.PathLike[str] | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> Self:
        """Start a server.

        As root it runs as ``postgres`` or ``nobody``, because PostgreSQL refuses root.

        Args:
            bin_dir: As for ``find_server``.
            settings: Lines of postgresql.conf, over ``SETTINGS``.
            timeout: Seconds for each of initdb and the server's start.

        Raises:
            ServerNotFoundError: There is no server to start.
            ClusterError: It does not start; the message ends with its log.
        """
        programs = find_server(bin_dir)
        order = {
            "owner": os.getpid(),
            "bin_dir": str(programs.bin_dir),
            "settings": {**SETTINGS, **(settings or {})},
            "seconds": timeout,
        }
        keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_KEEPER), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
        )
        try:
            ready = _read_answer(keeper)
        except BaseException:
            _end(keeper)
            raise
        return cls(keeper, programs.bin_dir, programs.version, ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and delete its files; a second call does nothing."""
        if os.getpid() == self._owner:
            _end(self._keeper)

    def psql(self, sql: str, database: str = "postgres") -> str:
        """Run SQL as the superuser.

        Args:
            sql: Any number of statements, each committed by itself.
            database: Where.

        Returns:
            The rows, unaligned and without headings, ``|`` between columns.

        Raises:
            ClusterError: A statement fails; those before it stay done.
        """
        command = [str(self.bin_dir / "psql"), "-qAtX", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", str(self.socket_dir), "-p", str(self.port)]
        done = subprocess.run(
            [*command, "-U", "postgres", "-d", database, "-f", "-"],
            input=sql,
            env=_client_environment(),
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise ClusterError(f"psql, in {database}: {done.stderr.strip()}\n{sql}")
        return done.stdout

    def create_database(
        self, name: str | None = None, template: str | None = None
    ) -> Database:
        """Create a database.

        Args:
            name: None: one that no other database has.
            template: The database to copy, which nobody may be connected to; None: an
                empty one.

        Raises:
            ClusterError: The name is taken, or somebody uses the template.
        """
        chosen = name or f"test_{uuid.uuid4().hex[:12]}"
        source = _identifier(template or "template0")
        self.psql(f"CREATE DATABASE {_identifier(chosen)} TEMPLATE {source}")
        return Database(self, chosen)

    def drop_database(self, name: str) -> None:
        """Drop a database with its connections; none of that name is no error."""
        self.psql(f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")


class Database:
    """A database of a throwaway server; the ``with`` block's end drops it.

    Attributes:
        cluster: Its server.
        name: Its name.
    """

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.drop()

    def drop(self) -> None:
        """Drop it, whoever is connected."""
        self.cluster.drop_database(self.name)

    @property
    def dsn(self) -> str:
        """Connection string for libpq, through the private socket."""
        return (
            f"host={_dsn_value(str(self.cluster.socket_dir))} "
            f"port={self.cluster.port} user=postgres dbname={_dsn_value(self.name)}"
        )

    def url(self, driver: str | None) -> str:
        """SQLAlchemy's URL, through the private socket; ``&x=y`` may be appended.

        Args:
            driver: Such as ``"ibutsu"`` or ``"psycopg2"``; None: SQLAlchemy's default.
        """
        scheme = "postgresql" if driver is None else f"postgresql+{driver}"
        host = quote(str(self.cluster.socket_dir), safe="/")
        name = quote(self.name, safe="")
        return f"{scheme}://postgres@/{name}?host={host}&port={self.cluster.port}"


def _read_answer(keeper: subprocess.Popen[bytes]) -> Mapping[str, Any]:
    # The keeper bounds its own waits, and its death ends the stream.
    line = cast(IO[bytes], keeper.stdout).readline()
    try:
        answer: Mapping[str, Any] = json.loads(line)
    except ValueError:
        rest = cast(IO[bytes], keeper.stdout).read()
        answer = {"error": "its keeper ended", "log": (line + rest).decode()}
    if "error" in answer:
        raise ClusterError(
            f"The throwaway PostgreSQL server does not start: {answer['error']}\n"
            f"{answer['log']}"
        )
    return answer


def _end(keeper: subprocess.Popen[bytes]) -> None:
    """Let the keeper do its work, and wait for it."""
    for stream in (keeper.stdin, keeper.stdout):
        if stream is not None:
            stream.close()
    keeper.wait()


def _client_environment() -> dict[str, str]:
    """Without PGHOST and the like."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    return {**kept, "PGCLIENTENCODING": "UTF8"}


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _dsn_value(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
