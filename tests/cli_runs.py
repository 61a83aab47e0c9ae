"""Alembic's command line and ours, run in this process on the same arguments."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from alembic.config import CommandLine, Config

from ibutsu_migrate.cli import program, stock


@dataclass(frozen=True)
class Outcome:
    """What a command line did.

    Attributes:
        status: The exit status, or the name of the exception that came out.
        text: What it printed on stdout.
    """

    status: int | str
    text: str


class _Line(CommandLine):
    """Prints on the stdout of now; Alembic's is that of when it was imported."""

    def run_cmd(self, config: Config, options: Namespace) -> None:
        config.stdout = sys.stdout
        super().run_cmd(config, options)


class FellBack(Exception):  # noqa: N818
    """Alembic was asked."""


def _run(main: Callable[[list[str]], Any], arguments: list[str]) -> Outcome:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n")
    path = list(sys.path)
    errors = io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            status: int | str = main(arguments) or 0
        except SystemExit as ending:
            status = ending.code if isinstance(ending.code, int) else 1
            status &= 0xFF
        except FellBack:
            raise
        except Exception as error:
            status = type(error).__name__
        finally:
            sys.path[:] = path
        out.flush()
    return Outcome(status, out.buffer.getvalue().decode())


def alembic(arguments: list[str]) -> Outcome:
    """The real ``alembic``."""
    return _run(_Line("ibutsu-migrate").main, arguments)


def ours(arguments: list[str]) -> Outcome | None:
    """``ibutsu-migrate``; None where it asks Alembic."""
    try:
        return _run(program.main, arguments)
    except FellBack:
        return None


@contextlib.contextmanager
def without_alembic() -> Iterator[None]:
    """Where our program would ask Alembic, it raises instead."""

    def refuse(arguments: list[str]) -> int:
        raise FellBack

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stock, "run_alembic", refuse)
        yield
