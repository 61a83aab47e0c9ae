"""The pytest plugin: throwaway databases as fixtures.

Every pytest run of everybody who installs this package loads this module: it imports
nothing but pytest until a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .cluster import Cluster, Database


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini options."""
    parser.addini(
        "ibutsu_migrate_bin_dir",
        "Folder with initdb of the PostgreSQL server that postgres_cluster starts",
    )
    parser.addini(
        "ibutsu_migrate_config",
        "The alembic.ini or pyproject.toml by which migrated_database is made",
    )
    parser.addini(
        "ibutsu_migrate_url_variables",
        "Environment variables from which env.py takes the database's URL",
        type="args",
        default=["SQLALCHEMY_DATABASE_URI", "DATABASE_URL"],
    )


@pytest.fixture(scope="session")
def postgres_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A throwaway PostgreSQL server for this run."""
    from .cluster import Cluster

    with Cluster.start(
        pytestconfig.getini("ibutsu_migrate_bin_dir") or None
    ) as cluster:
        yield cluster


@pytest.fixture
def database(postgres_cluster: Cluster) -> Iterator[Database]:
    """An empty database for this test, dropped after it."""
    with postgres_cluster.create_database() as database:
        yield database


@pytest.fixture(scope="session")
def migrated_template(
    pytestconfig: pytest.Config, postgres_cluster: Cluster
) -> Iterator[Database]:
    """A database at head, for copying: nobody may be connected to it."""
    from .migrated import find_config, migrate_database

    named = pytestconfig.getini("ibutsu_migrate_config")
    root = pytestconfig.rootpath
    config = root / named if named else find_config(root)
    with postgres_cluster.create_database() as template:
        migrate_database(
            template,
            config,
            url_variables=pytestconfig.getini("ibutsu_migrate_url_variables"),
        )
        yield template


@pytest.fixture
def migrated_database(
    postgres_cluster: Cluster, migrated_template: Database
) -> Iterator[Database]:
    """A database at head of the project's history for this test, dropped after it.

    The revisions run once in a session; each test gets a copy.
    """
    name = migrated_template.name
    with postgres_cluster.create_database(template=name) as database:
        yield database
