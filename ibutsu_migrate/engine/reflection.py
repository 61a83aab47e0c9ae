"""The inspector of ``postgresql+ibutsu``: the catalogue of many tables at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGInspector
from sqlalchemy.engine.reflection import ObjectKind, ObjectScope

from .replay import Job, Replay

KINDS: Final = (
    "columns",
    "pk_constraint",
    "foreign_keys",
    "indexes",
    "unique_constraints",
    "check_constraints",
    "table_comment",
    "table_options",
)

# What SQLAlchemy asks for on the way, some of it only of its version 2.1: known from
# the start, it needs no round of its own.
_ALSO: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("_load_enums", {"schema": "*"}),
    ("_load_domains", {"schema": "*"}),
    ("_load_pg_am_dict", {}),
    ("_load_pg_am_btree_oid", {}),
    ("_load_pg_opclass_notdefault_dict", {}),
)

# Alembic asks this for each integer column whose default is a nextval().
_OWNED_SEQUENCES: Final = """
SELECT s.oid::pg_catalog.regclass::text AS name, n.nspname AS schema,
  s.relname AS relname, a.attname AS attname
FROM pg_catalog.pg_class s
JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
LEFT JOIN (pg_catalog.pg_depend d
    JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
    JOIN pg_catalog.pg_attribute a
      ON a.attrelid = t.oid AND a.attnum = d.refobjsubid)
  ON d.objid = s.oid
  AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
WHERE s.relkind = 'S'
"""

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_$]*", re.A)

_KEY: Final = "ibutsu_ahead"


class Ahead:
    """What has been read of some schemas and not been taken yet.

    Attributes:
        names: Of tables, by schema.
        tables: By kind and schema, what ``get_multi_*`` returns for ordinary tables.
        sequences: Name and owning column, if any, of each sequence, by the text of its
            name as a default shows it; None where that is not one sequence's alone.
    """

    def __init__(self) -> None:
        self.names: dict[str | None, list[str]] = {}
        self.tables: dict[tuple[str, str | None], dict[Any, Any]] = {}
        self.sequences: dict[str, tuple[str, str | None] | None] = {}

    def add_sequences(self, rows: Iterable[Any], dialect: Any) -> None:
        """Also by the name that SQLAlchemy makes for one in another schema."""
        quote = dialect.identifier_preparer.quote_identifier
        for name, schema, relname, column in rows:
            keys = {name, f"{quote(schema)}.{quote(relname)}"}
            if _PLAIN.fullmatch(relname):
                keys.add(f"{quote(schema)}.{relname}")
            for key in keys:
                known = self.sequences.setdefault(key, (relname, column))
                if known != (relname, column):
                    self.sequences[key] = None


class IbutsuInspector(PGInspector):
    """SQLAlchemy's, which can be told to read whole schemas ahead.

    Without ``read_ahead()`` it does what SQLAlchemy's does. What was read ahead is
    handed out once and is then in the hands of SQLAlchemy's own cache;
    ``clear_cache()`` forgets the rest.
    """

    @property
    def ahead(self) -> Ahead | None:
        """What has been read."""
        found: Ahead | None = self.info_cache.get(_KEY)
        return found

    @property
    def may_read_ahead(self) -> bool:
        """Whether the server is known to take it."""
        return bool(getattr(self.dialect, "is_postgresql", False))

    def read_ahead(self, schemas: Iterable[str | None]) -> None:
        """Read all ordinary tables of some schemas, in two statements.

        Args:
            schemas: None is the default one.
        """
        wanted = list(schemas)
        ahead = Ahead()
        overrides: Any = self.dialect._overrides_default
        # SQLAlchemy 2.0 knows of no options of PostgreSQL's tables.
        kinds = [kind for kind in KINDS if overrides(f"get_multi_{kind}")]
        jobs: list[Job] = [_also(self.dialect, *each) for each in _ALSO]
        jobs.append(_owned_sequences)
        places: list[tuple[str, str | None]] = []
        for schema in wanted:
            for kind in ("table_names", *kinds):
                places.append((kind, schema))
                jobs.append(_job(self.dialect, kind, schema))
        replay = Replay(getattr(self.dialect, "_json_deserializer", None))
        with self._operation_context() as connection:
            results = replay.run(jobs, connection)
        found = results[-len(places) :] if places else []
        for (kind, schema), result in zip(places, found, strict=True):
            if kind == "table_names":
                ahead.names[schema] = result
            else:
                ahead.tables[kind, schema] = result
        for schema in wanted:
            self._instantiate_types(ahead.tables["columns", schema].values())
        ahead.add_sequences(results[len(_ALSO)], self.dialect)
        self.info_cache[_KEY] = ahead

    def get_table_names(self, schema: str | None = None, **kw: Any) -> list[str]:
        """As SQLAlchemy's."""
        ahead = self.ahead
        if ahead is not None and not kw and schema in ahead.names:
            return ahead.names[schema]
        return super().get_table_names(schema, **kw)

    def _one(self, kind: str, table: str, schema: str | None, kw: Any) -> Any:
        ahead = self.ahead
        if ahead is not None and not kw:
            found = ahead.tables.get((kind, schema), {})
            if (schema, table) in found:
                return found[schema, table]
        return getattr(super(), f"get_{kind}")(table, schema, **kw)

    def _many(
        self,
        kind: str,
        schema: str | None,
        names: Sequence[str] | None,
        arguments: dict[str, Any],
    ) -> Any:
        ahead = self.ahead
        overrides: Any = self.dialect._overrides_default
        asked = (arguments["kind"], arguments["scope"])
        if ahead is not None and asked == _ORDINARY and len(arguments) == 2:
            found = ahead.tables.pop((kind, schema), None)
            if found is not None:
                if not names:
                    return found
                chosen = set(names)
                return {key: found[key] for key in found if key[1] in chosen}
            if not overrides(f"get_multi_{kind}") and ahead.names.get(schema):
                # What SQLAlchemy says too, after having asked for the names again.
                raise NotImplementedError
        method = getattr(super(), f"get_multi_{kind}")
        return method(schema, filter_names=names, **arguments)


_ORDINARY: Final = (ObjectKind.TABLE, ObjectScope.DEFAULT)


def _one_method(kind: str) -> Any:
    def method(
        self: IbutsuInspector, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        return self._one(kind, table_name, schema, kw)

    method.__name__ = f"get_{kind}"
    method.__doc__ = "As SQLAlchemy's."
    return method


def _many_method(kind: str) -> Any:
    def method(
        self: IbutsuInspector,
        schema: str | None = None,
        filter_names: Sequence[str] | None = None,
        kind: ObjectKind = ObjectKind.TABLE,
        scope: ObjectScope = ObjectScope.DEFAULT,
        **kw: Any,
    ) -> Any:
        arguments = {"kind": kind, "scope": scope, **kw}
        return self._many(name, schema, filter_names, arguments)

    name = kind
    method.__name__ = f"get_multi_{kind}"
    method.__doc__ = "As SQLAlchemy's."
    return method


for _kind in KINDS:
    setattr(IbutsuInspector, f"get_{_kind}", _one_method(_kind))
    setattr(IbutsuInspector, f"get_multi_{_kind}", _many_method(_kind))


def _job(dialect: Any, kind: str, schema: str | None) -> Job:
    if kind == "table_names":
        return lambda replay: list(dialect.get_table_names(replay, schema))
    method = getattr(dialect, f"get_multi_{kind}")

    def read(replay: Replay) -> dict[Any, Any]:
        # A cache of this try alone: it may hold what is not known yet.
        return dict(
            method(
                replay,
                schema=schema,
                filter_names=None,
                kind=ObjectKind.TABLE,
                scope=ObjectScope.DEFAULT,
                info_cache={},
            )
        )

    return read


def _also(dialect: Any, name: str, arguments: dict[str, Any]) -> Job:
    method = getattr(dialect, name, None)
    if method is None:
        return lambda replay: None
    return lambda replay: method(replay, **arguments)


def _owned_sequences(replay: Replay) -> list[Any]:
    names = ("name", "schema", "relname", "attname")
    columns = [sa.column(name, sa.Text) for name in names]
    return list(replay.execute(sa.text(_OWNED_SEQUENCES).columns(*columns)).all())
