"""Finding the environment without Alembic, with Alembic as the judge."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from ibutsu_migrate.errors import ConfigurationError
from ibutsu_migrate.flask.alembic_config import make_config
from ibutsu_migrate.flask.environment import (
    Environment,
    find_environment,
    find_layout,
)
from ibutsu_migrate.layout import Layout

CONFIGURATIONS = {
    "here": ("[alembic]\nscript_location = %(here)s/alembic\n", ""),
    "relative": ("[alembic]\nscript_location = alembic\n", ""),
    "toml": ("", "[tool.alembic]\nscript_location = '%(here)s/alembic'\n"),
    "both, the .ini counts": (
        "[alembic]\nscript_location = %(here)s/alembic\n",
        "[tool.alembic]\nscript_location = 'elsewhere'\n",
    ),
    "toml beside an .ini for logging": (
        "[loggers]\nkeys = root\n",
        "[tool.alembic]\nscript_location = '%(here)s/alembic'\n"
        "version_locations = ['%(here)s/one', '%(here)s/two']\n"
        "recursive_version_locations = true\n",
    ),
    "several folders, os": (
        "[alembic]\nscript_location = %(here)s/alembic\npath_separator = os\n"
        f"version_locations = %(here)s/one{os.pathsep}%(here)s/two\n",
        "",
    ),
    "several folders, newline": (
        "[alembic]\nscript_location = %(here)s/alembic\npath_separator = newline\n"
        "version_locations =\n  %(here)s/one\n  %(here)s/two\n",
        "",
    ),
    "several folders, old name, space": (
        "[alembic]\nscript_location = %(here)s/alembic\n"
        "version_path_separator = space\n"
        "version_locations = %(here)s/one %(here)s/two\n",
        "",
    ),
    "recursive, sourceless": (
        "[alembic]\nscript_location = %(here)s/alembic\nsourceless = true\n"
        "recursive_version_locations = true\n",
        "",
    ),
    "package": (
        "[alembic]\nscript_location = email:mime\nsourceless = false\n",
        "",
    ),
}


def alembic_layout(environment: Environment) -> Layout:
    directory = ScriptDirectory.from_config(make_config(environment))
    return Layout(
        [str(each) for each in directory._version_locations],
        directory.recursive_version_locations,
        directory.sourceless,
    )


@pytest.mark.filterwarnings("ignore:The version_path_separator:DeprecationWarning")
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_layout_is_alembics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ini, toml = CONFIGURATIONS[name]
    monkeypatch.chdir(tmp_path)
    for folder in ("alembic", "elsewhere"):
        (tmp_path / folder).mkdir()
    if ini:
        (tmp_path / "alembic.ini").write_text(ini)
    if toml:
        (tmp_path / "pyproject.toml").write_text(toml)
    environment = find_environment(None, [tmp_path], {})
    assert find_layout(environment) == alembic_layout(environment)


@pytest.mark.parametrize("folder", ["alembic", "migrations"])
def test_a_folder_with_env_is_found_by_its_name(tmp_path: Path, folder: str) -> None:
    first, second = tmp_path / "first", tmp_path / "100%second"
    for root in (first, second):
        (root / folder / "versions").mkdir(parents=True)
    (second / folder / "env.py").touch()
    environment = find_environment(None, [first, second], {})
    expected = Layout([str(second / folder / "versions")], False, False)
    assert find_layout(environment) == alembic_layout(environment) == expected


def test_a_configured_root_comes_before_a_bare_folder(tmp_path: Path) -> None:
    (tmp_path / "a" / "migrations").mkdir(parents=True)
    (tmp_path / "a" / "migrations" / "env.py").touch()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "alembic.ini").write_text("[alembic]\nscript_location = x\n")
    found = find_environment(None, [tmp_path / "a", tmp_path / "b"], {})
    assert found.ini == tmp_path / "b" / "alembic.ini"


def test_a_given_folder_wins_and_keeps_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = other\n")
    found = find_environment(tmp_path / "mine", [tmp_path], {"ALEMBIC_CONFIG": "no"})
    assert found.ini == tmp_path / "alembic.ini"
    expected = Layout([str(tmp_path / "mine" / "versions")], False, False)
    assert find_layout(found) == alembic_layout(found) == expected
    (tmp_path / "mine" / "alembic.ini").write_text("[alembic]\n")
    nearer = find_environment(tmp_path / "mine", [tmp_path], {})
    assert nearer.ini == tmp_path / "mine" / "alembic.ini"


@pytest.mark.parametrize(
    ("name", "ini", "toml"),
    [
        ("deploy.ini", "deploy.ini", "pyproject.toml"),
        ("pyproject.toml", "alembic.ini", "pyproject.toml"),
    ],
)
def test_alembic_config_in_the_environment(
    tmp_path: Path, name: str, ini: str, toml: str
) -> None:
    named = {"ALEMBIC_CONFIG": str(tmp_path / name)}
    found = find_environment(None, [tmp_path], named)
    assert (found.ini, found.toml) == (tmp_path / ini, tmp_path / toml)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("alembic.ini", "[alembic\n", "alembic.ini cannot be read"),
        ("pyproject.toml", "[tool.alembic\n", "pyproject.toml cannot be read"),
        ("alembic.ini", "[alembic]\nscript_location = nil.nil:x\n", "nil"),
        ("alembic.ini", "[alembic]\n", "No migration environment was found"),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, file: str, text: str, says: str
) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        find_layout(find_environment(None, [tmp_path], {}))
