"""A command line that is read without argparse means what argparse reads in it."""

from __future__ import annotations

import contextlib
import io
import random
from argparse import Namespace

import pytest

from ibutsu_migrate.cli.arguments import FLAGS, Asked, parse
from ibutsu_migrate.cli.stock import _Line

BEFORE = (
    *("-c", "--config", "-n", "--name", "-x", "-q", "--quiet", "--raiseerr"),
    *("-ca.ini", "--config=a.ini", "--conf=a.ini", "-c=a.ini", "-x=1", "-nname"),
    *("--name=", "--version", "-h", "-qc", "-q=1", "--", "--quiet=1", "-xa=b", "-c="),
)
AFTER = (
    *("-v", "--verbose", "--verb", "-vv", "-vi", "-i", "--indicate-current", "-r"),
    *("--rev-range", "--rev-range=a:b", "-ra:b", "-r=a:b", "-r:", "-v1", "--verbose=1"),
    *("--resolve-dependencies", "--json", "--allow-branches", "-q", "-h", "--", "-c"),
    *("a", "a:b", "head", "", "-1", "-3:", ":", "a b", "@", "--jso", "-vr:"),
)


def line_of(rng: random.Random) -> list[str]:
    before = [rng.choice((*BEFORE, "a.ini", "b")) for _ in range(rng.randrange(3))]
    command = rng.choice((*FLAGS, *FLAGS, "upgrade", "nil", "head"))
    after = [rng.choice(AFTER) for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3)))]
    return [*before, command, *after]


def by_argparse(arguments: list[str]) -> Namespace | None:
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(errors):
        try:
            return _Line("ibutsu-migrate").parser.parse_args(arguments)
        except SystemExit:
            return None


def told(asked: Asked) -> dict[str, object]:
    return {
        "command": asked.command.replace("-", "_"),
        "flags": asked.flags,
        "config": asked.config or None,
        "name": asked.name,
        "x": asked.x or None,
        "quiet": asked.quiet,
        "rev_range": asked.rev_range,
        "rev": asked.revision or None,
    }


def as_told(options: Namespace) -> dict[str, object]:
    flags = {name for name, value in vars(options).items() if value is True}
    return {
        "command": options.cmd[0].__name__.lstrip("_"),
        "flags": flags - {"quiet", "raiseerr"},
        "config": options.config,
        "name": options.name,
        "x": options.x,
        "quiet": options.quiet,
        "rev_range": getattr(options, "rev_range", None),
        "rev": getattr(options, "rev", None),
    }


@pytest.mark.slow
def test_as_argparse() -> None:
    read = 0
    for seed in range(4000):
        arguments = line_of(random.Random(seed))
        asked = parse(list(arguments))
        if asked is None:
            continue
        read += 1
        options = by_argparse(arguments)
        assert options is not None, arguments
        assert told(asked) == as_told(options), arguments
    assert read > 300


@pytest.mark.parametrize(
    "text",
    [
        "heads",
        "heads -v --resolve-dependencies",
        "-c a.ini -n other -x a=b history -v -r a:b",
        "--config=pyproject.toml -q branches --verbose",
        "--raiseerr history --rev-range=:head",
        "show head",
        "check-history --json --allow-branches",
    ],
)
def test_what_people_type_is_read(text: str) -> None:
    assert parse(text.split()) is not None


@pytest.mark.parametrize(
    "text", ["", "upgrade head", "heads --help", "--version", "show", "show a b", "-c"]
)
def test_the_rest_is_left_to_alembic(text: str) -> None:
    assert parse(text.split()) is None
