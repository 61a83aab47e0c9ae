"""What Alembic's autogenerate asks the database for, once instead of table by table.

Alembic compares what it compared; ``Plugin`` tells it to read the schemas ahead
(``reflection``), and two questions that its PostgreSQL implementation puts for each
column are answered from what is known.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BIGINT, INTEGER
from sqlalchemy.dialects.postgresql import array as pg_array
from sqlalchemy.types import Float, Numeric

from ..engine.reflection import Ahead, IbutsuInspector

_log = logging.getLogger("alembic.ddl.postgresql")

_NEXTVAL: Final = re.compile(r"nextval\('(.+?)'::regclass\)")

# Comparing two of these cannot fail, which would end the transaction.
_TEXT_DEFAULT: Final = re.compile(
    r"'(?:[^'\\]|'')*'::(?:text|(?:character varying|character|bpchar)(?:\(\d+\))?)"
)
_TEXT: Final = re.compile(r"'(?:[^'\\]|'')*'")

_CHUNK: Final = 1000

_MEMORY: Final = "_ibutsu_defaults"


def read_ahead(context: Any, schemas: Iterable[str | None]) -> None:
    """Read everything that comparing these schemas takes.

    Args:
        context: Alembic's ``AutogenContext``, of whatever database.
        schemas: As Alembic names them: None is the default one.
    """
    inspector = context.inspector
    if not isinstance(inspector, IbutsuInspector) or not inspector.may_read_ahead:
        return
    inspector.read_ahead(schemas)
    memory: dict[Any, bool] = {}
    impl = context.migration_context.impl
    setattr(impl, _MEMORY, memory)
    if inspector.ahead is not None and _compares_defaults(context.migration_context):
        _compare_texts(context, inspector.ahead, memory)


def install() -> None:
    """Put the answers before the questions of Alembic's ``PostgresqlImpl``."""
    from alembic.ddl.postgresql import PostgresqlImpl

    impl: Any = PostgresqlImpl
    if hasattr(impl, "_ibutsu_installed"):
        return
    impl._ibutsu_installed = True
    impl.autogen_column_reflect = _owned(impl.autogen_column_reflect)
    impl.compare_server_default = _remembered(impl.compare_server_default)


def _owned(stock: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(stock)
    def autogen_column_reflect(
        self: Any, inspector: Any, table: Any, column_info: Any
    ) -> None:
        ahead = getattr(inspector, "ahead", None)
        known = None
        if isinstance(ahead, Ahead) and isinstance(
            column_info["type"], (INTEGER, BIGINT)
        ):
            found = _NEXTVAL.match(column_info.get("default") or "")
            known = ahead.sequences.get(found[1]) if found else None
        if known is None:
            stock(self, inspector, table, column_info)
            return
        sequence, column = known
        if column is not None and column == column_info["name"]:
            _log.info(
                "Detected sequence named '%s' as owned by integer column '%s(%s)', "
                "assuming SERIAL and omitting",
                sequence,
                table.name,
                column,
            )
            del column_info["default"]

    return autogen_column_reflect


def _remembered(stock: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(stock)
    def compare_server_default(
        self: Any,
        inspector_column: Any,
        metadata_column: Any,
        rendered_metadata_default: Any,
        rendered_inspector_default: Any,
    ) -> Any:
        arguments = (rendered_metadata_default, rendered_inspector_default)
        memory = getattr(self, _MEMORY, None)
        if memory is None:
            return stock(self, inspector_column, metadata_column, *arguments)
        key = _key(inspector_column.type, metadata_column, *arguments)
        if key not in memory:
            memory[key] = stock(self, inspector_column, metadata_column, *arguments)
        return memory[key]

    return compare_server_default


def _key(kind: Any, column: Any, rendered: str | None, found: str | None) -> Any:
    """All that the answer depends on.

    Source: ``alembic.ddl.postgresql.PostgresqlImpl.compare_server_default``.
    """
    argument = getattr(column.server_default, "arg", None)
    return (
        rendered,
        found,
        isinstance(kind, (Numeric, Float)),
        isinstance(argument, str),
        column.server_default is None,
        column.primary_key and column is column.table._autoincrement_column,
    )


def _compares_defaults(migration_context: Any) -> bool:
    # A user's own function may keep Alembic from asking.
    return migration_context._user_compare_server_default is True


def _compare_texts(context: Any, ahead: Ahead, memory: dict[Any, bool]) -> None:
    """Have the server compare all texts that differ in their spelling."""
    pairs: dict[Any, Any] = {}
    default_schema = context.dialect.default_schema_name
    for table in context.sorted_tables:
        schema = None if table.schema == default_schema else table.schema
        columns = ahead.tables.get(("columns", schema), {}).get((schema, table.name))
        known = {column["name"]: column for column in columns or ()}
        for column in table.columns:
            if column.name in known:
                pairs.update(_pair(column, known[column.name], context.dialect))
    keys = list(pairs)
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        query = sa.select(pg_array([pairs[key] for key in chunk], type_=sa.Boolean))
        for key, equal in zip(chunk, context.connection.scalar(query), strict=True):
            memory[key] = not equal


def _pair(column: Any, found: Any, dialect: Any) -> dict[Any, Any]:
    clause = column.server_default
    if not isinstance(clause, sa.DefaultClause) or not found.get("default"):
        return {}
    if isinstance(clause.arg, str):
        rendered = clause.arg
        literal = "'" + re.sub(r"^'|'$", "", rendered) + "'"
    else:
        options = {"literal_binds": True}
        rendered = str(clause.arg.compile(dialect=dialect, compile_kwargs=options))
        literal = rendered
    key = _key(found["type"], column, rendered, found["default"])
    # Numbers are compared unquoted, and Alembic does not ask for an automatic key.
    if key[2] or key[5] or rendered == found["default"]:
        return {}
    if not _TEXT_DEFAULT.fullmatch(found["default"]) or not _TEXT.fullmatch(literal):
        return {}
    expression = sa.literal_column(found["default"]) == sa.literal_column(literal)
    return {key: expression}
