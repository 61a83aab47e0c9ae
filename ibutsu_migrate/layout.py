"""Where the revision files are, without importing Alembic."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .options import Options


class Layout:
    """Where revision files are looked for.

    Attributes:
        folders: Version locations in Alembic's order, absolute.
        recursive: Whether folders below count too.
        sourceless: Whether .pyc files without their source count.
    """

    __slots__ = ("folders", "recursive", "sourceless")

    def __init__(
        self, folders: Iterable[str], recursive: bool, sourceless: bool
    ) -> None:
        self.folders = tuple(folders)
        self.recursive = recursive
        self.sourceless = sourceless

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Layout{self._values()}"

    def _values(self) -> tuple[object, ...]:
        return self.folders, self.recursive, self.sourceless


def find_layout(options: Options, script_location: str | None = None) -> Layout:
    """Read where the revision files are.

    ``sys.path`` is changed as Alembic changes it (``prepend_sys_path``) where a folder
    is named by its package.

    Args:
        options: Of the configuration files.
        script_location: The folder with env.py, if it is not theirs to say.

    Raises:
        ConfigurationError: No folder is configured, or it is not there, or a value
            cannot be meant.

    Source: ``alembic.script.ScriptDirectory.from_config``.
    """
    location = script_location or options.text("script_location")
    if location is None:
        raise _refused("No 'script_location' key found in configuration.")
    named = options.paths(
        "version_locations", "path_separator", "version_path_separator"
    )
    if any(is_resource(each) for each in (location, *named)):
        sys.path[:0] = options.paths("prepend_sys_path", "path_separator")
    folder = folder_of(location)
    if not os.access(folder, os.F_OK):
        raise _refused(f"The folder {folder} is not there.")
    return Layout(
        [folder_of(each) for each in named] or [os.path.join(folder, "versions")],
        options.true("recursive_version_locations"),
        options.true("sourceless"),
    )


def is_resource(location: str) -> bool:
    """Whether a folder is named by its package, ``package:folder``."""
    return not os.path.isabs(location) and ":" in location


def folder_of(location: str) -> str:
    """A location as an absolute path; its package is found, not imported.

    Raises:
        ConfigurationError: There is no such package with a folder of its own.

    Source: ``alembic.util.pyfiles.coerce_resource_to_filename``.
    """
    if not is_resource(location):
        return os.path.join(os.getcwd(), location)
    package, *parts = location.split(":")
    return os.path.join(_package_folder(package), *parts)


def _package_folder(package: str) -> str:
    where = None
    spec = None
    name = ""
    for part in package.split("."):
        name = f"{name}.{part}" if name else part
        spec = _found(name, where)
        where = getattr(spec, "submodule_search_locations", None)
        if where is None:
            raise _refused(f"The package {name!r} is not there.")
    origin = getattr(spec, "origin", None)
    if origin is None or not os.path.isfile(origin):
        raise _refused(f"The package {package!r} has no folder of its own.")
    return os.path.dirname(os.path.abspath(str(origin)))


def _found(name: str, where: object) -> object:
    """The spec of a package; importlib.util.find_spec would import its parents."""
    for finder in sys.meta_path:
        spec = finder.find_spec(name, where)  # type: ignore[arg-type]
        if spec is not None:
            return spec
    return None


def _refused(message: str) -> Exception:
    from .errors import ConfigurationError

    return ConfigurationError(message)
