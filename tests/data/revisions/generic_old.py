"""empty message

Revision ID: 3a5f
Revises: None
Create Date: 2013-01-02 03:04:05

"""

# revision identifiers, used by Alembic.
revision = '3a5f'
down_revision = None
branch_labels = None
depends_on = None

from alembic import op
import sqlalchemy as sa


def upgrade():
    pass


def downgrade():
    pass
