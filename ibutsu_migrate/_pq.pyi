"""PostgreSQL through libpq (``csrc/pq``, bound by ``csrc/py``)."""

from collections.abc import Mapping, Sequence
from typing import Any

def decode(
    oid: int,
    text: bytes,
    /,
    *,
    clamp_infinity: bool = False,
    encoding: str | None = None,
    hstore_oid: int = 0,
    hstore_array_oid: int = 0,
) -> Any:
    """The Python value of a type's text."""

def literal(
    value: object, /, *, encoding: str | None = None, conforming: bool = True
) -> bytes:
    """A value as an SQL literal."""

def merge(sql: str, params: Sequence[Any] | Mapping[str, Any], /) -> bytes:
    """A statement with its placeholders replaced by literals."""

def param(value: object, /) -> tuple[int, int, bytes | None]:
    """A value as a bound parameter: type's OID or 0, format, bytes."""

def copy_field(value: object, /) -> bytes:
    """A value as a field of COPY's text format."""
