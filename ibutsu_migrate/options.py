"""Alembic's options by name, without importing Alembic.

Source: ``alembic.config.Config``, whose methods are named below.
"""

from __future__ import annotations

import os

from .plainfiles import OURS, read_ini, read_toml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from configparser import ConfigParser
    from typing import Any, Final

_SEPARATORS: Final = {
    "space": " ",
    "newline": "\n",
    "os": os.pathsep,
    ":": ":",
    ";": ";",
}
_ASKED: Final = frozenset(
    (
        "script_location",
        "version_locations",
        "prepend_sys_path",
        "recursive_version_locations",
        "sourceless",
        "revision_environment",
        "truncate_slug_length",
    )
)


class Options:
    """What alembic.ini says, and where it says nothing what pyproject.toml says.

    Files that are not there say nothing.

    Attributes:
        ini: Name of alembic.ini, None for none.
        toml: Name of pyproject.toml, None for none.
        section: Section of the .ini file.
    """

    def __init__(
        self, ini: str | None, toml: str | None, section: str = "alembic"
    ) -> None:
        self.ini = ini
        self.toml = toml
        self.section = section
        self._parser: ConfigParser | None = None
        self._plain: dict[str, str] | None = {}
        self._toml: dict[str, Any] | None = None
        if ini is not None:
            self._plain = _read_plain_ini(ini, section)

    @property
    def parser(self) -> ConfigParser:
        """``Config.file_config``.

        Raises:
            ConfigurationError: The file is not an .ini file.
        """
        if self._parser is None:
            self._parser = _parser(self.ini)
        return self._parser

    def names(self) -> list[str]:
        """Options of the section of the .ini file."""
        if self._plain is not None:
            return list(self._plain)
        parser, section = self.parser, self.section
        return parser.options(section) if parser.has_section(section) else []

    def from_ini(self, name: str) -> str | None:
        """An option of the .ini file alone (``Config.get_main_option``)."""
        raw = self._plain.get(name) if self._plain is not None else None
        if self._plain is not None and raw is None:
            return None
        if raw is not None:
            here = _here(self.ini)
            value = raw.replace("%(here)s", here)
            if "%" not in here and "%" not in value:
                return value
        return self._interpolated(name)

    def _interpolated(self, name: str) -> str | None:
        from configparser import Error

        try:
            return self.parser.get(self.section, name, fallback=None)
        except Error as error:
            raise _refused(f"{name} in {self.ini}: {error}") from error

    def _from_toml(self, name: str) -> Any:
        """``Config._get_toml_config_value``."""
        if self._toml is None:
            self._toml = _read_toml(self.toml)
        value = self._toml.get(name)
        replacements = {"here": _here(self.toml)}
        try:
            if isinstance(value, str):
                return value % replacements
            if isinstance(value, list):
                return [each % replacements for each in value]
        except (KeyError, TypeError, ValueError) as error:
            raise _refused(f"{name} in {self.toml}: {error!r}") from error
        return value

    def text(self, name: str) -> str | None:
        """``Config.get_alembic_option``; None also for what is no text."""
        found = self.from_ini(name)
        if found is None:
            value = self._from_toml(name)
            found = value if isinstance(value, str) else None
        return found

    def value(self, name: str) -> Any:
        """``Config.get_alembic_option``."""
        found = self.from_ini(name)
        return found if found is not None else self._from_toml(name)

    def true(self, name: str) -> bool:
        """``Config.get_alembic_boolean_option``."""
        found = self.from_ini(name)
        if found is not None:
            return found == "true"
        value = self._from_toml(name)
        if value is not None and not isinstance(value, bool):
            raise _refused(f"{name} in {self.toml} is not true or false.")
        return value is True

    def paths(self, name: str, *separators: str) -> list[str]:
        """``Config.get_version_locations_list``, ``.get_prepend_sys_paths_list``.

        Args:
            name: Of the option.
            *separators: Options of the .ini file that name the separator.
        """
        found = self.from_ini(name)
        if found:
            return self._split(found, separators)
        value = self._from_toml(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise _refused(f"{name} in {self.toml} is not a list.")
        return value

    def _split(self, text: str, separators: tuple[str, ...]) -> list[str]:
        for name in separators:
            named = self.from_ini(name)
            if named is not None:
                if named not in _SEPARATORS:
                    raise _refused(f"{named!r} in {self.ini} is no {name}.")
                parts = text.split(_SEPARATORS[named])
                return [part.strip() for part in parts if part]
        import re

        colon = r"|\:" if "version_path_separator" not in separators else ""
        return re.split(r", *|(?: +)" + colon, text)

    def is_legacy(self) -> bool:
        """Whether Alembic has a deprecation warning about how lists are split."""
        lists = (self.from_ini("version_locations"), self.from_ini("prepend_sys_path"))
        return any(lists) and self.from_ini("path_separator") is None

    def has_own_settings(self) -> bool:
        """Whether one of the files holds settings of this package."""
        own = any(name.startswith(OURS) for name in self.names())
        return own or self._from_toml(OURS) is not None


def configures(toml: str) -> bool:
    """Whether a pyproject.toml has settings of Alembic.

    Args:
        toml: Its name; it need not be there.

    Raises:
        ConfigurationError: It cannot be read.
    """
    return bool(_read_toml(toml).keys() - {OURS})


def _refused(message: str) -> Exception:
    from .errors import ConfigurationError

    return ConfigurationError(message)


def _here(file: str | None) -> str:
    """The folder that ``%(here)s`` stands for."""
    return os.path.dirname(os.path.join(os.getcwd(), file)) if file else os.getcwd()


def _read_plain_ini(file: str, section: str) -> dict[str, str] | None:
    try:
        # As alembic.util.compat.read_config_parser.
        with open(file, encoding="locale") as stream:
            return read_ini(stream.read(), section)
    except OSError:
        return {}
    except UnicodeDecodeError:
        return None


def _parser(file: str | None) -> ConfigParser:
    import configparser

    parser = configparser.ConfigParser({"here": _here(file)})
    try:
        if file is not None:
            parser.read(file, encoding="locale")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise _refused(f"{file} cannot be read: {error}") from error
    return parser


def _read_toml(file: str | None) -> dict[str, Any]:
    """``Config.toml_alembic_config``, and whether there are settings of ours."""
    if file is None or not os.path.exists(file):
        return {}
    try:
        with open(file, "rb") as stream:
            data = stream.read()
        text = data.decode().replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(f"{file} cannot be read: {error}") from error
    plain = read_toml(text, _ASKED)
    return plain if plain is not None else _parsed_toml(file, text)


def _parsed_toml(file: str, text: str) -> dict[str, Any]:
    import tomllib

    try:
        tools = tomllib.loads(text).get("tool", {})
        table = tools.get("alembic", {})
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise _refused(f"{file} cannot be read: {error}") from error
    if not isinstance(table, dict):
        raise _refused(f"[tool.alembic] in {file} is no table.")
    return {**table, **({OURS: True} if OURS in tools else {})}
