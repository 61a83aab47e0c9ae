"""How a run is called on the server, and how another run's name is read.

The server shows 63 bytes of an application name to everybody, whatever rights they
have: run id, host, process and revision of a run have to fit in.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import zlib
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "ibutsu_migrate/"

SPACE: Final = int.from_bytes(b"ibut", "big")
"""First number of the advisory lock: ``classid`` in ``pg_locks``, 1768060276."""

_CONTROL: Final = re.compile(
    rf"{PREFIX}(?P<run>[0-9a-f]{{8}}) (?P<host>[^ :]*):(?P<pid>\d+)(?: (?P<at>\S+))?"
)
_HOST_BYTES: Final = 16
_NAME_BYTES: Final = 63


def new_run_id() -> str:
    """Eight hexadecimal digits."""
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class LockKey:
    """What is locked: one version table. The server adds the database by itself.

    Attributes:
        schema: Where the version table is or would be made.
        table: Its name.
    """

    schema: str
    table: str

    @property
    def number(self) -> int:
        """Second number of the lock, signed; the same on every machine."""
        unsigned = zlib.crc32(f"{self.schema}.{self.table}".encode())
        return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned

    @property
    def hex(self) -> str:
        """The number as eight hexadecimal digits."""
        return f"{self.number & 0xFFFFFFFF:08x}"

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


def control_name(run_id: str, revision: str | None = None) -> str:
    """Application name of the connection that holds the lock.

    Args:
        run_id: Of the run.
        revision: Which is being applied.
    """
    host = re.sub(r"[^\w.-]", "_", socket.gethostname(), flags=re.ASCII)
    name = f"{PREFIX}{run_id} {host[:_HOST_BYTES]}:{os.getpid()}"
    return f"{name} {revision}"[:_NAME_BYTES] if revision else name


def migration_name(run_id: str, key: LockKey) -> str:
    """Application name of the connection that migrates."""
    return f"{PREFIX}{run_id} key={key.hex}"


@dataclass(frozen=True, slots=True)
class Owner:
    """A run, as its application name tells.

    Attributes:
        run_id: Or None where the name is not one of ours.
        host: Where it runs, cut to 16 characters.
        pid: Its process there.
        revision: Which it is applying.
    """

    run_id: str | None = None
    host: str | None = None
    pid: int | None = None
    revision: str | None = None


def read_name(name: str | None) -> Owner:
    """Read the application name of a control connection."""
    found = _CONTROL.fullmatch(name or "")
    if found is None:
        return Owner()
    return Owner(found["run"], found["host"], int(found["pid"]), found["at"])
