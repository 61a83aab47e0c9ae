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
