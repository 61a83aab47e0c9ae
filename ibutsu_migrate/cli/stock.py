"""Everything that the scan does not answer: Alembic's own command line."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from alembic import __version__ as alembic_version
from alembic.config import CommandLine, Config

from .. import __version__
from ..troubles import PROGRAM_ATTRIBUTE

if TYPE_CHECKING:
    from argparse import Namespace

PROGRAM: Final = "ibutsu-migrate"
_CHECK_HELP: Final = (
    "Find all that is wrong with the revision files, without a database."
)


class _Line(CommandLine):
    """Alembic's command line under another name, with our command beside its own."""

    def _generate_args(self, prog: str | None) -> None:
        super()._generate_args(prog)
        parser = self.subparsers.add_parser("check-history", help=_CHECK_HELP)
        parser.add_argument("--json", action="store_true", help="Print JSON")
        parser.add_argument(
            "--allow-branches", action="store_true", help="Several heads are meant"
        )
        parser.set_defaults(cmd=(_check_history, [], ["json", "allow_branches"]))
        for action in self.parser._actions:
            if isinstance(action, argparse._VersionAction):
                action.version = f"%(prog)s {__version__}, alembic {alembic_version}"

    def run_cmd(self, config: Config, options: Namespace) -> None:
        config.attributes[PROGRAM_ATTRIBUTE] = PROGRAM
        super().run_cmd(config, options)


def _check_history(config: Config, json: bool, allow_branches: bool) -> None:
    """The command in a spelling that only argparse reads."""
    from .arguments import Asked
    from .check import run

    options = config.cmd_opts
    asked = Asked("check-history")
    asked.config = list(getattr(options, "config", None) or ())
    asked.name = config.config_ini_section
    asked.quiet = bool(getattr(options, "quiet", False))
    flags = {"json": json, "allow_branches": allow_branches}
    asked.flags = {name for name, given in flags.items() if given}
    sys.exit(run(asked))


def run_alembic(arguments: list[str]) -> int:
    """Run a command as ``alembic`` does.

    Args:
        arguments: As in ``sys.argv[1:]``.

    Returns:
        0. Failures exit, with Alembic's status.
    """
    _Line(PROGRAM).main(arguments)
    return 0
