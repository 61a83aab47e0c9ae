"""Values of range and multirange types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

_BOUNDS: Final = ("[)", "(]", "()", "[]")


@dataclass(frozen=True, slots=True)
class Range(Generic[T]):
    """One range; immutable and hashable.

    Two ranges are equal if they are written alike: that ``[1,3]`` and ``[1,4)`` hold
    the same integers is for the server to know, which returns the second.

    Attributes:
        lower: Lower bound, None where there is none.
        upper: Upper bound, None where there is none.
        bounds: ``[`` or ``(``, then ``]`` or ``)``: whether the bounds belong to it.
        empty: Holds nothing; the other attributes say nothing then.

    Raises:
        ValueError: ``bounds`` is none of the four.

    Source: PostgreSQL, "Range Types".
    """

    lower: T | None = None
    upper: T | None = None
    bounds: str = "[)"
    empty: bool = False

    def __post_init__(self) -> None:
        if self.bounds not in _BOUNDS:
            raise ValueError(f"bounds of a range are {self.bounds!r}: not {_BOUNDS}")

    @property
    def isempty(self) -> bool:
        """As psycopg2 names ``empty``."""
        return self.empty

    @property
    def lower_inc(self) -> bool:
        """Whether the lower bound belongs to the range."""
        return not self.empty and self.lower is not None and self.bounds[0] == "["

    @property
    def upper_inc(self) -> bool:
        """Whether the upper bound belongs to the range."""
        return not self.empty and self.upper is not None and self.bounds[1] == "]"

    @property
    def lower_inf(self) -> bool:
        """Whether it has no lower bound."""
        return not self.empty and self.lower is None

    @property
    def upper_inf(self) -> bool:
        """Whether it has no upper bound."""
        return not self.empty and self.upper is None

    def __contains__(self, value: Any) -> bool:
        if self.empty:
            return False
        if self.lower is not None and (
            value < self.lower or (value == self.lower and self.bounds[0] == "(")
        ):
            return False
        return self.upper is None or not (
            value > self.upper or (value == self.upper and self.bounds[1] == ")")
        )

    def __bool__(self) -> bool:
        return not self.empty

    def __str__(self) -> str:
        """As PostgreSQL reads it."""
        if self.empty:
            return "empty"
        lower, upper = (_quote(each) for each in (self.lower, self.upper))
        return f"{self.bounds[0]}{lower},{upper}{self.bounds[1]}"


def _quote(bound: object) -> str:
    if bound is None:
        return ""
    text = str(bound)
    if text and not set(text) & set(' ,[](){}"\\\t\n\r\f\v'):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'


class Multirange(list[Range[Any]]):
    """A value of a multirange type: its ranges, in the server's order."""

    def __init__(self, ranges: Iterable[Range[Any]] = ()) -> None:
        super().__init__(ranges)

    def __str__(self) -> str:
        """As PostgreSQL reads it."""
        return "{" + ",".join(map(str, self)) + "}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"
