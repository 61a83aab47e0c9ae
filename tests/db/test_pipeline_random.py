"""Random revisions, run with a queue and without: nobody can tell the difference.

``IBUTSU_MIGRATE_VALUES=2000`` runs as many histories instead of forty;
``IBUTSU_MIGRATE_SEED`` is the first one's seed: 0, or what a failure named.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from queued_runs import Scripts, run_both, same

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Cluster

pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

COUNT = int(os.environ.get("IBUTSU_MIGRATE_VALUES", "40"))
SEED = int(os.environ.get("IBUTSU_MIGRATE_SEED", "0"))

HELPERS = """
import contextlib
import sqlalchemy.orm


def swallow(bind, sql):
    try:
        with bind.begin_nested():
            helper(bind, sql)
    except sa.exc.SQLAlchemyError as error:
        return type(error).__name__


@contextlib.contextmanager
def around(bind):
    bind.exec_driver_sql("INSERT INTO base VALUES (70)")
    yield
    bind.exec_driver_sql("INSERT INTO base VALUES (71)")


class Row(sa.orm.declarative_base()):
    __tablename__ = "base"
    a = sa.Column(sa.Integer, primary_key=True)
    s = sa.Column(sa.Text)


class Data:
    def __init__(self, bind):
        self.bind = bind

    def __call__(self, value):
        return [helper(self.bind, sql) for sql in self.statements(value)]

    def statements(self, value):
        yield f"INSERT INTO base VALUES ({value})"
        yield f"DELETE FROM base WHERE a = {value}"
"""

# One item is a piece of an upgrade(); @ stands for a number that no other piece has.
GOOD = (
    "op.create_table('t@', sa.Column('a', sa.Integer), sa.Column('s', sa.String(9)))",
    "op.execute('CREATE TABLE t@ (a int UNIQUE, s text)')",
    "op.execute('INSERT INTO base SELECT generate_series(1, @)')",
    "op.execute(\"UPDATE base SET s = 'x%' || a WHERE a > @ % 5\")",
    "op.execute('DELETE FROM base WHERE a = @')",
    "op.execute('COMMENT ON TABLE base IS $$a; b @$$')",
    "op.add_column('base', sa.Column('c@', sa.Integer, server_default='@'))",
    "op.create_index('i@', 'base', ['a'])",
    "op.alter_column('base', 's', type_=sa.String(200))",
    "op.rename_table('base', 'base@')\nop.rename_table('base@', 'base')",
    "op.create_check_constraint('k@', 'base', 'a > -@')",
    "op.execute('ALTER TABLE base ADD CONSTRAINT n@ CHECK (a < 9999) NOT VALID')",
    "op.execute('CREATE VIEW v@ AS SELECT a FROM base')",
    "op.execute('CREATE FUNCTION f@() RETURNS int LANGUAGE sql AS $$SELECT @$$')\n"
    "op.execute('SELECT f@()')",
    "op.execute('CREATE TABLE q@ (a int)')\n"
    "op.execute('CREATE RULE r AS ON INSERT TO q@ DO INSTEAD SELECT 1')\n"
    "op.execute('INSERT INTO q@ VALUES (1)')",
    "op.execute('CREATE TEMP TABLE m@ (a int) ON COMMIT DROP')\n"
    "op.execute('INSERT INTO m@ SELECT a FROM base')",
    "op.execute('LOCK TABLE base')",
    "op.execute('SET LOCAL search_path TO public, pg_catalog')",
    "op.get_bind().execute(sa.text('INSERT INTO base VALUES (:a)'), {'a': @})",
    "op.execute(sa.text('DELETE FROM base WHERE a = :a').bindparams(a=@))",
    "op.bulk_insert(sa.table('base', sa.column('a')), [{'a': @}, {'a': 1}])",
    "op.bulk_insert(sa.table('base', sa.column('a')), [{'a': n} for n in range(2500)])",
    "op.get_bind().exec_driver_sql('INSERT INTO base VALUES (%(a)s)', "
    "[{'a': @}, {'a': 2}])",
    "assert op.get_bind().scalar(sa.text('SELECT count(*) FROM base')) >= 0",
    "assert op.get_bind().scalar(sa.text("
    "'INSERT INTO base VALUES (@) RETURNING a')) == @",
    "assert helper(op.get_bind(), 'UPDATE base SET s = s').rowcount >= 0",
    "assert 'base' in sa.inspect(op.get_bind()).get_table_names()",
    "for row in helper(op.get_bind(), 'SELECT a FROM base ORDER BY a LIMIT 3'):\n"
    "    op.execute(f'UPDATE base SET s = $${row.a}$$ WHERE a = {row.a}')",
    "helper(op.get_bind(), 'SET LOCAL work_mem = 1234')",
    "op.execute('INSERT INTO base VALUES (7); DELETE FROM base WHERE a = 7')",
    "op.execute('DO $$BEGIN RAISE NOTICE $n$x$n$; END$$')",
    "op.execute('SAVEPOINT s@')\nop.execute('DELETE FROM base')\n"
    "op.execute('ROLLBACK TO SAVEPOINT s@')\nop.execute('RELEASE s@')",
    "op.execute('COMMIT')\nop.execute('CREATE INDEX CONCURRENTLY j@ ON base (a)')",
    "with op.get_context().autocommit_block():\n"
    "    op.execute('CREATE INDEX CONCURRENTLY a@ ON base (a)')\n"
    "    op.execute('INSERT INTO base VALUES (@)')",
    "with op.batch_alter_table('base') as batch:\n"
    "    batch.add_column(sa.Column('b@', sa.Text))",
    "with op.get_bind().begin_nested():\n    op.execute('INSERT INTO base VALUES (1)')",
    "with around(op.get_bind()):\n    op.execute('INSERT INTO base VALUES (@)')",
    "with sa.orm.Session(op.get_bind()) as session:\n"
    "    session.execute(sa.text('INSERT INTO base VALUES (@)'))\n"
    "    session.commit()",
    "sa.orm.Session(op.get_bind()).query(Row).update({'s': '@'})",
    "sa.orm.Session(op.get_bind()).query(Row).filter_by(a=@).delete()",
    "assert sa.orm.Session(op.get_bind()).query(Row).update({'s': '@'}) >= 0",
    "quiet = None\ntry:\n    op.execute('INSERT INTO base VALUES (@)')\n"
    "finally:\n    if quiet:\n        op.execute('DROP TABLE nowhere')",
    "local = around\nwith local(op.get_bind()):\n    op.execute('DELETE FROM base')",
    "cursor = op.get_bind().connection.cursor()\n"
    "cursor.execute('INSERT INTO base VALUES (%s)', (@,))\n"
    "assert cursor.rowcount == 1",
    "Data(op.get_bind())(@)",
    "list(map(op.execute, ('INSERT INTO base VALUES (3)', 'DELETE FROM base')))",
    "(lambda: op.execute('INSERT INTO base VALUES (4)'))()",
    "op.execute(f\"COMMENT ON TABLE base IS '"
    "{swallow(op.get_bind(), 'DROP TABLE nowhere@')}'\")",
    "swallow(op.get_bind(), 'INSERT INTO base VALUES (8)')",
    "try:\n    with op.get_bind().begin_nested():\n"
    "        op.execute('DROP TABLE nowhere@')\nexcept Exception as error:\n"
    "    op.execute('INSERT INTO base VALUES (99)')",
    "try:\n    op.execute('INSERT INTO base VALUES (@)')\n"
    "finally:\n    op.execute('INSERT INTO base VALUES (5)')",
    "with contextlib.suppress(sa.exc.DBAPIError), op.get_bind().begin_nested():\n"
    "    op.execute('SELECT 1 / 0')",
)
BAD = (
    "op.execute('DROP TABLE nowhere')",
    "op.execute('INSERT INTO base (a) VALUES (1 / 0)')",
    "op.create_table('base', sa.Column('a', sa.Integer))",
    "op.execute('ALTER TABLE base\\n  ADD z nonsense')",
    "op.execute('CREATE UNIQUE INDEX u@ ON base (a)')",
    "op.execute('ALTER TABLE base ADD p@ int NOT NULL')",
    "helper(op.get_bind(), 'UPDATE base SET nothing = 1')",
    "op.execute('CREATE TABLE syntax error')",
    "op.get_bind().execute(sa.text('SELECT 1 / 0'))",
    "op.get_bind().execute(sa.text('INSERT INTO base (a) VALUES (:a)'), {'a': 'x'})",
    "op.bulk_insert(sa.table('base', sa.column('a')), "
    "[{'a': n if n < 2300 else 1 << 40} for n in range(2500)])",
    "op.get_bind().exec_driver_sql('INSERT INTO base (a) VALUES (1 / %(a)s)', "
    "[{'a': 1}, {'a': 0}])",
    "op.execute('VACUUM')",
    "sa.orm.Session(op.get_bind()).query(Row).update({'a': 1 << 40})",
    "quiet = False\ntry:\n    op.execute('DROP TABLE nowhere')\n"
    "finally:\n    if quiet:\n        op.execute('SELECT 3')",
    "op.execute('DO $$BEGIN RAISE EXCEPTION $n$no @$n$; END$$')",
    "op.execute('SET LOCAL statement_timeout = 20')\nop.execute('SELECT pg_sleep(9)')",
    "raise ValueError('no')",
    "op.execute('DELETE FROM nowhere')\nraise ValueError('not this one')",
    "Data(op.get_bind())('nothing')",
    "with around(op.get_bind()):\n    op.execute('DROP TABLE nowhere')",
    "try:\n    op.execute('DROP TABLE nowhere')\nexcept Exception:\n    pass",
    "try:\n    op.execute('DROP TABLE nowhere')\nexcept Exception as error:\n"
    "    raise RuntimeError('mine') from error",
    "try:\n    op.execute('DROP TABLE nowhere')\nfinally:\n    op.execute('SELECT 2')",
    "op.execute('CREATE TABLE dup (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)')\n"
    "op.execute('INSERT INTO dup VALUES (1), (1)')",
    "op.execute('COMMIT')\nop.execute('DROP TABLE nowhere')",
    "with op.get_context().autocommit_block():\n"
    "    op.execute('INSERT INTO base VALUES (1)')\n"
    "    op.execute('DROP TABLE nowhere')",
)


def write_random(scripts: Scripts, seed: int) -> None:
    chance = random.Random(seed)
    scripts.add("op.execute('CREATE TABLE base (a int, s text)')", HELPERS)
    number = 0
    for _ in range(chance.randint(1, 4)):
        parts = []
        for _ in range(chance.randint(1, 8)):
            number += 1
            pool = BAD if chance.random() < 0.08 else GOOD
            parts.append(chance.choice(pool).replace("@", str(number)))
        extra = HELPERS
        if chance.random() < 0.1:
            extra += "\nibutsu_pipeline = False\n"
        scripts.add("\n".join(parts), extra)


@pytest.mark.parametrize("seed", range(SEED, SEED + COUNT))
def test_random_revisions(
    seed: int,
    tmp_path: Path,
    postgres_cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IBUTSU_MIGRATE", "fast" if seed % 4 else "safe")
    scripts = Scripts(tmp_path)
    write_random(scripts, seed)
    each = seed % 3 != 0
    without, queued = run_both(
        scripts, postgres_cluster, transaction_per_migration=each
    )
    same(without, queued)
    if seed % 4:  # a safe run looks around by the clock
        assert queued.round_trips <= without.round_trips
