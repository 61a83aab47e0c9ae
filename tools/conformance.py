"""Run SQLAlchemy's and Alembic's own test suites on this package's driver.

    python tools/conformance.py                          newest versions, all suites
    python tools/conformance.py --sqlalchemy '2.0.*' --suite sqlalchemy
    python tools/conformance.py --driver psycopg2        the yardstick

The suites are those of the sdists, fetched by pip into a folder of their own together
with a virtual environment; the server is a throwaway one of ``ibutsu_migrate.testing``.
Prints one line per suite and exits 1 if a test failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CONFORMANCE: Final = ROOT / "tests" / "conformance"
TIMEOUT: Final = 3600

_NEEDED: Final = ("pytest", "mako", "black", "zimports", "tzdata", "psycopg2-binary")
_REQUIREMENTS: Final = {"ibutsu": "ibutsu_requirements:Requirements"}
_EXTENSIONS: Final = ("hstore", "citext", "postgres_fdw", "btree_gist")

SUITES: Final = {
    "sqlalchemy": ("test/dialect/test_suite.py",),
    "postgresql": ("test/dialect/postgresql",),
    "core": ("--backend-only", "test/engine", "test/sql"),
    "alembic": ("-p", "no:warnings", "-p", "no:logging"),
}

Psql = Callable[[str, str], object]


@dataclass(frozen=True)
class Place:
    """Where things are run.

    Attributes:
        python: Of the virtual environment.
        sources: Unpacked sdists by project.
        address: ``host:port`` of the server.
        psql: Runs SQL in a database, as a superuser.
    """

    python: Path
    sources: dict[str, Path]
    address: str
    psql: Psql


def make_environment(folder: Path, wanted: dict[str, str]) -> Path:
    """Make the virtual environment with the versions to be tested; its Python."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    pinned = [f"{name}{version}" for name, version in wanted.items()]
    install = [str(python), "-m", "pip", "install", "-q", *pinned, *_NEEDED]
    subprocess.run(install, check=True)
    return python


def fetch(python: Path, folder: Path, project: str) -> Path:
    """Unpack the sdist of the version that is installed; its folder."""
    code = f"import importlib.metadata as m; print(m.version({project!r}))"
    version = subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()
    found = folder / f"{project}-{version}"
    if not found.exists():
        what = ("--no-deps", "--no-binary", ":all:", f"{project}=={version}")
        download = [
            str(python),
            "-m",
            "pip",
            "download",
            "-q",
            "-d",
            str(folder),
            *what,
        ]
        subprocess.run(download, check=True)
        with tarfile.open(f"{found}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    return found


def make_database(psql: Psql, name: str) -> None:
    """A database as both suites want it: schemas, extensions, text search."""
    psql(f"DROP DATABASE IF EXISTS {name}", "postgres")
    psql(f"CREATE DATABASE {name} OWNER scott TEMPLATE template0", "postgres")
    psql("CREATE SCHEMA test_schema", name)
    psql("CREATE SCHEMA test_schema_2", name)
    for extension in _EXTENSIONS:
        psql(f"CREATE EXTENSION {extension}", name)
    # Where the system has no such locale, ICU has.
    psql(
        'CREATE COLLATION IF NOT EXISTS public."en_US" '
        "(provider = icu, locale = 'en-US')",
        name,
    )
    english = "SET default_text_search_config = 'pg_catalog.english'"
    psql(f"ALTER DATABASE {name} {english}", "postgres")


def run_suite(place: Place, suite: str, driver: str, plugins: list[str]) -> str:
    """Run one suite on a new database; pytest's closing line."""
    name = f"conformance_{suite}"
    make_database(place.psql, name)
    url = f"postgresql+{driver}://scott:tiger@{place.address}/{name}"
    project = "alembic" if suite == "alembic" else "sqlalchemy"
    source = place.sources[project]
    requirements = _REQUIREMENTS.get(driver, "test.requirements:DefaultRequirements")
    if project == "sqlalchemy":
        (source / "test.cfg").write_text(
            f"[sqla_testing]\nrequirement_cls={requirements}\n[db]\nconformance={url}\n"
        )
        database = "--db=conformance"
    else:
        database = f"--dburi={url}"
    loaded = [word for each in plugins for word in ("-p", each)]
    command = [str(place.python), "-m", "pytest", "-q", "-rfE", "--tb=short", *loaded]
    result = subprocess.run(
        [*command, database, "--dropfirst", *SUITES[suite]],
        cwd=source,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    log = source.parent / f"{source.name}-{suite}-{driver}.log"
    log.write_text(result.stdout + result.stderr)
    lines = result.stdout.splitlines()
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    print(*failures, sep="\n", end="\n" if failures else "")
    closing = next((line for line in reversed(lines) if " in " in line), "no result")
    return f"{source.name:20} {suite:12} {driver:10} {closing.strip('= ')}  ({log})"


def _environment() -> dict[str, str]:
    before = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{CONFORMANCE}:{before}"}


@contextmanager
def server(given: str | None) -> Iterator[tuple[str, Psql]]:
    """A throwaway server, or the one given as ``host:port``; address and psql."""
    if given is not None:
        host, _, port = given.partition(":")

        def psql(sql: str, database: str) -> object:
            connect = ("-h", host, "-p", port, "-U", "postgres", "-d", database)
            return subprocess.run(
                ["psql", "-qX", "-v", "ON_ERROR_STOP=1", *connect, "-c", sql],
                check=True,
            )

        yield given, psql
        return
    from ibutsu_migrate.testing import Cluster

    with Cluster.start() as cluster:
        yield f"127.0.0.1:{cluster.port}", cluster.psql


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sqlalchemy", default="", metavar="VERSION")
    parser.add_argument("--alembic", default="", metavar="VERSION")
    parser.add_argument("--suite", action="append", choices=[*SUITES])
    parser.add_argument("--driver", default="ibutsu")
    parser.add_argument("--folder", type=Path, help="keep what was fetched here")
    parser.add_argument("--server", help="host:port of a server with role postgres")
    parser.add_argument("--plugin", action="append", default=["ibutsu_plugin"])
    options = parser.parse_args()
    wanted = {
        project: f"=={version}" if version else ""
        for project, version in vars(options).items()
        if project in ("sqlalchemy", "alembic")
    }
    with tempfile.TemporaryDirectory() as temporary, server(options.server) as found:
        folder = (options.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        python = make_environment(folder, wanted)
        sources = {each: fetch(python, folder, each) for each in wanted}
        address, psql = found
        psql(
            "DO $$ BEGIN CREATE ROLE scott SUPERUSER LOGIN PASSWORD 'tiger'; "
            "EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            "postgres",
        )
        place = Place(python, sources, address, psql)
        failed = False
        for suite in options.suite or SUITES:
            line = run_suite(place, suite, options.driver, options.plugin)
            print(line, flush=True)
            failed = failed or not re.search(r"\d+ passed", line)
            failed = failed or bool(re.search(r"\d+ (failed|error)", line))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
