"""Initial baseline: all tables, as they were before there were migrations

A database that already has them is not upgraded through this revision but stamped with
it: see README.md, "A database that is older than its migrations".

Revision ID: 4b2d8a61c7e0
Revises:
Create Date: 2026-01-12 09:00:00
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "4b2d8a61c7e0"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.Uuid(as_uuid=False)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

# Plain indexes, named ix_<table>_<column>. users.email has a unique one.
INDEXED = {
    "groups": ("name",),
    "users": ("group_id",),
    "projects": ("name", "title", "owner_id", "group_id", "default_dashboard_id"),
    "dashboards": ("title", "project_id", "user_id"),
    "widget_configs": (
        *("project_id", "dashboard_id", "title", "type", "widget", "weight"),
        "navigable",
    ),
    "imports": ("filename", "format", "status", "created"),
    "import_files": ("import_id",),
    "runs": (
        *("component", "env", "source", "created", "duration", "project_id"),
        "start_time",
    ),
    "results": (
        *("component", "env", "result", "source", "test_id", "duration"),
        *("project_id", "run_id", "start_time"),
    ),
    "artifacts": ("filename", "result_id", "run_id", "upload_date"),
    "tokens": ("user_id",),
    "meta": ("key",),
}
# In the order in which they can be made; dropped the other way round.
TABLES = (
    *("groups", "users", "projects", "dashboards", "widget_configs", "imports"),
    *("import_files", "runs", "results", "artifacts", "tokens", "users_projects"),
    "meta",
)


def upgrade() -> None:
    """Make the thirteen tables and their indexes."""
    _create_people()
    _create_projects()
    _create_imports()
    _create_runs()
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text()),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_users_email", "users", ["email"], unique=True)
    for table, columns in INDEXED.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drop every table, with all that is in it."""
    if _alters_tables():
        op.drop_constraint(
            "fk_project_default_dashboard", "projects", type_="foreignkey"
        )
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_people() -> None:
    op.create_table("groups", *_id(), sa.Column("name", sa.Text()), _json("data"))
    op.create_table(
        "users",
        *_id(),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("_password", sa.Text()),
        sa.Column("name", sa.Text()),
        sa.Column("activation_code", sa.Text()),
        sa.Column("is_superadmin", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        *_reference("group_id", "groups.id"),
    )
    op.create_table(
        "tokens",
        *_id(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("expires", sa.DateTime()),
        *_reference("user_id", "users.id"),
    )


def _create_projects() -> None:
    # Projects and dashboards refer to each other. SQLite takes a key to a table that
    # is not there yet; elsewhere use_alter leaves it out here and it is added below.
    op.create_table(
        "projects",
        *_id(),
        *_texts("name", "title"),
        *_reference("owner_id", "users.id"),
        *_reference("group_id", "groups.id"),
        *_reference(
            "default_dashboard_id",
            "dashboards.id",
            name="fk_project_default_dashboard",
            use_alter=True,
        ),
    )
    op.create_table(
        "dashboards",
        *_id(),
        *_texts("title", "description", "filters"),
        *_reference("project_id", "projects.id", name="fk_dashboards_project_id"),
        *_reference("user_id", "users.id"),
    )
    if _alters_tables():
        op.create_foreign_key(
            "fk_project_default_dashboard",
            "projects",
            "dashboards",
            ["default_dashboard_id"],
            ["id"],
        )
    op.create_table(
        "widget_configs",
        *_id(),
        *_reference("project_id", "projects.id"),
        *_reference("dashboard_id", "dashboards.id"),
        *_texts("title", "type", "widget"),
        sa.Column("weight", sa.Integer()),
        sa.Column("navigable", sa.Boolean()),
        _json("params"),
    )
    op.create_table(
        "users_projects",
        *_reference("user_id", "users.id", nullable=False),
        *_reference("project_id", "projects.id", nullable=False),
        sa.PrimaryKeyConstraint("user_id", "project_id"),
    )


def _create_imports() -> None:
    op.create_table(
        "imports",
        *_id(),
        *_texts("filename", "format", "status"),
        _json("data"),
        sa.Column("created", sa.DateTime()),
    )
    op.create_table(
        "import_files",
        *_id(),
        sa.Column("content", sa.LargeBinary()),
        *_reference("import_id", "imports.id", nullable=False),
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        *_id(),
        *_texts("component", "env", "source"),
        sa.Column("created", sa.DateTime(), nullable=False),
        _json("data"),
        sa.Column("duration", sa.Float()),
        *_reference("project_id", "projects.id"),
        sa.Column("start_time", sa.DateTime(), nullable=False),
        _json("summary"),
    )
    op.create_table(
        "results",
        *_id(),
        *_texts("component", "env", "result", "source", "test_id"),
        _json("data"),
        _json("params"),
        sa.Column("duration", sa.Float()),
        *_reference("project_id", "projects.id"),
        *_reference("run_id", "runs.id"),
        sa.Column("start_time", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "artifacts",
        *_id(),
        sa.Column("content", sa.LargeBinary()),
        *_texts("filename"),
        _json("data"),
        *_reference("result_id", "results.id"),
        *_reference("run_id", "runs.id"),
        sa.Column("upload_date", sa.DateTime(), nullable=False),
    )


def _id() -> list[Any]:
    return [sa.Column("id", ID, nullable=False), sa.PrimaryKeyConstraint("id")]


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, JSON)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text()) for name in names]


def _reference(
    column: str, target: str, nullable: bool = True, **options: Any
) -> list[Any]:
    return [
        sa.Column(column, ID, nullable=nullable),
        sa.ForeignKeyConstraint([column], [target], **options),
    ]


def _alters_tables() -> bool:
    return op.get_context().dialect.name != "sqlite"
