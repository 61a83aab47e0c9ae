"""``flask db``: the real ``alembic`` commands, with the current app.

The commands, their options, help and output are those of the Alembic that is
installed; nothing is listed here that could fall behind it. Alembic is imported when
``flask db`` is used, not when the app is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from flask import current_app
from flask.cli import with_appcontext

from ..colours import failed
from ..errors import IbutsuMigrateError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from alembic.config import CommandLine, Config

    from .environment import Environment

# Options of `alembic` itself that may also stand after the command, where users of
# Flask commands look for them; long and short form. None of Alembic's commands has
# options of these names.
_ANYWHERE: Final = {"-x": "-x", "--x-arg": "-x", "-d": "-d", "--directory": "-d"}
# Flask-Migrate's defaults, which users of `flask db` know.
_DEFAULTS: Final = {
    "upgrade": "head",
    "downgrade": "-1",
    "stamp": "head",
    "show": "head",
    "edit": "head",
}
_FAILED: Final = 255  # what `alembic` exits with: sys.exit(-1)


class AlembicGroup(click.Group):
    """A group whose commands are Alembic's."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Alembic's commands in its own order."""
        return list(_subparsers(_command_line(ctx.command_path)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command that hands its arguments to Alembic as they are."""
        line = _command_line(ctx.command_path)
        if cmd_name not in _subparsers(line):
            return None
        return click.Command(
            cmd_name,
            callback=with_appcontext(click.pass_context(_run)),
            params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
            help=_help_of(cmd_name),
            add_help_option=False,
            context_settings={
                "ignore_unknown_options": True,
                "allow_interspersed_args": False,
            },
        )


def make_group(name: str) -> click.Group:
    """Make the command group.

    Args:
        name: What follows ``flask``.
    """
    return AlembicGroup(
        name,
        help="Database migrations: the commands of alembic, with this app.",
        short_help="Database migrations (alembic).",
        params=[
            click.Option(["-d", "--directory"], help="The folder with env.py."),
            click.Option(
                ["-c", "--config"], multiple=True, help="alembic.ini, pyproject.toml."
            ),
            click.Option(
                ["-n", "--name"], default="alembic", help="Section of the .ini."
            ),
            click.Option(["-x"], multiple=True, help="name=value for env.py."),
            click.Option(["-q", "--quiet"], is_flag=True, help="No output on stdout."),
            click.Option(["--raiseerr"], is_flag=True, help="Traceback on errors."),
        ],
        callback=lambda **_: None,
    )


def _command_line(prog: str) -> CommandLine:
    from alembic.config import CommandLine

    line = CommandLine(prog=prog)
    for command, revision in _DEFAULTS.items():
        _default(_subparsers(line)[command], revision)
    return line


def _default(parser: ArgumentParser, revision: str) -> None:
    """Let a command's revision be left out."""
    for action in parser._actions:
        if not action.option_strings:
            several = action.nargs == "+"
            action.nargs = "*" if several else "?"
            action.default = [revision] if several else revision
            action.required = False
            action.help = f"{action.help or action.dest}; {revision} by default"


def _subparsers(line: CommandLine) -> Mapping[str, Any]:
    choices: Mapping[str, Any] = line.subparsers.choices
    return choices


def _help_of(name: str) -> str | None:
    from alembic import command

    text = getattr(getattr(command, name, None), "__doc__", None)
    return str(text).partition("\n\n")[0] if text else None


def hoist(arguments: Iterable[str]) -> tuple[list[str], list[str], str | None]:
    """Take ``-x`` and ``--directory`` out of a command's arguments.

    Returns:
        The values of ``-x``, the other arguments as they were, the directory or None.

    Raises:
        click.UsageError: An option stands without its value.
    """
    x: list[str] = []
    rest: list[str] = []
    directory: str | None = None
    waiting = iter(arguments)
    for argument in waiting:
        name, equals, value = argument.partition("=")
        option = _ANYWHERE.get(name if name.startswith("--") else argument[:2])
        if option is None:
            rest.append(argument)
            continue
        if not name.startswith("--"):
            value = argument[2:]
        elif not equals:
            value = ""
        try:
            value = value or next(waiting)
        except StopIteration:
            raise click.UsageError(
                f"Option {argument!r} requires an argument."
            ) from None
        if option == "-x":
            x.append(value)
        else:
            directory = value
    return x, rest, directory


def _named(files: Iterable[str], section: str, found: Environment) -> Environment:
    """The environment with the files that ``-c`` names in place of those found."""
    from dataclasses import replace

    from alembic.util import CommandError

    named: dict[str, Path] = {}
    for file in files:
        kind = "toml" if Path(file).name == "pyproject.toml" else "ini"
        if kind in named:
            raise CommandError(
                "pyproject.toml indicated more than once"
                if kind == "toml"
                else "only one ini file may be indicated"
            )
        named[kind] = Path(file).absolute()
    return replace(found, section=section, **named)


def _run(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    group = ctx.parent if ctx.parent is not None else ctx
    config = None
    try:
        line, options, config = _prepare(group, str(ctx.info_name), arguments)
        line.run_cmd(config, options)
    except Exception as error:
        if group.params["raiseerr"]:
            raise
        code, text = _failure(error, config)
        # Whether there are colours is decided already.
        click.echo(failed(text), err=True, color=True)
        ctx.exit(code)


def _prepare(
    group: click.Context, command: str, arguments: tuple[str, ...]
) -> tuple[CommandLine, Namespace, Config]:
    """Alembic's command line, its options, its configuration for the current app."""
    from ..troubles import PROGRAM_ATTRIBUTE
    from .alembic_config import make_config
    from .extension import environment_of

    given, program = group.params, group.command_path
    x, rest, directory = hoist(arguments)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    environment = environment_of(app, directory or given["directory"])
    environment = _named(given["config"], given["name"], environment)
    line = _command_line(program)
    options = line.parser.parse_args(
        [
            *(part for value in (*given["x"], *x) for part in ("-x", value)),
            *(["--quiet"] if given["quiet"] else []),
            # Without it, run_cmd() prints a failure on stdout and leaves.
            "--raiseerr",
            command,
            *rest,
        ]
    )
    attributes = {"app": app, PROGRAM_ATTRIBUTE: program}
    config = make_config(environment, cmd_opts=options, attributes=attributes)
    return line, options, config


def _failure(error: Exception, config: Config | None) -> tuple[int, str]:
    """Exit code and words for an error; raises it where there are none.

    Source: ``alembic.util.messaging.err`` for the words and the code of a
    ``CommandError``.
    """
    from alembic.util import CommandError

    from ..troubles import explained, notes

    if isinstance(error, CommandError):
        advice = notes(error, config) if config is not None else ""
        return _FAILED, f"{error}\n{advice}".rstrip()
    if isinstance(error, IbutsuMigrateError):
        return 1, str(error)
    text = explained(error, config) if config is not None else None
    if text is None:
        raise error
    return 1, text
