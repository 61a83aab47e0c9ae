"""Logging of a migration that was started from a command line."""

from __future__ import annotations

import configparser
import logging
import logging.config
import sys
from pathlib import Path
from typing import Final

from alembic.config import Config

_FORMAT: Final = "%(levelname)-5.5s [%(name)s] %(message)s"
_SECTIONS: Final = frozenset(("loggers", "handlers", "formatters"))


def set_up_logging(config: Config) -> None:
    """Let the command line's user see what happens; leave an application's alone.

    Nothing is done for a caller of the Python API. On a command line, if the root
    logger has no handler: the logging sections of alembic.ini are applied, without
    disabling loggers that exist; without an alembic.ini (``pyproject.toml``) the
    ``alembic`` logger prints INFO and above on stderr in the format that ``alembic
    init`` writes. If the application has given the root logger handlers, they stay
    and only the level of the ``alembic`` logger is set, where nobody has.

    Source: ``logging.config.fileConfig`` closes and removes every handler there is,
    also with ``disable_existing_loggers=False``: hence not over an application's.
    """
    if config.cmd_opts is None:
        return
    ini = config.config_file_name
    exists = ini is not None and Path(ini).is_file()
    if logging.getLogger().handlers:
        _at_info(logging.getLogger("alembic"))
    elif ini is not None and exists:
        if _has_sections(ini):
            defaults = {"here": Path(ini).absolute().parent.as_posix()}
            logging.config.fileConfig(ini, defaults, disable_existing_loggers=False)
    else:
        _print_on_stderr(logging.getLogger("alembic"))


def _has_sections(ini: str) -> bool:
    parser = configparser.RawConfigParser()
    parser.read(ini, encoding="utf-8")
    return parser.has_section("loggers") and _SECTIONS.issubset(parser.sections())


def _at_info(logger: logging.Logger) -> None:
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


def _print_on_stderr(logger: logging.Logger) -> None:
    # Alembic gives its logger a NullHandler, which shows nothing to anybody.
    if any(not isinstance(known, logging.NullHandler) for known in logger.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger.addHandler(handler)
    _at_info(logger)
