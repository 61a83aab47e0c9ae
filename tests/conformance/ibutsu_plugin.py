"""pytest plugin for a run of SQLAlchemy's and Alembic's own suites."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import pytest
import sqlalchemy
from sqlalchemy.dialects import registry

registry.register(
    "postgresql.ibutsu", "ibutsu_migrate.engine.dialect", "PGDialect_ibutsu"
)

# Tests that decide by the name of a driver what they expect of it.
_NAMES_DRIVERS: Final = {
    "test_psycopg_non_standard_err": "imports psycopg2.extensions or psycopg.errors",
    "test_render_derived_quoting_text[None": "expects all but psycopg2 to fail",
}
# Its other process imports the sdist's own source, which is not built: with 2.0 that
# has no place for what was pickled here. It fails with every driver.
_IMPORTS_THE_SOURCE: Final = "test_pickle_rows_other_process"


def _cannot_tell(item: pytest.Item) -> bool:
    if item.name.startswith(_IMPORTS_THE_SOURCE):
        return sqlalchemy.__version__.startswith("2.0.")
    driver = "postgresql+ibutsu" in item.nodeid
    return driver and any(item.name.startswith(name) for name in _NAMES_DRIVERS)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what can say nothing about this driver."""
    left_out = [item for item in items if _cannot_tell(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the suite by what a server-side cursor of this driver is known."""
    if not any("ServerSideCursorsTest" in item.nodeid for item in session.items):
        return
    # Not before: the suite wants its configuration to have been read.
    results: Any = import_module("sqlalchemy.testing.suite.test_results")
    tests = results.ServerSideCursorsTest
    stock = tests._is_server_side

    def is_server_side(self: Any, cursor: Any) -> Any:
        if self.engine.dialect.driver == "ibutsu":
            return bool(getattr(cursor, "name", False))
        return stock(self, cursor)

    tests._is_server_side = is_server_side
