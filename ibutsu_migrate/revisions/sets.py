"""Sets whose order is always the same.

Alembic prints a revision's labels and children by joining a Python set of strings: the
order hangs on the hash seed. These are sets in all else.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class LabelSet(set[str]):
    """Branch labels in the order in which the files declare them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self._order = names

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self._order if name in self)
        yield from sorted(self.difference(self._order))

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self))}}}"


class ChildSet(frozenset[str]):
    """Following revisions in the order of the files."""

    _order: tuple[str, ...]

    def __new__(cls, names: tuple[str, ...]) -> ChildSet:
        """A set of these names, which keeps their order."""
        made = super().__new__(cls, names)
        made._order = names
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def __repr__(self) -> str:
        return f"frozenset({{{', '.join(map(repr, self._order))}}})"
