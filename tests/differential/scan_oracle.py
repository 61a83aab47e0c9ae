"""What importing a revision file gives, and whether the scanner says the same."""

from __future__ import annotations

import contextlib
import io
import random
import signal
import sys
import warnings
import zlib
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Final

from ibutsu_migrate import _core

from .scan_cases import NAMES, Case

MODULE: Final = "case_module"
SECONDS: Final = 5


class _TooSlowError(BaseException):
    pass


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _TooSlowError


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings, no output, and an end to endless loops (by CPU time)."""
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def imported(source: bytes) -> dict[str, object] | None:
    """The names that a module made of the source has; None where it cannot be made.

    Source: ``importlib.machinery.SourceFileLoader``, which Alembic loads files with.
    """
    module = ModuleType(MODULE)
    sys.modules[MODULE] = module
    try:
        with _quiet():
            code = compile(source, "case.py", "exec", dont_inherit=True)
            exec(code, module.__dict__)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None
    finally:
        sys.modules.pop(MODULE, None)
    found = {name: getattr(module, name) for name in NAMES if hasattr(module, name)}
    if module.__doc__ is not None:
        found["doc"] = module.__doc__
    # Not hasattr(): a module may have a __getattr__, which may raise.
    if "_alembic_source_encoding" in vars(module):
        found["_alembic_source_encoding"] = None
    return found


def relative(source: bytes) -> bytes:
    """The same file but for one byte, as chance has it; always the same one."""
    if not source:
        return b"\n"
    rng = random.Random(zlib.crc32(source))
    place = rng.randrange(len(source))
    byte = rng.choice([*b"\n=#:;'\"(x \\", rng.choice(source)])
    return source[:place] + bytes([byte]) + source[place + 1 :]


def difference(case: Case) -> str | None:
    """What is wrong with the scanner's answers to a case, or None.

    One answer to the file by itself, and those of a scan that has seen nothing, the
    file itself, or one that is almost the same.
    """
    source, truth = case.source, imported(case.source)
    alone = _core.scan_source(source)
    wrong = _wrong(alone, truth, case.plain)
    for before in (b"", source, relative(source)):
        if wrong is not None:
            break
        after = _core.scan_source(source, before)
        wrong = _wrong(after, truth, case.plain)
        # Of a broken file one side may see the damage and the other a trick before it.
        told = isinstance(after, dict) or truth is not None
        if wrong is None and isinstance(alone, dict) and told and after != alone:
            wrong = f"alone {alone!r}\nafter {after!r}"
        if wrong is not None:
            wrong = f"after {before!r}\n{wrong}"
    return wrong


def _wrong(
    answer: dict[str, object] | _core.NotStatic,
    truth: dict[str, object] | None,
    plain: bool,
) -> str | None:
    if isinstance(answer, _core.NotStatic):
        if plain and truth is not None:
            return f"not static: {answer!r}"
        return None
    if truth is None:
        return None if not plain else "a plain case that Python refuses"
    if answer != truth:
        return f"scanned  {answer!r}\nimported {truth!r}"
    if any(type(answer[name]) is not type(truth[name]) for name in truth):
        return f"types: {answer!r}, {truth!r}"
    return None
