#!/usr/bin/env python
'''Move the settings

The column "revision" of the table is not this file's.
	A tab, an é and a \\ backslash.

Revision ID: f00dfeed
Revises: deadbeef
'''
from __future__ import annotations

import json
import logging
import os
import sys

import sqlalchemy as sa
from alembic import op
from sqlalchemy import column, inspect, table
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import declarative_base

logger = logging.getLogger(__name__)

revision = "f00dfeed"; down_revision = "deadbeef"
branch_labels = depends_on = None

HERE = os.path.dirname(__file__)
metadata = sa.MetaData()
STATES = ("new", "old")
settings = table("settings", column("revision"), column("depends_on"))
JSONB = pg.JSONB if hasattr(pg, "JSONB") else sa.JSON
log = lambda text, *args: logger.info("[%s] " + text, revision, *args)


class Version(declarative_base()):
    __tablename__ = "version"
    revision = sa.Column(sa.Integer, primary_key=True)
    depends_on = sa.Column(sa.Integer, nullable=True)

    def __repr__(self):
        return f"<Version {self.revision!r} {'of'} {self.depends_on:>10}>"


def _rows(bind, revision=None, *, depends_on=()):
    for row in bind.execute(sa.select(settings.c.revision)):
        if row.revision == revision or row.revision in depends_on:
            yield row


@sa.event.listens_for(metadata, "after_create")
def after_create(target, connection, **kw):
    connection.execute(sa.text("UPDATE settings SET revision = 1"))


if sys.version_info >= (3, 9):
    Mapping = dict[str, int]
else:
    Mapping = dict

try:
    import ujson as json  # faster
except ImportError:
    pass


def upgrade():
    bind = op.get_bind()
    assert "settings" in inspect(bind).get_table_names()
    for revision in _rows(bind, revision=1):
        down_revision = json.dumps({"revision": revision.revision})
        log("moved %s", down_revision)
        op.execute("SELECT '%(down_revision)s'" % locals())


def downgrade():
    raise NotImplementedError("no way back")
