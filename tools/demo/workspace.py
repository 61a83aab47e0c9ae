"""A working folder as the server's backend/ is one, to run real commands in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
TIMEOUT: Final = 60

_PYPROJECT: Final = """\
[tool.alembic]
script_location = "%(here)s/alembic"
prepend_sys_path = ["."]
"""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended.

    Attributes:
        command: As it would be typed.
        status: Its exit status.
        output: What it wrote, standard error included.
        seconds: How long it took.
        stats: The file into which it wrote what C did, if it did.
    """

    command: str
    status: int
    output: str
    seconds: float
    stats: Path


@dataclass(frozen=True, slots=True)
class Workspace:
    """Copies of ``alembic/`` and of the server's app, and a database.

    Attributes:
        folder: Where commands run.
        url: The app's database, as SQLAlchemy's URL.
        connect: Makes a PEP 249 connection to the same database.
        nice: How far commands stand back behind others, as in ``nice -n``.
    """

    folder: Path
    url: str
    connect: Callable[[], Any]
    nice: int = 0

    @classmethod
    def make(
        cls, folder: Path, url: str, connect: Callable[[], Any], nice: int = 0
    ) -> Workspace:
        """Copy the files into a folder that is not there yet.

        Args:
            folder: Is made.
            url: The app's database.
            connect: Makes a PEP 249 connection to it.
            nice: See above.
        """
        # With the compiled files: they go by the sources' times, which are kept.
        shutil.copytree(CHECKOUT / "alembic", folder / "alembic")
        shutil.copytree(CHECKOUT / "tests" / "server", folder / "server")
        (folder / "pyproject.toml").write_text(_PYPROJECT)
        return cls(folder, url, connect, nice)

    @property
    def models(self) -> Path:
        """The file with the app's models."""
        return self.folder / "server" / "models.py"

    @property
    def new_revision(self) -> Path:
        """The revision file that has been generated here.

        Raises:
            LookupError: There is none, or more than one.
        """
        shipped = {path.name for path in (CHECKOUT / "alembic/versions").glob("*.py")}
        here = (self.folder / "alembic" / "versions").glob("*.py")
        new = [path for path in here if path.name not in shipped]
        if len(new) != 1:
            raise LookupError(f"expected one new revision file, found {len(new)}")
        return new[0]

    def run(self, command: str, stats: str = "stats.jsonl") -> Done:
        """Run ``alembic ...`` or ``flask ...`` as typed in this folder.

        Args:
            command: Words between spaces; quotes keep spaces together.
            stats: Name of a file in this folder, see ``IBUTSU_MIGRATE_STATS``.
        """
        path = self.folder / stats
        begin = time.perf_counter()
        ended = subprocess.run(
            [*self._niceness(), *_words(command)],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder),
                "SQLALCHEMY_DATABASE_URI": self.url,
                "IBUTSU_MIGRATE_STATS": str(path),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
        )
        seconds = time.perf_counter() - begin
        return Done(command, ended.returncode, ended.stdout, seconds, path)

    def _niceness(self) -> list[str]:
        return ["nice", "-n", str(self.nice)] if self.nice else []

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database.

        Args:
            query: SQL without parameters.
        """
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]
        finally:
            connection.close()


def _words(command: str) -> list[str]:
    # shlex takes a while to import that a command line of ours does not need.
    parts = command.split('"')
    words = [
        word
        for index, part in enumerate(parts)
        for word in ([part] if index % 2 else part.split())
    ]
    return [str(Path(sys.executable).with_name(words[0])), *words[1:]]
