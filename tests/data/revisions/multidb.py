# -*- coding: utf-8 -*-
"""rev on several databases

Revision ID: 1d2e
Revises: 0c1d

"""
from alembic import op


revision = "1d2e"
down_revision = "0c1d"
branch_labels = ["reports"]
depends_on = None


def upgrade(engine_name):
    globals()["upgrade_%s" % engine_name]()


def upgrade_one():
    op.execute(f"""
        UPDATE t SET revision = '{{x}}', down_revision = {1 + 1!r:>{10}}
        WHERE name = $${"revision"}$$
    """)


def upgrade_two():
    rows = [dict(revision=revision, n=n) for n in range(3)]
    for revision_row in rows:
        op.execute("INSERT INTO t VALUES (%(n)s)" % revision_row)
