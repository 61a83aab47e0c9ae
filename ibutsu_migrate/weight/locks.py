"""Lock modes, and what is said of a statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol

MODES: Final = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
"""From the weakest to the strongest. Source: PostgreSQL, "Explicit Locking"."""

STOPS: Final = {
    "SHARE": "stops writers",
    "SHARE ROW EXCLUSIVE": "stops writers",
    "EXCLUSIVE": "stops writers",
    "ACCESS EXCLUSIVE": "stops readers and writers",
}
"""What a mode means for those who use the table; the others stop neither."""

OTHER_PATH: Final = "SET search_path"
"""A kind of statement: behind it names may mean other tables."""

Known = bool | None
"""Yes, no, or: it depends on what the text does not tell."""


def either(values: Iterable[Known]) -> Known:
    """Yes where one is; else not known where one is not; else no."""
    found = list(values)
    if True in found:
        return True
    return None if None in found else False


@dataclass(frozen=True, slots=True)
class TableLock:
    """A table, or another relation, in a statement.

    Attributes:
        relation: As it is written.
        mode: The strongest lock on it, one of ``MODES``.
        rewrites: Whether it is written anew; None: it depends.
        scans: Whether it is read through; None: it depends.
    """

    relation: str
    mode: str
    rewrites: Known = False
    scans: Known = False

    def __or__(self, other: TableLock) -> TableLock:
        mode = max(self.mode, other.mode, key=MODES.index)
        return TableLock(
            self.relation,
            mode,
            either((self.rewrites, other.rewrites)),
            either((self.scans, other.scans)),
        )

    def as_json(self) -> Mapping[str, Any]:
        """All attributes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Weight:
    """What a statement does to tables.

    Attributes:
        kind: Its name, such as ``ALTER TABLE ADD COLUMN``.
        locks: On tables that are there before it, the strongest for each.
        is_known: Whether there is a rule for it; if not the rest says nothing.
        destroys: What is gone afterwards; empty: nothing.
        own_transaction: Whether the server refuses it in a transaction.
        creates: Tables that are there only now.
    """

    kind: str
    locks: tuple[TableLock, ...] = ()
    is_known: bool = True
    destroys: str = ""
    own_transaction: bool = False
    creates: tuple[str, ...] = ()


def merged(locks: Iterable[TableLock]) -> tuple[TableLock, ...]:
    """One for each relation, in the order in which they come first."""
    found: dict[str, TableLock] = {}
    for lock in locks:
        known = found.get(lock.relation)
        found[lock.relation] = lock if known is None else known | lock
    return tuple(found.values())


class Catalogue(Protocol):
    """What rules ask about the database as it is now; None: it does not know."""

    def table_of(self, index: str) -> str | None:
        """The table of an index."""

    def type_of(self, table: str, column: str) -> str | None:
        """A column's type as ``format_type`` writes it."""

    def has_checks(self, table: str, column: str) -> bool | None:
        """Whether a CHECK constraint speaks of a column."""

    def is_volatile(self, function: str) -> bool | None:
        """Whether a function of this name may give another answer for each row."""

    def is_constrained(self, type_name: str) -> bool | None:
        """Whether a type is a domain with constraints."""

    def referenced(self, table: str, constraint: str | None = None) -> list[str]:
        """Tables that the foreign keys of a table, or one of them, point to."""

    def referencing(self, table: str) -> list[str]:
        """Tables whose foreign keys point to a table."""

    def views_on(self, table: str, column: str | None = None) -> list[str]:
        """Views that read a table, or a column of it, and those that read these."""

    def is_there(self, name: str) -> bool | None:
        """Whether there is such a relation."""

    def is_not_null(self, table: str, column: str) -> bool | None:
        """Whether a column is NOT NULL."""

    def is_validated(self, table: str, constraint: str) -> bool | None:
        """Whether a constraint holds for all rows that are there."""

    def joined(self, table: str, column: str) -> list[str]:
        """Tables at the other ends of a column's foreign keys, from it and to it."""

    def emptied_with(self, table: str) -> list[str]:
        """Tables that TRUNCATE ... CASCADE takes along."""

    def read_by(self, view: str) -> list[str]:
        """Tables and views that a view reads, and those that these read."""

    def parent_of(self, partition: str) -> str | None:
        """The partitioned table that a table is a partition of."""

    def default_of(self, table: str) -> str | None:
        """The default partition of a table."""


class Nothing:
    """A catalogue that knows nothing."""

    def table_of(self, index: str) -> str | None:
        """None."""
        return None

    def type_of(self, table: str, column: str) -> str | None:
        """None."""
        return None

    def has_checks(self, table: str, column: str) -> bool | None:
        """None."""
        return None

    def is_volatile(self, function: str) -> bool | None:
        """None."""
        return None

    def is_constrained(self, type_name: str) -> bool | None:
        """None."""
        return None

    def referenced(self, table: str, constraint: str | None = None) -> list[str]:
        """None at all."""
        return []

    def referencing(self, table: str) -> list[str]:
        """None at all."""
        return []

    def views_on(self, table: str, column: str | None = None) -> list[str]:
        """None at all."""
        return []

    def is_there(self, name: str) -> bool | None:
        """None."""
        return None

    def is_not_null(self, table: str, column: str) -> bool | None:
        """None."""
        return None

    def is_validated(self, table: str, constraint: str) -> bool | None:
        """None."""
        return None

    def joined(self, table: str, column: str) -> list[str]:
        """None at all."""
        return []

    def emptied_with(self, table: str) -> list[str]:
        """None at all."""
        return []

    def read_by(self, view: str) -> list[str]:
        """None at all."""
        return []

    def parent_of(self, partition: str) -> str | None:
        """None."""
        return None

    def default_of(self, table: str) -> str | None:
        """None."""
        return None
