"""pytest plugin: what runs on this package's driver queues statements by default.

To be loaded beside ``ibutsu_plugin``: the suites must not be able to tell.
"""

from __future__ import annotations

from typing import Any

from ibutsu_migrate.engine.dialect import PGDialect_ibutsu
from ibutsu_migrate.engine.pipeline import OPTION


def _chosen(dialect: PGDialect_ibutsu) -> bool:
    said = dialect.__dict__[OPTION]
    return True if said is None else bool(said)


def _choose(dialect: PGDialect_ibutsu, said: bool | None) -> None:
    dialect.__dict__[OPTION] = said


# Not a wrapped __init__: SQLAlchemy reads its arguments' names.
_dialect: Any = PGDialect_ibutsu
_dialect.ibutsu_pipeline = property(_chosen, _choose)
