"""What importing a revision file gives, and whether the scanner says the same."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import warnings
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
    if hasattr(module, "_alembic_source_encoding"):
        found["_alembic_source_encoding"] = None
    return found


def difference(case: Case) -> str | None:
    """What is wrong with the scanner's answer to a case, or None."""
    answer = _core.scan_source(case.source)
    truth = imported(case.source)
    if isinstance(answer, _core.NotStatic):
        if case.plain and truth is not None:
            return f"not static: {answer!r}"
        return None
    if truth is None:
        return None if not case.plain else "a plain case that Python refuses"
    if answer != truth:
        return f"scanned  {answer!r}\nimported {truth!r}"
    if any(type(answer[name]) is not type(truth[name]) for name in truth):
        return f"types: {answer!r}, {truth!r}"
    return None
