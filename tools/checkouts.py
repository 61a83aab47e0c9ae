"""Copies of the checkout, each built in a virtual environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = (sys.executable, "-m", "venv")
LEFT_OUT = (".git", ".venv", ".cache", "build", "dist", "*.so", "*.egg-info", "*_cache")


def build(
    folder: Path, variables: Mapping[str, str], venv: Sequence[str] = VENV
) -> Path:
    """Build the package with no warning.

    Args:
        folder: Gets ``src``, the copy, and ``venv``, which is kept for the next time.
        variables: For the build, beside those of this process.
        venv: The command that makes a virtual environment, without its last word.

    Returns:
        The environment's Python.

    Raises:
        subprocess.CalledProcessError: It does not build.
    """
    source, python = folder / "src", folder / "venv" / "bin" / "python"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LEFT_OUT))
    if not python.exists():
        subprocess.run([*venv, str(folder / "venv")], check=True)
    pip = [str(python), "-m", "pip", "install", "-q"]
    subprocess.run([*pip, "setuptools>=77"], check=True)
    subprocess.run(
        [*pip, "--no-build-isolation", "-e", ".[test]"],
        cwd=source,
        env={**os.environ, "IBUTSU_MIGRATE_WERROR": "1", **variables},
        check=True,
    )
    return python
