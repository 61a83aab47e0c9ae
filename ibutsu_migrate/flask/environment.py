"""Where a Flask app's migration environment is, found without importing Alembic."""

from __future__ import annotations

import configparser
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError

_FOLDERS: Final = ("alembic", "migrations")
_SEPARATORS: Final = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":"}
_LEGACY_SPLIT: Final = re.compile(r", *|(?: +)")


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


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the revision files are.

    Attributes:
        folders: Version locations, in Alembic's order.
        recursive: Whether folders below count too.
        sourceless: Whether .pyc files without their source count.
    """

    folders: tuple[Path, ...]
    recursive: bool
    sourceless: bool


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
    ini = root / "alembic.ini"
    return ini.is_file() or bool(_toml_section(root / "pyproject.toml"))


def _toml_section(file: Path | None) -> Mapping[str, object]:
    if file is None or not file.is_file():
        return {}
    try:
        with file.open("rb") as stream:
            section = tomllib.load(stream).get("tool", {}).get("alembic", {})
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    return section if isinstance(section, dict) else {}


class _Options:
    """Alembic's options by name: the .ini file first, then pyproject.toml.

    Source: ``alembic.config.Config.get_alembic_option``.
    """

    def __init__(self, environment: Environment) -> None:
        self._section = environment.section
        ini, toml = environment.ini, environment.toml
        here = {"here": (ini.parent if ini else Path.cwd()).as_posix()}
        self._ini = configparser.ConfigParser(here)
        try:
            if ini is not None:
                self._ini.read(ini, encoding="utf-8")
        except configparser.Error as error:
            raise ConfigurationError(f"{ini} cannot be read: {error}") from error
        self._toml = _toml_section(toml)
        self._here = (toml.parent if toml else Path.cwd()).as_posix()

    def from_ini(self, name: str) -> str | None:
        return self._ini.get(self._section, name, fallback=None)

    def text(self, name: str) -> str | None:
        found = self.from_ini(name)
        if found is not None:
            return found
        value = self._toml.get(name)
        return value % {"here": self._here} if isinstance(value, str) else None

    def true(self, name: str) -> bool:
        found = self.from_ini(name)
        return found == "true" if found is not None else self._toml.get(name) is True

    def paths(self, name: str) -> list[str]:
        found = self.from_ini(name)
        if found:
            return self._split(found)
        value = self._toml.get(name)
        if not isinstance(value, list):
            return []
        return [str(item) % {"here": self._here} for item in value]

    def _split(self, text: str) -> list[str]:
        named = self.from_ini("path_separator") or self.from_ini(
            "version_path_separator"
        )
        if named is None:
            return [part for part in _LEGACY_SPLIT.split(text) if part]
        separator = _SEPARATORS.get(named, named)
        return [part.strip() for part in text.split(separator) if part.strip()]


def find_layout(environment: Environment) -> Layout:
    """Read where the revision files are.

    Raises:
        ConfigurationError: No folder is configured, or a file cannot be read.

    Source: ``alembic.script.ScriptDirectory.from_config``.
    """
    options = _Options(environment)
    location = environment.script_location or options.text("script_location")
    if location is None:
        raise ConfigurationError(
            "No migration environment was found: no alembic.ini, no [tool.alembic] in "
            "pyproject.toml, no alembic/ or migrations/ folder with an env.py.",
            remedy="Make one with `flask db init alembic`, or name its folder: "
            "IbutsuMigrate(app, db, directory=...).",
        )
    folders = [_folder(name) for name in options.paths("version_locations")]
    return Layout(
        tuple(folders) or (_folder(location) / "versions",),
        options.true("recursive_version_locations"),
        options.true("sourceless"),
    )


def _folder(location: str | Path) -> Path:
    """A path, or Alembic's ``package:folder`` spelling."""
    text = str(location)
    if isinstance(location, Path) or os.path.isabs(text) or ":" not in text:
        return Path(text).absolute()
    package, *parts = text.split(":")
    try:
        return Path(str(resources.files(package).joinpath(*parts))).absolute()
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The migration environment is configured as {text!r}: {error}."
        ) from error
