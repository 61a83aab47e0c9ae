"""The settings object: one frozen value, and where each part of it came from."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from .errors import ConfigurationError
from .policies import BY_NAME, POLICIES, Policy, nearest

if TYPE_CHECKING:
    from configparser import ConfigParser

ENVIRONMENT_VARIABLE: Final = "IBUTSU_MIGRATE"
TOML_TABLE: Final = "tool.ibutsu_migrate"
INI_OPTION: Final = "ibutsu_migrate"

HOOK_ATTRIBUTE: Final = "ibutsu_migrate.hook"
"""Where the env hook says in ``config.attributes`` that it is at work."""

HOOK_SOURCE: Final = "the env hook"

_TOML_KEYS: Final = ("mode", "pipeline", "copy", *BY_NAME)
_PREFIX: Final = f"{ENVIRONMENT_VARIABLE}_"
# What this package, its build and its tests read from the environment besides the
# policies.
_OTHER_VARIABLES: Final = frozenset(
    (
        *("STATS", "CODE_VERSION", "PIPELINE", "COPY"),
        *("PG_BIN", "PG_CONFIG", "WITHOUT_PQ", "WERROR", "DEBUG", "SANITIZE"),
        *("SEED", "VALUES", "TEST_PRELOAD"),
    )
)
# Kubernetes gives every pod such variables for each Service of its namespace: one
# called ibutsu-migrate must not stop a run.
_SERVICE_VARIABLE: Final = re.compile(r"SERVICE_HOST|(SERVICE_)?PORT(_\w+)?")


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
    """Fast, and: lock, bounded waits, history, plan. What the env hook means."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one run goes by.

    Durations are seconds. ``policies.POLICIES`` says what each one is for.

    Attributes:
        mode: The switch.
        mode_source: Where it was set, as a user would name the place.
        lock_wait: For another run's end.
        lock_timeout: Of one statement for a table; 0: no limit.
        lock_patience: For a revision to be tried again.
        statement_timeout: Of one statement; 0: no limit.
        terminate_blockers_after: Of waiting for a table; None: never.
        wait_for_database: For a server that is not up yet.
        history: Whether runs are written down in the database.
        report: ``auto``, ``text``, ``json`` or ``none``.
        sources: Of each policy that is not at its default: its name and the place.
    """

    mode: Mode = Mode.FAST
    mode_source: str = "default"
    lock_wait: float = 600.0
    lock_timeout: float = 1.0
    lock_patience: float = 600.0
    statement_timeout: float = 0.0
    terminate_blockers_after: float | None = None
    wait_for_database: float = 0.0
    history: bool = True
    report: str = "auto"
    sources: tuple[tuple[str, str], ...] = ()

    def source_of(self, name: str) -> str:
        """Where a value comes from, as a user would name the place.

        Args:
            name: ``mode`` or a policy's name.
        """
        if name == "mode":
            return self.mode_source
        return dict(self.sources).get(name, "default")


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
        import difflib

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
    config: AlembicConfig,
    environ: Mapping[str, str] | None = None,
    app: Any = None,
    *,
    in_any_mode: bool = False,
) -> Settings:
    """Settings as all that an Alembic command can see gives them.

    The first place that says something wins: ``-x`` on the command line; the
    environment; the Flask app's config; ``[tool.ibutsu_migrate]`` of pyproject.toml;
    alembic.ini. Where none does, an env.py that is the hook means safe. Policies are
    read in mode safe only: no other mode goes by them.

    Args:
        config: Alembic's ``Config``.
        environ: ``os.environ`` where None.
        app: A Flask app; by default the one in ``config.attributes["app"]``.
        in_any_mode: Whether to read the policies for whoever wants to see them.

    Raises:
        ConfigurationError: A value cannot be meant, pyproject.toml cannot be read, or
            a name is not known.
    """
    environ = os.environ if environ is None else environ
    # The weaker places are not even read where a stronger one decides.
    for place in _places(config, environ, app):
        text = place.values.get("mode")
        if text is not None and str(text).strip():
            source = place.source("mode")
            settings = Settings(parse_mode(str(text), source), source)
            break
    else:
        settings = Settings()
        if config.attributes.get(HOOK_ATTRIBUTE):
            settings = Settings(Mode.SAFE, HOOK_SOURCE)
    if settings.mode is not Mode.SAFE and not in_any_mode:
        return settings
    return _with_policies(settings, _places(config, environ, app))


def settings_with(settings: Settings, **values: object) -> Settings:
    """The same settings but for what a caller says in Python.

    Args:
        settings: What they are else.
        **values: Policies by name, as numbers of seconds, truth values or text.

    Raises:
        ConfigurationError: There is no such policy, or the value cannot be meant.
    """
    place = _Place(values, "argument {}")
    _refuse_unknown(place, BY_NAME)
    return _with_policies(settings, (place,))


@dataclass(frozen=True, slots=True)
class _Place:
    """One place where settings are written.

    Attributes:
        values: By setting, ``mode`` among them; unknown names too.
        pattern: Its name for a user, with ``{}`` for the setting's.
        mode: What the mode is called there.
        prefix: Before a policy's name there.
        upper: Whether names are in capitals there.
    """

    values: Mapping[str, object]
    pattern: str
    mode: str = "mode"
    prefix: str = ""
    upper: bool = False

    def source(self, name: str) -> str:
        """A setting in this place, as a user would name it."""
        if name == "mode":
            return self.pattern.format(self.mode)
        spelled = name.upper() if self.upper else name
        return self.pattern.format(f"{self.prefix}{spelled}")


def _with_policies(settings: Settings, places: Iterable[_Place]) -> Settings:
    """Fill in what the places say; the first that says something wins."""
    found: dict[str, Any] = {}
    sources = dict(settings.sources)
    for place in places:
        _refuse_unknown(place, _TOML_KEYS)
        for policy in POLICIES:
            name, given = policy.name, place.values.get(policy.name)
            if name in found or _is_silent(policy, place, given):
                continue
            sources[name] = place.source(name)
            found[name] = policy.parse(given, sources[name])
    return replace(settings, sources=tuple(sorted(sources.items())), **found)


def _is_silent(policy: Policy, place: _Place, given: object) -> bool:
    if policy.name not in place.values:
        return True
    if given is None:
        return not policy.none
    return not str(given).strip()


def _refuse_unknown(place: _Place, known: Iterable[str]) -> None:
    for name in place.values:
        if name not in known:
            raise ConfigurationError(
                f"{place.source(name)} is no setting.", remedy=nearest(name, known)
            )


def _places(
    config: AlembicConfig, environ: Mapping[str, str], app: Any
) -> Iterator[_Place]:
    """The places that settings are written in, the strongest first."""
    yield _command_line(config)
    yield _Place(
        _prefixed(environ, _PREFIX, ENVIRONMENT_VARIABLE),
        "{} in the environment",
        ENVIRONMENT_VARIABLE,
        _PREFIX,
        upper=True,
    )
    found = app if app is not None else config.attributes.get("app")
    known = getattr(found, "config", None)
    if isinstance(known, Mapping):
        yield _Place(
            _prefixed(known, _PREFIX, ENVIRONMENT_VARIABLE),
            "{} in the Flask config",
            ENVIRONMENT_VARIABLE,
            _PREFIX,
            upper=True,
        )
    toml = getattr(config, "toml_file_name", None)
    if toml is not None:
        yield _Place(toml_table(Path(toml)), f"{{}} in [{TOML_TABLE}] of {toml}")
    ini = getattr(config, "config_file_name", None)
    section = config.config_ini_section
    yield _Place(
        _ini_values(config.file_config, section),
        f"{{}} in {ini if ini is not None else 'the configuration'}",
        INI_OPTION,
        f"{INI_OPTION}.",
    )


def _command_line(config: AlembicConfig) -> _Place:
    """``-x ibutsu_migrate=safe`` and ``-x ibutsu_migrate.lock_wait=1min``."""
    given = getattr(getattr(config, "cmd_opts", None), "x", None) or ()
    values = dict(text.partition("=")[::2] for text in given)
    return _Place(
        _prefixed(values, f"{INI_OPTION}.", INI_OPTION),
        "-x {}",
        INI_OPTION,
        f"{INI_OPTION}.",
    )


def _prefixed(
    values: Mapping[str, Any], prefix: str, mode: str
) -> Mapping[str, object]:
    """Of all that an environment or an app's config holds, what is ours."""
    found = {
        key[len(prefix) :].lower(): value
        for key, value in values.items()
        if key.startswith(prefix) and not _is_no_policy(key[len(prefix) :])
    }
    return {**found, "mode": values[mode]} if mode in values else found


def _is_no_policy(name: str) -> bool:
    return name in _OTHER_VARIABLES or _SERVICE_VARIABLE.fullmatch(name) is not None


def _ini_values(parser: ConfigParser, section: str) -> Mapping[str, object]:
    if not parser.has_section(section):
        return {}
    ours = [name for name in parser.options(section) if name.startswith(INI_OPTION)]
    return _prefixed(
        {name: parser.get(section, name) for name in ours},
        f"{INI_OPTION}.",
        INI_OPTION,
    )


def toml_table(path: Path) -> Mapping[str, object]:
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
            raise ConfigurationError(
                f"{key!r} in [{TOML_TABLE}] of {path} is no setting.",
                remedy=nearest(key, _TOML_KEYS),
            )
    known: Mapping[str, object] = table
    return known
