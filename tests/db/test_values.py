"""The C conversions beside psycopg2's, on values of every built-in type.

``IBUTSU_MIGRATE_VALUES=100000`` compares as many of each kind, instead of a thousand or
fewer; ``IBUTSU_MIGRATE_SEED`` repeats a run.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import decimal
import io
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras
import pytest
import sqlalchemy as sa
import value_samples
from sqlalchemy.dialects import postgresql as pg

from ibutsu_migrate.engine.ranges import Multirange, Range
from ibutsu_migrate.errors import DataError, NotSupportedError, ProgrammingError

_pq = pytest.importorskip(
    "ibutsu_migrate._pq",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

COUNT = int(os.environ.get("IBUTSU_MIGRATE_VALUES", "1000"))
SEED = int(os.environ.get("IBUTSU_MIGRATE_SEED") or random.randrange(2**32))
ZONES = ("UTC", "Asia/Kolkata", "America/St_Johns", "Europe/Amsterdam", "Asia/Katmandu")
BATCH = 100


@pytest.fixture
def rng() -> random.Random:
    print(f"IBUTSU_MIGRATE_SEED={SEED}")
    return random.Random(SEED)


@pytest.fixture
def connection(database: Database) -> Iterator[Any]:
    connection = psycopg2.connect(database.dsn)
    connection.autocommit = True
    extras: Any = psycopg2.extras
    extras.register_uuid(conn_or_curs=connection)
    yield connection
    connection.close()


@pytest.fixture
def plain(database: Database) -> Iterator[Any]:
    """A cursor on which psycopg2 decodes as ever, for casters that ask theirs."""
    connection = psycopg2.connect(database.dsn)
    yield connection.cursor()
    connection.close()


def raw_types(connection: Any) -> None:
    """Have psycopg2 return the server's text of every type, on this connection."""
    known = {**psycopg2.extensions.string_types, **connection.string_types}
    oids = tuple(oid for oid in known if oid > 0)
    raw = psycopg2.extensions.new_type(oids, "RAW", lambda text, cursor: text)
    psycopg2.extensions.register_type(raw, connection)


def as_ours(value: Any) -> Any:
    """psycopg2's value, as this driver is to return it."""
    stock_range: Any = psycopg2.extras.Range
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, list):
        return [as_ours(each) for each in value]
    if isinstance(value, stock_range):
        if value.isempty:
            return Range(empty=True)
        return Range(value.lower, value.upper, value._bounds)
    return value


def by_psycopg2(casters: Any, oid: int, text: str, cursor: Any) -> Any:
    try:
        caster = casters.get(oid)
        return as_ours(caster(text, cursor)) if caster is not None else text
    except (ValueError, OverflowError, psycopg2.Error):
        return DataError


def by_us(oid: int, text: str, **options: Any) -> Any:
    try:
        return _pq.decode(oid, text.encode(), **options)
    except DataError:
        return DataError


def batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]


def test_decoding_is_psycopg2s(connection: Any, plain: Any, rng: random.Random) -> None:
    casters = {**psycopg2.extensions.string_types, **connection.string_types}
    raw_types(connection)
    cursor = connection.cursor()
    seen = set()
    for batch in batches(range(COUNT)):
        cursor.execute("SET TimeZone = %s", (rng.choice(ZONES),))
        cursor.execute("SET bytea_output = %s", (rng.choice(("hex", "escape")),))
        expressions = [value_samples.a_server_value(rng) for _ in batch]
        cursor.execute(f"SELECT {', '.join(expressions)}")
        for column, text in zip(cursor.description, cursor.fetchone(), strict=True):
            oid = column.type_code
            seen.add(oid)
            clamped = by_us(oid, text, clamp_infinity=True)
            stock = by_psycopg2(casters, oid, text, plain)
            if holds_infinity(oid, text) and text.startswith("{"):
                stock = clamped  # psycopg2 does not find it within arrays
            assert repr(clamped) == repr(stock), (oid, text)
            expected = DataError if holds_infinity(oid, text) else clamped
            assert repr(by_us(oid, text)) == repr(expected), (oid, text)
    assert len(seen) > 60


def holds_infinity(oid: int, text: str) -> bool:
    dates = {1082, 1114, 1184, 1182, 1115, 1185, 3908, 3910, 3912, 3909, 3911, 3913}
    return oid in dates and "infinity" in text


def on_server(cursor: Any, literals: Sequence[bytes]) -> list[Any]:
    """Type and text of each literal as the server reads it, or its error's state."""
    columns = b", ".join(b"pg_typeof(%b)::text, (%b)::text" % (x, x) for x in literals)
    try:
        cursor.execute(b"SELECT " + columns)
    except psycopg2.Error as error:
        if len(literals) == 1:
            return [error.pgcode]
        return [on_server(cursor, [each])[0] for each in literals]
    row = cursor.fetchone()
    return list(zip(row[::2], row[1::2], strict=True))


def test_literals_mean_what_psycopg2s_mean(connection: Any, rng: random.Random) -> None:
    cursor = connection.cursor()
    for conforming in (True, False):
        cursor.execute(f"SET standard_conforming_strings = {conforming}")
        cursor.execute("SET escape_string_warning = off")
        # psycopg2 looks at the setting when it connects.
        connection.set_client_encoding("UTF8")
        for batch in batches(range(COUNT // 2)):
            values = [value_samples.a_python_value(rng) for _ in batch]
            ours = [_pq.literal(value, conforming=conforming) for value in values]
            stock = [cursor.mogrify("%s", (value,)) for value in values]
            for value, one, other in zip(
                values, on_server(cursor, ours), on_server(cursor, stock), strict=True
            ):
                assert one == other, value


def test_literals_mean_the_same_whatever_the_setting(connection: Any) -> None:
    cursor = connection.cursor()
    value = "\\' \\\\ '; SELECT 1 --"
    for setting in ("on", "off"):
        cursor.execute(f"SET standard_conforming_strings = {setting}")
        for conforming in (True, False):
            literal = _pq.literal(value, conforming=conforming)
            cursor.execute(b"SELECT " + literal)
            assert cursor.fetchone() == (value,)


@pytest.mark.parametrize("encoding", ["SJIS", "BIG5", "GBK", "GB18030", "UHC"])
def test_literals_in_encodings_that_hold_backslashes(
    encoding: str, connection: Any
) -> None:
    """In these the second byte of a character may be that of a backslash."""
    cursor = connection.cursor()
    cursor.execute(f"SET client_encoding = {encoding}")
    python = psycopg2.extensions.encodings[encoding]
    rng = random.Random(encoding)
    for _ in range(20):
        text = "".join(
            chr(rng.choice((0x27, 0x5C, 0x4E00 + rng.randrange(0x3000))))
            for _ in range(50)
        )
        text = text.encode(python, "ignore").decode(python)
        literal = _pq.literal(text, encoding=python)
        cursor.execute(b"SELECT md5(convert_to(" + literal + b", 'UTF8'))")
        found = cursor.fetchone()[0]
        cursor.execute("SELECT md5(%s)", (psycopg2.Binary(text.encode()),))
        assert found == cursor.fetchone()[0]


# Python values, and the types of columns that take them by literal and by COPY alike.
COLUMNS = {
    value_samples.a_bool: ("bool",),
    value_samples.an_int: ("int8", "numeric", "text", "float8"),
    value_samples.a_huge_int: ("numeric",),
    value_samples.a_float: ("float8",),
    value_samples.a_decimal: ("numeric",),
    value_samples.a_str: ("text", "varchar", "bpchar"),
    value_samples.some_bytes: ("bytea",),
    value_samples.a_date: ("date", "text"),
    value_samples.a_time: ("time",),
    value_samples.a_zoned_time: ("timetz",),
    value_samples.a_datetime: ("timestamp", "timestamptz", "date"),
    value_samples.a_zoned_datetime: ("timestamptz",),
    value_samples.a_timedelta: ("interval",),
    value_samples.a_uuid: ("uuid",),
}


def test_copy_stores_what_literals_store(connection: Any, rng: random.Random) -> None:
    cursor = connection.cursor()
    each = max(1, COUNT // sum(map(len, COLUMNS.values())) // 2)
    for maker, types in COLUMNS.items():
        for name in types:
            cursor.execute(f"CREATE TEMP TABLE t (id serial, v {name}, a {name}[])")
            rows = [
                (maker(rng), value_samples.a_list(rng, maker, rng.randrange(1, 3)))
                for _ in range(each)
            ]
            cursor.executemany(f"INSERT INTO t (v, a) VALUES (%s, %s::{name}[])", rows)
            text = b"".join(
                _pq.copy_field(value) + b"\t" + _pq.copy_field(array) + b"\n"
                for value, array in rows
            )
            cursor.copy_expert("COPY t (v, a) FROM STDIN", io.BytesIO(text))
            cursor.execute("SELECT v::text, a::text FROM t ORDER BY id")
            stored = cursor.fetchall()
            assert stored[:each] == stored[each:], (maker, name)
            cursor.execute("DROP TABLE t")


class Libpq:
    """PQexecParams, which psycopg2 does not reach, through the libpq that _pq uses."""

    def __init__(self, dsn: str) -> None:
        self.lib = ctypes.CDLL("libpq.so.5")
        for name in ("PQconnectdb", "PQexecParams"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        for name in ("PQgetvalue", "PQresultErrorField", "PQerrorMessage"):
            getattr(self.lib, name).restype = ctypes.c_char_p
        self.connection = ctypes.c_void_p(self.lib.PQconnectdb(dsn.encode()))
        assert self.lib.PQstatus(self.connection) == 0

    def row(self, sql: str, params: Sequence[tuple[int, int, bytes | None]]) -> Any:
        """The first row's text, or the SQLSTATE."""
        count = len(params)
        result = ctypes.c_void_p(
            self.lib.PQexecParams(
                self.connection,
                sql.encode(),
                count,
                (ctypes.c_uint * count)(*(oid for oid, _, _ in params)),
                (ctypes.c_char_p * count)(*(value for _, _, value in params)),
                (ctypes.c_int * count)(*(len(value or b"") for _, _, value in params)),
                (ctypes.c_int * count)(*(format for _, format, _ in params)),
                0,
            )
        )
        try:
            state: bytes | None = self.lib.PQresultErrorField(result, ord("C"))
            if state is not None:
                return state.decode()
            columns = range(self.lib.PQnfields(result))
            return tuple(
                None
                if self.lib.PQgetisnull(result, 0, column)
                else self.lib.PQgetvalue(result, 0, column).decode()
                for column in columns
            )
        finally:
            self.lib.PQclear(result)

    def close(self) -> None:
        self.lib.PQfinish(self.connection)


def test_parameters_are_what_literals_are(
    connection: Any, database: Database, rng: random.Random
) -> None:
    cursor = connection.cursor()
    libpq = Libpq(database.dsn)
    try:
        for _ in range(COUNT // 2):
            value = value_samples.a_python_value(rng)
            if isinstance(value, tuple):
                continue
            oid, format_, data = _pq.param(value)
            literal = on_server(cursor, [_pq.literal(value)])[0]
            if oid == 0:
                # The server finds the type, but not pg_typeof()'s.
                kind = "text[]" if isinstance(value, list) else "text"
                sql = f"SELECT pg_typeof($1::{kind})::text, $1::text"
                written = b"(%b)::%b" % (_pq.literal(value), kind.encode())
                literal = on_server(cursor, [written])[0]
            else:
                sql = "SELECT pg_typeof($1)::text, $1::text"
            assert libpq.row(sql, [(oid, format_, data)]) == literal, value
    finally:
        libpq.close()


RANGES = [
    Range(1, 5),
    Range(None, 5, "()"),
    Range(empty=True),
    Range(decimal.Decimal("1.5"), None),
    [Range(1, 2), None, Range()],
]


@pytest.mark.parametrize("value", RANGES, ids=repr)
def test_ranges_both_ways(value: Any, connection: Any) -> None:
    raw_types(connection)
    cursor = connection.cursor()
    suffix = "[]" if isinstance(value, list) else ""
    for name, oid in (("numrange", 3906), ("nummultirange", 4532)):
        written = value
        expected: Any = [value]
        if name == "nummultirange":
            if suffix:
                continue
            written = Multirange([value])
            expected = written if not value.empty else Multirange()
        cursor.execute(b"SELECT " + _pq.literal(written) + f"::{name}{suffix}".encode())
        found = _pq.decode(oid + bool(suffix), cursor.fetchone()[0].encode())
        if name == "numrange" and not suffix:
            found = [found]
        elif suffix:
            expected = value
        # An absent bound has no inclusive side; the server writes it as open.
        assert repr(normal(found)) == repr(normal(expected))


def normal(value: Any) -> Any:
    if isinstance(value, list):
        return [normal(each) for each in value]
    if not isinstance(value, Range) or value.empty:
        return value
    lower, upper = (
        each if each is None else decimal.Decimal(each)
        for each in (value.lower, value.upper)
    )
    left = "(" if lower is None else value.bounds[0]
    right = ")" if upper is None else value.bounds[1]
    return Range(lower, upper, left + right)


def test_objects_made_for_psycopg2(connection: Any) -> None:
    extras: Any = psycopg2.extras
    day, noon = dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 12)
    cursor = connection.cursor()
    for value in (
        extras.Json({"a": "it's \\ \""}),
        psycopg2.Binary(b"\0\\'"),
        extras.Inet("10.0.0.1/8"),
        extras.NumericRange(1, 5, "(]"),
        extras.NumericRange(empty=True),
        extras.DateRange(day, None, "[]"),
        extras.DateTimeRange(None, noon),
        extras.DateTimeTZRange(noon.replace(tzinfo=dt.UTC), None),
        [extras.DateRange(day, None), None],
    ):
        ours = on_server(cursor, [_pq.literal(value)])
        assert ours == on_server(cursor, [cursor.mogrify("%s", (value,))]), value
    # SQLAlchemy's Range has a type of SQLAlchemy's, which writes it.
    for wrong in (psycopg2.extensions.AsIs("x"), pg.Range(1, 5), [pg.Range(1, 5)]):
        with pytest.raises(ProgrammingError, match="can't adapt"):
            _pq.literal(wrong)


def test_hstore_is_a_dict_where_its_type_is_known(database: Database) -> None:
    dbapi = pytest.importorskip("ibutsu_migrate.engine.dbapi")
    sql = """SELECT '"a"=>"it''s", "b"=>NULL'::hstore, ARRAY['x=>1']::hstore[]"""
    database.cluster.psql("CREATE SCHEMA e", database.name)
    database.cluster.psql("CREATE EXTENSION hstore SCHEMA e", database.name)
    options = {"options": "-c search_path=public,e"}
    found = []
    for driver in ("psycopg2", "ibutsu"):
        engine = sa.create_engine(database.url(driver), connect_args=options)
        for _ in range(2):
            with engine.connect() as connection:
                found.append(connection.exec_driver_sql(sql).one())
                connection.invalidate()
        engine.dispose()
    assert found == [({"a": "it's", "b": None}, [{"x": "1"}])] * 4
    with closing(dbapi.connect(database.dsn, **options)) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        assert type(cursor.fetchone()[0]) is str


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("LATIN1", "é\\'ß"), ("SJIS", "表ソ\\能'"), ("BIG5", "功\\"), ("EUC_KR", "한")],
)
def test_text_in_the_clients_encoding(
    encoding: str, text: str, database: Database
) -> None:
    dbapi = pytest.importorskip("ibutsu_migrate.engine.dbapi")
    with closing(dbapi.connect(database.dsn, client_encoding=encoding)) as connection:
        cursor = connection.cursor()
        sql = "SELECT %(x)s, convert_to(%(x)s, 'UTF8'), ARRAY[%(x)s]"
        cursor.execute(sql, {"x": text})
        assert cursor.fetchone() == (text, text.encode(), [text])
        with pytest.raises(DataError, match="encoding does not have"):
            cursor.execute("SELECT %s", ("😀",))


def test_a_database_without_encoding(database: Database) -> None:
    """Bytes of any kind come and go as they are, text or not."""
    dbapi = pytest.importorskip("ibutsu_migrate.engine.dbapi")
    database.cluster.psql(
        f'CREATE DATABASE "{database.name}_ascii" TEMPLATE template0 '
        "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
        database.name,
    )
    try:
        dsn = database.dsn.replace(database.name, f"{database.name}_ascii")
        with closing(dbapi.connect(dsn, client_encoding="SQL_ASCII")) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT E'\\xff''\\xc3\\xa9'")
            found = cursor.fetchone()[0]
            assert found == "\udcff'é"
            cursor.execute("SELECT convert_to(%s, 'SQL_ASCII')", (found,))
            assert cursor.fetchone() == (b"\xff'\xc3\xa9",)
    finally:
        database.cluster.drop_database(f"{database.name}_ascii")


def test_databases_with_styles_of_their_own(database: Database) -> None:
    dbapi = pytest.importorskip("ibutsu_migrate.engine.dbapi")
    name = f'ALTER DATABASE "{database.name}" SET'
    database.cluster.psql(f"{name} DateStyle = 'German, DMY'", database.name)
    database.cluster.psql(f"{name} IntervalStyle = 'iso_8601'", database.name)
    with closing(dbapi.connect(database.dsn)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT %s, '01/02/2026'::date", (dt.date(2026, 12, 31),))
        assert cursor.fetchone() == (dt.date(2026, 12, 31), dt.date(2026, 2, 1))
        cursor.execute("SELECT %s", (dt.timedelta(1),))
        with pytest.raises(NotSupportedError, match="SET IntervalStyle TO postgres"):
            cursor.fetchone()
        cursor.execute("SET DateStyle = 'SQL'; SELECT now()")
        with pytest.raises(NotSupportedError, match="SET DateStyle TO ISO"):
            cursor.fetchone()
        # Each number of an interval has its sign, in any style.
        for style in ("sql_standard", "postgres_verbose", "postgres"):
            cursor.execute(f"SET IntervalStyle = {style}")
            value = dt.timedelta(-1, 3, 5)
            cursor.execute("SELECT extract(epoch FROM %s)", (value,))
            assert float(cursor.fetchone()[0]) == value.total_seconds()


def select_values(values: dict[Any, Any]) -> sa.Select[Any]:
    parameters = (sa.bindparam(None, value, kind) for kind, value in values.items())
    return sa.select(*parameters)


def test_ranges_through_sqlalchemy(database: Database) -> None:
    day, noon = dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 12)
    values = {
        pg.INT8RANGE(): pg.Range(1, 2**40),
        pg.NUMRANGE(): pg.Range(decimal.Decimal("1.5"), None, bounds="()"),
        pg.DATERANGE(): pg.Range(day, None),
        pg.TSRANGE(): pg.Range(noon, noon, bounds="[]"),
        # A range of dates for a column of timestamps: no daterange can be cast to it.
        pg.TSTZRANGE(): pg.Range(day, None),
        pg.ARRAY(pg.DATERANGE()): [pg.Range(day, day, bounds="[]"), None],
        pg.ARRAY(pg.TSRANGE()): [pg.Range(empty=True), pg.Range(None, day)],
    }
    statement = select_values(values)
    found = []
    for driver in ("psycopg2", "ibutsu"):
        engine = sa.create_engine(database.url(driver))
        with engine.connect() as connection:
            connection.exec_driver_sql("SET TimeZone = 'Asia/Kolkata'")
            found.append(connection.execute(statement).one())
        engine.dispose()
    assert repr(found[0]) == repr(found[1])
    # psycopg2 cannot write these.
    several = {
        pg.DATEMULTIRANGE(): [pg.Range(day, None), pg.Range(None, dt.date(2025, 1, 1))],
        pg.TSMULTIRANGE(): [pg.Range(day, noon)],
    }
    engine = sa.create_engine(database.url("ibutsu"))
    with engine.connect() as connection:
        dates, times = connection.execute(select_values(several)).one()
    engine.dispose()
    assert dates == [
        pg.Range(None, dt.date(2025, 1, 1), bounds="()"),
        pg.Range(day, None),
    ]
    assert times == [pg.Range(dt.datetime(2026, 1, 2), noon)]
