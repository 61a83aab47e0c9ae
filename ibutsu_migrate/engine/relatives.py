"""Servers that are PostgreSQL, and those that only speak its protocol."""

from __future__ import annotations

import re
from typing import Final

# As configure and meson build it, on Unix and on Windows.
_POSTGRESQL: Final = re.compile(
    r"PostgreSQL (\d+)[^ ,]*( \([^)]*\))?( on [^,]+)?, compiled by .+, (32|64)-bit"
)
_OLDEST: Final = 14

# Servers that speak the protocol and have a catalogue, or transactions, of their own.
# Most of them say that they are PostgreSQL, of some version or other.
_RELATIVES: Final = re.compile(
    r"Redshift|Yugabyte|-YB-|Cockroach|Materialize|Greenplum|RisingWave|QuestDB|Crate"
    r"|openGauss|GaussDB|Spanner|PGAdapter|Hologres|DSQL|Vertica|Netezza|DuckDB|H2 "
    r"|Cloudberry|HashData|AntDB|KingBase",
    re.I,
)


def is_postgresql(version: str) -> bool:
    """Whether ``version()`` is PostgreSQL's own and no relative's.

    Source: PostgreSQL's PG_VERSION_STR in ``configure.ac`` and ``meson.build``.
    """
    found = _POSTGRESQL.fullmatch(version.strip())
    return (
        found is not None
        and int(found[1]) >= _OLDEST
        and not _RELATIVES.search(version)
    )
