"""What C did, from the lines that IBUTSU_MIGRATE_STATS collects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one process or of several.

    Attributes:
        files_scanned: Revision files whose header was read in C.
        graphs_built: Revision graphs.
        statements: SQL statements executed in C.
        rows: Rows that came back.
    """

    files_scanned: int = 0
    graphs_built: int = 0
    statements: int = 0
    rows: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.files_scanned + other.files_scanned,
            self.graphs_built + other.graphs_built,
            self.statements + other.statements,
            self.rows + other.rows,
        )


def read_tally(path: Path) -> Tally:
    """Add up the lines of a file; one that is not there counts nothing.

    Args:
        path: As ``IBUTSU_MIGRATE_STATS`` named it.
    """
    total = Tally()
    if path.exists():
        for line in path.read_text().splitlines():
            total += _tally(json.loads(line))
    return total


def _tally(line: dict[str, Any]) -> Tally:
    core, pq = line.get("core") or {}, line.get("pq") or {}
    return Tally(
        int(core.get("files_scanned", 0)),
        int(core.get("graphs_built", 0)),
        int(pq.get("statements", 0)),
        int(pq.get("rows", 0)),
    )
