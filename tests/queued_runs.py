"""Histories that are run twice: statements queued, and each of them awaited."""

from __future__ import annotations

import py_compile
import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config

from ibutsu_migrate.troubles import FAILURE_ATTRIBUTE

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Cluster, Database

ENV = """
from alembic import context
from ibutsu_migrate.env import run_migrations
run_migrations(**context.config.attributes["arguments"])
"""
MAKO = '"""${message}"""\nrevision = ${repr(up_revision)}\n'
HEAD = '''"""made"""
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {before!r}
{extra}

def helper(bind, sql):
    return bind.execute(sa.text(sql))


def upgrade():
{body}

def downgrade():
    pass
'''
CATALOGUE = """
SELECT c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod),
  a.attnotnull, pg_get_expr(d.adbin, d.adrelid), obj_description(c.oid)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 3
"""
CONSTRAINTS = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""


INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid FROM pg_index
WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
ORDER BY 1
"""


MANY = "\n".join(f"op.execute('CREATE TABLE t{n} (a int)')" for n in range(20))
MORE = MANY.replace("TABLE t", "TABLE u")
# Round trips of MANY: connecting, two looks for the version table, one for all else.
FEW, MANY_TRIPS = 8, 20


@dataclass
class Outcome:
    """What a run left, and what it raised."""

    catalogue: Any
    constraints: Any
    indexes: Any
    rows: Any
    error: str | None
    message: str | None
    line: int | None
    failure: Any
    output: list[str]
    round_trips: int


class Scripts:
    """A folder of revisions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last: str | None = None
        self.toml: Path | None = None
        # Of a safe run the round trips of its control connection are counted too.
        self.switch: str | None = None
        self.sourceless = False
        self.config: Config | None = None
        (folder / "versions").mkdir()
        (folder / "env.py").write_text(ENV)
        (folder / "script.py.mako").write_text(MAKO)

    def add(self, body: str, extra: str = "") -> str:
        name = f"r{len(list((self.folder / 'versions').glob('*.py'))):03}"
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        text = HEAD.format(revision=name, before=self.last, body=lines, extra=extra)
        (self.folder / "versions" / f"{name}.py").write_text(text)
        self.last = name
        return name

    def drop_sources(self) -> None:
        """Leave only the compiled files."""
        self.sourceless = True
        for source in (self.folder / "versions").glob("*.py"):
            py_compile.compile(str(source), str(source.with_suffix(".pyc")))
            source.unlink()

    def run(
        self,
        database: Database,
        pipeline: bool | None,
        target: str = "head",
        **options: Any,
    ) -> Outcome:
        from ibutsu_migrate import _pq

        output: list[str] = []
        toml = str(self.toml) if self.toml is not None else None
        config = self.config = Config(toml_file=toml)
        config.set_main_option("script_location", str(self.folder))
        if self.switch is not None:
            config.set_main_option("ibutsu_migrate", self.switch)
        config.set_main_option("sourceless", str(self.sourceless).lower())
        config.attributes["output"] = output
        url = database.url("ibutsu")
        config.attributes["arguments"] = {"url": url, "pipeline": pipeline, **options}
        error: Any = None
        before = _pq.counters()["round_trips"]
        try:
            command.upgrade(config, target)
        except Exception as raised:
            error = raised
        trips = _pq.counters()["round_trips"] - before
        return Outcome(
            catalogue=select(database, CATALOGUE),
            constraints=select(database, CONSTRAINTS),
            indexes=select(database, INDEXES),
            rows=rows(database),
            error=type(error).__name__ if error is not None else None,
            message=said(error),
            line=line_of(error, self.folder),
            failure=getattr(error, FAILURE_ATTRIBUTE, None),
            output=output,
            round_trips=trips,
        )


def said(error: Any) -> str | None:
    if error is None:
        return None
    return re.sub(r"0x[0-9a-f]+", "0x", str(error))


def line_of(error: Any, folder: Path) -> int | None:
    """The line of a revision that an error is of."""
    if error is None:
        return None
    origin = getattr(getattr(error, "orig", None), "origin", None)
    if origin is not None and origin[0].startswith(str(folder)):
        return int(origin[1])
    found = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(str(folder / "versions")):
            found = found or frame.lineno
            if frame.name in ("helper", "rename"):
                found = frame.lineno
    return found


def select(database: Database, sql: str) -> Any:
    from ibutsu_migrate.engine import dbapi

    connection = dbapi.connect(database.dsn)
    cursor = connection.cursor()
    cursor.execute(sql)
    found = cursor.fetchall()
    connection.close()
    return found


def rows(database: Database) -> dict[str, Any]:
    names = select(
        database,
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND "
        "relnamespace = 'public'::regnamespace ORDER BY 1",
    )
    return {
        name: sorted(map(str, select(database, f'SELECT * FROM "{name}"')))
        for (name,) in names
    }


def run_both(
    scripts: Scripts, cluster: Cluster, **options: Any
) -> tuple[Outcome, Outcome]:
    """Without a queue and with it, each on a database of its own."""
    with cluster.create_database() as database:
        without = scripts.run(database, pipeline=False, **options)
    with cluster.create_database() as database:
        queued = scripts.run(database, pipeline=True, **options)
    return without, queued


def same(without: Outcome, queued: Outcome) -> None:
    assert queued.catalogue == without.catalogue
    assert queued.constraints == without.constraints
    assert queued.indexes == without.indexes
    assert queued.rows == without.rows
    assert queued.error == without.error
    assert queued.message == without.message
    assert queued.line == without.line
