"""Every import knows when it was made

Revision ID: c1a7e4920b5f
Revises: 9e0f3c5a7d14
Create Date: 2026-02-02 09:00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c1a7e4920b5f"
down_revision: str | Sequence[str] | None = "9e0f3c5a7d14"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

imports = sa.table("imports", sa.column("created", sa.DateTime()))


def upgrade() -> None:
    """Fill what is missing with now, then have PostgreSQL (or SQLite) do that."""
    op.execute(
        imports.update()
        .where(imports.c.created.is_(None))
        .values(created=sa.func.now())
    )
    with op.batch_alter_table("imports") as batch:
        batch.alter_column(
            "created",
            existing_type=sa.DateTime(),
            nullable=False,
            server_default=sa.func.now(),
        )


def downgrade() -> None:
    """Allow NULL again; which rows had it is not known any more."""
    with op.batch_alter_table("imports") as batch:
        batch.alter_column(
            "created",
            existing_type=sa.DateTime(),
            nullable=True,
            server_default=None,
        )
