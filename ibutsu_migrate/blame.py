"""Which revision file an error comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType


def failed_at(
    error: BaseException, folders: Iterable[Path]
) -> tuple[str, int | None, str] | None:
    """The file, the line and the function of a revision where an error comes from.

    Args:
        error: What was raised; a SyntaxError names its own place.
        folders: Version locations.
    """
    places = tuple(folders)
    if isinstance(error, SyntaxError) and error.filename:
        found = (error.filename, error.lineno, "<module>")
        return found if _is_under(error.filename, places) else None
    guilty = None
    for file, line, function, revision in _frames(error.__traceback__):
        if revision or _is_under(file, places):
            guilty = (file, line, function)
    return guilty


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int, str, bool]]:
    """File, line, function of each frame, and whether it is a revision's."""
    while trace is not None:
        code, names = trace.tb_frame.f_code, trace.tb_frame.f_globals
        revision = "down_revision" in names and "revision" in names
        yield code.co_filename, trace.tb_lineno, code.co_name, revision
        trace = trace.tb_next


def _is_under(file: str, folders: Iterable[Path]) -> bool:
    path = Path(file)
    return any(path.is_relative_to(folder) for folder in folders)
