"""Random values for comparing drivers: Python's, and SQL expressions for the server's.

Every tenth value or so is an extreme of its type.
"""

from __future__ import annotations

import datetime as dt
import decimal
import random
import uuid
from collections.abc import Callable
from typing import Any, Final

Maker = Callable[[random.Random], Any]

_CHARACTERS: Final = (
    "aZ09 _'\"\\%{},()[]:;=>\t\n\r\b\f\v\x01\x7fäßé€漢字😀\u202e\ufeff/?&#$@-+*."
)
_WORDS: Final = ("", "NULL", "null", "{}", "\\N", "\\.", "%s", "%(x)s", "it's", "a\\'b")
_OFFSETS: Final = (0, 3600, -3600, 19800, -12600, 50400, -43200, 1172, -7 * 3600 - 7)


def a_bool(rng: random.Random) -> bool:
    return rng.random() < 0.5


def an_int(rng: random.Random) -> int:
    edge = 1 << rng.choice((0, 7, 15, 16, 31, 32, 62))
    return rng.choice((1, -1)) * rng.choice(
        (edge, edge - 1, rng.randrange(edge + 1), rng.randrange(1000))
    )


def a_huge_int(rng: random.Random) -> int:
    return rng.choice((2**63 - 1, -(2**63), rng.randrange(-(10**40), 10**40)))


def a_float(rng: random.Random) -> float:
    if rng.random() < 0.1:
        return rng.choice((0.0, -0.0, float("nan"), float("inf"), -float("inf")))
    if rng.random() < 0.1:
        return rng.choice((1.7976931348623157e308, 2.2250738585072014e-308, 1e22, 1e-7))
    return rng.uniform(-1, 1) * 10.0 ** rng.randrange(-300, 300)


def a_decimal(rng: random.Random) -> decimal.Decimal:
    if rng.random() < 0.05:
        return decimal.Decimal(rng.choice(("NaN", "0", "-0", "0.000", "1E+10")))
    digits = tuple(rng.randrange(10) for _ in range(rng.randrange(1, 40)))
    return decimal.Decimal((rng.randrange(2), digits, rng.randrange(-60, 30)))


def a_str(rng: random.Random) -> str:
    if rng.random() < 0.1:
        return rng.choice(_WORDS)
    return "".join(rng.choices(_CHARACTERS, k=rng.randrange(25)))


def some_bytes(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(20)) + rng.choice((b"", b"\\", b"'", b"\0"))


def a_date(rng: random.Random) -> dt.date:
    if rng.random() < 0.1:
        return rng.choice((dt.date.min, dt.date.max, dt.date(2024, 2, 29)))
    return dt.date.fromordinal(rng.randrange(1, dt.date.max.toordinal()))


def _microsecond(rng: random.Random) -> int:
    return rng.choice((0, 0, 1, 999999, 500000, 120, rng.randrange(1000000)))


def a_time(rng: random.Random) -> dt.time:
    if rng.random() < 0.1:
        return rng.choice((dt.time.min, dt.time.max))
    clock = rng.randrange(86400)
    return dt.time(clock // 3600, clock // 60 % 60, clock % 60, _microsecond(rng))


def _zone(rng: random.Random) -> dt.timezone:
    return dt.timezone(dt.timedelta(seconds=rng.choice(_OFFSETS)))


def a_zoned_time(rng: random.Random) -> dt.time:
    return a_time(rng).replace(tzinfo=_zone(rng))


def a_datetime(rng: random.Random) -> dt.datetime:
    if rng.random() < 0.1:
        return rng.choice((dt.datetime.min, dt.datetime.max, dt.datetime(1970, 1, 1)))
    return dt.datetime.combine(a_date(rng), a_time(rng))


def a_zoned_datetime(rng: random.Random) -> dt.datetime:
    return a_datetime(rng).replace(tzinfo=_zone(rng))


def a_timedelta(rng: random.Random) -> dt.timedelta:
    if rng.random() < 0.1:
        return rng.choice((dt.timedelta.min, dt.timedelta.max, dt.timedelta(-1, 1)))
    return dt.timedelta(
        rng.randrange(-1000, 1000), rng.randrange(86400), _microsecond(rng)
    )


def a_uuid(rng: random.Random) -> uuid.UUID:
    return uuid.UUID(int=rng.getrandbits(128))


SCALARS: Final[tuple[Maker, ...]] = (
    a_bool,
    an_int,
    a_huge_int,
    a_float,
    a_decimal,
    a_str,
    some_bytes,
    a_date,
    a_time,
    a_zoned_time,
    a_datetime,
    a_zoned_datetime,
    a_timedelta,
    a_uuid,
)


def a_list(rng: random.Random, maker: Maker, dimensions: int = 1) -> list[Any]:
    """A rectangular array, with some NULLs."""
    shape = [rng.randrange(1, 4) for _ in range(dimensions)]

    def level(depth: int) -> Any:
        if depth == dimensions:
            return None if rng.random() < 0.15 else maker(rng)
        return [level(depth + 1) for _ in range(shape[depth])]

    found: list[Any] = level(0)
    return found


def a_python_value(rng: random.Random) -> Any:
    """Anything that both drivers write as a literal."""
    maker = rng.choice(SCALARS)
    chance = rng.random()
    if chance < 0.7:
        return maker(rng)
    if chance < 0.72:
        return rng.choice((None, [], [None], [[None, None]], (1, "a"), [[], []]))
    if chance < 0.77:
        return tuple(maker(rng) for _ in range(rng.randrange(1, 4)))
    return a_list(rng, maker, rng.randrange(1, 4))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _interval(rng: random.Random) -> str:
    parts = []
    for unit, most in (("year", 3000), ("mon", 11), ("day", 100000)):
        if rng.random() < 0.5:
            parts.append(f"{rng.randrange(-most, most)} {unit}")
    if rng.random() < 0.7 or not parts:
        sign = rng.choice(("", "-"))
        clock = rng.randrange(10 ** rng.randrange(1, 9))
        clock_text = f"{clock // 3600}:{clock // 60 % 60:02}:{clock % 60:02}"
        parts.append(f"{sign}{clock_text}.{_microsecond(rng):06}")
    return " ".join(parts)


def _timestamp(rng: random.Random) -> str:
    if rng.random() < 0.15:
        return rng.choice(
            ("infinity", "-infinity", "0044-03-15 01:00 BC", "20260-01-01 00:00")
        )
    return str(a_datetime(rng).replace(tzinfo=None))


def _bits(rng: random.Random) -> str:
    return "".join(rng.choices("01", k=rng.randrange(1, 20)))


def _json(rng: random.Random, depth: int = 0) -> str:
    import json

    def value(depth: int) -> Any:
        pick = rng.randrange(7 if depth < 3 else 5)
        if pick == 5:
            return [value(depth + 1) for _ in range(rng.randrange(4))]
        if pick == 6:
            return {a_str(rng): value(depth + 1) for _ in range(rng.randrange(4))}
        return rng.choice((None, True, an_int(rng), 1.5, a_str(rng)))

    return json.dumps(value(depth))


def _range(rng: random.Random, bound: Maker) -> str:
    if rng.random() < 0.1:
        return "empty"
    bounds = sorted([bound(rng), bound(rng)])
    low, high = (f'"{each}"' if rng.random() < 0.8 else "" for each in bounds)
    return f"{rng.choice('[(')}{low},{high}{rng.choice('])')}"


def _small(rng: random.Random) -> int:
    return rng.randrange(-1000, 1000)


def _inet(rng: random.Random) -> str:
    four = ".".join(str(rng.randrange(256)) for _ in range(4))
    return rng.choice((four, f"{four}/{rng.randrange(33)}", "::1", "2001:db8::/32"))


# How the server's values of each type come about: text for the type's input function.
SERVER_TEXT: Final[dict[str, Callable[[random.Random], str]]] = {
    "bool": lambda rng: str(a_bool(rng)),
    "int2": lambda rng: str(rng.randrange(-(2**15), 2**15)),
    "int4": lambda rng: str(rng.randrange(-(2**31), 2**31)),
    "int8": lambda rng: str(rng.choice((-(2**63), 2**63 - 1, an_int(rng)))),
    "oid": lambda rng: str(rng.randrange(2**32)),
    "float4": lambda rng: repr(rng.uniform(-1, 1) * 10.0 ** rng.randrange(-30, 30)),
    "float8": lambda rng: repr(a_float(rng)),
    "numeric": lambda rng: str(a_decimal(rng)),
    "text": a_str,
    "varchar": a_str,
    "bpchar": a_str,
    "char(12)": lambda rng: a_str(rng)[:12],
    '"char"': lambda rng: rng.choice("ab'\\ "),
    "name": a_str,
    "bytea": lambda rng: "\\x" + some_bytes(rng).hex(),
    "json": _json,
    "jsonb": _json,
    "date": _timestamp,
    "time": lambda rng: str(a_time(rng)),
    "timetz": lambda rng: str(a_zoned_time(rng)),
    "timestamp": _timestamp,
    "timestamptz": _timestamp,
    "interval": _interval,
    "uuid": lambda rng: str(a_uuid(rng)),
    "inet": _inet,
    "cidr": lambda rng: "10.0.0.0/8",
    "macaddr": lambda rng: "08:00:2b:01:02:03",
    "varbit": _bits,
    "money": lambda rng: str(_small(rng)),
    "int2vector": lambda rng: "1 2 3",
    "oidvector": lambda rng: "10 20",
    "regclass": lambda rng: "pg_class",
    "point": lambda rng: "(1,2)",
    "box": lambda rng: "(1,2),(3,4)",
    "tsvector": lambda rng: "a:1 'b c':2",
    "pg_lsn": lambda rng: "16/B374D848",
    "xid": lambda rng: "7",
    "int4range": lambda rng: _range(rng, _small),
    "int8range": lambda rng: _range(rng, _small),
    "numrange": lambda rng: _range(rng, lambda r: decimal.Decimal(_small(r)) / 8),
    "daterange": lambda rng: _range(rng, a_date),
    "tsrange": lambda rng: _range(rng, a_datetime),
    "tstzrange": lambda rng: _range(rng, a_datetime),
}

# Types whose arrays psycopg2 takes apart.
ARRAYS: Final = (
    *("bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "text"),
    *("varchar", "bpchar", "name", '"char"', "date", "time", "timetz", "timestamp"),
    *("timestamptz", "interval", "inet", "cidr", "macaddr", "json", "jsonb", "uuid"),
    *("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"),
    *("bytea", "point", "regclass", "money"),
)


def a_server_value(rng: random.Random) -> str:
    """An SQL expression for a value of any built-in type, arrays included."""
    kind = rng.choice(tuple(SERVER_TEXT))
    if kind in ARRAYS and rng.random() < 0.4:
        elements = [
            "NULL" if rng.random() < 0.1 else _quoted(SERVER_TEXT[kind](rng))
            for _ in range(rng.randrange(4))
        ]
        return f"ARRAY[{','.join(elements)}]::{kind}[]"
    return f"{_quoted(SERVER_TEXT[kind](rng))}::{kind}"
