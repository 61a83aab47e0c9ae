"""Many rows at once: through COPY, statement by statement, and as psycopg2 has it.

``IBUTSU_MIGRATE_VALUES=100000`` makes as many rows, instead of some thousands;
``IBUTSU_MIGRATE_SEED`` repeats a run.
"""

from __future__ import annotations

import datetime as dt
import decimal
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg2.extras
import pytest
import sqlalchemy as sa
import value_samples as samples

from ibutsu_migrate import errors

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

    from .conftest import Shop

_pq = pytest.importorskip(
    "ibutsu_migrate._pq",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

ROWS = int(os.environ.get("IBUTSU_MIGRATE_VALUES", "2500"))
SEED = int(os.environ.get("IBUTSU_MIGRATE_SEED") or random.randrange(2**32))
PAGE = 5  # rows of an INSERT that SQLAlchemy makes

Maker = Callable[[random.Random], Any]


def small(rng: random.Random) -> int:
    return rng.randrange(12)


def word(rng: random.Random) -> str:
    return rng.choice(("x", "yz", "", "it's", "\\N", "a\tb\n", "NULL", "t", "12", "ü€"))


def cents(rng: random.Random) -> Any:
    return decimal.Decimal(rng.randrange(100000)) / 100


def listed(maker: Maker) -> Maker:
    return lambda rng: [
        None if rng.random() < 0.1 else maker(rng) for _ in range(rng.randrange(4))
    ]


# Types of columns, and what is usually put there.
KINDS: dict[str, tuple[Maker, ...]] = {
    "int4": (small, samples.an_int),
    "int2": (small, samples.an_int),
    "int8": (samples.an_int, word),
    "numeric": (samples.a_decimal, samples.a_huge_int, samples.a_float),
    "numeric(5,2)": (cents, samples.a_float, small),
    "float8": (samples.a_float, samples.a_decimal, small),
    "float4": (samples.a_float, samples.an_int),
    "bool": (samples.a_bool, word),
    "text": (samples.a_str, word, small),
    "varchar(2)": (word, small),
    "char(3)": (word,),
    "bytea": (samples.some_bytes,),
    "date": (samples.a_date, samples.a_datetime),
    "timestamp": (samples.a_datetime, samples.a_date),
    "timestamp(0)": (samples.a_datetime,),
    "timestamptz": (samples.a_zoned_datetime, samples.a_datetime, samples.a_date),
    "time": (samples.a_time,),
    "timetz": (samples.a_zoned_time,),
    "interval": (samples.a_timedelta,),
    "uuid": (samples.a_uuid,),
    "json": (word, lambda rng: '{"a": [1, "b"]}'),
    "mood": (lambda rng: rng.choice(("sad", "glad", "mad")),),
    "few": (small,),
    "int4[]": (listed(small),),
    "numeric(4,1)[]": (listed(cents), listed(small)),
    "text[]": (listed(word), listed(samples.a_str)),
    "timestamptz[]": (listed(samples.a_zoned_datetime),),
}
OTHERS: tuple[Maker, ...] = (
    samples.a_python_value,
    samples.a_bool,
    samples.a_float,
    samples.a_zoned_datetime,
    small,
    word,
    lambda rng: [],
    lambda rng: [[1, 2], [3, 4]],
    lambda rng: ["a", 1],
    lambda rng: [[]],
    lambda rng: {"a": 1},
)
RULES = (
    "ALTER TABLE t ADD UNIQUE (c0)",
    "ALTER TABLE t ADD UNIQUE (c0) DEFERRABLE INITIALLY DEFERRED",
    "ALTER TABLE t ADD CHECK (c0::text <> '3')",
    "ALTER TABLE t ADD CHECK (id < 20)",
    "ALTER TABLE t ALTER c0 SET NOT NULL",
    "ALTER TABLE t ADD more int GENERATED ALWAYS AS (id + 1) STORED",
    "ALTER TABLE t ADD up int, ADD FOREIGN KEY (up) REFERENCES t",
    "ALTER TABLE t ALTER id DROP IDENTITY, ALTER id ADD GENERATED ALWAYS AS IDENTITY",
    "CREATE RULE r AS ON INSERT TO t WHERE new.id = 2 DO INSTEAD NOTHING",
    "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION noted()",
    "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION noted()",
    "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION noted()",
    "ALTER TABLE t ADD n bigint DEFAULT counted()",
    "ALTER TABLE t ADD CHECK (counted() < 9)",
    "SET statement_timeout = '1h'",
)
SETUP = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN few AS int2 CHECK (VALUE < 9);
CREATE TABLE log (what text);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO log SELECT TG_LEVEL || count(*) FROM t; RETURN new; END $$;
CREATE FUNCTION counted() RETURNS bigint LANGUAGE plpgsql AS
  $$ BEGIN RETURN (SELECT count(*) FROM t); END $$
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What is done three times.

    Attributes:
        ddl: Makes the table.
        rows: The values.
        core: An INSERT of SQLAlchemy's, or its text.
        autocommit: Without a transaction.
        casts: Behind the values of a text, by column.
    """

    ddl: tuple[str, ...]
    rows: list[dict[str, Any]]
    core: bool
    autocommit: bool
    casts: dict[str, str]


def make_rows(rng: random.Random, kinds: list[str]) -> list[dict[str, Any]]:
    wrong = rng.choice((0.0, 0.0, 0.0, 0.005, 0.05))
    makers = [rng.choice(KINDS[kind]) for kind in kinds]
    rows: list[dict[str, Any]] = []
    for number in range(rng.randrange(1, 25)):
        row: dict[str, Any] = {"id": number if rng.random() > wrong else small(rng)}
        for place, maker in enumerate(makers):
            chosen = rng.choice(OTHERS) if rng.random() < wrong else maker
            row[f"c{place}"] = None if rng.random() < 0.05 else chosen(rng)
        rows.append(row)
    return rows


def make_case(rng: random.Random) -> Case:
    kinds = [rng.choice(list(KINDS)) for _ in range(rng.randrange(1, 4))]
    rows = make_rows(rng, kinds)
    columns = ", ".join(f"c{place} {kind}" for place, kind in enumerate(kinds))
    columns = f"id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, {columns}"
    ddl = [f"CREATE TABLE t ({columns})"]
    if rng.random() < 0.15:
        ddl = [
            f"CREATE TABLE t ({columns}) PARTITION BY RANGE (id)",
            "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (7)",
            "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (7) TO (20)",
        ]
    elif rng.random() < 0.4:
        # json cannot be compared.
        ddl.append(rng.choice(RULES[2 if kinds[0] == "json" else 0 :]))
    if "up int" in ddl[-1]:
        for row in rows:
            row["up"] = rng.choice((None, row["id"] // 2, row["id"] + 1))
    casts = {
        f"c{place}": f"::{kind}"
        for place, kind in enumerate(kinds)
        if rng.random() < 0.3
    }
    return Case(tuple(ddl), rows, rng.random() < 0.6, rng.random() < 0.2, casts)


def statement_of(case: Case) -> Any:
    names = list(case.rows[0])
    if case.core:
        return sa.insert(sa.table("t", *map(sa.column, names)))
    values = (
        f":{name}{case.casts.get(name, '').replace(':', chr(92) + ':')}"
        for name in names
    )
    return sa.text(f"INSERT INTO t ({', '.join(names)}) VALUES ({', '.join(values)})")


def kind_of(error: sa.exc.DBAPIError) -> tuple[str, Any]:
    """Its class of PEP 249, and the server's."""
    names = {base.__name__ for base in type(error.orig).__mro__}
    specific = names & {
        "DataError",
        "IntegrityError",
        "InternalError",
        "NotSupportedError",
        "OperationalError",
        "ProgrammingError",
    }
    return "".join(sorted(specific)), getattr(error.orig, "pgcode", None)


def outcome(engine: sa.Engine, case: Case) -> tuple[Any, Any, bool]:
    """The error or None, what is in the tables, and whether COPY was used."""
    with engine.connect() as connection:
        for command in ("DROP TABLE IF EXISTS t", "TRUNCATE log", *case.ddl):
            connection.exec_driver_sql(command)
        connection.commit()
        copied = False
        found: Any = None
        if case.autocommit:
            connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            result = connection.execute(
                statement_of(case),
                case.rows,
                execution_options={"insertmanyvalues_page_size": PAGE},
            )
            copied = result.context.cursor.statusmessage == f"COPY {len(case.rows)}"
            connection.commit()
        except sa.exc.DBAPIError as error:
            found = (*kind_of(error), str(error.orig), error.statement)
            connection.rollback()
        stored = connection.exec_driver_sql("SELECT t::text FROM t").scalars().all()
        noted = connection.exec_driver_sql("SELECT what FROM log").scalars().all()
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.commit()
    return found, (list(stored), list(noted)), copied


@pytest.fixture
def engines(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[sa.Engine]]:
    # A database with hstore, of a test before, leaves psycopg2 able to send a dict.
    adapters: Any = psycopg2.extensions.adapters
    monkeypatch.delitem(adapters, (dict, psycopg2.extensions.ISQLQuote), raising=False)
    database.cluster.psql(SETUP, database.name)
    made = [
        sa.create_engine(database.url("ibutsu"), ibutsu_copy=1),
        sa.create_engine(database.url("ibutsu"), ibutsu_copy=False),
        sa.create_engine(database.url("psycopg2")),
    ]
    extras: Any = psycopg2.extras

    @sa.event.listens_for(made[2], "connect")
    def know_uuid(connection: Any, record: Any) -> None:
        extras.register_uuid(conn_or_curs=connection)

    yield made
    for engine in made:
        engine.dispose()


def test_all_ways_are_the_same(engines: list[sa.Engine]) -> None:
    print(f"IBUTSU_MIGRATE_SEED={SEED}")
    rng = random.Random(SEED)
    cases = done = copied = failed = 0
    while done < ROWS:
        case = make_case(rng)
        cases += 1
        done += len(case.rows)
        (ours, kept, used), plain, stock = (outcome(each, case) for each in engines)
        assert (ours, kept) == plain[:2], case
        assert kept == stock[1], case
        # psycopg2 has its own words.
        assert (ours and ours[:2]) == (stock[0] and stock[0][:2]), case
        assert not plain[2]
        copied += used
        failed += ours is not None
    print(f"{cases} cases, {copied} copied, {failed} errors")
    assert copied > cases / 10
    assert failed > cases / 10


def round_trips() -> int:
    return int(_pq.counters()["round_trips"])


ITEMS = sa.table("t", sa.column("id"), sa.column("name"))
MANY: list[dict[str, Any]] = [
    {"id": number, "name": f"n{number}"} for number in range(2000)
]


@pytest.fixture
def connection(database: Database) -> Iterator[sa.Connection]:
    engine = sa.create_engine(database.url("ibutsu"))
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id int PRIMARY KEY, name text)")
        connection.commit()
        yield connection
    engine.dispose()


def count(connection: sa.Connection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one())


def test_from_so_many_rows_on(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SELECT 1")
    before = round_trips()
    assert connection.execute(ITEMS.insert(), MANY).rowcount == 2000
    assert round_trips() - before == 3  # the look, COPY's beginning and its end
    assert count(connection) == 2000
    connection.rollback()
    for switch in ({"ibutsu_copy": False}, {"ibutsu_copy": 2001}):
        result = connection.execute(ITEMS.insert(), MANY, execution_options=switch)
        assert result.rowcount == 1000  # of SQLAlchemy's last INSERT
        connection.rollback()
    few = {"ibutsu_copy": 3}
    assert connection.execute(
        ITEMS.insert(), MANY[:3], execution_options=few
    ).context.cursor.statusmessage == ("COPY 3")


def test_rows_by_position(connection: sa.Connection) -> None:
    sql = 'INSERT INTO public."t" (ID, "name") VALUES (%s, %s)'
    connection.execution_options(ibutsu_copy=1)
    result = connection.exec_driver_sql(sql, [(n, "x") for n in range(9)])
    assert result.context.cursor.statusmessage == "COPY 9"
    # Too many values for the row, which the INSERT tells.
    with pytest.raises(sa.exc.ProgrammingError, match="2 placeholders, but 3"):
        connection.exec_driver_sql(sql, [(10, "x"), (11, "x", 1)])
    assert count(connection) >= 9  # that was no error of the server's


def test_the_transaction_goes_on_after_a_value_that_does_not_fit(
    connection: sa.Connection,
) -> None:
    connection.execution_options(ibutsu_copy=1)
    connection.execute(ITEMS.insert(), {"id": 0, "name": "first"})
    with connection.begin_nested():
        # A date is text for INSERT in the words of DateStyle: not through COPY.
        rows = [*MANY, {"id": 5000, "name": dt.date(2026, 1, 2)}]
        connection.execute(ITEMS.insert(), rows[1:])
    assert count(connection) == 2001
    sql = "SELECT name FROM t WHERE id = 5000"
    assert connection.exec_driver_sql(sql).scalar() == "2026-01-02"
    savepoint = connection.begin_nested()
    with pytest.raises(sa.exc.IntegrityError) as caught:
        connection.execute(ITEMS.insert(), MANY)
    assert "INSERT INTO t" in str(caught.value)
    savepoint.rollback()
    assert count(connection) == 2001


def test_listeners_see_one_insert_for_all_rows(connection: sa.Connection) -> None:
    seen: list[tuple[str, int, bool]] = []

    def before(
        conn: Any, cursor: Any, statement: str, rows: Any, context: Any, many: bool
    ) -> None:
        seen.append((statement, len(rows), many))

    sa.event.listen(connection, "before_cursor_execute", before)
    sa.event.listen(connection, "after_cursor_execute", before)
    connection.execute(ITEMS.insert(), MANY)
    one = "INSERT INTO t (id, name) VALUES (%(id)s, %(name)s)"
    assert seen == [(one, 2000, True)] * 2

    @sa.event.listens_for(connection, "before_cursor_execute", retval=True)
    def comment(
        conn: Any, cursor: Any, statement: str, rows: Any, context: Any, many: bool
    ) -> Any:
        return f"{statement} /* who */", rows

    connection.rollback()
    assert connection.execute(ITEMS.insert(), MANY).rowcount == 1000


def test_who_may_only_insert(connection: sa.Connection, database: Database) -> None:
    role = f"role_{database.name}"
    connection.exec_driver_sql(f"CREATE ROLE {role}")
    try:
        connection.exec_driver_sql(f"GRANT INSERT (id, name) ON t TO {role}")
        connection.exec_driver_sql(f"SET ROLE {role}")
        result = connection.execute(ITEMS.insert(), MANY)
        assert result.context.cursor.statusmessage == "COPY 2000"
        connection.exec_driver_sql("RESET ROLE")
        connection.exec_driver_sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        connection.exec_driver_sql("CREATE POLICY p ON t WITH CHECK (id < 9000)")
        connection.exec_driver_sql(f"SET ROLE {role}")
        rows = [{"id": 3000 + row["id"], "name": ""} for row in MANY]
        assert connection.execute(ITEMS.insert(), rows).rowcount == 1000
    finally:
        connection.rollback()


def test_a_migration_inserts_through_copy(hook_shop: Shop) -> None:
    hook_shop.add(
        "1",
        upgrade="""
    t = op.create_table("t", sa.Column("id", sa.Integer), sa.Column("data", sa.JSON))
    op.bulk_insert(t, [{"id": n, "data": {"n": n}} for n in range(3000)])
    found = op.get_bind().exec_driver_sql(
        "SELECT count(*), min(xmin::text) = max(xmin::text), "
        "min(xmin::text) = pg_current_xact_id()::xid::text FROM t").one()
    # One transaction, but not this: that of a savepoint around the COPY.
    assert tuple(found) == (3000, True, False), found
""",
    )
    hook_shop.done("alembic", "upgrade", "head")
    hook_shop.done("alembic", "upgrade", "head", IBUTSU_MIGRATE="safe")


# executemany() of the driver


@pytest.fixture
def driver(connection: sa.Connection) -> Any:
    found: Any = connection.connection.dbapi_connection
    found.rollback()
    return found


INTRANS, INERROR = 2, 3
INSERT = "INSERT INTO t VALUES (%s, %s)"


def test_one_wait_for_many_statements(driver: Any) -> None:
    cursor = driver.cursor()
    before = round_trips()
    cursor.executemany(INSERT, ((number, "x") for number in range(700)))
    assert round_trips() - before == 1  # BEGIN goes along
    assert (cursor.rowcount, cursor.statusmessage) == (700, "INSERT 0 1")
    assert cursor.query == b"INSERT INTO t VALUES (699, 'x')"
    cursor.executemany("UPDATE t SET name = 'y' WHERE id < %s", [(3,), (0,), (2,)])
    assert (cursor.rowcount, cursor.statusmessage) == (5, "UPDATE 2")
    assert round_trips() - before == 2
    driver.rollback()
    driver.autocommit = True
    with pytest.raises(errors.DatabaseError, match="duplicate"):
        cursor.executemany(INSERT, [(1, ""), (1, ""), (2, "")])
    # Each was a transaction of its own.
    cursor.execute("SELECT count(*) FROM t")
    assert cursor.fetchone() == (1,)


@pytest.mark.parametrize(
    ("rows", "kind", "place", "status"),
    [
        ([(1, ""), (2, ""), (1, ""), (3, "")], "UniqueViolation", 3, INERROR),
        ([(1, ""), (2, {}), (1, "")], "ProgrammingError", 2, INTRANS),
        ([(1, ""), (2,), (1, "")], "ProgrammingError", 2, INTRANS),
        ([(1, ""), (1, ""), (2, {})], "UniqueViolation", 2, INERROR),
        ([(1, ""), ("x", ""), (2, {})], "InvalidTextRepresentation", 2, INERROR),
    ],
)
def test_which_parameters_failed(
    rows: list[Any], kind: str, place: int, status: int, driver: Any
) -> None:
    cursor = driver.cursor()
    with pytest.raises(errors.DatabaseError) as caught:
        cursor.executemany(INSERT, rows)
    assert type(caught.value).__name__ == kind
    assert caught.value.__notes__ == [f"executemany(): parameter set {place}"]
    assert driver.info.transaction_status == status
    # Not again: the next call says what it finds.
    if status == INERROR:
        with pytest.raises(
            errors.DatabaseError, match="current transaction is aborted"
        ):
            cursor.execute("SELECT 1")
    else:
        cursor.execute("SELECT count(*) FROM t")
        assert cursor.fetchone() == (1,)


def test_sqlalchemy_tells_which(connection: sa.Connection) -> None:
    sql = "UPDATE t SET id = %(new)s WHERE id = %(id)s"
    connection.execute(ITEMS.insert(), MANY[:9])
    savepoint = connection.begin_nested()
    with pytest.raises(sa.exc.IntegrityError) as caught:
        connection.exec_driver_sql(sql, [{"id": 1, "new": 9}, {"id": 2, "new": 3}])
    assert caught.value.__notes__ == ["executemany(): parameter set 2"]
    assert sql in str(caught.value)
    savepoint.rollback()
    result = connection.exec_driver_sql(sql, [{"id": n, "new": -n} for n in (1, 2, 99)])
    assert result.rowcount == 2
    assert count(connection) == 9


def test_parameters_that_use_the_connection(driver: Any) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        other = driver.cursor()
        for number in range(100):
            if number % 30 == 0:
                other.execute("SELECT count(*) FROM t")
                assert other.fetchone() == (number,)
            yield number, "x"

    cursor = driver.cursor()
    cursor.executemany(INSERT, rows())
    assert cursor.rowcount == 100

    def failing() -> Iterator[tuple[int, str]]:
        yield 200, "x"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cursor.executemany(INSERT, failing())
    assert driver.info.transaction_status == INTRANS
    cursor.execute("SELECT count(*) FROM t")
    assert cursor.fetchone() == (101,)


def test_rows_do_not_come_back(driver: Any) -> None:
    cursor = driver.cursor()
    rows = [(number, "x") for number in range(3)]
    cursor.executemany(f"{INSERT} RETURNING id", rows)
    assert cursor.rowcount == 3
    with pytest.raises(errors.ProgrammingError, match="no results to fetch"):
        cursor.fetchall()


def test_a_flood_of_notices_and_many_statements(driver: Any) -> None:
    cursor = driver.cursor()
    cursor.execute(
        "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE NOTICE '%', repeat('n', 4000); RETURN new; END $$; "
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION loud()"
    )
    cursor.executemany(INSERT, [(number, "x" * 2000) for number in range(4000)])
    assert cursor.rowcount == 4000
    assert len(driver.notices) == 50


def test_a_statement_that_was_queued_before_fails(driver: Any) -> None:
    driver.pipeline = True
    cursor = driver.cursor()
    cursor.execute("INSERT INTO t VALUES (1, 'a'), (1, 'b')")
    with pytest.raises(errors.DatabaseError) as caught:
        driver.cursor().executemany(INSERT, [(n, "") for n in range(5, 300)])
    assert caught.value.statement == "INSERT INTO t VALUES (1, 'a'), (1, 'b')"
    driver.rollback()
    driver.pipeline = False
