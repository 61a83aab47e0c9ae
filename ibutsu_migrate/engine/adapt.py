"""What the C code does not know of Python values: the rare ones, in Python."""

from __future__ import annotations

import enum
import ipaddress
from typing import Any, Final

from ..errors import ProgrammingError

_ADDRESSES: Final = (
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
)
_NETWORKS: Final = (ipaddress.IPv4Network, ipaddress.IPv6Network)


def simplify(value: Any) -> tuple[Any, str | None]:
    """A value that the C code can write, and the type to cast it to.

    Args:
        value: None of the types that the C code knows.

    Returns:
        A value that it knows, and a type's name or None.

    Raises:
        ProgrammingError: There is no conversion.
    """
    if isinstance(value, enum.Enum):
        return value.name, None
    if isinstance(value, _ADDRESSES):
        return str(value), "inet"
    if isinstance(value, _NETWORKS):
        return str(value), "cidr"
    kind = type(value)
    name = kind.__name__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    hint = "; use a bind of a JSON type" if isinstance(value, dict) else ""
    raise ProgrammingError(f"can't adapt type '{name}'{hint}")
