"""Everything that the scan does not answer: Alembic's own command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alembic.config import CommandLine, Config

from ..troubles import PROGRAM_ATTRIBUTE

if TYPE_CHECKING:
    from argparse import Namespace

PROGRAM: Final = "ibutsu-migrate"


class _Line(CommandLine):
    """Alembic's command line under another name, with our commands beside its own."""

    def run_cmd(self, config: Config, options: Namespace) -> None:
        config.attributes[PROGRAM_ATTRIBUTE] = PROGRAM
        super().run_cmd(config, options)


def run_alembic(arguments: list[str]) -> int:
    """Run a command as ``alembic`` does.

    Args:
        arguments: As in ``sys.argv[1:]``.

    Returns:
        0. Failures exit, with Alembic's status.
    """
    _Line(PROGRAM).main(arguments)
    return 0
