"""Revision files and revision graph in C (``csrc/core``, bound by ``csrc/py``)."""

from collections.abc import Buffer
from os import PathLike
from typing import Final, Literal, TypedDict, final, type_check_only

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

@type_check_only
class _SqlFacts(TypedDict):
    """The meaning of each is in ``csrc/core/imig_sql.h``; offsets are in bytes."""

    statements: int
    unsure: bool
    returns_rows: bool
    transaction_control: bool
    own_transaction: bool
    changes_text_settings: bool
    deferrable: bool
    verb: str
    main_verb: str
    object: str
    concurrently: bool
    verb_offset: int
    name_offset: int
    name_len: int

def sql_facts(
    sql: str | Buffer, /, standard_conforming_strings: bool = True
) -> _SqlFacts:
    """What a driver must know about a SQL text before it sends it.

    Nothing is executed. When unsure the answer is the one that costs time and not
    correctness: more than one statement, may return rows, not deferrable.

    Args:
        sql: One statement or a script; str, or bytes of an encoding whose multibyte
            characters have no ASCII bytes.
        standard_conforming_strings: The session's setting.
    """

def counters() -> dict[str, int]:
    """What this module has done since it was loaded, by name."""
