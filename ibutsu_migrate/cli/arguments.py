"""Command lines that are understood without argparse.

argparse costs more than reading five hundred revision files. The form read here is the
one that people and scripts type. What is not surely of that form - abbreviations,
combined flags, mistakes, ``--help`` - is left to Alembic's own parser.

Source: ``alembic.config.CommandLine`` and the signatures of ``alembic.command``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_VERBOSE: Final = {"-v": "verbose", "--verbose": "verbose"}

# Command -> its flags, each with the attribute that it sets.
FLAGS: Final = {
    "heads": {**_VERBOSE, "--resolve-dependencies": "resolve_dependencies"},
    "history": {
        **_VERBOSE,
        "-i": "indicate_current",
        "--indicate-current": "indicate_current",
    },
    "show": {},
    "branches": {**_VERBOSE},
    "check-history": {"--json": "json", "--allow-branches": "allow_branches"},
    "config": {"--json": "json"},
}

_BEFORE: Final = {
    "-c": "-c",
    "--config": "-c",
    "-n": "-n",
    "--name": "-n",
    "-x": "-x",
}
_RANGE: Final = {"-r": "-r", "--rev-range": "-r"}


class Asked:
    """What a command line asks for.

    Attributes:
        command: One of ``FLAGS``.
        flags: Attributes that are set.
        config: Values of ``-c``.
        name: Value of ``-n``.
        x: Values of ``-x``.
        quiet: Whether nothing is to be printed.
        rev_range: Value of ``-r``, None without it.
        revision: The revision of ``show``, empty elsewhere.
    """

    __slots__ = (
        "command",
        "config",
        "flags",
        "name",
        "quiet",
        "rev_range",
        "revision",
        "x",
    )

    def __init__(self, command: str = "") -> None:
        self.command = command
        self.flags: set[str] = set()
        self.config: list[str] = []
        self.name = "alembic"
        self.x: list[str] = []
        self.quiet = False
        self.rev_range: str | None = None
        self.revision = ""


def parse(arguments: list[str]) -> Asked | None:
    """Read a command line; None for what is left to Alembic's parser.

    Args:
        arguments: As in ``sys.argv[1:]``.
    """
    asked = Asked()
    rest = _before_command(asked, arguments)
    if not rest or rest[0] not in FLAGS:
        return None
    asked.command = rest[0]
    return asked if _after_command(asked, rest[1:]) else None


def _before_command(asked: Asked, arguments: list[str]) -> list[str]:
    """Take Alembic's general options; what follows them, nothing where unsure."""
    waiting = list(arguments)
    while waiting and waiting[0].startswith("-"):
        first = waiting.pop(0)
        if first in ("-q", "--quiet"):
            asked.quiet = True
        elif first != "--raiseerr":
            option, value = _valued(first, waiting, _BEFORE)
            if value is None:
                return []
            if option == "-c":
                asked.config.append(value)
            elif option == "-x":
                asked.x.append(value)
            else:
                asked.name = value
    return waiting


def _after_command(asked: Asked, arguments: list[str]) -> bool:
    """Take a command's own options; False where unsure."""
    flags = FLAGS[asked.command]
    positional: list[str] = []
    waiting = list(arguments)
    while waiting:
        first = waiting.pop(0)
        if first in flags:
            asked.flags.add(flags[first])
        elif not first.startswith("-"):
            positional.append(first)
        elif asked.command == "history":
            _, asked.rev_range = _valued(first, waiting, _RANGE)
            if asked.rev_range is None:
                return False
        else:
            return False
    if asked.command == "show":
        asked.revision = positional.pop() if positional else ""
        if not asked.revision:
            return False
    return not positional


def _valued(
    first: str, waiting: list[str], options: dict[str, str]
) -> tuple[str, str | None]:
    """An option of these and its value; None for the value where unsure."""
    name, equals, value = first.partition("=")
    if first in options:
        # A value that begins with a dash is a mistake to argparse, or a number.
        found = waiting.pop(0) if waiting and waiting[0][:1] != "-" else None
        return options[first], found
    if equals and name.startswith("--") and name in options:
        return options[name], value
    short, joined = first[:2], first[2:]
    if not first.startswith("--") and short in options and joined[:1] not in ("", "="):
        return options[short], joined
    return "", None
