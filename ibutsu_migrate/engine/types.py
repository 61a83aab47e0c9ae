"""SQLAlchemy types as this driver sends and returns their values.

The casts that a statement shows are those it shows with psycopg2: parameters are
merged as literals here too, and a cast more (``'2026-01-31'::VARCHAR``) would refuse
statements that migrations written for psycopg2 contain.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlalchemy import exc
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects.postgresql import ARRAY, HSTORE, JSON, JSONB, pg_catalog
from sqlalchemy.dialects.postgresql import ranges as pg_ranges
from sqlalchemy.engine import Dialect, processors

Processor = Callable[[Any], Any] | None

# Type OIDs of scalars and of their arrays, from the server's pg_type.dat.
_FLOATS: Final = frozenset((700, 701, 1021, 1022))
_DECIMALS: Final = frozenset((1231, 1700))
_INTEGERS: Final = frozenset((20, 21, 23, 26, 1005, 1007, 1016))


class _Number:
    """Numbers come from the driver as Decimal, float or int, by the column's type."""

    asdecimal: bool
    _effective_decimal_return_scale: int

    def bind_processor(self, dialect: Dialect) -> Processor:
        return None

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        if coltype in _FLOATS:
            if not self.asdecimal:
                return None
            return processors.to_decimal_processor_factory(
                decimal.Decimal, self._effective_decimal_return_scale
            )
        if coltype in _DECIMALS or coltype in _INTEGERS:
            return None if self.asdecimal else processors.to_float
        raise exc.InvalidRequestError(f"Unknown PG numeric type: {coltype}")


class Numeric(_Number, sqltypes.Numeric[Any]):
    """NUMERIC."""


class Float(_Number, sqltypes.Float[Any]):
    """FLOAT, REAL, DOUBLE PRECISION."""


class Json(JSON):
    """JSON; the driver parses."""

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        """None: the value has been parsed."""
        return None


class Jsonb(JSONB):
    """JSONB; the driver parses."""

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        """None: the value has been parsed."""
        return None


_ARRAY_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}])|([^{},"]+)', re.S)


def parse_array(text: str) -> list[Any]:
    """Take the server's text of an array apart; elements are text or None.

    Args:
        text: ``{a,NULL,"b c",{d}}``; bounds before ``=`` are dropped.

    Source: PostgreSQL, "Array Input and Output Syntax".
    """
    outermost: list[Any] = []
    open_arrays = [outermost]
    for found in _ARRAY_TOKEN.finditer(text, text.index("{")):
        quoted, brace, plain = found.groups()
        if brace == "{":
            inner: list[Any] = []
            open_arrays[-1].append(inner)
            open_arrays.append(inner)
        elif brace == "}":
            open_arrays.pop()
        elif plain is not None:
            open_arrays[-1].append(None if plain.upper() == "NULL" else plain)
        else:
            open_arrays[-1].append(re.sub(r"\\(.)", r"\1", quoted, flags=re.S))
    whole: list[Any] = outermost[0]
    return whole


class Array(ARRAY[Any]):
    """ARRAY, with a cast: an empty list has no type of its own."""

    render_bind_cast = True

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """Also arrays of types that an extension made, which come as text."""
        stock: Any = super().result_processor(dialect, coltype)
        if self._against_native_enum:
            return stock

        def process(value: Any) -> Any:
            return stock(parse_array(value) if isinstance(value, str) else value)

        return process


class Hstore(HSTORE):
    """HSTORE, as text or, where the driver knows the type, as a dict."""

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        """Parse what is still text."""
        parse = super().result_processor(dialect, coltype)

        def process(value: Any) -> Any:
            return parse(value) if isinstance(value, str) and parse else value

        return process


class Int2Vector(pg_catalog._SpaceVector, pg_catalog.INT2VECTOR):
    """int2vector of the catalogue; the driver returns ``1 2``."""


class OidVector(pg_catalog._SpaceVector, pg_catalog.OIDVECTOR):
    """oidvector of the catalogue; the driver returns ``1 2``."""


def _to_driver(factory: Any, value: pg_ranges.Range[Any]) -> Any:
    return factory(value.lower, value.upper, value.bounds, value.empty)


def _from_driver(value: Any) -> pg_ranges.Range[Any]:
    # An empty range has bounds of its own in SQLAlchemy.
    if value.empty:
        return pg_ranges.Range(empty=True)
    return pg_ranges.Range(value.lower, value.upper, bounds=value.bounds)


class SingleRange(pg_ranges.AbstractSingleRangeImpl):  # type: ignore[type-arg]
    """All range types."""

    def bind_processor(self, dialect: Any) -> Processor:
        """SQLAlchemy's Range as text, which the statement casts to the column's type.

        The driver would cast a Range of dates to daterange: no tsrange can be made
        of that.
        """
        factory = dialect.dbapi.Range

        def process(value: Any) -> Any:
            if isinstance(value, pg_ranges.Range):
                return str(_to_driver(factory, value))
            return value

        return process

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        """The driver's Range to SQLAlchemy's."""
        return lambda value: None if value is None else _from_driver(value)


class MultiRange(pg_ranges.AbstractMultiRangeImpl):  # type: ignore[type-arg]
    """All multirange types."""

    def bind_processor(self, dialect: Any) -> Processor:
        """A list of SQLAlchemy's ranges as text, likewise."""
        single, several = dialect.dbapi.Range, dialect.dbapi.Multirange

        def process(value: Iterable[pg_ranges.Range[Any]] | str | None) -> Any:
            if value is None or isinstance(value, (str, several)):
                return value
            return str(several([_to_driver(single, each) for each in value]))

        return process

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        """The driver's Multirange to SQLAlchemy's."""

        def process(value: Iterable[Any] | None) -> Any:
            if value is None:
                return None
            return pg_ranges.MultiRange(_from_driver(each) for each in value)

        return process


COLSPECS: Final[dict[type[Any], type[Any]]] = {
    sqltypes.Numeric: Numeric,
    sqltypes.Float: Float,
    sqltypes.JSON: Json,
    JSON: Json,
    JSONB: Jsonb,
    HSTORE: Hstore,
    sqltypes.ARRAY: Array,
    pg_catalog.INT2VECTOR: Int2Vector,
    pg_catalog.OIDVECTOR: OidVector,
    pg_ranges.AbstractSingleRange: SingleRange,
    pg_ranges.AbstractMultiRange: MultiRange,
}
