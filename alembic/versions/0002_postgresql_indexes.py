"""Drop the old version store, add the indexes that only PostgreSQL has

The models run on SQLite too and do not know these indexes: by their names, ixpg_...,
env.py tells autogenerate to leave them alone.

Revision ID: 9e0f3c5a7d14
Revises: 4b2d8a61c7e0
Create Date: 2026-01-19 09:00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "9e0f3c5a7d14"
down_revision: str | Sequence[str] | None = "4b2d8a61c7e0"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BUILD_NUMBER = "((data->'jenkins')->>'build_number')"
JOB_NAME = "((data->'jenkins')->>'job_name')"

# (name, table, columns and expressions, access method)
INDEXES = (
    ("ixpg_results_assignee", "results", ("(data->>'assignee')",), "btree"),
    ("ixpg_results_class", "results", ("(data->>'classification')",), "btree"),
    ("ixpg_results_exception", "results", ("(data->>'exception_name')",), "btree"),
    ("ixpg_results_build_number", "results", (BUILD_NUMBER,), "btree"),
    ("ixpg_results_job_name", "results", (JOB_NAME,), "btree"),
    ("ixpg_results_requirements", "results", ("(data->'requirements')",), "gin"),
    ("ixpg_results_tags", "results", ("(data->'tags')",), "gin"),
    (
        "ixpg_results_latest",
        "results",
        ("component", "env", "project_id", "start_time DESC"),
        "btree",
    ),
    (
        "ixpg_results_over_time",
        "results",
        ("component", "start_time", "result", "project_id"),
        "btree",
    ),
    (
        "ixpg_results_satellite",
        "results",
        (
            *("result", "(data->>'SatelliteVersion')", "project_id", "run_id"),
            "(data->>'SnapVersion')",
        ),
        "btree",
    ),
    ("ixpg_runs_build_number", "runs", (BUILD_NUMBER,), "btree"),
    ("ixpg_runs_job_name", "runs", (JOB_NAME,), "btree"),
    ("ixpg_runs_jenkins", "runs", (BUILD_NUMBER, JOB_NAME), "btree"),
    ("ixpg_runs_summary", "runs", ("summary",), "gin"),
    ("ixpg_runs_tags", "runs", ("(data->'tags')",), "gin"),
)


def upgrade() -> None:
    """Drop ``meta`` where it is, make each index where it is not."""
    op.drop_table("meta", if_exists=True)
    if not _is_postgresql():
        return
    for name, table, parts, method in INDEXES:
        op.create_index(
            name,
            table,
            [sa.text(part) for part in parts],
            postgresql_using=method,
            if_not_exists=True,
        )


def downgrade() -> None:
    """Drop the indexes, make ``meta`` again; the rows it had are gone."""
    if _is_postgresql():
        for name, table, _, _ in reversed(INDEXES):
            op.drop_index(name, table, if_exists=True)
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text()),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_meta_key", "meta", ["key"])


def _is_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"
