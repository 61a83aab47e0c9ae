"""Every run's summary says how many per cent passed, and there is an index on it

The table is large and in use: the rows are done in batches, each committed on its own,
and the index is built without locking writers out. If it stops half way, run it again:
what is done is not done twice.

Revision ID: 2f96ab17d8c4
Revises: e85c20f94a3b
Create Date: 2026-03-16 09:00:00
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

revision: str = "2f96ab17d8c4"
down_revision: str | Sequence[str] | None = "e85c20f94a3b"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEX = "ixpg_runs_pass_percent"
BATCH = 5000
# How long to wait for a row or table that someone else has locked; for the index also
# for every transaction that is older than it.
LOCK_TIMEOUT = "5s"
INDEX_LOCK_TIMEOUT = "5min"
LOCK_NOT_AVAILABLE = "55P03"

log = logging.getLogger("alembic.ibutsu.pass_percent")

runs = sa.table(
    "runs",
    sa.column("id", sa.Uuid(as_uuid=False)),
    sa.column("summary", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")),
)

# How summaries have been spelled over the years; the first that holds a number counts.
# Where nothing says what passed, it is what is left of the tests.
TESTS = ("tests", "total")
PASSES = ("passes", "passed")
OTHERS = (
    ("failures", "failed"),
    ("errors", "error"),
    ("skips", "skipped"),
    ("xfailures", "xfailed"),
    ("xpasses", "xpassed"),
)
# Some reporters sent numbers as text.
NUMBER = "^ *-?[0-9]{1,15}([.][0-9]{1,15})? *$"


def upgrade() -> None:
    """Compute summary.pass_percent of every run; PostgreSQL: index it."""
    if op.get_context().dialect.name != "postgresql":
        _backfill_in_python(op.get_bind())
        return
    with op.get_context().autocommit_block():
        op.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        if op.get_context().as_sql:
            op.execute(_backfill_script())
        else:
            with _blockers_logged(op.get_bind()):
                _backfill(op.get_bind())
        op.execute(f"SET lock_timeout = '{INDEX_LOCK_TIMEOUT}'")
        if op.get_context().as_sql:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
            _create_index()
        else:
            with _blockers_logged(op.get_bind()):
                _drop_invalid_index(op.get_bind())
                _create_index()
        op.execute("RESET lock_timeout")


def downgrade() -> None:
    """Drop the index and the key; a summary that was NULL is an empty object then."""
    if op.get_context().dialect.name != "postgresql":
        op.execute(
            "UPDATE runs SET summary = json_remove(summary, '$.pass_percent') "
            "WHERE json_type(summary) = 'object'"
        )
        return
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
    op.execute(
        "UPDATE runs SET summary = summary - 'pass_percent' "
        "WHERE jsonb_typeof(summary) = 'object' AND summary->'pass_percent' IS NOT NULL"
    )


def pass_percent(summary: dict[str, Any]) -> int:
    """The share of passed tests, floor(passes * 100 / tests), within 0..100.

    Args:
        summary: Of a run; 0 where it does not say that there were tests.
    """
    tests = _first_number(summary, TESTS)
    if tests is None or tests <= 0:
        return 0
    passes = _first_number(summary, PASSES)
    if passes is None:
        others = (_first_number(summary, names) or 0 for names in OTHERS)
        passes = tests - sum(others)
    return int(min(max(passes * 100 / tests, Decimal(0)), Decimal(100)))


def _first_number(summary: dict[str, Any], names: tuple[str, ...]) -> Decimal | None:
    for name in names:
        text = str(summary.get(name))
        if re.search(NUMBER, text):
            return Decimal(text.strip())
    return None


def _first_number_sql(names: tuple[str, ...]) -> str:
    numbers = (
        f"CASE WHEN summary->>'{name}' ~ '{NUMBER}' "
        f"THEN CAST(summary->>'{name}' AS numeric) END"
        for name in names
    )
    return f"coalesce({', '.join(numbers)})"


def _batch_sql(after: str, size: str) -> str:
    """One batch: ``looked_at``, ``changed`` and the ``last`` id of it, in one row.

    Args:
        after: SQL of the last id of the batch before, NULL for the first.
        size: SQL of the number of rows.
    """
    others = " + ".join(f"coalesce({_first_number_sql(names)}, 0)" for names in OTHERS)
    return f"""
        WITH batch AS (
            SELECT id, CASE WHEN jsonb_typeof(summary) = 'object' THEN summary
                ELSE '{{}}' END AS summary
            FROM runs
            WHERE ({after} IS NULL OR id > {after})
            ORDER BY id LIMIT {size}
        ), counted AS (
            SELECT id, {_first_number_sql(TESTS)} AS tests,
                {_first_number_sql(PASSES)} AS passes,
                {others} AS others
            FROM batch
        ), computed AS (
            SELECT id, to_jsonb(CASE WHEN tests > 0 THEN CAST(floor(greatest(0, least(
                100, coalesce(passes, tests - others) * 100 / tests
            ))) AS integer) ELSE 0 END) AS percent
            FROM counted
        ), changed AS (
            UPDATE runs SET summary =
                CASE WHEN jsonb_typeof(summary) = 'object' THEN summary ELSE '{{}}' END
                || jsonb_build_object('pass_percent', percent)
            FROM computed
            WHERE runs.id = computed.id
              AND coalesce(jsonb_typeof(summary), 'null') IN ('object', 'null')
              AND summary->'pass_percent' IS DISTINCT FROM percent
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM batch) AS looked_at,
               (SELECT count(*) FROM changed) AS changed,
               (SELECT id FROM batch ORDER BY id DESC LIMIT 1) AS last
    """  # noqa: S608


def _backfill(bind: Connection) -> None:
    statement = sa.text(_batch_sql("CAST(:after AS uuid)", ":size"))
    after, looked_at, changed = None, 0, 0
    while True:
        row = bind.execute(statement, {"after": after, "size": BATCH}).one()
        if not row.looked_at:
            break
        after = str(row.last)
        looked_at += row.looked_at
        changed += row.changed
        log.info("pass_percent: %d runs looked at, %d changed", looked_at, changed)


def _backfill_script() -> str:
    """The same as one statement, for a script that psql runs."""
    batch = _batch_sql("after", str(BATCH)).strip()
    return f"""
DO $$
DECLARE
    batch record;
    after uuid;
BEGIN
    LOOP
        {batch} INTO batch;
        EXIT WHEN batch.looked_at = 0;
        after := batch.last;
        RAISE NOTICE 'pass_percent: % changed, done up to run %', batch.changed, after;
        COMMIT;
    END LOOP;
END
$$
"""


def _backfill_in_python(bind: Connection) -> None:
    after = ""
    while True:
        query = sa.select(runs).order_by(runs.c.id).limit(BATCH)
        rows = bind.execute(query.where(runs.c.id > after) if after else query).all()
        if not rows:
            break
        after = rows[-1].id
        changed = [
            {"key": row.id, "new": {**summary, "pass_percent": percent}}
            for row in rows
            if isinstance(summary := _object(row.summary), dict)
            and (percent := pass_percent(summary)) != summary.get("pass_percent")
        ]
        if changed:
            update = runs.update().where(runs.c.id == sa.bindparam("key"))
            bind.execute(update.values(summary=sa.bindparam("new")), changed)
        log.info("pass_percent: %d of %d runs changed", len(changed), len(rows))


def _object(summary: Any) -> Any:
    return {} if summary is None else summary


def _drop_invalid_index(bind: Connection) -> None:
    """A concurrent build that failed leaves an index that is kept up but never used."""
    found = bind.execute(
        sa.text(
            "SELECT 1 FROM pg_index "
            "WHERE NOT indisvalid AND indexrelid = to_regclass(:index)"
        ),
        {"index": INDEX},
    )
    if found.first() is not None:
        log.info("%s is left INVALID by an earlier run: dropping it", INDEX)
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")


def _create_index() -> None:
    op.create_index(
        INDEX,
        "runs",
        [sa.text("(CAST(summary->>'pass_percent' AS integer))")],
        postgresql_concurrently=True,
        if_not_exists=True,
    )


@contextmanager
def _blockers_logged(bind: Connection) -> Iterator[None]:
    """When a lock was waited for in vain, say who may hold it."""
    try:
        yield
    except DBAPIError as error:
        if _sqlstate(error) == LOCK_NOT_AVAILABLE:
            _log_blockers(bind)
        raise


def _sqlstate(error: DBAPIError) -> str | None:
    # psycopg2 says pgcode, everybody else sqlstate.
    orig = error.orig
    return getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None)


def _log_blockers(bind: Connection) -> None:
    """Log the sessions in a transaction, oldest first, and their locks on runs."""
    sessions = bind.execute(
        sa.text(
            """
            SELECT a.pid, a.usename, a.application_name, a.state,
                   date_trunc('second', clock_timestamp() - a.xact_start) AS open_for,
                   left(a.query, 200) AS query,
                   (SELECT string_agg(DISTINCT l.mode, ', ') FROM pg_locks AS l
                    WHERE l.pid = a.pid AND l.granted
                      AND l.relation = CAST('runs' AS regclass)) AS locks
            FROM pg_stat_activity AS a
            WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
              AND a.xact_start IS NOT NULL
            ORDER BY a.xact_start
            """
        )
    )
    for row in sessions:
        log.warning(
            "may be blocking: pid %s (%s, %s) %s, transaction open for %s, locks on "
            "runs: %s; last statement: %s",
            *(row.pid, row.usename, row.application_name or "unnamed", row.state),
            *(row.open_for, row.locks or "none", row.query),
        )
