"""The C conversions by themselves: what needs no server, and what they refuse."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import decimal
import enum
import gc
import ipaddress
import random
import sys
import uuid
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from ibutsu_migrate.engine.ranges import Multirange, Range
from ibutsu_migrate.errors import DataError, NotSupportedError, ProgrammingError

_pq = pytest.importorskip(
    "ibutsu_migrate._pq",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)


class Text(str):
    def __str__(self) -> str:
        return "not what it holds"


class Number(enum.IntEnum):
    THREE = 3


class Word(str, enum.Enum):  # noqa: UP042 - StrEnum has another str()
    A = "a"


class Plain(enum.Enum):
    NAME = "value"


class Amount(decimal.Decimal):
    def __str__(self) -> str:
        return "1; DROP TABLE t"


Pair = collections.namedtuple("Pair", "a b")
PARIS = zoneinfo.ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "true"),
        (-1, " -1"),
        (Number.THREE, "3"),
        (1e300, "1e+300"),
        (-0.5, " -0.5"),
        (float("nan"), "'NaN'::float"),
        (decimal.Decimal("1.50"), "1.50"),
        (decimal.Decimal("-Infinity"), "'-Infinity'::numeric"),
        (decimal.Decimal("sNaN12"), "'NaN'::numeric"),
        (Amount("2.5"), "2.5"),
        ("it's", "'it''s'"),
        ("a\\b'", " E'a\\\\b'''"),
        (Text("x"), "'x'"),
        (Word.A, "'a'"),
        (Plain.NAME, "'NAME'"),
        (b"\x00\xff", "'\\x00ff'::bytea"),
        (memoryview(b"abcd")[::2], "'\\x6163'::bytea"),
        (dt.date(1, 2, 3), "'0001-02-03'::date"),
        (dt.datetime(2026, 7, 1, tzinfo=PARIS), "'2026-07-01 00:00:00+02:00'"),
        (dt.time(1, 2, 3, 4), "'01:02:03.000004'::time"),
        (dt.timedelta(-1, 2, 3), "'-1 days +2 seconds +3 microseconds'::interval"),
        (uuid.UUID(int=1), "'00000000-0000-0000-0000-000000000001'::uuid"),
        (ipaddress.ip_interface("10.0.0.1/8"), "'10.0.0.1/8'::inet"),
        (ipaddress.ip_network("::/0"), "'::/0'::cidr"),
        ([], "'{}'"),
        ([None, [None]], "'{NULL,{NULL}}'"),
        ([[1, None], [-2, 3]], "ARRAY[ARRAY[1,NULL],ARRAY[ -2,3]]"),
        (("a", 1), "('a', 1)"),
        (Pair(1, (2,)), "(1, (2))"),
        (Range(1, 5), "'[1,5)'"),
        (Range(dt.date(2026, 1, 1), None, "[]"), "'[\"2026-01-01\",]'::daterange"),
        (Range(empty=True), "'empty'"),
        (Multirange([Range(1, 2), Range()]), "'{[1,2),[,)}'"),
    ],
    ids=lambda value: repr(value).partition(" at 0x")[0],
)
def test_literals(value: object, literal: str) -> None:
    found = _pq.literal(value).decode()
    assert found == literal or found.startswith(f"{literal}::timestamptz")


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        ({}, ProgrammingError, "can't adapt type 'dict'; use a bind of a JSON type"),
        (object(), ProgrammingError, "can't adapt type 'object'"),
        ({1}, ProgrammingError, "can't adapt type 'set'"),
        ((), ProgrammingError, "empty tuple"),
        ("a\0", DataError, "NUL"),
        (["a\0"], DataError, "NUL"),
        (Range("\0", None), DataError, "NUL"),
        ("\udcff", DataError, "surrogates"),
        (dt.time(1, tzinfo=PARIS), DataError, "zone has no offset"),
        (Range(Range(1, 2), None), ProgrammingError, "can't adapt"),
        (Multirange([1]), ProgrammingError, "no Range"),  # type: ignore[list-item]
        (10**5000, DataError, "digits"),
    ],
    ids=str.split(
        "dict object set empty nul list range surrogate time nested multi int"
    ),
)
def test_values_that_have_no_literal(
    value: object, error: type[Exception], says: str
) -> None:
    for write in (_pq.literal, _pq.copy_field, _pq.param):
        if value != () or write is _pq.literal:
            with pytest.raises(error, match=says):
                write(value)
    with pytest.raises(error, match=f"parameter 2: .*{says}"):
        _pq.merge("%s %s", (1, value))
    with pytest.raises(error, match=f"parameter 'näme': .*{says}"):
        _pq.merge("%(näme)s", {"näme": value})


def test_lists_without_end() -> None:
    endless: list[object] = []
    endless.append(endless)
    endless.append((endless,))
    for write in (_pq.literal, _pq.param, _pq.copy_field):
        with pytest.raises(DataError, match=r"nested too deep|6 dimensions"):
            write(endless)


def test_a_list_that_shrinks_while_it_is_written() -> None:
    values: list[object] = []

    class Zone(dt.tzinfo):
        def utcoffset(self, when: object) -> dt.timedelta:
            values.clear()
            return dt.timedelta(0)

        def tzname(self, when: object) -> str:
            return "Z"

        dst = utcoffset

    for write in (_pq.literal, _pq.param, _pq.copy_field):
        values[:] = [dt.datetime(2026, 1, 1, tzinfo=Zone()), 1, 2]
        write(values)
        assert values == []
        ranges = Multirange([Range(dt.datetime(2026, 1, 1, tzinfo=Zone())), Range()])
        write(ranges)


@pytest.mark.parametrize(
    ("sql", "params", "merged"),
    [
        ("a %% b", (), "a % b"),
        ("a %% b", {}, "a % b"),
        ("%s,%s", (1, "x"), "1,'x'"),
        ("%s", ["%s"], "'%s'"),
        ("'%s' -- %s", (1, 2), "'1' -- 2"),
        ("%(a)s %(b)s %(a)s", {"a": 1, "b": 2, "unused": object()}, "1 2 1"),
        ("1-%s", (-1,), "1- -1"),
        ("x IN %s", ((1, 2),), "x IN (1, 2)"),
        ("%%s%s%%", (1,), "%s1%"),
        ("%(a b%)s", {"a b%": 1}, "1"),
        ("%s", "x", "'x'"),
        ("é%s", range(7, 8), "é7"),
    ],
)
def test_merging(sql: str, params: Any, merged: str) -> None:
    assert _pq.merge(sql, params).decode() == merged


@pytest.mark.parametrize(
    ("sql", "params", "says"),
    [
        ("é LIKE 'a%b'", (), r"percent sign is %%, at character 10 .*: \"%b'\""),
        ("100%", (), "percent sign is %%, at character 4"),
        ("%s", (), "more placeholders than parameters"),
        ("%s", (1, 2), "has 1 placeholders, but 2 parameters"),
        ("SELECT 1", (1,), "has 0 placeholders, but 1 parameters"),
        ("%(a)s", {}, r"missing, at character 1 .*: '%\(a\)s'"),
        ("%(a)s", (1,), r"%\(name\)s needs a mapping"),
        ("%s", {"a": 1}, "%s needs a sequence"),
        ("%(a)d", {"a": 1}, "a placeholder is"),
        ("%(a", {"a": 1}, "a placeholder is"),
        ("%s %(a)s", (1,), "in one statement"),
        ("%(a)s %s", {"a": 1}, "in one statement"),
        ("%d", (1,), "a placeholder is %s"),
    ],
)
def test_statements_that_cannot_be_merged(sql: str, params: Any, says: str) -> None:
    with pytest.raises(ProgrammingError, match=says):
        _pq.merge(sql, params)


def test_parameters_of_the_wrong_type() -> None:
    for params in (1, {1}, iter("a"), None):
        with pytest.raises(TypeError, match="must be a sequence or a mapping"):
            _pq.merge("%s", params)


def test_a_mapping_is_asked_once_for_each_name() -> None:
    class Counting(Mapping[str, int]):
        asked = 0

        def __getitem__(self, name: str) -> int:
            self.asked += 1
            return self.asked

        def __iter__(self) -> Iterator[str]:
            return iter("a")

        def __len__(self) -> int:
            return 1

    assert _pq.merge("%(a)s %(a)s", Counting()) == b"1 1"

    class Failing(dict[str, int]):
        def __missing__(self, name: str) -> int:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _pq.merge("%(a)s", Failing())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, (0, 0, None)),
        (2**31 - 1, (23, 0, b"2147483647")),
        (2**31, (20, 0, b"2147483648")),
        (2**63, (1700, 0, b"9223372036854775808")),
        (decimal.Decimal("7"), (23, 0, b"7")),
        (1.5, (1700, 0, b"1.5")),
        (float("inf"), (701, 0, b"Infinity")),
        ("x", (0, 0, b"x")),
        (b"\0", (17, 1, b"\0")),
        ([1, 2**40], (1016, 0, b"{1,1099511627776}")),
        ([1, 1.5], (1231, 0, b"{1,1.5}")),
        (["a", None, 'NULL"\\'], (0, 0, b'{"a",NULL,"NULL\\"\\\\"}')),
        ([1, "a"], (0, 0, b'{1,"a"}')),
        ([[], []], (0, 0, b"{}")),
        ([dt.date(2026, 1, 1)], (1182, 0, b'{"2026-01-01"}')),
    ],
    ids=repr,
)
def test_bound_parameters(value: object, expected: tuple[int, int, bytes]) -> None:
    assert _pq.param(value) == expected


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "\\N"),
        ("\\N", "\\\\N"),
        ("a\tb\nc\rd\\e\b\f\v", "a\\tb\\nc\\rd\\\\e\\b\\f\\v"),
        ("", ""),
        (True, "true"),
        (b"\x01", "\\\\x01"),
        (["a\\"], '{"a\\\\\\\\"}'),
    ],
)
def test_copy_fields(value: object, field: str) -> None:
    assert _pq.copy_field(value).decode() == field


DECODED = [
    (16, "t", True),
    (20, "-9223372036854775808", -(2**63)),
    (26, "4294967295", 2**32 - 1),
    (701, "-Infinity", -float("inf")),
    (1700, "1.50", decimal.Decimal("1.50")),
    (17, "\\x00Ff", b"\x00\xff"),
    (17, "a\\\\\\001", b"a\\\x01"),
    (17, "", b""),
    (3802, '{"a": [1.5]}', {"a": [1.5]}),
    (2950, "12345678-9abc-def0-1234-56789abcdef0", None),
    (1266, "01:02:03.4-05:30", dt.time(1, 2, 3, 400000)),
    (1186, "1 year 2 mons -3 days +04:05:06.7", dt.timedelta(422, 14706, 700000)),
    (1186, "-2562047788:00:54.775807", None),
    (1007, "[0:1][2:2]={{1},{NULL}}", [[1], [None]]),
    (1009, '{"NULL",null,"a\\"\\\\",""}', ["NULL", None, 'a"\\', ""]),
    (1006, '{"1 2","3"}', ["1 2", "3"]),
    (3904, "(,5]", Range(None, 5, "(]")),
    (3906, "empty", Range(empty=True)),
    (4451, "{[1,3),[5,)}", Multirange([Range(1, 3), Range(5, None)])),
    (6150, '{"{[1,2)}",NULL}', [Multirange([Range(1, 2)]), None]),
    (2249, "(1,a)", "(1,a)"),
    (123456, "{a}", "{a}"),
    (22, "1 2", "1 2"),
]


@pytest.mark.parametrize(("oid", "text", "value"), DECODED)
def test_decoding(oid: int, text: str, value: object) -> None:
    found = _pq.decode(oid, text.encode())
    if isinstance(value, dt.time):
        value = value.replace(tzinfo=found.tzinfo)
        assert found.utcoffset() == -dt.timedelta(hours=5, minutes=30)
    elif value is None and oid == 1186:
        value = -dt.timedelta(hours=2562047788, seconds=54, microseconds=775807)
    elif value is None:
        value = uuid.UUID(text)
        assert (found.is_safe, hash(found)) == (uuid.SafeUUID.unknown, hash(value))
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("oid", "text", "says"),
    [
        (1082, "infinity", "date too large"),
        (1082, "0044-03-15 BC", "date too small"),
        (1114, "10000-01-01 00:00:00", r"timestamp too large \(after year 10K\)"),
        (1184, "-infinity", r"timestamp too small \(before year 1\)"),
        (1083, "24:00:00", "time too large"),
        (1186, "infinity", "infinite"),
        (1186, "178000000 years", "interval too large"),
        (1082, "15.03.2026", "not the text of a value of type date"),
        (1114, "03/15/2026 10:00:00", "type timestamp"),
        (1186, "P1D", "type interval"),
        (1186, "@ 1 day", "type interval"),
        (1186, "1-2 3 4:05:06", "type interval"),
        (23, "1x", "type integer"),
        (1700, "x", "type numeric"),
        (1007, "{1,}", "type array"),
        (1007, "{{{{{{{1}}}}}}}", "type array"),
        (3904, "[1,2;", "type range"),
        (4451, "{[1,2)", "type multirange"),
        (25, b"\xff", "not in the client's encoding"),
    ],
)
def test_what_python_has_no_room_for(oid: int, text: str | bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        _pq.decode(oid, text.encode() if isinstance(text, str) else text)


def test_an_encoding_that_python_does_not_have() -> None:
    with pytest.raises(NotSupportedError, match="client_encoding"):
        _pq.decode(25, b"x", encoding="mule_internal")
    with pytest.raises(NotSupportedError, match="client_encoding"):
        _pq.literal("x", encoding="mule_internal")


def test_clamping() -> None:
    for oid, kind in ((1082, dt.date), (1114, dt.datetime), (1186, dt.timedelta)):
        assert _pq.decode(oid, b"infinity", clamp_infinity=True) == kind.max
        assert _pq.decode(oid, b"-infinity", clamp_infinity=True) == kind.min
    found = _pq.decode(1184, b"infinity", clamp_infinity=True)
    assert found == dt.datetime.max.replace(tzinfo=dt.UTC)


def test_hstore() -> None:
    def decode(text: bytes, oid: int = 70000) -> Any:
        return _pq.decode(oid, text, hstore_oid=70000, hstore_array_oid=70001)

    assert decode(b'"a"=>"1", "b\\"\\\\"=>NULL') == {"a": "1", 'b"\\': None}
    assert decode(b"") == {}
    assert decode(b'{"\\"a\\"=>NULL"}', 70001) == [{"a": None}]
    assert _pq.decode(70000, b'"a"=>"1"') == '"a"=>"1"'
    for text in (b'"a"', b'"a"=>', b'"a"=>"1",', b'"a"=>"1" ', b'"a', b"a=>1"):
        with pytest.raises(DataError, match="type hstore"):
            decode(text)


OIDS = (
    *(16, 17, 20, 25, 114, 701, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950, 70000),
    *(1000, 1001, 1007, 1009, 199, 1022, 1182, 1185, 1187, 1231, 2951, 70001),
    *(3904, 3906, 3908, 3910, 3912, 4451, 4533, 3905, 6152, 6157),
)
GRAMMAR = b'{}[](),"\\=>:+- .0123456789tfxNULLinfinityempty BC\xc3\xa9\x00daysmons'


def garbage(rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return bytes(rng.choices(GRAMMAR, k=rng.randrange(30)))
    text = bytearray(str(rng.choice(DECODED)[1]).encode())
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(text) + 1)
        change = bytes((rng.choice(GRAMMAR),)) if rng.random() < 0.7 else b""
        text[place : place + rng.randrange(3)] = change
    return bytes(text)


def test_garbage_is_a_value_or_an_error() -> None:
    rng = random.Random(20261125)
    values = 0
    for _ in range(30_000):
        oid, text = rng.choice(OIDS), garbage(rng)
        try:
            _pq.decode(oid, text, hstore_oid=70000, hstore_array_oid=70001)
        except (DataError, ValueError):
            continue
        values += 1
    assert 1000 < values < 29_000


def conversions() -> list[Callable[[], object]]:
    """Every conversion at work, refusals included."""
    samples = [(oid, text.encode()) for oid, text, _ in DECODED]
    samples += [(1007, b"{1,{2"), (3904, b"[1,x)"), (4451, b"{[1,2),"), (1082, b"x")]
    values = [[1, "a\\"], Range(dt.date(2026, 1, 1)), {"a"}, (b"x", 1.5, None), 10**30]
    values += [["a", object()], Multirange([Range(1, 2), Range("\0")])]
    hstore = partial(_pq.decode, hstore_oid=70000, hstore_array_oid=70001)
    work: list[Callable[[], object]] = [
        *(partial(_pq.decode, oid, text) for oid, text in samples),
        partial(hstore, 70001, b'{"\\"a\\"=>NULL"}'),
        partial(hstore, 70000, b'"a"=>"1", "b"'),
    ]
    for value in values:
        work += [
            partial(_pq.literal, value, encoding="utf-16-le"),
            partial(_pq.copy_field, value),
            partial(_pq.param, value),
            partial(_pq.merge, "%(a)s%(a)s", collections.UserDict(a=value)),
        ]
    return work


def test_running_out_of_memory() -> None:
    """Each allocation fails once: MemoryError or what is expected, nothing else."""
    testcapi = pytest.importorskip("_testcapi", reason="this Python has no _testcapi")
    failures = 0
    for run in conversions():
        with contextlib.suppress(ProgrammingError, DataError):
            run()  # imports what it needs
        for n in range(1, 60):
            testcapi.set_nomemory(n, n + 1)
            try:
                run()
            except MemoryError:
                failures += 1
            except (ProgrammingError, DataError):
                pass
            finally:
                testcapi.remove_mem_hooks()
    assert failures > 100


def test_nothing_is_left_behind() -> None:
    work = conversions()

    def run_all(times: int) -> int:
        before = sys.getallocatedblocks()
        for _ in range(times):
            for run in work:
                with contextlib.suppress(ProgrammingError, DataError):
                    run()
        gc.collect()
        return sys.getallocatedblocks() - before

    run_all(100)
    assert run_all(400) < 100


def test_ranges() -> None:
    value = Range(1, 5)
    assert 1 in value
    assert 5 not in value
    assert 5 in Range(None, 5, "(]")
    assert 1 not in Range(1, 5, "()")
    assert 1 not in Range(empty=True)
    assert (value.lower_inc, value.upper_inc, value.lower_inf) == (True, False, False)
    assert Range(None, 5).lower_inf
    assert not Range(empty=True)
    assert hash(value) == hash(Range(1, 5))
    assert [*map(str, (value, Range(empty=True), Range("a b", "\\")))] == [
        "[1,5)",
        "empty",
        '["a b","\\\\")',
    ]
    assert str(Multirange([value, Range()])) == "{[1,5),[,)}"
    with pytest.raises(ValueError, match="bounds of a range"):
        Range(1, 2, "{}")


def test_xml_is_text() -> None:
    """By itself: a server built without libxml has no value of that type."""
    assert _pq.decode(142, b"<a>1</a>") == "<a>1</a>"
