"""``postgresql+ibutsu`` beside psycopg2's dialect on the same server."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

UTC_PLUS_2 = dt.timezone(dt.timedelta(hours=2))

VALUES: list[tuple[Any, list[Any]]] = [
    (sa.Integer(), [0, -(2**31), 2**31 - 1]),
    (sa.BigInteger(), [-(2**63), 2**63 - 1]),
    (sa.SmallInteger(), [-(2**15)]),
    (sa.Boolean(), [True, False]),
    (sa.Float(), [1.5, -0.1, 1e300, float("inf")]),
    (sa.Numeric(), [decimal.Decimal("1.50"), decimal.Decimal("-1e-20")]),
    (sa.Numeric(asdecimal=False), [1.25]),
    (sa.String(), ["", "a'b", "\\n", "5%", "%(x)s", "ü€😀", ":x"]),
    (sa.LargeBinary(), [b"", b"\x00\xff'\\"]),
    (sa.Date(), [dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
    (sa.Time(), [dt.time(23, 59, 59, 999999)]),
    (sa.DateTime(), [dt.datetime(2026, 2, 28, 1, 2, 3, 4)]),
    (sa.DateTime(timezone=True), [dt.datetime(2026, 2, 28, tzinfo=UTC_PLUS_2)]),
    (sa.Interval(), [dt.timedelta(days=-3, seconds=1, microseconds=5)]),
    (sa.Uuid(), [uuid.UUID(int=7)]),
    (sa.JSON(), [{"a": [1, None, "ü"]}, [], "text", 1.5]),
    (pg.JSONB(), [{"a": {"b": "it's"}}]),
    (sa.ARRAY(sa.Integer), [[], [1, None], [[1, 2], [3, 4]]]),
    (sa.ARRAY(sa.Text), [["a,b", 'q"', "NULL", "", None, "\\"]]),
    (sa.Enum("on", "off", name="state"), ["on"]),
    (pg.ARRAY(sa.Enum("x", "y z", name="axis")), [["x", "y z"]]),
    (pg.INET(), ["10.0.0.1", "10.0.0.0/8"]),
    (pg.INT4RANGE(), [pg.Range(1, 5), pg.Range(None, 3), pg.Range(empty=True)]),
    (pg.TSRANGE(), [pg.Range(dt.datetime(2026, 1, 1), None)]),
    (pg.HSTORE(), [{"a": "1", "b": None}]),
]


@pytest.fixture
def ours(database: Database) -> Iterator[sa.Engine]:
    engine = sa.create_engine(database.url("ibutsu"))
    yield engine
    engine.dispose()


@pytest.fixture
def stock(database: Database) -> Iterator[sa.Engine]:
    engine = sa.create_engine(database.url("psycopg2"))
    yield engine
    engine.dispose()


def test_values_both_ways(ours: sa.Engine, stock: sa.Engine) -> None:
    with stock.begin() as connection:
        connection.exec_driver_sql("CREATE EXTENSION hstore")
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(f"c{n}", kind) for n, (kind, _) in enumerate(VALUES)),
    )
    table.create(ours)
    rows = [
        {"id": n * 100 + k, f"c{n}": value}
        for n, (_, values) in enumerate(VALUES)
        for k, value in enumerate(values)
    ]
    for engine, step in ((ours, 0), (stock, 100_000)):
        with engine.begin() as connection:
            for row in rows:
                connection.execute(table.insert(), {**row, "id": row["id"] + step})
    select = table.select().order_by(table.c.id)
    found = []
    for engine in (ours, stock):
        with engine.connect() as connection:
            result = connection.execute(select).all()
            assert len(result) == 2 * len(rows)
            found.append([tuple(row)[1:] for row in result])
            # What one wrote is what the other wrote, whoever reads it.
            assert found[-1][: len(rows)] == found[-1][len(rows) :]
    assert found[0] == found[1]
    types = [[[type(value) for value in row] for row in each] for each in found]
    assert types[0] == types[1]


def test_multiranges(ours: sa.Engine) -> None:
    value = [pg.Range(1, 3), pg.Range(5, None)]
    statement = sa.select(sa.literal(value, pg.INT4MULTIRANGE()))
    with ours.connect() as connection:
        assert connection.scalar(statement) == pg.ranges.MultiRange(value)


def test_isolation_levels(ours: sa.Engine) -> None:
    with ours.connect() as connection:
        default = connection.get_isolation_level()
        assert default == "READ COMMITTED"
        assert connection.default_isolation_level == default
    for level in ("REPEATABLE READ", "SERIALIZABLE", "READ UNCOMMITTED"):
        with ours.connect().execution_options(isolation_level=level) as connection:
            show = connection.exec_driver_sql("SHOW transaction_isolation").scalar_one()
            assert (connection.get_isolation_level(), show.upper()) == (level, level)
    with ours.connect() as connection:
        assert connection.get_isolation_level() == default
    readonly = {"postgresql_readonly": True, "postgresql_deferrable": True}
    with ours.connect().execution_options(**readonly) as connection:
        for setting in ("transaction_read_only", "transaction_deferrable"):
            assert connection.exec_driver_sql(f"SHOW {setting}").scalar() == "on"
    with ours.connect() as connection:
        assert (
            connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "off"
        )


def test_an_engine_of_server_side_cursors(database: Database) -> None:
    with pytest.warns(sa.exc.SADeprecationWarning):
        engine = sa.create_engine(database.url("ibutsu"), server_side_cursors=True)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        assert connection.dialect.is_postgresql  # type: ignore[attr-defined]
    engine.dispose()


@pytest.mark.parametrize("level", ["SERIALIZABLE", "REPEATABLE READ"])
@pytest.mark.parametrize("driver", ["ibutsu", "psycopg2"])
def test_isolation_level_of_an_engine(
    database: Database, driver: str, level: str
) -> None:
    engine = sa.create_engine(database.url(driver), isolation_level=level)
    show = sa.text("SHOW transaction_isolation")
    for other in ("AUTOCOMMIT", "READ COMMITTED"):
        with engine.connect() as connection:
            assert connection.default_isolation_level == level
            assert connection.scalar(show) == level.lower()
        with engine.connect().execution_options(isolation_level=other) as connection:
            assert connection.scalar(show) == "read committed"
    with engine.connect() as connection:
        assert connection.scalar(show) == level.lower()
    engine.dispose()


def test_autocommit_block(ours: sa.Engine) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    with ours.connect() as connection:
        context = MigrationContext.configure(connection)
        with context.begin_transaction():
            op = Operations(context)
            op.execute("CREATE TABLE t (id int)")
            with context.autocommit_block():
                op.execute("CREATE INDEX CONCURRENTLY i ON t (id)")
            op.execute("INSERT INTO t VALUES (1)")
        assert connection.exec_driver_sql("SELECT * FROM t").all() == [(1,)]


SCHEMA = """
CREATE SCHEMA s;
CREATE TYPE mood AS ENUM ('sad', 'it''s fine');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE a (id serial PRIMARY KEY, b bigint GENERATED ALWAYS AS IDENTITY,
  c text COLLATE "C" DEFAULT 'x' NOT NULL, d numeric(9, 2), e mood[], f positive,
  g int GENERATED ALWAYS AS (id * 2) STORED, h timestamptz DEFAULT now(),
  CONSTRAINT uq UNIQUE (c, d), CONSTRAINT ck CHECK (d > 1));
CREATE TABLE s."B c" (a_id int REFERENCES a ON DELETE CASCADE DEFERRABLE, "N" int,
  r int4range, EXCLUDE USING gist (r WITH &&));
CREATE INDEX ix ON a (lower(c), d DESC NULLS LAST) INCLUDE (b) WHERE d > 5;
CREATE INDEX gi ON a USING gin (e);
CREATE VIEW v AS SELECT id FROM a;
CREATE MATERIALIZED VIEW m AS SELECT id FROM a;
CREATE TABLE p (id int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (5);
CREATE TABLE nothing ();
COMMENT ON TABLE a IS 'it''s 5%';
COMMENT ON COLUMN a.c IS 'column';
"""


def catalogue(engine: sa.Engine, schema: str | None) -> dict[str, object]:
    from sqlalchemy.engine.reflection import ObjectKind, ObjectScope

    inspector = sa.inspect(engine)
    everything = {"schema": schema, "kind": ObjectKind.ANY, "scope": ObjectScope.ANY}
    found: dict[str, object] = {}
    for kind in (
        "columns",
        "pk_constraint",
        "foreign_keys",
        "indexes",
        "unique_constraints",
        "check_constraints",
        "table_comment",
        "table_options",
    ):
        found[kind] = repr(getattr(inspector, f"get_multi_{kind}")(**everything))
    for name in ("table_names", "view_names", "sequence_names"):
        found[name] = sorted(getattr(inspector, f"get_{name}")(schema))
    found["enums"] = inspector.get_enums(schema)  # type: ignore[attr-defined]
    found["domains"] = inspector.get_domains(schema)  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("schema", [None, "s", "public"])
def test_reflection(
    schema: str | None, ours: sa.Engine, stock: sa.Engine, database: Database
) -> None:
    database.cluster.psql(SCHEMA, database.name)
    assert catalogue(ours, schema) == catalogue(stock, schema)


@pytest.mark.parametrize("committing", [True, False])
def test_two_phases(committing: bool, ours: sa.Engine, database: Database) -> None:
    database.cluster.psql("CREATE TABLE t (id int)", database.name)
    with ours.connect() as connection:
        # Identifiers belong to the server, not to the database.
        transaction = connection.begin_twophase(f"it's {database.name}")
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        transaction.prepare()
        with ours.connect() as other:
            assert f"it's {database.name}" in other.recover_twophase()
        if committing:
            transaction.commit()
        else:
            transaction.rollback()
    with ours.connect() as other:
        assert f"it's {database.name}" not in other.recover_twophase()
    rows = database.cluster.psql("SELECT count(*) FROM t", database.name)
    assert rows.strip() == str(int(committing))
    # By another connection, after the first has died.
    with ours.connect() as connection:
        transaction = connection.begin_twophase(database.name)
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
        transaction.prepare()
        connection.invalidate()
    with ours.connect() as connection:
        connection.commit_prepared(database.name, recover=True)
        assert 2 in connection.exec_driver_sql("SELECT id FROM t").scalars().all()


def backend(connection: sa.Connection) -> int:
    pid: int = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    return pid


def kill(pid: int, database: Database) -> None:
    # With the second argument it waits until the backend is gone.
    sql = f"SELECT pg_terminate_backend({pid}, 10000)"
    assert database.cluster.psql(sql, database.name).strip() == "t"


def test_a_lost_connection_is_known_as_such(
    ours: sa.Engine, database: Database
) -> None:
    with ours.connect() as connection:
        kill(backend(connection), database)
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connection.exec_driver_sql("SELECT 1")
        assert caught.value.connection_invalidated
        connection.rollback()
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_pre_ping(database: Database) -> None:
    engine = sa.create_engine(
        database.url("ibutsu"), pool_pre_ping=True, pool_size=1, max_overflow=0
    )
    with engine.connect() as connection:
        pid = backend(connection)
    kill(pid, database)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    engine.dispose()


def test_stream_results(ours: sa.Engine) -> None:
    with ours.connect().execution_options(stream_results=True) as connection:
        result = connection.exec_driver_sql("SELECT generate_series(1, 5000)")
        assert getattr(result.cursor, "name", None)
        cursors = "SELECT count(*) FROM pg_cursors"
        plain = connection.execution_options(stream_results=False)
        assert plain.exec_driver_sql(cursors).scalar() == 1
        assert [row[0] for row in result] == [*range(1, 5001)]


def test_an_unknown_option(database: Database) -> None:
    engine = sa.create_engine(f"{database.url('ibutsu')}&nil=1")
    with pytest.raises(sa.exc.DBAPIError, match='invalid connection option "nil"'):
        engine.connect()


def test_notices_are_logged(ours: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sqlalchemy.dialects.postgresql")
    with ours.connect() as connection:
        connection.exec_driver_sql("DO $$ BEGIN RAISE NOTICE 'seen'; END $$")
    assert "seen" in caplog.text
