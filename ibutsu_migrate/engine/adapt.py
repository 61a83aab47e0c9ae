"""Python values that the C code does not know: the rare ones, in Python."""

from __future__ import annotations

import enum
import ipaddress
from typing import Any, Final

from .ranges import Range

# Type OIDs, from the server's pg_type.dat.
_BYTEA: Final = 17
_CIDR: Final = 650
_INET: Final = 869
_DATE_RANGES: Final = {
    "DateRange": 3912,
    "DateTimeRange": 3908,
    "DateTimeTZRange": 3910,
}

_ADDRESSES: Final = (
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
)
_NETWORKS: Final = (ipaddress.IPv4Network, ipaddress.IPv6Network)


def simplify(value: Any) -> tuple[str, int] | None:
    """The text that stands for a value in PostgreSQL, and its type's OID.

    Args:
        value: Of none of the types that the C code writes itself.

    Returns:
        Text, and the OID of the type to cast it to or 0; None for values that have no
        such text.
    """
    if isinstance(value, enum.Enum):
        return value.name, 0
    if isinstance(value, _ADDRESSES):
        return str(value), _INET
    if isinstance(value, _NETWORKS):
        return str(value), _CIDR
    for kind in type(value).__mro__:
        package = kind.__module__.partition(".")[0]
        if package == "psycopg2":
            return _of_psycopg2(kind.__name__, value)
    return None


def _of_psycopg2(name: str, value: Any) -> tuple[str, int] | None:
    """Objects that migrations written for psycopg2 pass to ``execute()``.

    What stands in them, not what their ``getquoted()`` says: that depends on the
    connection that psycopg2 made last.
    """
    if name == "Json":
        return value.dumps(value.adapted), 0
    if name == "Binary":
        return "\\x" + bytes(value.adapted).hex(), _BYTEA
    if name == "Inet":
        return value.addr, _INET
    if hasattr(value, "lower_inc") and hasattr(value, "isempty"):
        text = "empty"
        if not value.isempty:
            left = "[" if value.lower_inc else "("
            right = "]" if value.upper_inc else ")"
            text = str(Range(value.lower, value.upper, left + right))
        return text, _DATE_RANGES.get(name, 0)
    return None
