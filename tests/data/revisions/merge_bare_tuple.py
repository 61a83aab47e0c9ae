"""merge heads

Revision ID: 53fffde5ad5
Revises: ae1027a6acf, 27c6a30d7c24
Create Date: 2014-11-20 13:31:50.811663

"""

revision = '53fffde5ad5'
down_revision = 'ae1027a6acf', '27c6a30d7c24'
branch_labels = ()
depends_on = ('47df2',
              '1975ea')  # both, whatever their order


def upgrade(): pass
def downgrade(): pass
