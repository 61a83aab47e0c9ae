"""Revision files and revision graph in C (``csrc/core``, bound by ``csrc/py``)."""

from collections.abc import Buffer
from os import PathLike
from typing import Final, Literal, final

@final
class NotStatic:
    """A file whose header only importing can tell; false as a condition.

    Attributes:
        reason: Why, in a few words.
        line: 1-based line that the reason is about, 0 for the whole file.
    """

    reason: Final[str]
    line: Final[int]
    def __bool__(self) -> Literal[False]: ...

def scan_file(
    path: str | bytes | PathLike[str] | PathLike[bytes], /
) -> dict[str, object] | NotStatic:
    """The header of a revision file by name, without importing it.

    Returns:
        What importing would give for ``revision``, ``down_revision``,
        ``branch_labels``, ``depends_on`` and, as ``doc``, ``__doc__``: str, None, or
        a tuple, list or set of str; a name that the module would not have is not
        there. NotStatic where importing could give something else. A file that no
        Python compiles has the header that stands before the damage.

    Raises:
        OSError: The file cannot be read, or is none.
    """

def scan_source(data: Buffer, /) -> dict[str, object] | NotStatic:
    """As ``scan_file``, for a file's bytes."""

def counters() -> dict[str, int]:
    """What this module has done since it was loaded, by name."""
