"""In the process of a migration: which statements were waited for, and from where.

``known_histories.py --why`` imports it into env.py.
"""

from __future__ import annotations

import atexit
import sys
from collections import Counter
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from ibutsu_migrate import _pq
from ibutsu_migrate.engine.pipeline import _OWN


def listen() -> None:
    """Print at the process's end what was waited for and had no rows."""
    waited: Counter[str] = Counter()
    trips = [0]

    def before(
        connection: Any, cursor: Any, sql: str, values: Any, context: Any, many: bool
    ) -> None:
        trips[0] = _pq.counters()["round_trips"]

    def after(
        connection: Any, cursor: Any, sql: str, values: Any, context: Any, many: bool
    ) -> None:
        if _pq.counters()["round_trips"] == trips[0] or cursor.description is not None:
            return
        waited[f"{' '.join(sql.split())[:70]} | {_place()}"] += 1

    def report() -> None:
        for place, count in waited.most_common():
            print(f"waited: {count} {place}")

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    atexit.register(report)


def _place() -> str:
    """The frames of code that is neither SQLAlchemy's nor Alembic's."""
    places: list[str] = []
    frame = sys._getframe(2).f_back
    while frame is not None and len(places) < 4:
        file = frame.f_code.co_filename
        if not file.startswith((*_OWN, "<")):
            places.append(f"{file.rpartition('/')[2]}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(places)
