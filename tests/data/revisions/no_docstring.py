from alembic import op

"""Not a docstring: it does not come first."""

revision = 'nodoc'
down_revision = None


def upgrade():
    op.execute("""
revision = 'in a string'
""")


def downgrade():
    pass
