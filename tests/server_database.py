"""The server's database: migrating it, filling it, reading its catalogue."""

from __future__ import annotations

import io
import uuid
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from server import create_migration_app
from server.models import db
from server_schema import Catalogue
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

ROOT = Path(__file__).resolve().parents[1]
REVISIONS = (
    "4b2d8a61c7e0",
    "9e0f3c5a7d14",
    "c1a7e4920b5f",
    "70d5b8e3f296",
    "e85c20f94a3b",
    "2f96ab17d8c4",
)
BASELINE, INDEXES, CREATED, CASCADE, MOVE, PERCENT = REVISIONS
SOURCE = "5d1f7e0c-3b5a-4c0e-9a44-0f6f0c1f7a01"
TARGET = "5d1f7e0c-3b5a-4c0e-9a44-0f6f0c1f7a02"
NOW = datetime(2026, 3, 1, 12)

COLUMNS_QUERY = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
  AND c.relname <> 'alembic_version'
"""
INDEXES_QUERY = """
SELECT i.indrelid::regclass::text, x.relname, regexp_replace(
           pg_get_indexdef(i.indexrelid), '^.* USING ', ''), i.indisunique, i.indisvalid
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
WHERE x.relnamespace = 'public'::regnamespace
  AND i.indrelid::regclass::text <> 'alembic_version'
"""
CONSTRAINTS_QUERY = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
  AND conrelid::regclass::text <> 'alembic_version'
"""


@dataclass(frozen=True)
class Server:
    """The server's database, and a way to migrate it.

    Attributes:
        url: What the app is configured with.
        plain: The same database through the stock driver, for looking at it.
        mode: The switch.
    """

    url: str
    plain: str
    mode: str

    @property
    def is_postgresql(self) -> bool:
        return self.url.startswith("postgresql")

    def config(self, *x: str, output: io.StringIO | None = None) -> Config:
        app = create_migration_app(
            SQLALCHEMY_DATABASE_URI=self.url, IBUTSU_MIGRATE=self.mode
        )
        return Config(
            toml_file=str(ROOT / "pyproject.toml"),
            attributes={"app": app},
            cmd_opts=Namespace(x=list(x)),
            output_buffer=output,
        )

    def upgrade(self, revision: str = "head", *x: str) -> None:
        command.upgrade(self.config(*x), revision)

    def downgrade(self, revision: str, *x: str) -> None:
        command.downgrade(self.config(*x), revision)

    def script(self, revisions: str) -> str:
        output = io.StringIO()
        command.upgrade(self.config(output=output), revisions, sql=True)
        return output.getvalue()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        engine: Engine = sa.create_engine(self.plain, poolclass=NullPool)
        with engine.begin() as connection:
            yield connection

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        with self.begin() as connection:
            connection.execute(db.metadata.tables[table].insert(), list(rows))

    def select(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        found = db.metadata.tables[table]
        query = sa.select(*(found.c[name] for name in columns))
        with self.begin() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def version(self) -> list[str]:
        with self.begin() as connection:
            found = connection.execute(
                sa.text("SELECT version_num FROM alembic_version")
            )
            return [row.version_num for row in found]

    def catalogue(self) -> Catalogue:
        with self.begin() as connection:
            if self.is_postgresql:
                return postgresql_catalogue(connection)
            return sqlite_catalogue(connection)


def postgresql_catalogue(connection: Connection) -> Catalogue:
    def rows(query: str) -> set[tuple[Any, ...]]:
        return {tuple(row) for row in connection.exec_driver_sql(query)}

    return {
        "columns": rows(COLUMNS_QUERY),
        "indexes": rows(INDEXES_QUERY),
        "constraints": rows(CONSTRAINTS_QUERY),
    }


def sqlite_catalogue(connection: Connection) -> Catalogue:
    """Columns, indexes and foreign keys; a key's name is not kept by every copy."""
    look = sa.inspect(connection)
    found: Catalogue = {"columns": set(), "indexes": set(), "constraints": set()}
    for table in set(look.get_table_names()) - {"alembic_version"}:
        for column in look.get_columns(table):
            kind, default = str(column["type"]), column["default"]
            row = (table, column["name"], kind, not column["nullable"], default)
            found["columns"].add(row)
        for index in look.get_indexes(table):
            parts = tuple(index["column_names"])
            found["indexes"].add((table, index["name"], parts, bool(index["unique"])))
        for key in look.get_foreign_keys(table):
            cascade = key["options"].get("ondelete")
            columns = key["constrained_columns"]
            found["constraints"].add((table, *columns, key["referred_table"], cascade))
    return found


def without_index_names(catalogue: Catalogue) -> Catalogue:
    """The facts say what is indexed; the name is only given for plain indexes."""
    indexes = set()
    for table, name, text, unique, valid in catalogue["indexes"]:
        assert valid, name
        assert name.startswith(("ix_", "ixpg_")) or name == f"{table}_pkey"
        indexes.add((table, text, unique))
    return {**catalogue, "indexes": indexes}


def postgresql(database: Database, driver: str) -> Server:
    mode = "fast" if driver == "ibutsu" else "off"
    return Server(database.url(driver), database.url("psycopg2"), mode)


def sqlite(folder: Path) -> Server:
    """A database in a file that is not there yet."""
    url = f"sqlite:///{folder / 'server.db'}"
    return Server(url, url, "fast")


def ids(count: int) -> list[str]:
    """The first identifiers, in their order."""
    return [str(uuid.UUID(int=number)) for number in range(1, count + 1)]
