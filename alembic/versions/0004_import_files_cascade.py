"""The files of an import go with it

Revision ID: 70d5b8e3f296
Revises: c1a7e4920b5f
Create Date: 2026-02-16 09:00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "70d5b8e3f296"
down_revision: str | Sequence[str] | None = "c1a7e4920b5f"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NAME = "import_files_import_id_fkey"

# Databases that create_all() made have other names for the key than those that revision
# 1 made. As a block of the server's own language this also works in a script (--sql).
DROP_WHATEVER_ITS_NAME = """
DO $$
DECLARE
    found name;
BEGIN
    FOR found IN
        SELECT c.conname
        FROM pg_constraint AS c
        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND c.conkey = ARRAY[a.attnum]
        WHERE c.conrelid = CAST('import_files' AS regclass)
          AND c.contype = 'f'
          AND a.attname = 'import_id'
    LOOP
        EXECUTE 'ALTER TABLE import_files DROP CONSTRAINT ' || quote_ident(found);
    END LOOP;
END
$$
"""


def upgrade() -> None:
    """Recreate the foreign key with ON DELETE CASCADE."""
    _recreate(ondelete="CASCADE")


def downgrade() -> None:
    """Recreate the foreign key without; its name stays the one upgrade() gave."""
    _recreate(ondelete=None)


def _recreate(ondelete: str | None) -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(DROP_WHATEVER_ITS_NAME)
        op.create_foreign_key(
            NAME, "import_files", "imports", ["import_id"], ["id"], ondelete=ondelete
        )
    else:
        _recreate_in_copy(ondelete)


def _recreate_in_copy(ondelete: str | None) -> None:
    """SQLite: copy the table. A key without a name gets one by the convention."""
    with op.batch_alter_table(
        "import_files",
        naming_convention={"fk": "%(table_name)s_%(column_0_name)s_fkey"},
    ) as batch:
        for name in _names():
            batch.drop_constraint(name, type_="foreignkey")
        batch.create_foreign_key(
            NAME, "imports", ["import_id"], ["id"], ondelete=ondelete
        )


def _names() -> list[str]:
    if op.get_context().as_sql:
        return [NAME]
    keys = sa.inspect(op.get_bind()).get_foreign_keys("import_files")
    return [
        key["name"] or NAME
        for key in keys
        if key["constrained_columns"] == ["import_id"]
    ]
