"""The revisions a database is at, in one round trip after connecting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from .._native import require

# One statement that is also right where there is no version table. A plain SELECT
# would be an error then, in the server's log at each start of each pod; and a CASE
# does not help, since names are resolved before it is evaluated. ts_stat() runs a
# query that is handed to it as text, and unlike query_to_xml() it does not need a
# server built with libxml. array_to_tsvector() keeps each id as it is.
_ONE_LOOK: Final = """
SELECT pg_catalog.json_agg(word)::text
FROM pg_catalog.ts_stat(
  CASE WHEN pg_catalog.to_regclass(%(table)s) IS NULL
       THEN 'SELECT NULL::pg_catalog.tsvector WHERE false'
       ELSE %(query)s
  END)
"""

_ROWS: Final = (
    "SELECT pg_catalog.array_to_tsvector(ARRAY[version_num::pg_catalog.text]) FROM"
)


def read_versions(
    engine: Engine,
    *,
    table: str,
    schema: str | None,
    connect_args: Mapping[str, object],
    connect_timeout: int,
) -> tuple[str, ...]:
    """Read the version table.

    Args:
        engine: The app's engine: its URL says where the database is. Its pool is not
            used on PostgreSQL, so that nothing but this statement is sent.
        table: Name of the version table.
        schema: Its schema, or None for the search path.
        connect_args: What the app gives its driver beside the URL.
        connect_timeout: Seconds, unless the URL or ``connect_args`` say otherwise.

    Returns:
        The revisions, sorted; empty where there is no table or no row.

    Raises:
        Exception: The driver's, where the database cannot be reached or asked.
    """
    if engine.dialect.name == "postgresql":
        with closing(_connect(engine, connect_args, connect_timeout)) as connection:
            return _from_postgresql(connection, table, schema)
    return _from_any(engine, table, schema)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def one_look_parameters(table: str, schema: str | None) -> dict[str, str]:
    """The parameters of the one statement."""
    name = ".".join(_quoted(part) for part in (schema, table) if part is not None)
    return {
        "table": name,
        "query": f"{_ROWS} {name}",
    }


def _connect(engine: Engine, own: Mapping[str, object], timeout: int) -> Any:
    """A connection of our driver, or of the app's where ours cannot be loaded."""
    defaults = {"connect_timeout": timeout}
    try:
        require("_pq")
        dbapi: Any = import_module("ibutsu_migrate.engine.dbapi")
        dialect: Any = import_module("ibutsu_migrate.engine.dialect")
    except ImportError:
        positional, keywords = engine.dialect.create_connect_args(engine.url)
        driver: Any = engine.dialect.loaded_dbapi
        return driver.connect(*positional, **{**defaults, **keywords, **own})
    url_arguments = dialect.PGDialect_ibutsu().create_connect_args(engine.url)
    positional, keywords = url_arguments
    # The app's driver may take more than libpq's keywords (factories, flags).
    libpq = {name: item for name, item in own.items() if isinstance(item, (str, int))}
    return dbapi.connect(*positional, **{**defaults, **keywords, **libpq})


def _from_postgresql(
    connection: Any, table: str, schema: str | None
) -> tuple[str, ...]:
    # Without it, the driver sends BEGIN first: a second round trip.
    connection.autocommit = True
    with closing(connection.cursor()) as cursor:
        cursor.execute(_ONE_LOOK, one_look_parameters(table, schema))
        ((words,),) = cursor.fetchall()
    return tuple(sorted(json.loads(words))) if words else ()


def _from_any(engine: Engine, table: str, schema: str | None) -> tuple[str, ...]:
    """Through SQLAlchemy; on SQLite that is the standard library's sqlite3."""
    file = engine.url.database
    is_path = file not in (None, "", ":memory:") and not str(file).startswith("file:")
    if engine.dialect.name == "sqlite" and is_path and not Path(str(file)).exists():
        # Connecting would make the file.
        return ()
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table(table, schema):
            return ()
        column = sa.column("version_num", sa.String)
        found = connection.execute(
            sa.select(column).select_from(sa.table(table, schema=schema))
        )
        return tuple(sorted(found.scalars()))
