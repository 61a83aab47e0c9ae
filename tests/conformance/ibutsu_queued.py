"""pytest plugin: what runs on this package's driver queues statements by default.

To be loaded beside ``ibutsu_plugin``: the suites must not be able to tell.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from ibutsu_migrate.engine.dialect import PGDialect_ibutsu
from ibutsu_migrate.engine.pipeline import OPTION

# Its cursor is an object that can execute() and nothing else.
_REPLACES_EXECUTE: Final = "test_exception_event_non_dbapi_error"


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what can say nothing about a queue."""
    left_out = [item for item in items if item.name.startswith(_REPLACES_EXECUTE)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _chosen(dialect: PGDialect_ibutsu) -> bool:
    said = dialect.__dict__[OPTION]
    return True if said is None else bool(said)


def _choose(dialect: PGDialect_ibutsu, said: bool | None) -> None:
    dialect.__dict__[OPTION] = said


# Not a wrapped __init__: SQLAlchemy reads its arguments' names.
_dialect: Any = PGDialect_ibutsu
_dialect.ibutsu_pipeline = property(_chosen, _choose)
