"""Who is in the way of a backend, all along the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from .events import Blocker, shown

_SHOWN_QUERY: Final = 200

# The chain ends where a pid comes again; eight links are more than anybody reads.
_CHAIN: Final = """
WITH RECURSIVE chain (pid, waits, depth, path) AS (
    SELECT b, CAST(:pid AS int), 1, ARRAY[CAST(:pid AS int), b]
    FROM unnest(pg_blocking_pids(CAST(:pid AS int))) AS b
  UNION ALL
    SELECT b, c.pid, c.depth + 1, c.path || b
    FROM chain c, unnest(pg_blocking_pids(c.pid)) AS b
    WHERE b <> ALL (c.path) AND c.depth < 8
), nearest AS (
    SELECT DISTINCT ON (pid) pid, waits, depth FROM chain ORDER BY pid, depth
), wanted AS (
    SELECT locktype, database, relation, mode FROM pg_locks
    WHERE pid = CAST(:pid AS int) AND NOT granted LIMIT 1
)
SELECT n.pid, n.waits, a.usename, a.application_name,
       host(a.client_addr), a.state, a.query,
       CAST(extract(epoch FROM clock_timestamp() - a.xact_start) AS float8),
       CAST(extract(epoch FROM clock_timestamp() - a.query_start) AS float8),
       (SELECT string_agg(DISTINCT l.mode, ', ') FROM pg_locks l, wanted w
        WHERE l.pid = n.pid AND l.granted AND l.locktype = w.locktype
          AND l.database = w.database AND l.relation = w.relation),
       CASE WHEN r.rolsuper THEN 'a superuser'
            WHEN a.backend_type = 'autovacuum worker'
                 AND a.query LIKE '%to prevent wraparound%'
            THEN 'autovacuum against wraparound'
            WHEN a.backend_type <> 'client backend' THEN a.backend_type
       END,
       (SELECT mode FROM wanted),
       (SELECT CASE WHEN relation IS NOT NULL
                    THEN CAST(CAST(relation AS regclass) AS text)
                    ELSE locktype END FROM wanted)
FROM nearest n
LEFT JOIN pg_stat_activity a ON a.pid = n.pid
LEFT JOIN pg_roles r ON r.oid = a.usesysid
ORDER BY n.depth, n.pid
"""

_FRESH: Final = "SELECT pg_stat_clear_snapshot()"


@dataclass(frozen=True, slots=True)
class Queue:
    """A backend that waits.

    Attributes:
        relation: What it waits for.
        mode: How it wants to lock that.
        blockers: Those in the way, the nearest first; empty where it does not wait.
    """

    relation: str | None = None
    mode: str | None = None
    blockers: tuple[Blocker, ...] = ()

    @property
    def nearest(self) -> tuple[Blocker, ...]:
        """Those who are directly in the way."""
        first = self.blockers[0].waits if self.blockers else None
        return tuple(one for one in self.blockers if one.waits == first)


def look(ask: Callable[..., Any], pid: int) -> Queue:
    """See whom a backend waits for.

    Args:
        ask: ``Control.look``.
        pid: Of the backend.

    Source: PostgreSQL, ``pg_blocking_pids()``: of prepared transactions it says 0.
    """
    ask(_FRESH)
    rows = ask(_CHAIN, {"pid": pid})
    if not rows:
        return Queue()
    return Queue(rows[0][12], rows[0][11], tuple(_blocker(row) for row in rows))


def _blocker(row: Any) -> Blocker:
    pid, waits, user, application, client, state, query, xact, since, mode, safe = row[
        :11
    ]
    return Blocker(
        pid=pid,
        waits=waits,
        user=user,
        application=application or None,
        client=client,
        state=state,
        transaction_seconds=xact,
        query_seconds=since,
        query=shown(query or "", _SHOWN_QUERY) or None,
        mode=mode,
        protected=safe,
    )


def still_blocked(ask: Callable[..., Any], blockers: Iterable[Blocker]) -> bool:
    """Whether any of those is still in a transaction.

    Args:
        ask: ``Control.look``.
        blockers: As they were seen.
    """
    pids = ", ".join(str(one.pid) for one in blockers if one.pid)
    if not pids:
        return True
    ask(_FRESH)
    held = f"SELECT count(*) FROM pg_locks WHERE granted AND pid IN ({pids}) "  # noqa: S608
    return bool(ask(held + "AND locktype = 'relation'")[0][0])


def terminate(ask: Callable[..., Any], pid: int) -> bool:
    """Disconnect a session; False where the server does not let us."""
    try:
        return bool(ask("SELECT pg_terminate_backend(:pid)", {"pid": pid})[0][0])
    except Exception:
        return False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long statement is.

    Attributes:
        phase: As the server calls it.
        percent: Of that phase, or None.
    """

    phase: str | None = None
    percent: float | None = None


# One row at most: a backend runs one command at a time. Sources: PostgreSQL,
# "Progress Reporting"; COPY since 14.
_PROGRESS: Final = """
SELECT command || ': ' || phase,
       CASE WHEN blocks_total > 0 THEN 100.0 * blocks_done / blocks_total
            WHEN tuples_total > 0 THEN 100.0 * tuples_done / tuples_total
            WHEN lockers_total > 0 THEN 100.0 * lockers_done / lockers_total END
FROM pg_stat_progress_create_index WHERE pid = :pid
UNION ALL
SELECT 'VACUUM: ' || phase,
       CASE WHEN heap_blks_total > 0 THEN 100.0 * heap_blks_scanned / heap_blks_total
       END
FROM pg_stat_progress_vacuum WHERE pid = :pid
UNION ALL
SELECT command || ': ' || phase,
       CASE WHEN heap_blks_total > 0 THEN 100.0 * heap_blks_scanned / heap_blks_total
       END
FROM pg_stat_progress_cluster WHERE pid = :pid
UNION ALL
SELECT command || ' ' || tuples_processed || ' rows',
       CASE WHEN bytes_total > 0 THEN 100.0 * bytes_processed / bytes_total END
FROM pg_stat_progress_copy WHERE pid = :pid
LIMIT 1
"""


def progress(ask: Callable[..., Any], pid: int) -> Progress:
    """How far a backend's statement is, for the commands the server reports on.

    Args:
        ask: ``Control.look``.
        pid: Of the backend.
    """
    rows = ask(_PROGRESS, {"pid": pid})
    if not rows:
        return Progress()
    phase, percent = rows[0]
    return Progress(phase, float(percent) if percent is not None else None)
