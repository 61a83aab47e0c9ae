"""Revision files and revision graph in C (``csrc/core``, bound by ``csrc/py``)."""

from collections.abc import Callable
from os import PathLike
from typing import Any, Final, Literal, TypedDict, final, type_check_only

from typing_extensions import Buffer

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

def scan_source(data: Buffer, /, *before: Buffer) -> dict[str, object] | NotStatic:
    """As ``scan_file``, for a file's bytes.

    Args:
        data: The file.
        before: Files that are scanned first. With any, the scan is that of
            ``Graph.scan``: it goes by what it has learned from them, and looks at what
            follows the header as bytes.
    """

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

def sql_tokens(
    sql: str | Buffer, /, standard_conforming_strings: bool = True
) -> list[tuple[str, int, int]]:
    """The tokens of a SQL text, as PostgreSQL's scan.l cuts them.

    Args:
        sql: As for ``sql_facts``.
        standard_conforming_strings: The session's setting.

    Returns:
        Kind (``WORD``, ``QUOTED``, ``STRING``, ``NUMBER``, ``PARAM``, ``SYMBOL``,
        ``BAD``) and the offsets in bytes at which it begins and ends. Space and
        comments are no tokens; operators come byte by byte.
    """

@final
class Graph:
    """Revisions and how they follow one another.

    Nodes are ints, in the order in which they were added. Fill it, finish it, ask it.

    Args:
        label_set: Makes the set of a revision's labels from a tuple of two or more.
        child_set: Makes the frozenset of a revision's children from such a tuple.
    """

    def __new__(
        cls,
        label_set: Callable[[tuple[str, ...]], set[str]],
        child_set: Callable[[tuple[str, ...]], frozenset[str]],
        /,
    ) -> Graph: ...
    def __len__(self) -> int: ...
    @property
    def ids(self) -> tuple[str, ...]:
        """Ids by node, once finished."""

    def scan(self, paths: list[str], without_doc: bool, /) -> list[int]:
        """Read revision files and add a node for each. The GIL is released.

        Returns:
            Nodes whose file must be imported: not static, not readable, or not a
            revision that a graph can hold. ``put()`` gives them their names.
        """

    def scan_folder(
        self, folder: str | PathLike[str], without_doc: bool, /
    ) -> list[int] | None:
        """As ``scan()``, of all revision files of a folder, in Alembic's order.

        Folders below it do not count.

        Returns:
            As ``scan()``. None, and no node is added, where Python has to look: the
            folder cannot be read, has links, or names beyond ASCII.
        """

    def put(
        self,
        node: int,
        id: tuple[str, ...],
        down: tuple[str, ...],
        depend: tuple[str, ...],
        labels: tuple[str, ...],
        /,
    ) -> bool:
        """Give a node its names; add it when it is one more than there are.

        Args:
            node: Its number.
            id: The revision id in a tuple of one.
            down: ``down_revision``, as the three others as declared.
            depend: ``depends_on``.
            labels: ``branch_labels``.

        Returns:
            False for a revision that no graph can hold; nothing was changed.
        """

    def finish(self) -> tuple[str, int, str] | None:
        """Resolve all names and make the edges.

        Returns:
            None, or what is wrong: ``"duplicate"``, ``"missing"`` or ``"cycle"``, a
            node, and a sentence.
        """

    def fields(self, node: int, /) -> dict[str, Any]:
        """What a Revision object of that node holds, by attribute."""

    def declared(
        self, node: int, /
    ) -> tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Id, down_revision, depends_on and branch_labels as declared."""

    def path(self, node: int, /) -> str | None:
        """The path that the node was scanned from; None for one that was put."""

    def labels(self) -> list[str]:
        """All branch labels, in the order of the nodes."""

    def doc(self, node: int, /) -> str | None:
        """The docstring of the node's file."""

    def find(self, id: str, /) -> int:
        """The node with that id or label, or -1."""

    def starting_with(self, prefix: str, /) -> list[str]:
        """Ids, then labels, of four characters or more that start so."""

    def ends(self, real: bool, /) -> list[int]:
        """Nodes that no down_revision names; with ``real`` no depends_on either."""

    def bases(self, real: bool, /) -> list[int]:
        """Nodes without down_revision; with ``real`` without depends_on too."""

    def walk(
        self,
        edges: Literal["needs", "versioned", "next", "all_next"],
        targets: list[int],
        check: bool,
        /,
    ) -> tuple[list[int], tuple[int, list[int]] | None]:
        """What can be reached from the targets, in Alembic's order.

        Returns:
            The nodes; and with ``check`` the first target that met others, with these.
        """

    def related(self, targets: list[int], dependencies: bool, /) -> bytes:
        """A byte per node: not 0 above, at and below the targets."""

    def tips(self, targets: list[int], ancestors: bool, /) -> list[int]:
        """Those of the targets, and of their ancestors, with none of them above."""

    def order(self, nodes: list[int], heads: list[int], /) -> list[int]:
        """Nodes in Alembic's topological order.

        Raises:
            AssertionError: The heads do not reach all of them.
        """

    def upgrade(
        self,
        targets: list[int],
        current: list[int],
        include: list[int],
        implicit_base: bool,
        /,
    ) -> list[int] | tuple[int, list[int]] | None:
        """What to upgrade, newest first.

        Returns:
            Nodes; None when ``current`` is not below ``targets``; or a target and
            others that it stands above or below.

        Raises:
            AssertionError: As ``order()``.
        """

    def downgrade(
        self, roots: list[int], current: list[int], implicit_base: bool, /
    ) -> list[int]:
        """What to downgrade, newest first.

        Raises:
            AssertionError: As ``order()``.
        """

def counters() -> dict[str, int]:
    """What this module has done since it was loaded, by name."""
