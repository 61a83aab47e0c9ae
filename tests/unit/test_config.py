"""Where the switch is set, and which place wins."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from alembic.config import Config

from ibutsu_migrate.config import Mode, Settings, parse_mode, settings_for
from ibutsu_migrate.errors import ConfigurationError

NOTHING: dict[str, str] = {}


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


def test_each_place_goes_before_the_next(config: Config) -> None:
    app = SimpleNamespace(config={"IBUTSU_MIGRATE": "safe"})
    assert settings_for(config, NOTHING) == Settings(Mode.FAST, "default")
    config.set_main_option("ibutsu_migrate", "off")
    assert settings_for(config, NOTHING).mode is Mode.OFF
    say_in_toml(config, 'mode = "safe"')
    from_toml = settings_for(config, NOTHING)
    assert from_toml.mode is Mode.SAFE
    assert "[tool.ibutsu_migrate]" in from_toml.mode_source
    app.config["IBUTSU_MIGRATE"] = "off"
    assert settings_for(config, NOTHING, app).mode is Mode.OFF
    config.attributes["app"] = app
    assert settings_for(config, NOTHING).mode_source == (
        "IBUTSU_MIGRATE in the Flask config"
    )
    found = settings_for(config, {"IBUTSU_MIGRATE": " Fast "})
    assert found == Settings(Mode.FAST, "IBUTSU_MIGRATE in the environment")


def test_an_empty_place_says_nothing(config: Config) -> None:
    config.set_main_option("ibutsu_migrate", "off")
    say_in_toml(config, 'mode = ""')
    app = SimpleNamespace(config={"IBUTSU_MIGRATE": None})
    found = settings_for(config, {"IBUTSU_MIGRATE": " "}, app)
    assert found.mode is Mode.OFF


def test_without_files(tmp_path: Path) -> None:
    for config in (
        Config(),
        Config(tmp_path / "nil.ini", toml_file=tmp_path / "nil.toml"),
    ):
        assert settings_for(config, NOTHING) == Settings()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('mode = "fst"', "Did you mean 'fast'?"),
        ('mode = "xyzzy"', "Use off, fast or safe."),
        ('mod = "off"', "Did you mean 'mode'?"),
        ("qqqqqq = 1", "It has only: mode, "),
        ("mode = ", "not valid TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused(config: Config, text: str, says: str) -> None:
    say_in_toml(config, text)
    with pytest.raises(ConfigurationError) as caught:
        settings_for(config, NOTHING)
    assert says in str(caught.value)
    assert str(config.toml_file_name) in str(caught.value)


def test_the_message_names_the_place() -> None:
    with pytest.raises(ConfigurationError, match="here is 'of', which is no mode"):
        parse_mode("of", "here")
