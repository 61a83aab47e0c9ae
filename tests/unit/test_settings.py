"""Policies: how values are read, where they come from, and the table in the docs."""

from __future__ import annotations

import argparse
import pickle
import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alembic.config import Config

from ibutsu_migrate.config import Mode, Settings, settings_for, settings_with
from ibutsu_migrate.errors import ConfigurationError
from ibutsu_migrate.policies import BY_NAME, POLICIES, show_seconds

SAFE = {"IBUTSU_MIGRATE": "safe"}
ROOT = Path(__file__).parents[2]
SOURCES = [
    ROOT / "setup.py",
    *(ROOT / "tools").glob("*.sh"),
    *(ROOT / "ibutsu_migrate").rglob("*.py"),
    *(ROOT / "tests" / "db").glob("test_[iv]*.py"),
]
REFERENCE = ROOT / "docs" / "reference" / "settings.md"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Alembic's configuration with both files, neither of which says anything."""
    ini, toml = tmp_path / "alembic.ini", tmp_path / "pyproject.toml"
    ini.write_text("[alembic]\n")
    toml.write_text("[tool.alembic]\n")
    return Config(ini, toml_file=toml)


def say_in_toml(config: Config, text: str) -> None:
    assert config.toml_file_name is not None
    Path(config.toml_file_name).write_text(f"[tool.ibutsu_migrate]\n{text}\n")


def test_defaults_are_the_table_s() -> None:
    settings = Settings()
    names = {field.name for field in fields(Settings)}
    assert names == {"mode", "mode_source", "sources", *BY_NAME}
    for policy in POLICIES:
        at_rest = getattr(settings, policy.name)
        assert policy.parse(policy.default, "here") == at_rest
        assert settings.source_of(policy.name) == "default"


def test_every_place_and_which_wins(config: Config) -> None:
    config.set_main_option("ibutsu_migrate.lock_wait", "1s")
    assert settings_for(config, SAFE).lock_wait == 1
    say_in_toml(config, "lock_wait = 2")
    assert settings_for(config, SAFE).lock_wait == 2
    app = SimpleNamespace(config={"IBUTSU_MIGRATE_LOCK_WAIT": "3 s"})
    assert settings_for(config, SAFE, app).lock_wait == 3
    environ = {**SAFE, "IBUTSU_MIGRATE_LOCK_WAIT": "4000ms"}
    found = settings_for(config, environ, app)
    assert found.lock_wait == 4
    assert found.source_of("lock_wait") == "IBUTSU_MIGRATE_LOCK_WAIT in the environment"
    config.cmd_opts = argparse.Namespace(x=["tenant=a", "ibutsu_migrate.lock_wait=5s"])
    found = settings_for(config, environ, app)
    assert found.lock_wait == 5
    assert found.source_of("lock_wait") == "-x ibutsu_migrate.lock_wait"
    assert found.source_of("mode") == "IBUTSU_MIGRATE in the environment"
    assert found.source_of("lock_timeout") == "default"


def test_the_mode_on_the_command_line(config: Config) -> None:
    config.cmd_opts = argparse.Namespace(x=["ibutsu_migrate=safe"])
    found = settings_for(config, {"IBUTSU_MIGRATE": "off"})
    assert (found.mode, found.mode_source) == (Mode.SAFE, "-x ibutsu_migrate")


def test_places_add_up(config: Config) -> None:
    say_in_toml(config, "lock_timeout = 0.5\nhistory = false")
    config.set_main_option("ibutsu_migrate.statement_timeout", "2h")
    found = settings_for(config, SAFE)
    assert (found.lock_timeout, found.history, found.statement_timeout) == (
        0.5,
        False,
        7200,
    )
    toml = config.toml_file_name
    assert found.source_of("history") == f"history in [tool.ibutsu_migrate] of {toml}"
    ini = config.config_file_name
    expected = f"ibutsu_migrate.statement_timeout in {ini}"
    assert found.source_of("statement_timeout") == expected


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("lock_wait", "90", 90),
        ("lock_wait", 0.25, 0.25),
        ("lock_wait", "1.5h", 5400),
        ("lock_wait", "2 D", 172800),
        ("terminate_blockers_after", "none", None),
        ("terminate_blockers_after", None, None),
        ("terminate_blockers_after", "30s", 30),
        ("history", "no", False),
        ("history", True, True),
        ("report", "JSON", "json"),
    ],
)
def test_values(name: str, text: object, value: object) -> None:
    assert getattr(settings_with(Settings(), **{name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("lock_wait", "soon", "no duration"),
        ("lock_wait", "-1", "no duration"),
        ("lock_wait", "1 week", "no duration"),
        ("lock_wait", True, "no duration"),
        ("lock_wait", "none", "must be a duration"),
        ("lock_wait", "25d", "the longest is 24d"),
        ("history", "perhaps", "Use on or off."),
        ("report", "jsno", "Did you mean 'json'?"),
        ("lokc_wait", "1", "Did you mean 'lock_wait'?"),
        ("mode", "off", "argument mode is no setting"),
    ],
)
def test_what_cannot_be_meant(name: str, text: object, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings_with(Settings(), **{name: text})
    assert says in str(caught.value)
    assert f"argument {name}" in str(caught.value)


@pytest.mark.parametrize("place", ["environment", "flask", "toml", "ini", "line"])
def test_an_unknown_name_is_refused_with_the_nearest(
    place: str, config: Config
) -> None:
    environ: dict[str, str] = dict(SAFE)
    app = SimpleNamespace(config={})
    if place == "environment":
        environ["IBUTSU_MIGRATE_LOCK_TIMEOT"] = "1"
    elif place == "flask":
        app.config["IBUTSU_MIGRATE_LOCK_TIMEOT"] = "1"
    elif place == "toml":
        say_in_toml(config, "lock_timeot = 1")
    elif place == "ini":
        config.set_main_option("ibutsu_migrate.lock_timeot", "1")
    else:
        x = ["ibutsu_migrate.lock_timeot=1"]
        config.cmd_opts = argparse.Namespace(x=x)
    with pytest.raises(ConfigurationError, match=r"(?i)lock_timeot") as caught:
        settings_for(config, environ, app)
    assert "Did you mean 'lock_timeout'?" in str(caught.value)


def test_variables_that_are_no_settings() -> None:
    """What this project reads itself, and what Kubernetes gives every pod."""
    used: set[str] = set()
    for path in SOURCES:
        used.update(re.findall(r"\bIBUTSU_MIGRATE_[A-Z]\w+", path.read_text()))
    policies = {f"IBUTSU_MIGRATE_{name.upper()}" for name in BY_NAME}
    kubernetes = {
        "IBUTSU_MIGRATE_SERVICE_HOST",
        "IBUTSU_MIGRATE_SERVICE_PORT",
        "IBUTSU_MIGRATE_SERVICE_PORT_HTTP",
        "IBUTSU_MIGRATE_PORT",
        "IBUTSU_MIGRATE_PORT_5432_TCP_ADDR",
    }
    assert "IBUTSU_MIGRATE_PG_BIN" in used
    environ = dict.fromkeys((used | kubernetes) - policies, "1")
    found = settings_for(Config(), {**environ, **SAFE})
    assert found.sources == ()


def test_other_modes_do_not_read_policies(config: Config) -> None:
    environ = {"IBUTSU_MIGRATE": "fast", "IBUTSU_MIGRATE_LOCK_WAIT": "soon"}
    assert settings_for(config, environ).lock_wait == 600


def test_a_weaker_place_is_not_read(config: Config) -> None:
    say_in_toml(config, "mode = ")
    assert settings_for(config, {"IBUTSU_MIGRATE": "off"}).mode is Mode.OFF


def test_settings_are_values() -> None:
    settings = settings_with(Settings(), lock_wait="1min")
    assert settings_with(Settings(), lock_wait=60.0) == settings
    assert hash(settings) == hash(settings_with(Settings(), lock_wait=60))
    assert pickle.loads(pickle.dumps(settings)) == settings
    changed: Any = settings
    with pytest.raises(FrozenInstanceError):
        changed.lock_wait = 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "none"), (0, "0"), (0.25, "250ms"), (90, "90s"), (600, "10min")],
)
def test_durations_are_shown_as_written(seconds: float | None, text: str) -> None:
    assert show_seconds(seconds) == text


def test_the_reference_has_the_table() -> None:
    text = REFERENCE.read_text()
    for policy in POLICIES:
        row = (
            f"| `{policy.name}` | {policy.unit} | `{policy.default}` | "
            f"{policy.meaning} | {policy.reason} |"
        )
        assert row in text
