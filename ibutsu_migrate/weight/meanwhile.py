"""The catalogue as it is now, less what the statements before have changed in it."""

from __future__ import annotations

import re
from typing import Final

from .locks import OTHER_PATH, Catalogue, Weight

Key = tuple[str, ...]

_PART: Final = re.compile(r'"((?:[^"]|"")*)"|([^.]+)')
_ADDS_KEYS: Final = ("ADD FOREIGN KEY", "ADD COLUMN", "CREATE TABLE")
_ALTER: Final = "ALTER TABLE"
_OF_FUNCTIONS: Final = ("CREATE FUNCTION", "ALTER FUNCTION", "DROP FUNCTION")
_NEW_NAMES: Final = ("ALTER TABLE RENAME", "ALTER TABLE SET SCHEMA")
_OF_NAMES: Final = (
    *("CREATE VIEW", "CREATE INDEX", "CREATE SEQUENCE", "ALTER INDEX", "ALTER VIEW"),
    *("ALTER SEQUENCE", "ALTER MATERIALIZED", "SET", "RESET", "CREATE MATERIALIZED"),
)
_OF_TYPES: Final = ("CREATE DOMAIN", "ALTER DOMAIN", "DROP DOMAIN", "ALTER TYPE")


class Meanwhile:
    """Answers of a catalogue, until a statement makes them doubtful. A ``Catalogue``.

    Args:
        now: What is there before the first statement.
    """

    def __init__(self, now: Catalogue) -> None:
        self._now = now
        self._made: set[Key] = set()
        self._changed: set[Key] = set()
        # By table: its name, and those that its new foreign keys point to.
        self._pointed: dict[Key, tuple[str, list[str]]] = {}
        self._functions = self._types = self._names = self._all = False

    def has_made(self, table: str) -> bool:
        """Whether a statement has made the table."""
        return key(table) in self._made

    def note(self, weight: Weight, *, made: bool) -> None:
        """Remember what a statement does.

        Args:
            weight: Of the statement.
            made: Whether the tables that it creates were not there before.
        """
        if not weight.is_known or weight.kind == OTHER_PATH:
            self.doubt()
        if weight.kind == OTHER_PATH or weight.kind in _NEW_NAMES:
            # The same name may be another table's now, which somebody uses.
            self._made.clear()
        if weight.kind == "DROP TABLE":
            self._made.difference_update(key(lock.relation) for lock in weight.locks)
        if made:
            self._made.update(map(key, weight.creates))
        self._functions |= weight.kind.startswith(_OF_FUNCTIONS)
        self._types |= weight.kind.startswith(_OF_TYPES)
        # Views, indexes and sequences are not among what is noted as made.
        self._names |= weight.kind.startswith(_OF_NAMES) or weight.kind in _NEW_NAMES
        tables = [*weight.creates, *(lock.relation for lock in weight.locks)]
        if tables and weight.kind.startswith((_ALTER, "CREATE TABLE")):
            first, *others = tables
            self._changed.add(key(first))
            if any(part in weight.kind for part in _ADDS_KEYS):
                known = self._pointed.setdefault(key(first), (first, []))
                known[1].extend(others)

    def doubt(self) -> None:
        """Something was done, and nobody knows what."""
        self._all = True

    def _is_doubtful(self, table: str) -> bool:
        return self._all or key(table) in self._changed

    def table_of(self, index: str) -> str | None:
        """The table of an index."""
        return self._now.table_of(index)

    def type_of(self, table: str, column: str) -> str | None:
        """A column's type."""
        return None if self._is_doubtful(table) else self._now.type_of(table, column)

    def has_checks(self, table: str, column: str) -> bool | None:
        """Whether a CHECK constraint speaks of a column."""
        return None if self._is_doubtful(table) else self._now.has_checks(table, column)

    def is_volatile(self, function: str) -> bool | None:
        """Whether a function of this name may give another answer for each row."""
        return None if self._functions else self._now.is_volatile(function)

    def is_constrained(self, type_name: str) -> bool | None:
        """Whether a type is a domain with constraints."""
        return None if self._types else self._now.is_constrained(type_name)

    def referenced(self, table: str, constraint: str | None = None) -> list[str]:
        """Tables that the foreign keys of a table, or one of them, point to."""
        added = self._pointed_by(table) if constraint is None else []
        return [*self._now.referenced(table, constraint), *added]

    def referencing(self, table: str) -> list[str]:
        """Tables whose foreign keys point to a table."""
        return [*self._now.referencing(table), *self._pointing_to(table)]

    def _pointed_by(self, table: str) -> list[str]:
        """Where the new foreign keys of a table point to."""
        return self._pointed.get(key(table), (table, []))[1]

    def _pointing_to(self, table: str) -> list[str]:
        """Tables whose new foreign keys point to a table."""
        return [
            name
            for name, others in self._pointed.values()
            if key(table) in map(key, others)
        ]

    def views_on(self, table: str, column: str | None = None) -> list[str]:
        """Views that read a table, or a column of it, and those that read these."""
        return self._now.views_on(table, column)

    def is_there(self, name: str) -> bool | None:
        """Whether there is such a relation; what was dropped may be said to be."""
        if self.has_made(name) or self._now.is_there(name):
            return True
        return None if self._all or self._names else self._now.is_there(name)

    def is_not_null(self, table: str, column: str) -> bool | None:
        """Whether a column is NOT NULL."""
        if self._is_doubtful(table):
            return None
        return self._now.is_not_null(table, column)

    def is_validated(self, table: str, constraint: str) -> bool | None:
        """Whether a constraint holds for all rows that are there."""
        if self._is_doubtful(table):
            return None
        return self._now.is_validated(table, constraint)

    def joined(self, table: str, column: str) -> list[str]:
        """Tables at the other ends of a column's foreign keys, from it and to it."""
        new = [*self._pointed_by(table), *self._pointing_to(table)]
        return [*self._now.joined(table, column), *new]

    def emptied_with(self, table: str) -> list[str]:
        """Tables that TRUNCATE ... CASCADE takes along."""
        found = self._now.emptied_with(table)
        waiting = [table, *found]
        while waiting:
            for name in self._pointing_to(waiting.pop()):
                if key(name) not in map(key, (table, *found)):
                    more = [name, *self._now.emptied_with(name)]
                    found, waiting = [*found, *more], [*waiting, *more]
        return found

    def read_by(self, view: str) -> list[str]:
        """Tables and views that a view reads, and those that these read."""
        return self._now.read_by(view)

    def parent_of(self, partition: str) -> str | None:
        """The partitioned table that a table is a partition of."""
        return self._now.parent_of(partition)

    def default_of(self, table: str) -> str | None:
        """The default partition of a table."""
        return self._now.default_of(table)


def key(name: str) -> Key:
    """A name as the catalogue has it, without the schema that needs no naming."""
    parts = tuple(
        plain.lower() if plain else quoted.replace('""', '"')
        for quoted, plain in _PART.findall(name)
    )
    return parts[1:] if parts[:1] == ("public",) and len(parts) > 1 else parts
