"""Who wants colours, by the variables that other programs go by too."""

from __future__ import annotations

import io

import pytest

from ibutsu_migrate.colours import are_wanted, painted


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "terminal", "elsewhere"),
    [
        ("", True, False),
        ("NO_COLOR=", True, False),
        ("NO_COLOR=1", False, False),
        ("NO_COLOR=0 FORCE_COLOR=1", False, False),
        ("FORCE_COLOR=1", True, True),
        ("FORCE_COLOR=0", True, False),
        ("CLICOLOR_FORCE=1 TERM=dumb", True, True),
        ("CLICOLOR_FORCE=0", True, False),
        ("FORCE_COLOR= CLICOLOR_FORCE=yes", True, True),
        ("CLICOLOR=0", False, False),
        ("CLICOLOR=1", True, False),
        ("TERM=dumb", False, False),
        ("TERM=", True, False),
    ],
)
def test_who_wants_them(environ: str, terminal: bool, elsewhere: bool) -> None:
    given = dict(part.split("=") for part in environ.split())
    assert are_wanted(Terminal(), given) is terminal
    assert are_wanted(io.StringIO(), given) is elsewhere
    assert are_wanted(None, given) is elsewhere


def test_plain_text_stays_plain() -> None:
    assert painted("a", "") == "a"
    assert painted("", "error") == ""
    assert painted("a", "error") == "\033[31ma\033[m"
