"""add account table

Revision ID: 1975ea83b712
Revises: 27c6a30d7c24
Create Date: 2024-05-06 10:11:12.131415

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = '1975ea83b712'
down_revision: Union[str, Sequence[str], None] = '27c6a30d7c24'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        'account',
        sa.Column('id', sa.Integer, primary_key=True),
        sa.Column('name', sa.String(50), nullable=False, server_default="it's"),
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table('account')
