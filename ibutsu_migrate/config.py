"""The settings object: one frozen value, and where each part of it came from."""

from __future__ import annotations

import difflib
import enum
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from .errors import ConfigurationError

if TYPE_CHECKING:
    from configparser import ConfigParser

ENVIRONMENT_VARIABLE: Final = "IBUTSU_MIGRATE"
TOML_TABLE: Final = "tool.ibutsu_migrate"
INI_OPTION: Final = "ibutsu_migrate"

_TOML_KEYS: Final = ("mode",)


class AlembicConfig(Protocol):
    """What is asked of an ``alembic.config.Config``."""

    @property
    def attributes(self) -> Any:
        """What callers leave for env.py; a Flask app as ``"app"``."""

    @property
    def file_config(self) -> ConfigParser:
        """alembic.ini; empty where there is none."""

    @property
    def config_ini_section(self) -> str:
        """Name of its main section."""


class Mode(enum.StrEnum):
    """How much of this package is at work."""

    OFF = "off"
    """Stock Alembic, as if this package were not installed."""
    FAST = "fast"
    """Same results as stock Alembic, the revision graph in C. The default."""
    SAFE = "safe"
    """Fast, and: lock, bounded waits, history, plan."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one run goes by.

    Attributes:
        mode: The switch.
        mode_source: Where it was set, as a user would name the place.
    """

    mode: Mode = Mode.FAST
    mode_source: str = "default"


def parse_mode(text: str, source: str) -> Mode:
    """Read a mode.

    Args:
        text: As the user wrote it; case and surrounding space do not count.
        source: Where it stands, for the message.

    Raises:
        ConfigurationError: It is none of off, fast, safe.
    """
    wanted = text.strip().lower()
    try:
        return Mode(wanted)
    except ValueError:
        near = difflib.get_close_matches(wanted, list(Mode), n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "Use off, fast or safe."
        raise ConfigurationError(
            f"{source} is {text!r}, which is no mode.", remedy=hint
        ) from None


def settings_from_environment(environ: Mapping[str, str]) -> Settings:
    """Settings as the environment alone gives them.

    Args:
        environ: Usually ``os.environ``.

    Raises:
        ConfigurationError: ``IBUTSU_MIGRATE`` is not a mode.
    """
    text = environ.get(ENVIRONMENT_VARIABLE, "")
    if not text.strip():
        return Settings()
    source = f"{ENVIRONMENT_VARIABLE} in the environment"
    return Settings(parse_mode(text, source), source)


def settings_for(
    config: AlembicConfig, environ: Mapping[str, str] | None = None, app: Any = None
) -> Settings:
    """Settings as all that an Alembic command can see gives them.

    The first place that says something wins: the environment; the Flask app's config;
    ``[tool.ibutsu_migrate]`` of pyproject.toml; alembic.ini.

    Args:
        config: Alembic's ``Config``.
        environ: ``os.environ`` where None.
        app: A Flask app; by default the one in ``config.attributes["app"]``.

    Raises:
        ConfigurationError: The value is not a mode, pyproject.toml cannot be read, or
            its table has a key that is not known.
    """
    settings = settings_from_environment(os.environ if environ is None else environ)
    if settings.mode_source != "default":
        return settings
    for text, source in _written(config, app):
        if text is not None and str(text).strip():
            return Settings(parse_mode(str(text), source), source)
    return settings


def require_available(settings: Settings) -> Settings:
    """Refuse a mode that this version does not have.

    Raises:
        ConfigurationError: The mode is ``safe``.
    """
    if settings.mode is Mode.SAFE:
        raise ConfigurationError(
            f"{settings.mode_source} asks for mode safe, which is not available in "
            "this version. Nothing was done.",
            remedy="Use fast, or off for stock Alembic.",
        )
    return settings


def _written(config: AlembicConfig, app: Any) -> Iterable[tuple[object, str]]:
    """The places that hold a mode, the strongest first; each with its name."""
    found = app if app is not None else config.attributes.get("app")
    known = getattr(found, "config", None)
    if isinstance(known, Mapping):
        flask = known.get(ENVIRONMENT_VARIABLE)
        yield flask, f"{ENVIRONMENT_VARIABLE} in the Flask config"
    toml = getattr(config, "toml_file_name", None)
    if toml is not None:
        yield _toml_table(Path(toml)).get("mode"), f"mode in [{TOML_TABLE}] of {toml}"
    ini = getattr(config, "config_file_name", None)
    yield (
        config.file_config.get(config.config_ini_section, INI_OPTION, fallback=None),
        f"{INI_OPTION} in {ini if ini is not None else 'the configuration'}",
    )


def _toml_table(path: Path) -> Mapping[str, object]:
    """``[tool.ibutsu_migrate]``; empty where there is no such file or table."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if INI_OPTION not in text:
        return {}
    import tomllib

    try:
        table = tomllib.loads(text).get("tool", {}).get(INI_OPTION, {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    for key in table:
        if key not in _TOML_KEYS:
            near = difflib.get_close_matches(key, _TOML_KEYS, n=1, cutoff=0.4)
            raise ConfigurationError(
                f"{key!r} in [{TOML_TABLE}] of {path} is no setting.",
                remedy=f"Did you mean {near[0]!r}?" if near else "It has only: mode.",
            )
    known: Mapping[str, object] = table
    return known
