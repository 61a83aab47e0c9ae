"""Databases as the server left them before it had migrations."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from .models import db

UPGRADE_FUNCTIONS = 9
"""The old system counted its upgrade functions in the table ``meta``."""


def current_metadata() -> sa.MetaData:
    """A copy of the models' tables.

    ``create_all()`` on PostgreSQL marks a ``use_alter`` key as not to be made with its
    table, for ever: the same objects would lack the key on SQLite afterwards.
    """
    metadata = sa.MetaData()
    for table in db.metadata.tables.values():
        table.to_metadata(metadata)
    return metadata


def legacy_metadata() -> sa.MetaData:
    """The models of that time: revision 1's tables, one constraint named otherwise."""
    metadata = current_metadata()
    created = metadata.tables["imports"].c.created
    created.nullable = True
    created.server_default = None
    (key,) = metadata.tables["import_files"].foreign_key_constraints
    key.ondelete = None
    key.name = "fk_import_files_import"
    sa.Table(
        "meta",
        metadata,
        sa.Column("key", sa.Text, primary_key=True, index=True),
        sa.Column("value", sa.Text),
    )
    return metadata


def create_legacy(connection: Connection) -> None:
    """Make what ``db.create_all()`` and the nine upgrade functions left: no stamp.

    Args:
        connection: To an empty database; the caller commits.
    """
    metadata = legacy_metadata()
    metadata.create_all(connection)
    connection.execute(
        metadata.tables["meta"].insert(),
        {"key": "version", "value": str(UPGRADE_FUNCTIONS)},
    )


def create_current(connection: Connection) -> None:
    """Make what ``db.create_all()`` makes of today's models: no stamp.

    Args:
        connection: To an empty database; the caller commits.
    """
    current_metadata().create_all(connection)
