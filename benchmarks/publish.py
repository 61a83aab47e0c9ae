"""A benchmark's table: what it was measured with, and the file that keeps it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
DRIVERS = ("psycopg2-binary", "psycopg-binary")
PACKAGES = ("alembic", "SQLAlchemy", *DRIVERS, "ibutsu-migrate")


class Head(NamedTuple):
    """Of a file in this folder: its name, its title, and what makes it."""

    file: str
    title: str
    command: str


def publish(
    lines: Iterable[str], rounds: int, head: Head | None, server: str = ""
) -> None:
    """Print a table and what it was measured with; write it to its file.

    Args:
        lines: Of the table.
        rounds: How often each side had its turn.
        head: Of the file, or None where nothing is to be written.
        server: PostgreSQL's version, where one took part.
    """
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue  # took no part
    place = f"PostgreSQL {server} on a local socket, " if server else ""
    text = "\n".join(
        (
            *lines,
            "",
            f"Median of {rounds} rounds, the sides in turns. Python "
            f"{platform.python_version()}, {place}{os.cpu_count()} cores, "
            f"{platform.system()} {platform.machine()}; {', '.join(found)}.\n",
        )
    )
    sys.stdout.write(text)
    if head is not None:
        above = f"# {head.title}\n\nMade by `{head.command}`.\n\n"
        (FOLDER / head.file).write_text(above + text)
