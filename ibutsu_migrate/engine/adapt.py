"""Python values that the C code does not know: the rare ones, in Python."""

from __future__ import annotations

import enum
import ipaddress
from typing import Any, Final

_INET: Final = 869
_CIDR: Final = 650

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
    return None
