"""What is under test, in the head of every report."""

from __future__ import annotations

import os
import signal
from importlib.metadata import version

import pytest

from ibutsu_migrate._native import require
from ibutsu_migrate.errors import ExtensionError, IbutsuMigrateError
from ibutsu_migrate.testing.servers import find_server


def pytest_configure() -> None:
    """Let tests and their child processes be the same, wherever they run.

    Who is started by ``nohup``, or in the background of a shell without job control,
    ignores SIGHUP or SIGINT, and so does whatever it starts.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Where they are set for pytest itself, programs under test must not follow.
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "NO_COLOR"):
        os.environ.pop(name, None)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Versions of what the tests stand on; what is missing is said by each test."""
    packages = ("alembic", "SQLAlchemy", "Flask", "psycopg2-binary")
    lines = [", ".join(f"{name} {version(name)}" for name in packages)]
    for name in ("_core", "_pq"):
        try:
            module = require(name)
            libpq = f", libpq {module.libpq_version()}" if name == "_pq" else ""
            lines.append(f"ibutsu_migrate.{name}: {module.__file__}{libpq}")
        except ExtensionError as error:
            lines.append(str(error).splitlines()[0])
    try:
        server = find_server(config.getini("ibutsu_migrate_bin_dir") or None)
        numbers = ".".join(map(str, server.version))
        lines.append(f"PostgreSQL {numbers}: {server.bin_dir}")
    except IbutsuMigrateError as error:
        lines.append(str(error).splitlines()[0])
    return lines
