"""Migrations with and without a queue: what is left behind, and what is said."""

from __future__ import annotations

import random
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Cluster, Database

    Both = Callable[..., tuple["Outcome", "Outcome"]]

dbapi = pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

ENV = """
from alembic import context
from ibutsu_migrate.env import run_migrations
run_migrations(**context.config.attributes["arguments"])
"""
OWN_ENV = """
import sqlalchemy as sa
from alembic import context
url = context.config.attributes["arguments"]["url"]
engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    after = connection.get_execution_options().get("ibutsu_pipeline")
    context.config.attributes["after"] = after
"""
MANY = "\n".join(f"op.execute('CREATE TABLE t{n} (a int)')" for n in range(20))
MORE = MANY.replace("TABLE t", "TABLE u")
# Round trips of MANY: connecting, two looks for the version table, one for all else.
FEW, MANY_TRIPS = 8, 20
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


@dataclass
class Outcome:
    """What a run left, and what it raised."""

    catalogue: Any
    constraints: Any
    rows: Any
    error: str | None
    message: str | None
    line: int | None
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
            rows=rows(database),
            error=type(error).__name__ if error is not None else None,
            message=said(error),
            line=line_of(error, self.folder),
            output=output,
            round_trips=trips,
        )


def said(error: Any) -> str | None:
    if error is None:
        return None
    text = re.sub(r"\[parameters: .*\]\n", "", str(error))
    return re.sub(r"0x[0-9a-f]+", "0x", text)


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
            if frame.name == "helper":
                found = frame.lineno
    return found


def select(database: Database, sql: str) -> Any:
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


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    # Mode safe, which the hook means, has statements of its own on other connections.
    monkeypatch.setenv("IBUTSU_MIGRATE", "fast")
    return Scripts(tmp_path)


@pytest.fixture
def both(scripts: Scripts, postgres_cluster: Cluster) -> Both:
    def run(**options: Any) -> tuple[Outcome, Outcome]:
        with postgres_cluster.create_database() as database:
            without = scripts.run(database, pipeline=False, **options)
        with postgres_cluster.create_database() as database:
            queued = scripts.run(database, pipeline=True, **options)
        return without, queued

    return run


def same(without: Outcome, queued: Outcome) -> None:
    assert queued.catalogue == without.catalogue
    assert queued.constraints == without.constraints
    assert queued.rows == without.rows
    assert queued.error == without.error
    assert queued.message == without.message
    assert queued.line == without.line


def test_a_revision_is_one_round_trip(scripts: Scripts, both: Both) -> None:
    scripts.switch = "fast"
    for number in range(20):
        scripts.add(
            f"op.create_table('t{number}', sa.Column('a', sa.Integer))\n"
            f"op.execute('INSERT INTO t{number} VALUES (1)')\n"
            f"op.create_index('i{number}', 't{number}', ['a'])"
        )
    without, queued = both()
    same(without, queued)
    assert without.error is None
    assert len(queued.rows) == 21
    assert queued.round_trips <= 20 + 5
    assert without.round_trips > 100


def test_an_error_names_its_line(scripts: Scripts, both: Both) -> None:
    scripts.add("op.create_table('ta', sa.Column('a', sa.Integer))")
    scripts.add(
        "op.execute('ALTER TABLE ta ADD b int')\n"
        "op.execute('ALTER TABLE nowhere ADD b int')\n"
        "op.execute('ALTER TABLE ta ADD c int')"
    )
    without, queued = both()
    same(without, queued)
    assert queued.error == "ProgrammingError"
    assert queued.line is not None
    assert list(queued.rows) == ["alembic_version", "ta"]


@pytest.mark.parametrize("per_migration", [True, False])
def test_a_version_that_does_not_match(
    scripts: Scripts, database: Database, per_migration: bool
) -> None:
    scripts.add("op.execute('CREATE TABLE ta (a int)')")
    scripts.add("op.execute('CREATE TABLE tb (a int)')")
    assert scripts.run(database, pipeline=True, target="r000").error is None
    scripts.add("op.execute('''UPDATE alembic_version SET version_num = 'else' ''')")
    options: dict[str, Any] = {"transaction_per_migration": per_migration}
    without = scripts.run(database, pipeline=False, **options)
    if per_migration:
        assert select(database, "SELECT * FROM alembic_version") == [("r001",)]
    queued = scripts.run(database, pipeline=True, **options)
    assert queued.error == without.error == CommandError.__name__
    assert queued.message == without.message
    assert "'r001' to 'r002' in 'alembic_version'; 0 found" in str(queued.message)
    assert queued.rows == without.rows


def test_commit_as_text(scripts: Scripts, both: Both) -> None:
    scripts.add("op.create_table('ta', sa.Column('a', sa.Integer))")
    scripts.add(
        "op.execute('COMMIT')\nop.execute('CREATE INDEX CONCURRENTLY ia ON ta (a)')"
    )
    scripts.add(
        "with op.get_context().autocommit_block():\n    op.execute('VACUUM ta')"
    )
    without, queued = both()
    same(without, queued)
    assert queued.error is None


def test_a_revision_may_say_no(scripts: Scripts, both: Both) -> None:
    scripts.switch = "fast"
    scripts.add(MANY, "ibutsu_pipeline = False")
    scripts.add("op.execute('CREATE TABLE tx (a int)')")
    without, queued = both()
    same(without, queued)
    assert MANY_TRIPS < queued.round_trips < without.round_trips


def test_a_revision_may_say_yes(
    scripts: Scripts, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts.switch = "fast"
    scripts.add("pass")
    scripts.add(MANY, "ibutsu_pipeline = True")
    assert scripts.run(database, pipeline=False).round_trips <= FEW + 6
    scripts.add(MORE, "ibutsu_pipeline = True")
    monkeypatch.setenv("IBUTSU_MIGRATE_PIPELINE", "off")
    assert scripts.run(database, pipeline=True).round_trips > MANY_TRIPS


def test_the_environment_wins(
    scripts: Scripts, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts.add("op.execute('DROP TABLE nowhere')\nprint('after')")
    monkeypatch.setenv("IBUTSU_MIGRATE_PIPELINE", "off")
    assert scripts.run(database, pipeline=True).error == "ProgrammingError"
    monkeypatch.setenv("IBUTSU_MIGRATE_PIPELINE", "perhaps")
    outcome = scripts.run(database, pipeline=True)
    assert outcome.error == "ConfigurationError"


def test_it_is_on_by_default(scripts: Scripts, database: Database) -> None:
    scripts.switch = "fast"
    scripts.add(MANY)
    assert scripts.run(database, pipeline=None).round_trips <= FEW


def test_safe_runs_queue_too(
    scripts: Scripts, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBUTSU_MIGRATE", "safe")
    scripts.add(MANY)
    scripts.add(MORE)
    without, queued = both()
    same(without, queued)
    assert without.round_trips - queued.round_trips > 30


def test_pyproject(scripts: Scripts, database: Database, tmp_path: Path) -> None:
    scripts.switch = "fast"
    path = tmp_path / "pyproject.toml"
    scripts.toml = path
    path.write_text("[tool.ibutsu_migrate]\npipeline = 'perhaps'\n")
    outcome = scripts.run(database, pipeline=None)
    assert outcome.error == "ConfigurationError"
    assert "perhaps" in str(outcome.message)
    path.write_text("[tool.ibutsu_migrate]\npipeline = false\n")
    scripts.add(MANY)
    assert scripts.run(database, pipeline=None).round_trips > MANY_TRIPS
    scripts.add(MORE)
    assert scripts.run(database, pipeline=True).round_trips <= FEW


def test_an_engine_may_say_no(scripts: Scripts, database: Database) -> None:
    scripts.switch = "fast"
    scripts.add(MANY)
    (scripts.folder / "env.py").write_text(
        OWN_ENV.replace("(url", "(url, ibutsu_pipeline=False")
    )
    assert scripts.run(database, pipeline=None).round_trips > MANY_TRIPS


def test_an_env_py_of_ones_own(scripts: Scripts, database: Database) -> None:
    """The URL alone brings the driver, and with it the queue; for migrations only."""
    scripts.switch = "fast"
    scripts.add(MANY)
    (scripts.folder / "env.py").write_text(OWN_ENV)
    outcome = scripts.run(database, pipeline=None)
    assert outcome.error is None
    assert outcome.round_trips <= FEW
    assert scripts.config is not None
    assert scripts.config.attributes["after"] is None


@pytest.mark.parametrize("place", ["environment", "alembic.ini"])
def test_the_switch_is_off(
    scripts: Scripts,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    scripts.add(MANY)
    if place == "environment":
        monkeypatch.setenv("IBUTSU_MIGRATE", "off")
    else:
        monkeypatch.delenv("IBUTSU_MIGRATE", raising=False)
        scripts.switch = "off"
    assert scripts.run(database, pipeline=True).round_trips > MANY_TRIPS


def test_what_failed_first_is_raised(scripts: Scripts, both: Both) -> None:
    scripts.add("op.execute('DROP TABLE nowhere')\nraise ValueError('later')")
    without, queued = both()
    same(without, queued)
    assert queued.error == "ProgrammingError"


def test_a_cursor_of_the_drivers_raises_the_drivers_error(
    scripts: Scripts, both: Both
) -> None:
    scripts.add(
        "op.execute('DROP TABLE nowhere')\n"
        "op.get_bind().connection.cursor().execute('SELECT 1')"
    )
    without, queued = both()
    assert (without.error, queued.error) == ("ProgrammingError", "UndefinedTable")
    assert queued.message is not None
    assert queued.message in str(without.message)
    assert queued.rows == without.rows


# Random revisions

GOOD = (
    "op.create_table('t{n}', sa.Column('a', sa.Integer), sa.Column('s', sa.String(9)))",
    "op.execute('CREATE TABLE t{n} (a int UNIQUE, s text)')",
    "op.execute('INSERT INTO base SELECT generate_series(1, {n})')",
    "op.execute(\"UPDATE base SET s = 'x%' || a WHERE a > {n} % 5\")",
    "op.execute('DELETE FROM base WHERE a = {n}')",
    "op.execute('COMMENT ON TABLE base IS $$a; b {n}$$')",
    "op.add_column('base', sa.Column('c{n}', sa.Integer, server_default='{n}'))",
    "op.get_bind().execute(sa.text('INSERT INTO base VALUES (:a)'), {{'a': {n}}})",
    "op.bulk_insert(sa.table('base', sa.column('a')), [{{'a': {n}}}, {{'a': 1}}])",
    "assert op.get_bind().scalar(sa.text('SELECT count(*) FROM base')) >= 0",
    "assert helper(op.get_bind(), 'UPDATE base SET s = s').rowcount >= 0",
    "helper(op.get_bind(), 'SET LOCAL work_mem = 1234')",
    "op.execute('INSERT INTO base VALUES (7); DELETE FROM base WHERE a = 7')",
    "op.execute('DO $$BEGIN RAISE NOTICE $n$x$n$; END$$')",
    "op.execute('SAVEPOINT s{n}')\nop.execute('DELETE FROM base')\n"
    "op.execute('ROLLBACK TO SAVEPOINT s{n}')\nop.execute('RELEASE s{n}')",
    "with op.batch_alter_table('base') as batch:\n"
    "    batch.add_column(sa.Column('b{n}', sa.Text))",
    "with op.get_bind().begin_nested():\n    op.execute('INSERT INTO base VALUES (1)')",
    "try:\n    with op.get_bind().begin_nested():\n"
    "        op.execute('DROP TABLE nowhere{n}')\nexcept Exception as error:\n"
    "    op.execute('INSERT INTO base VALUES (99)')",
    "try:\n    op.execute('INSERT INTO base VALUES ({n})')\n"
    "finally:\n    op.execute('INSERT INTO base VALUES (5)')",
)
BAD = (
    "op.execute('DROP TABLE nowhere')",
    "op.execute('INSERT INTO base (a) VALUES (1 / 0)')",
    "op.create_table('base', sa.Column('a', sa.Integer))",
    "op.execute('ALTER TABLE base\\n  ADD z nonsense')",
    "helper(op.get_bind(), 'UPDATE base SET nothing = 1')",
    "op.execute('CREATE TABLE syntax error')",
    "op.get_bind().execute(sa.text('SELECT 1 / 0'))",
    "op.execute('VACUUM')",
    "raise ValueError('no')",
    "try:\n    op.execute('DROP TABLE nowhere')\nexcept Exception:\n    pass",
    "op.execute('CREATE TABLE dup (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)')\n"
    "op.execute('INSERT INTO dup VALUES (1), (1)')",
)


def random_revisions(scripts: Scripts, seed: int) -> None:
    chance = random.Random(seed)
    scripts.add("op.execute('CREATE TABLE base (a int, s text)')")
    number = 0
    for _ in range(chance.randint(1, 4)):
        parts = []
        for _ in range(chance.randint(1, 8)):
            number += 1
            pool = BAD if chance.random() < 0.08 else GOOD
            parts.append(chance.choice(pool).replace("{n}", str(number)))
        body = "\n".join(parts).replace("{{", "{").replace("}}", "}")
        scripts.add(body)


@pytest.mark.parametrize("seed", range(40))
def test_random_revisions(scripts: Scripts, both: Both, seed: int) -> None:
    random_revisions(scripts, seed)
    without, queued = both(transaction_per_migration=seed % 3 != 0)
    same(without, queued)
