"""Migrations of the Ibutsu Server's database."""

from typing import Any

from server import create_migration_app

from ibutsu_migrate.env import run_migrations

POSTGRESQL_ONLY = "ixpg_"


def include_object(
    item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any
) -> bool:
    """Say what autogenerate compares.

    Indexes named ``ixpg_...`` are made by revisions, on PostgreSQL only, and are not in
    the models; PostgreSQL keeps no UNIQUE on a primary key's own column.
    """
    if kind == "index":
        return not (reflected and str(name).startswith(POSTGRESQL_ONLY))
    if kind == "unique_constraint" and not reflected:
        return set(item.columns) != set(item.table.primary_key.columns)
    return True


run_migrations(create_migration_app, include_object=include_object)
