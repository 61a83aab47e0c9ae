"""Where a Flask app's migration environment is, found without importing Alembic."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError
from ..layout import Layout
from ..layout import find_layout as layout_of
from ..options import Options, configures

_FOLDERS: Final = ("alembic", "migrations")


@dataclass(frozen=True, slots=True)
class Environment:
    """The files an Alembic ``Config`` is made of.

    Attributes:
        ini: ``alembic.ini``; need not exist.
        toml: ``pyproject.toml``; need not exist.
        section: Section of the .ini file.
        script_location: The folder with env.py where it was given or found by its
            name; None where the configuration says it.
    """

    ini: Path | None
    toml: Path | None
    section: str = "alembic"
    script_location: Path | None = None


def find_environment(
    directory: str | os.PathLike[str] | None,
    roots: Iterable[str | os.PathLike[str]],
    environ: Mapping[str, str],
) -> Environment:
    """Find the environment as ``alembic`` would, or by the app's own folders.

    In this order: ``directory``; ``ALEMBIC_CONFIG``; the first root whose
    ``alembic.ini`` or ``pyproject.toml`` configures Alembic; the first root with an
    ``alembic/`` or ``migrations/`` folder that holds an env.py. Where nothing is
    found, the files that ``alembic`` itself would look for in the first root.

    Args:
        directory: The folder with env.py, or None to look for it.
        roots: Folders to look in; usually the working directory and the app's.
        environ: Usually ``os.environ``.

    Source: ``alembic.config.CommandLine._inis_from_config``.
    """
    places = [Path(root).absolute() for root in roots] or [Path.cwd()]
    if directory is not None:
        return _given(places, Path(directory).absolute())
    named = environ.get("ALEMBIC_CONFIG")
    if named:
        file = Path(named).absolute()
        if file.name == "pyproject.toml":
            return Environment(places[0] / "alembic.ini", file)
        return Environment(file, places[0] / "pyproject.toml")
    for root in places:
        if _configures(root):
            return _files_of(root)
    for root in places:
        for name in _FOLDERS:
            if (root / name / "env.py").is_file():
                return _given(places, root / name)
    return _files_of(places[0])


def _files_of(root: Path) -> Environment:
    return Environment(root / "alembic.ini", root / "pyproject.toml")


def _given(places: list[Path], folder: Path) -> Environment:
    """A folder that is known; its own alembic.ini comes first, as Flask-Migrate's."""
    if (folder / "alembic.ini").is_file():
        return Environment(folder / "alembic.ini", None, script_location=folder)
    for root in places:
        if _configures(root):
            return Environment(
                root / "alembic.ini", root / "pyproject.toml", script_location=folder
            )
    return Environment(None, None, script_location=folder)


def _configures(root: Path) -> bool:
    """Whether a folder's files have a place for Alembic's settings."""
    return (root / "alembic.ini").is_file() or configures(str(root / "pyproject.toml"))


def find_layout(environment: Environment) -> Layout:
    """Read where the revision files are.

    Raises:
        ConfigurationError: No folder is configured, or a file cannot be read.
    """
    ini, toml = environment.ini, environment.toml
    options = Options(
        str(ini) if ini else None, str(toml) if toml else None, environment.section
    )
    location = environment.script_location or options.text("script_location")
    if location is None:
        raise ConfigurationError(
            "No migration environment was found: no alembic.ini, no [tool.alembic] in "
            "pyproject.toml, no alembic/ or migrations/ folder with an env.py.",
            remedy="Make one with `flask db init alembic`, or name its folder: "
            "IbutsuMigrate(app, db, directory=...).",
        )
    if environment.script_location is None:
        return layout_of(options)
    return layout_of(options, str(environment.script_location))
