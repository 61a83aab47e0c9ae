"""The six revisions of ``alembic/``: schema, way back, databases in the field."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import sqlalchemy as sa
from alembic import command
from server.legacy import create_current, create_legacy
from server.models import db
from server_database import (
    BASELINE,
    CASCADE,
    CREATED,
    INDEXES,
    MOVE,
    NOW,
    PERCENT,
    REVISIONS,
    Server,
    postgresql,
    sqlite,
    without_index_names,
)
from server_schema import SQLITE_TYPES, expected_catalogue, schema
from sqlalchemy.engine import Connection

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database


def test_head_is_the_schema(on_postgresql: Server) -> None:
    on_postgresql.upgrade()
    assert on_postgresql.version() == [PERCENT]
    found = on_postgresql.catalogue()
    plain = {row[1] for row in found["indexes"] if row[1].startswith("ix_")}
    names = {
        f"ix_{table}_{column.name}"
        for table, columns in schema()
        for column in columns
        if "+" in column.flags
    }
    assert plain == {*names, "ix_users_email"}
    assert without_index_names(found) == expected_catalogue()


def test_head_is_the_schema_on_sqlite(tmp_path: Path) -> None:
    server = sqlite(tmp_path)
    server.upgrade()
    found = server.catalogue()
    for table, columns in schema():
        for column in columns:
            kind = SQLITE_TYPES.get(column.type, column.type.upper())
            default = "CURRENT_TIMESTAMP" if column.is_filled(table) else None
            row = (table, column.name, kind, "!" in column.flags, default)
            found["columns"].remove(row)
            if "+" in column.flags:
                name = f"ix_{table}_{column.name}"
                found["indexes"].remove((table, name, (column.name,), False))
            if column.target is not None:
                cascade = "CASCADE" if table == "import_files" else None
                key = (table, column.name, column.target, cascade)
                found["constraints"].remove(key)
    found["indexes"].remove(("users", "ix_users_email", ("email",), True))
    assert found == {"columns": set(), "indexes": set(), "constraints": set()}


def test_each_revision_up_and_down(server: Server) -> None:
    seen = []
    for revision in REVISIONS:
        server.upgrade(revision)
        seen.append(server.catalogue())
    assert len({repr(sorted(found["columns"])) for found in seen}) == 3
    for revision, found in zip(REVISIONS[-2::-1], seen[-2::-1], strict=True):
        server.downgrade("-1")
        assert server.version() == [revision]
        assert server.catalogue() == found
    server.downgrade("base")
    assert server.version() == []
    assert server.catalogue() == {
        "columns": set(),
        "indexes": set(),
        "constraints": set(),
    }


@pytest.mark.parametrize("make", [create_legacy, create_current])
def test_a_database_that_create_all_made_is_adopted(
    server: Server, make: Callable[[Connection], None], database: Database
) -> None:
    with server.begin() as connection:
        make(connection)
    command.stamp(server.config(), BASELINE)
    server.insert("imports", {"id": str(uuid.uuid4()), "created": NOW})
    server.upgrade()
    assert server.select("imports", "created") == [(NOW,)]
    adopted = server.catalogue()
    server.downgrade("base")
    server.upgrade()
    assert adopted == server.catalogue()


def test_a_stamped_database_is_left_alone(server: Server) -> None:
    server.upgrade()
    before = server.catalogue()
    server.upgrade()
    assert server.catalogue() == before
    assert server.version() == [PERCENT]


def test_autogenerate_finds_no_difference(server: Server) -> None:
    server.upgrade()
    command.check(server.config())


def test_scripts_make_the_same_database(database: Database) -> None:
    server = postgresql(database, "psycopg2")
    with_psycopg2 = psycopg2.connect(database.dsn)
    try:
        with_psycopg2.autocommit = True
        with with_psycopg2.cursor() as cursor:
            cursor.execute(server.script(CASCADE))
            assert server.version() == [CASCADE]
            server.upgrade(MOVE)
            run = {"id": str(uuid.uuid4()), "created": NOW, "start_time": NOW}
            server.insert("runs", {**run, "summary": {"tests": 3, "passes": 2}})
            # Concurrent builds want to be alone; as psql does it, one by one.
            for statement in statements(server.script(f"{MOVE}:{PERCENT}")):
                cursor.execute(statement)
    finally:
        with_psycopg2.close()
    assert server.version() == [PERCENT]
    assert server.select("runs", "summary")[0][0]["pass_percent"] == 66
    assert without_index_names(server.catalogue()) == expected_catalogue()


def statements(script: str) -> list[str]:
    """Split where ``;`` ends a line, but not within ``$$``."""
    found, inside = [""], False
    for line in script.splitlines(keepends=True):
        found[-1] += line
        inside ^= line.count("$$") % 2 == 1
        if not inside and line.rstrip().endswith(";"):
            found.append("")
    return [text for text in found if text.strip()]


def test_created_is_filled(server: Server) -> None:
    server.upgrade(INDEXES)
    known, unknown = str(uuid.uuid4()), str(uuid.uuid4())
    with server.begin() as connection:
        uuid_column = sa.column("id", sa.Uuid(as_uuid=False))
        imports = sa.table("imports", uuid_column, sa.column("created", sa.DateTime()))
        rows: list[dict[str, Any]] = [
            {"id": known, "created": NOW},
            {"id": unknown, "created": None},
        ]
        connection.execute(imports.insert(), rows)
    server.upgrade(CREATED)
    found = dict(server.select("imports", "id", "created"))
    assert found[known] == NOW
    assert found[unknown] > NOW


@pytest.mark.parametrize("make", [create_legacy, create_current])
def test_files_go_with_their_import(
    on_postgresql: Server, make: Callable[[Connection], None]
) -> None:
    with on_postgresql.begin() as connection:
        make(connection)
    command.stamp(on_postgresql.config(), BASELINE)
    on_postgresql.upgrade(CASCADE)
    one = str(uuid.uuid4())
    on_postgresql.insert("imports", {"id": one, "created": NOW})
    on_postgresql.insert("import_files", {"id": str(uuid.uuid4()), "import_id": one})
    with on_postgresql.begin() as connection:
        connection.execute(db.metadata.tables["imports"].delete())
    assert on_postgresql.select("import_files", "id") == []
