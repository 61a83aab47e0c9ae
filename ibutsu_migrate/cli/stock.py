"""Everything that the scan does not answer: Alembic's own command line."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from alembic import __version__ as alembic_version
from alembic.config import CommandLine, Config

from .. import __version__
from ..troubles import PROGRAM_ATTRIBUTE
from .arguments import Asked
from .ask import STATUS
from .program import FAILED

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

PROGRAM: Final = "ibutsu-migrate"
# Commands whose exit status is an answer.
_TELLING: Final = frozenset(("plan", "verify"))
_HELP: Final = {
    "check-history": (
        "Find all that is wrong with the revision files, without a database."
    ),
    "log": "Tell which runs the database remembers: who, when, what, how it ended.",
    "plan": (
        "Show what an upgrade or downgrade would do: revisions, SQL, locks, sizes. "
        "Changes nothing."
    ),
    "verify": (
        "Compare the database with the files: revisions, edited files, what failed "
        "builds left."
    ),
    "config": "List every setting, its value and the place that says so.",
}


class _Line(CommandLine):
    """Alembic's command line under another name, with our commands beside its own."""

    def _generate_args(self, prog: str | None) -> None:
        super()._generate_args(prog)
        parser = self._own("check-history", _check_history, "json", "allow_branches")
        parser.add_argument(
            "--allow-branches", action="store_true", help="Several heads are meant"
        )
        self._own("config", _config, "json")
        self._own("verify", _verify, "json")
        options = ("json", "no_sql", "downgrade", "revision")
        parser = self._own("plan", _plan, *options)
        parser.add_argument(
            "--no-sql", action="store_true", help="Run no revision's code for it"
        )
        parser.add_argument(
            "--downgrade",
            action="store_true",
            help="The target lies below; base and -1 need no such word",
        )
        parser.add_argument(
            "revision",
            nargs="?",
            default="head",
            help="Target, head by default; base, -1: a downgrade",
        )
        parser = self._own("log", _log, "json", "number")
        parser.add_argument(
            *("-n", "--number"),
            type=_number,
            default=20,
            metavar="N",
            help="How many runs, 20 by default; 0: all",
        )
        for action in self.parser._actions:
            if isinstance(action, argparse._VersionAction):
                action.version = f"%(prog)s {__version__}, alembic {alembic_version}"

    def _own(
        self, name: str, command: Callable[..., None], *options: str
    ) -> argparse.ArgumentParser:
        """Add a command of ours, with ``--json``."""
        text = _HELP[name]
        parser: argparse.ArgumentParser = self.subparsers.add_parser(
            name, help=text, description=text
        )
        parser.add_argument("--json", action="store_true", help="Print JSON")
        parser.set_defaults(cmd=(command, [], list(options)))
        return parser

    status = 0
    """What the program exits with, if nothing exits before."""

    def run_cmd(self, config: Config, options: Namespace) -> None:
        config.attributes[PROGRAM_ATTRIBUTE] = PROGRAM
        super().run_cmd(config, options)
        self.status = config.attributes.get(STATUS, 0)


def _check_history(config: Config, json: bool, allow_branches: bool) -> None:
    """The command in a spelling that only argparse reads."""
    from .check import run

    asked = _asked(config, "check-history", json=json, allow_branches=allow_branches)
    sys.exit(run(asked))


def _config(config: Config, json: bool) -> None:
    """As ``_check_history``."""
    from .settings import run

    sys.exit(run(_asked(config, "config", json=json)))


def _log(config: Config, json: bool, number: int) -> None:
    from .log import log

    log(config, json, number)


def _verify(config: Config, json: bool) -> None:
    from .verify import verify

    verify(config, json)


def _plan(
    config: Config, json: bool, no_sql: bool, downgrade: bool, revision: str
) -> None:
    from .plan import plan

    plan(config, json, no_sql, downgrade, revision)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def _asked(config: Config, command: str, **flags: bool) -> Asked:
    options = config.cmd_opts
    asked = Asked(command)
    asked.config = list(getattr(options, "config", None) or ())
    asked.name = config.config_ini_section
    asked.x = list(getattr(options, "x", None) or ())
    asked.quiet = bool(getattr(options, "quiet", False))
    asked.flags = {name for name, given in flags.items() if given}
    return asked


def run_alembic(arguments: list[str]) -> int:
    """Run a command as ``alembic`` does.

    Args:
        arguments: As in ``sys.argv[1:]``.

    Returns:
        0, or what a command of ours says. Failures exit, with Alembic's status.
    """
    line = _Line(PROGRAM)
    try:
        line.main(arguments)
    except SystemExit as ending:
        # argparse's 2 is an answer of theirs.
        known = line.subparsers.choices
        command = next((each for each in arguments if each in known), None)
        if ending.code == 2 and command in _TELLING:
            return FAILED
        raise
    return line.status
