"""Move one project's rows to another project

For a project that was split off by mistake. Which two it is about is said by SOURCE and
TARGET; for other databases on the command line:

    alembic -x source=<uuid> -x target=<uuid> upgrade head

Where there is no source project there is nothing to do. What is moved depends on what
is in the database, so no script can be written of it (--sql).

Revision ID: e85c20f94a3b
Revises: 70d5b8e3f296
Create Date: 2026-03-02 09:00:00
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import context, op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

revision: str = "e85c20f94a3b"
down_revision: str | Sequence[str] | None = "70d5b8e3f296"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SOURCE = "5d1f7e0c-3b5a-4c0e-9a44-0f6f0c1f7a01"
TARGET = "5d1f7e0c-3b5a-4c0e-9a44-0f6f0c1f7a02"
MARK = "moved_from"
KEY: sa.ColumnElement[str] = sa.literal_column(f"'{MARK}'", sa.Text())
PATH: sa.ColumnElement[str] = sa.literal_column(f"'$.{MARK}'", sa.Text())

ID = sa.Uuid(as_uuid=False)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _table(name: str, json: str | None = None) -> sa.TableClause:
    columns: list[sa.ColumnClause[Any]] = [
        sa.column("id", ID),
        sa.column("project_id", ID),
    ]
    if json is not None:
        columns.append(sa.column(json, JSON))
    return sa.table(name, *columns)


projects = _table("projects")
dashboards = _table("dashboards")
# With the JSON column into which the key MARK is merged.
marked = {
    "data": (_table("runs", "data"), _table("results", "data")),
    "params": (_table("widget_configs", "params"),),
}
members = sa.table(
    "users_projects", sa.column("user_id", ID), sa.column("project_id", ID)
)


def upgrade() -> None:
    """Move runs, results, dashboards, widget configs and members; mark what can be."""
    source, target = _source_and_target()
    bind = op.get_bind()
    if not _exists(bind, source):
        return
    if not _exists(bind, target):
        raise CommandError(
            f"Revision {revision} moves project {source} to project {target}, which is "
            "not in this database. Nothing was moved. Make the target project, or name "
            "another: alembic -x target=<uuid> upgrade head"
        )
    for column, tables in marked.items():
        for table in tables:
            values = {"project_id": target, column: _merged(table.c[column], source)}
            _move(bind, table, source, values)
    _move(bind, dashboards, source, {"project_id": target})
    _move_members(bind, source, target)


def downgrade() -> None:
    """Move back what is marked.

    Dashboards and members have no JSON to mark, so they stay with the target, as do
    rows whose JSON is not an object. A column that was NULL is an empty object then.
    """
    source, target = _source_and_target()
    bind = op.get_bind()
    if not _exists(bind, source):
        return
    for column, tables in marked.items():
        for table in tables:
            json = table.c[column]
            bind.execute(
                table.update()
                .where(table.c.project_id == target, _mark(json) == source)
                .values({"project_id": source, column: _unmarked(json)})
            )


def _source_and_target() -> tuple[str, str]:
    if context.is_offline_mode():
        raise CommandError(
            f"Revision {revision} cannot be written as a script: what it moves depends "
            "on what is in the database. Run it with a connection: "
            f"alembic upgrade {revision}; scripts can be made up to {down_revision} "
            f"and from {revision} on, as in: alembic upgrade {revision}:head --sql"
        )
    given = context.get_x_argument(as_dictionary=True)
    source = _project_id("source", str(given.get("source", SOURCE)))
    target = _project_id("target", str(given.get("target", TARGET)))
    if source == target:
        raise CommandError(f"-x source and -x target are the same project: {source}")
    return source, target


def _project_id(name: str, text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise CommandError(f"-x {name}={text} is not the UUID of a project") from None


def _exists(bind: Connection, project: str) -> bool:
    query = sa.select(projects.c.id).where(projects.c.id == project)
    return bind.execute(query).first() is not None


def _move(
    bind: Connection, table: sa.TableClause, source: str, values: dict[str, Any]
) -> None:
    bind.execute(table.update().where(table.c.project_id == source).values(values))


def _move_members(bind: Connection, source: str, target: str) -> None:
    """Members of both projects keep the one membership."""
    already = sa.select(members.c.user_id).where(members.c.project_id == target)
    bind.execute(
        members.update()
        .where(members.c.project_id == source, members.c.user_id.not_in(already))
        .values(project_id=target)
    )
    bind.execute(members.delete().where(members.c.project_id == source))


def _merged(json: sa.ColumnElement[Any], source: str) -> sa.ColumnElement[Any]:
    """The object with the key MARK added; no object is taken as an empty one.

    Arrays and plain values have no room for a key and stay as they are.
    """
    value = sa.cast(source, sa.Text)
    empty = sa.or_(json.is_(sa.null()), _type(json) == "null")
    if _is_postgresql():
        alone = sa.Function("jsonb_build_object", KEY, value, type_=postgresql.JSONB())
        merged: sa.ColumnElement[Any] = json.op("||", return_type=JSON)(alone)
    else:
        alone = sa.Function("json_object", KEY, value)
        merged = sa.Function("json_set", json, PATH, value)
    return sa.case((_type(json) == "object", merged), (empty, alone), else_=json)


def _mark(json: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    if _is_postgresql():
        return json.op("->>", return_type=sa.Text())(KEY)
    return sa.Function("json_extract", json, PATH, type_=sa.Text())


def _unmarked(json: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    if _is_postgresql():
        return json.op("-", return_type=JSON)(KEY)
    return sa.Function("json_remove", json, PATH)


def _type(json: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    name = "jsonb_typeof" if _is_postgresql() else "json_type"
    return sa.Function(name, json, type_=sa.Text())


def _is_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"
