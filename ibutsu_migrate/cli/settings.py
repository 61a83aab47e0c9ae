"""``config``: every setting, what it is, and which place said so."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..colours import failed
from ..config import (
    HOOK_ATTRIBUTE,
    HOOK_SOURCE,
    TOML_TABLE,
    Mode,
    settings_for,
    toml_table,
)
from ..errors import IbutsuMigrateError
from ..policies import POLICIES, show_seconds
from .envfile import Hook, find_hook
from .program import FAILED, config_of, options_of, write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config import AlembicConfig, Settings
    from .arguments import Asked

SCHEMA: Final = "ibutsu-migrate/config/1"

# The driver's.
_SWITCHES: Final = ("pipeline", "copy")
_HELD_BACK: Final = (
    "In mode {} none but `mode`, `pipeline` and `copy` count; the others are what mode "
    "safe would go by."
)
_NOT_RUN: Final = (
    "env.py is read for this, not run: what it says itself, a Flask config, or a call "
    "of the hook in a module that it imports is not in the list."
)
_MAYBE: Final = (
    "env.py speaks of ibutsu_migrate.env.run_migrations(): where it comes to call it, "
    "the mode is safe."
)


def run(asked: Asked) -> int:
    """Print the settings.

    Args:
        asked: The command line.

    Returns:
        0, or 255 where a setting cannot be meant or is none.
    """
    try:
        options = options_of(asked)
        config = config_of(asked, options)
        hook = find_hook(options)
        config.attributes[HOOK_ATTRIBUTE] = hook.calls == "yes"
        settings = settings_for(config, in_any_mode=True)
        told = as_values(settings, config, hook)
    except IbutsuMigrateError as error:
        print(failed(str(error)), file=sys.stderr)
        return FAILED
    if not asked.quiet:
        write(as_json(told) if "json" in asked.flags else as_text(told))
    return 0


def as_values(settings: Settings, config: AlembicConfig, hook: Hook) -> dict[str, Any]:
    """The settings for programs; ``docs/reference/json.md`` has the schema.

    Raises:
        ConfigurationError: pyproject.toml cannot be read.
    """
    safe = settings.mode is Mode.SAFE
    mode = _told("mode", str(settings.mode), "fast", settings.mode_source)
    if settings.mode_source == "default" and hook.calls == "maybe":
        mode["text"] = f"{Mode.FAST} or {Mode.SAFE}"
    elif settings.mode_source == HOOK_SOURCE:
        mode["source"] = f"{HOOK_SOURCE}, {hook.place}"
    listed = [{**mode, "counts": True}]
    for policy in POLICIES:
        value, source = getattr(settings, policy.name), settings.source_of(policy.name)
        listed.append(
            {**_told(policy.name, value, policy.default, source), "counts": safe}
        )
    on = settings.mode is not Mode.OFF
    listed += [{**_switch(name, config), "counts": on} for name in _SWITCHES]
    return {
        "schema": SCHEMA,
        "mode": str(settings.mode),
        "hook": hook.calls,
        "settings": listed,
    }


def _told(name: str, value: object, default: str, source: str) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "text": _shown(value),
        "default": default,
        "source": source,
    }


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or isinstance(value, (int, float)):
        return show_seconds(value)
    return str(value)


def _switch(name: str, config: AlembicConfig) -> dict[str, Any]:
    """A setting of the driver's, which env.py's own arguments may stand between."""
    variable = f"IBUTSU_MIGRATE_{name.upper()}"
    text = os.environ.get(variable, "").strip().lower()
    if text:
        return _told(name, text, "on", f"{variable} in the environment")
    toml = getattr(config, "toml_file_name", None)
    table = toml_table(Path(toml)) if toml is not None else {}
    if name in table:
        value = table[name]
        source = f"{name} in [{TOML_TABLE}] of {toml}"
        return _told(
            name, value if value in (True, False) else str(value), "on", source
        )
    return _told(name, True, "on", "default")


def as_json(told: dict[str, Any]) -> str:
    """The settings as JSON."""
    return json.dumps(told, indent=2) + "\n"


def as_text(told: dict[str, Any]) -> str:
    """The settings for people: name, value, place."""
    rows = [(each["name"], each["text"], each["source"]) for each in told["settings"]]
    lines = list(_columns(rows))
    if told["settings"][0]["text"] != told["mode"]:
        lines += ["", _MAYBE]
    if told["mode"] != Mode.SAFE:
        lines += ["", _HELD_BACK.format(told["mode"])]
    return "\n".join([*lines, "", _NOT_RUN]) + "\n"


def _columns(rows: list[tuple[str, str, str]]) -> Iterable[str]:
    first, second = (max(len(row[at]) for row in rows) for at in (0, 1))
    for name, text, source in rows:
        yield f"{name:<{first}}  {text:<{second}}  {source}"
