"""Where ``ibutsu-migrate`` starts, who answers, and how it ends."""

from __future__ import annotations

import os
import sys

from .arguments import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config import AlembicConfig
    from ..layout import Layout
    from ..options import Options
    from .arguments import Asked

FAILED = 255
"""As Alembic, which says ``sys.exit(-1)``."""

INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C has ended."""

NOBODY_READS = 141
"""What a shell reports for a program that wrote into a closed pipe."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: Arguments; those of the process where None.

    Returns:
        The exit status. Commands that Alembic runs may exit by themselves.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run_and_flush(arguments)
    except _OutputError as broken:
        # Python flushes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(broken.cause, BrokenPipeError):
            return NOBODY_READS
        from ..colours import failed

        _say(failed(f"The output cannot be written: {broken.cause}"))
        return FAILED


class _OutputError(Exception):
    """stdout takes nothing more."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause)
        self.cause = cause


def _run_and_flush(arguments: list[str]) -> int:
    try:
        status = _run(arguments)
    except SystemExit:
        _flush()
        raise
    except BrokenPipeError as error:
        if _has_reader():
            # Of some other pipe.
            raise
        raise _OutputError(error) from None
    except KeyboardInterrupt:
        if "--raiseerr" in arguments:
            raise
        _say("Interrupted.")
        status = INTERRUPTED
    _flush()
    return status


def _has_reader() -> bool:
    """Whether stdout leads anywhere."""
    import select

    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return not poll.poll(0)


def _flush() -> None:
    try:
        # None where the process was started without one.
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise _OutputError(error) from None


def _run(arguments: list[str]) -> int:
    asked = parse(arguments)
    if asked is not None:
        own = _own(asked)
        if own is not None:
            return own
        text = _answered(asked)
        if text is not None:
            if not asked.quiet:
                write(text)
            return 0
    from .stock import run_alembic

    return run_alembic(arguments)


def _own(asked: Asked) -> int | None:
    """Run a command that is this program's own; None for Alembic's."""
    if asked.command == "check-history":
        from .check import run as check

        return check(asked)
    if asked.command == "config":
        from .settings import run as tell

        return tell(asked)
    return None


def _answered(asked: Asked) -> str | None:
    """The answer of the scan, None where Alembic has to give it."""
    from ..revisions.scanned import NeedsAlembic, scan
    from .answers import answer

    try:
        options = options_of(asked)
        if not _is_left_alone(asked, options):
            return None
        return answer(asked, scan(_layout(options)))
    except NeedsAlembic as need:
        if need.reason is not None:
            _say(f"{need.reason}; Alembic answers.")
        return None
    except Exception as error:
        # Alembic meets the same trouble, and says it in its own words.
        from ..errors import IbutsuMigrateError

        if not isinstance(error, IbutsuMigrateError):
            raise
        return None


def options_of(asked: Asked) -> Options:
    """The configuration files that a command line means.

    Raises:
        ConfigurationError: One kind of file is named twice.

    Source: ``alembic.config.CommandLine._inis_from_config``.
    """
    from ..options import Options

    ini, toml = "alembic.ini", "pyproject.toml"
    default = os.environ.get("ALEMBIC_CONFIG")
    for files in ([default] if default else [], asked.config):
        is_toml = [os.path.basename(file) == "pyproject.toml" for file in files]
        if is_toml.count(True) > 1 or is_toml.count(False) > 1:
            from ..errors import ConfigurationError

            raise ConfigurationError("A configuration file is named twice.")
        for file, is_project in zip(files, is_toml, strict=True):
            if is_project:
                toml = file or toml
            else:
                ini = file or ini
    return Options(ini, toml, asked.name)


def _is_left_alone(asked: Asked, options: Options) -> bool:
    """Whether no setting asks for Alembic: the switch, env.py, a warning to be seen."""
    if asked.command == "history":
        environment = options.value("revision_environment")
        if str(environment).lower() not in ("none", "false", "no", "off", "0"):
            return False
    if sys.warnoptions and options.is_legacy():
        return False
    return is_on(asked, options)


def is_on(asked: Asked, options: Options) -> bool:
    """Whether the switch leaves this package at work.

    Raises:
        ConfigurationError: A setting of ours cannot be meant.
    """
    x = [value for value in asked.x if value.startswith("ibutsu_migrate")]
    named = os.environ.get("IBUTSU_MIGRATE", "").strip()
    if not x and named in ("", "fast") and not options.has_own_settings():
        return True
    from ..config import Mode, settings_for

    return settings_for(config_of(asked, options)).mode is not Mode.OFF


def config_of(asked: Asked, options: Options) -> AlembicConfig:
    """What settings are read from, without Alembic's ``Config``.

    Raises:
        ConfigurationError: The .ini file is none.
    """
    from types import SimpleNamespace

    return SimpleNamespace(
        attributes={},
        file_config=options.parser,
        config_ini_section=asked.name,
        config_file_name=options.ini,
        toml_file_name=options.toml,
        cmd_opts=SimpleNamespace(x=asked.x),
    )


def _layout(options: Options) -> Layout:
    from ..layout import find_layout

    # Alembic reads it too, and stops at what is no number.
    length = options.value("truncate_slug_length")
    if length is not None and not str(length).strip().isdigit():
        from ..revisions.scanned import NeedsAlembic

        raise NeedsAlembic
    return find_layout(options)


def write(text: str) -> None:
    """Print on stdout what its encoding can hold.

    Source: ``alembic.util.messaging.write_outstream``.
    """
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "ascii"
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    except OSError as error:
        raise _OutputError(error) from None


def _say(text: str) -> None:
    print(text, file=sys.stderr)
