"""Build of the two C extensions; everything else stands in pyproject.toml.

``ibutsu_migrate._core`` needs only libc and Python's headers. ``ibutsu_migrate._pq``
needs libpq 14 or newer, found through ``pg_config``.

Environment switches:

``IBUTSU_MIGRATE_PG_CONFIG``  the pg_config to ask, before any other
``IBUTSU_MIGRATE_WITHOUT_PQ=1``  build without ``_pq`` (graph only, stock drivers)
``IBUTSU_MIGRATE_WERROR=1``  compiler warnings are errors (development)
``IBUTSU_MIGRATE_DEBUG=1``  ``-O0 -g3`` and assertions
``IBUTSU_MIGRATE_SANITIZE=address,undefined``  sanitizers
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from glob import glob
from pathlib import Path

from setuptools import Extension, setup

PREFIX = "IBUTSU_MIGRATE_"
LIBPQ_OLDEST = 14

WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wundef",
    "-Wcast-qual",
    "-Wpointer-arith",
    "-Wwrite-strings",
    "-Wformat=2",
    "-Wvla",
    "-Wdouble-promotion",
    "-Wnull-dereference",
    "-Wimplicit-fallthrough",
]

NO_LIBPQ = """\
ibutsu-migrate: libpq's headers were not found, and the C driver needs them.

Asked, in this order:
{tried}

Install them:
  Debian, Ubuntu   apt-get install libpq-dev
  Fedora, RHEL     dnf install libpq-devel
  Alpine           apk add postgresql-dev
  macOS            brew install libpq
or point to a pg_config with {prefix}PG_CONFIG=/path/to/pg_config,
or build without the C driver (graph only) with {prefix}WITHOUT_PQ=1.
"""


def switch(name: str) -> str:
    return os.environ.get(PREFIX + name, "")


def ask(pg_config: str, option: str) -> str:
    done = subprocess.run(
        [pg_config, option], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def pg_config_candidates() -> list[tuple[str, str | None]]:
    """Places to ask for libpq, each with how it is named in the failure message."""
    newest = sorted(
        glob("/usr/lib/postgresql/*/bin/pg_config"),
        key=lambda path: [int(part) for part in re.findall(r"\d+", path)],
    )
    return [
        (f"${PREFIX}PG_CONFIG", switch("PG_CONFIG") or None),
        ("$PG_CONFIG", os.environ.get("PG_CONFIG")),
        ("pg_config on PATH", shutil.which("pg_config")),
        ("/usr/lib/postgresql/*/bin/pg_config", newest[-1] if newest else None),
    ]


def try_pg_config(pg_config: str) -> tuple[dict[str, list[str]] | None, str]:
    """Build options from one pg_config, or None and why it will not do."""
    try:
        version = ask(pg_config, "--version")
        include, lib = ask(pg_config, "--includedir"), ask(pg_config, "--libdir")
    except (OSError, subprocess.CalledProcessError) as error:
        return None, f"{pg_config}: {error}"
    found = re.search(r"(\d+)", version)
    if found is None or int(found[1]) < LIBPQ_OLDEST:
        return None, f"{pg_config}: {version}, but {LIBPQ_OLDEST} is the oldest usable"
    header = next(
        (
            folder
            for folder in (include, f"{include}/postgresql")
            if Path(folder, "libpq-fe.h").exists()
        ),
        None,
    )
    if header is None:
        return None, f"{pg_config}: {include} has no libpq-fe.h"
    options = {"include_dirs": [header], "library_dirs": [lib]}
    if not lib.startswith(("/usr/lib", "/lib")):
        # A libpq outside the loader's own path (a private build) must be found again
        # at run time.
        options["runtime_library_dirs"] = [lib]
    return options, ""


def find_libpq() -> dict[str, list[str]]:
    tried = []
    for name, candidate in pg_config_candidates():
        if candidate is None:
            tried.append(f"  {name}: not there")
            continue
        options, why_not = try_pg_config(candidate)
        if options is not None:
            return options
        tried.append(f"  {name}: {why_not}")
    sys.exit(NO_LIBPQ.format(tried="\n".join(tried), prefix=PREFIX))


def compile_args() -> list[str]:
    args = ["-std=c11", *WARNINGS, "-fvisibility=hidden", "-ffunction-sections"]
    if switch("DEBUG"):
        args += ["-O0", "-g3", "-UNDEBUG"]
    if switch("WERROR"):
        args.append("-Werror")
    if switch("SANITIZE"):
        args += [f"-fsanitize={switch('SANITIZE')}", "-fno-omit-frame-pointer", "-g"]
    return args


def link_args() -> list[str]:
    args = [] if sys.platform == "darwin" else ["-Wl,--gc-sections"]
    if switch("SANITIZE"):
        args.append(f"-fsanitize={switch('SANITIZE')}")
    return args


def extension(
    name: str, folders: tuple[str, ...], options: dict[str, list[str]]
) -> Extension:
    """One extension: its own `csrc/py` files by prefix, and the layers below it."""
    sources = sorted(
        source
        for pattern in (
            f"csrc/py/{name}_*.c",
            "csrc/py/py_*.c",
            *(f"csrc/{folder}/*.c" for folder in folders),
        )
        for source in glob(pattern)
    )
    return Extension(
        f"ibutsu_migrate._{name}",
        sources=sources,
        depends=sorted(glob("csrc/*/*.h")),
        include_dirs=[
            *(f"csrc/{folder}" for folder in folders),
            *options.get("include_dirs", []),
        ],
        library_dirs=options.get("library_dirs", []),
        runtime_library_dirs=options.get("runtime_library_dirs", []),
        libraries=["pq"] if "pq" in folders else [],
        extra_compile_args=compile_args(),
        extra_link_args=link_args(),
    )


def extensions() -> list[Extension]:
    found = [extension("core", ("core",), {})]
    if not switch("WITHOUT_PQ"):
        found.append(extension("pq", ("core", "pq"), find_libpq()))
    return found


if __name__ == "__main__":
    setup(ext_modules=extensions())
