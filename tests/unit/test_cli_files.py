"""Reading alembic.ini and pyproject.toml quickly is reading them."""

from __future__ import annotations

import configparser
import random
import tomllib
from pathlib import Path
from typing import Any

import alembic
import pytest

from ibutsu_migrate.plainfiles import OURS, read_ini, read_toml

NAMES = frozenset(("script_location", "version_locations", "sourceless", "size"))

INI = (
    *("[alembic]", "[other]", "[ alembic ]", "[alembic] ; x", "[DEFAULT]", "[]", "["),
    *("a = 1", "a: 1", "A=2", "b =", "b", "= 1", " c = 1", "\td = 1", "    more", "  "),
    *("", "", "# no", "; no", "  # no", "e = x ; y", "e = x # y", "f = %(a)s", "g=%%"),
    *("script_location = %(here)s/a", "version_locations =", "  %(here)s/b", "x = [y]"),
    *("[a]b]", "k = v = w", "k:v", "\xa0", "\x0cz = 1", "h\x0b= 1"),
)

TOML = (
    *("[tool.alembic]", "[tool]", "[other]", "[[other]]", "[tool.x.alembic]"),
    *(
        "[project.alembic]",
        "[tool.ibutsu_migrate]",
        "[ tool.alembic ]",
        '["tool".alembic]',
        "[tool . x]",
    ),
    *("[[tool.alembic.post_write_hooks]]", "[tool.alembic.a]", "[tool.alembic] # x"),
    *('script_location = "%(here)s/a"', "script_location = 'a'", "sourceless = true"),
    *('version_locations = ["a", "b"]', "version_locations = [", '  "a", # ]', "]"),
    *('version_locations = ["a" "b"]', "version_locations = ['a',]", "size = 40"),
    *(
        'alembic = {script_location = "x"}',
        'alembic.script_location = "x"',
        "size = 07",
    ),
    *("tool.alembic.sourceless = true", 'x = "[alembic]"', "x = [1, [2, 3]]", "x = {"),
    *('x = "a # b" # c', "x = '''", 'x = """', "x = 1 # alembic", "# alembic", ""),
    *('sourceless = "a\\u0062"', 'script_location = "a\\tb"', "sourceless = false # x"),
    *('"script_location" = "q"', "x = ['alembic>=1']", "size = 1_0", "}", "x = ]"),
    *(
        "size = -1",
        "size = 4.5",
        "x =",
        "= 1",
        "x = 1979-05-27",
        "version_locations=[]",
    ),
    *(
        "dependencies = [",
        '  "alembic[tz]>=1",',
        "[tool.setuptools.packages]",
        "x = 'a",
    ),
)


def made(rng: random.Random, lines: tuple[str, ...], first: str) -> str:
    chosen = [first] if rng.random() < 0.7 else []
    chosen += [rng.choice(lines) for _ in range(rng.randrange(9))]
    return "\n".join(chosen) + rng.choice(("", "\n"))


def by_configparser(text: str) -> dict[str, str] | None:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return dict(parser.items("alembic")) if parser.has_section("alembic") else {}


def by_tomllib(text: str) -> tuple[dict[str, Any], bool] | None:
    try:
        tool = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        return None
    table = tool.get("alembic", {}) if isinstance(tool, dict) else {}
    return {name: table[name] for name in NAMES & set(table)}, OURS in tool


def test_ini_as_configparser() -> None:
    read = 0
    for seed in range(20_000):
        text = made(random.Random(seed), INI, "[alembic]")
        found = read_ini(text, "alembic")
        if found is not None:
            read += len(found) > 1
            assert found == by_configparser(text), text
    assert read > 1000


def test_toml_as_tomllib() -> None:
    read = 0
    for seed in range(20_000):
        text = made(random.Random(seed), TOML, "[tool.alembic]")
        found = read_toml(text, NAMES)
        expected = by_tomllib(text)
        # What is broken elsewhere is passed over; what is whole is read right.
        if found is None or expected is None:
            continue
        read += len(found) > 1
        values = {name: found[name] for name in NAMES & set(found)}
        assert (values, OURS in found) == expected, text
    assert read > 500


def templates(pattern: str) -> list[Path]:
    folder = Path(str(alembic.__file__)).parent / "templates"
    found = sorted(folder.glob(pattern))
    assert found
    return found


@pytest.mark.parametrize("file", templates("*/alembic.ini.mako"), ids=str)
def test_alembics_own_ini_is_read_quickly(file: Path) -> None:
    text = file.read_text().replace("${script_location}", "%(here)s/alembic")
    found = read_ini(text, "alembic")
    assert found
    assert found == by_configparser(text)


@pytest.mark.parametrize("file", templates("*/pyproject.toml.mako"), ids=str)
def test_alembics_own_toml_is_read_quickly(file: Path) -> None:
    text = file.read_text().replace("${script_location}", "%(here)s/alembic")
    found = read_toml(text, NAMES)
    assert found
    assert ({name: found[name] for name in NAMES & set(found)}, False) == by_tomllib(
        text
    )


def test_our_own_toml_is_read_quickly() -> None:
    text = Path(__file__).parents[2].joinpath("pyproject.toml").read_text()
    assert read_toml(text, NAMES) is not None
