"""``ibutsu-migrate plan``: what would be done, and that nothing is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from safe_runs import HOOK_ENV, SAFE, TABLE, query, session, stock_env, write_env

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

MODES = ("off", "fast", "safe")


@pytest.fixture(params=["stock", "hook"])
def shop_at_a1(request: pytest.FixtureRequest, shop: Shop) -> Shop:
    """A table with rows, made by a1, which is applied."""
    write_env(shop.folder, stock_env() if request.param == "stock" else HOOK_ENV)
    shop.add(
        "a1",
        upgrade=f"{TABLE}\n    op.execute("
        "'INSERT INTO item SELECT g, g FROM generate_series(1, 1000) g')",
    )
    shop.done("alembic", "upgrade", "a1", **SAFE)
    return shop


def planned(shop: Shop, status: int, *more: str) -> tuple[str, dict[str, Any]]:
    """For people, and for programs."""
    text = shop.run("ibutsu-migrate", "plan", *more)
    assert (text.returncode, text.stderr) == (status, "")
    told = shop.run("ibutsu-migrate", "plan", "--json", *more)
    assert (told.returncode, told.stderr) == (status, "")
    found = json.loads(told.stdout)
    assert (found["schema"], found["exit_code"]) == ("ibutsu-migrate/plan/1", status)
    return text.stdout, found


def test_pending(shop_at_a1: Shop, database: Database) -> None:
    query(database, "ANALYZE item")
    shop_at_a1.add("b2", "a1", "op.add_column('item', sa.Column('x', sa.Integer))")
    shop_at_a1.add("c3", "b2", "op.create_index('item_n', 'item', ['n'])")
    text, found = planned(shop_at_a1, 2)
    assert (found["heads"], found["target"], found["findings"]) == (["a1"], "head", [])
    b2, c3 = found["revisions"]
    assert (b2["revision"], b2["message"], b2["known"]) == ("b2", "make b2", "offline")
    (added,) = b2["statements"]
    assert added["sql"] == "ALTER TABLE item ADD COLUMN x INTEGER"
    assert (added["kind"], added["line"]) == ("ALTER TABLE ADD COLUMN", 12)
    (lock,) = added["locks"]
    size = lock.pop("bytes")
    assert size >= 65536
    assert lock == {
        "relation": "item",
        "mode": "ACCESS EXCLUSIVE",
        "rewrites": False,
        "scans": False,
        "rows": 1000,
    }
    assert c3["statements"][0]["locks"][0]["mode"] == "SHARE"
    assert re.fullmatch(
        r"The database is at a1; 2 revisions to go to head\.\n\n"
        r"b2 make b2 \(alembic/versions/b2_\.py\)\n"
        r"    12  ALTER TABLE item ADD COLUMN x INTEGER\n"
        r"        ACCESS EXCLUSIVE on item \(\d+ kB, about 1,000 rows\): stops readers "
        r"and writers\n\n"
        r"c3 make c3 .*\n    12  CREATE INDEX item_n ON item \(n\)\n"
        r"        SHARE on item \(.*\): stops writers, scans it\n\n"
        r"Strongest lock on each table:\n"
        r"  ACCESS EXCLUSIVE on item \(.*\): stops readers and writers, scans it\n"
        r"Next: `alembic upgrade head`\.\n",
        text,
    ), text
    assert [
        each["revision"] for each in planned(shop_at_a1, 2, "b2")[1]["revisions"]
    ] == ["b2"]
    assert len(planned(shop_at_a1, 2, "+1")[1]["revisions"]) == 1
    # Nothing was done, and what was said is what is done.
    assert query(database, "SELECT * FROM alembic_version") == ["a1"]
    sql = shop_at_a1.done("alembic", "upgrade", "a1:head", "--sql")
    assert added["sql"] in sql
    shop_at_a1.done("alembic", "upgrade", "head")
    text, found = planned(shop_at_a1, 0)
    assert text == "The database is at c3: nothing to do for head.\n"
    assert found["revisions"] == []
    assert planned(shop_at_a1, 0, "a1")[1]["revisions"] == []


def test_a_downgrade(shop_at_a1: Shop, database: Database) -> None:
    query(database, "ANALYZE item")
    shop_at_a1.add(
        "b2",
        "a1",
        "op.add_column('item', sa.Column('x', sa.Integer))",
        "op.drop_column('item', 'x')",
    )
    shop_at_a1.add("c3", "b2", downgrade="op.execute('UPDATE item SET n = 1')")
    assert planned(shop_at_a1, 0, "--downgrade", "a1")[0] == (
        "The database is at a1: nothing to do for downgrade a1.\n"
    )
    shop_at_a1.done("alembic", "upgrade", "head")
    text, found = planned(shop_at_a1, 2, "-1")
    assert (found["direction"], found["target"]) == ("downgrade", "-1")
    (c3,) = found["revisions"]
    assert (c3["revision"], c3["needs_approval"]) == ("c3", [])
    assert [each["sql"] for each in c3["statements"]] == ["UPDATE item SET n = 1"]
    assert c3["statements"][0]["line"] == 16
    assert text.startswith("The database is at c3; 1 revision to take back (downgrade")
    assert text.endswith("\nNext: `alembic downgrade -1`.\n")
    found = planned(shop_at_a1, 3, "base")[1]
    assert [each["revision"] for each in found["revisions"]] == ["c3", "b2", "a1"]
    assert found["revisions"][1]["needs_approval"] == [
        "destroys column x of item (line 16)"
    ]
    # The way up to a1 is empty; the way down is not.
    assert planned(shop_at_a1, 0, "a1")[1]["direction"] == "upgrade"
    found = planned(shop_at_a1, 3, "--downgrade", "a1")[1]
    assert [each["revision"] for each in found["revisions"]] == ["c3", "b2"]
    # Nothing was done, and what was said is what is done.
    assert query(database, "SELECT * FROM alembic_version") == ["c3"]
    result = shop_at_a1.run("ibutsu-migrate", "plan", "-7")
    assert (result.returncode, result.stdout) == (255, "")
    assert "FAILED: Relative revision -7 didn't produce 7 migrations" in result.stderr
    shop_at_a1.done("alembic", "downgrade", "base")
    assert planned(shop_at_a1, 0, "base")[0] == (
        "The database is at no revision: nothing to do for downgrade base.\n"
    )


def test_a_downgrade_that_asks_the_database(shop_at_a1: Shop) -> None:
    shop_at_a1.add(
        "b2", "a1", downgrade="op.get_bind().scalar(sa.text('SELECT 1')) + 1"
    )
    shop_at_a1.done("alembic", "upgrade", "head")
    (b2,) = planned(shop_at_a1, 3, "--downgrade", "a1")[1]["revisions"]
    assert b2["why"].startswith("downgrade() stops at line 16, where the database is")


@pytest.mark.parametrize("command", ["plan", "verify", "log"])
def test_several_databases(command: str, shop: Shop, database: Database) -> None:
    """The first is looked at, and that is said."""
    other = database.cluster.create_database()
    write_env(
        shop.folder,
        "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine\n"
        "url = os.environ['DATABASE']\n"
        "for each in (url, os.environ['OTHER']):\n"
        "    with create_engine(each).connect() as connection:\n"
        "        context.configure(connection=connection)\n"
        "        with context.begin_transaction():\n"
        "            context.run_migrations()\n",
    )
    shop.add("a1", upgrade=TABLE)
    environ = {"OTHER": other.url("psycopg2")}
    shop.done("alembic", "upgrade", "head", **environ)
    query(other, "DELETE FROM alembic_version")
    result = shop.run("ibutsu-migrate", command, **environ)
    assert (result.returncode, result.stderr) == (
        0,
        "env.py connects to 2 databases: only the first was looked at. For another one "
        "let env.py choose it, by -x for example.\n",
    )


def test_what_env_py_hands_to_revisions(shop: Shop) -> None:
    """As the env.py of ``alembic init -t multidb`` does."""
    write_env(
        shop.folder,
        stock_env().replace(
            "    context.run_migrations()",
            "    context.run_migrations(engine_name='one')",
        ),
    )
    path = shop.add("a1", upgrade="op.execute(f'CREATE TABLE {engine_name} (id int)')")
    path.write_text(path.read_text().replace("upgrade()", "upgrade(engine_name)"))
    (a1,) = planned(shop, 2)[1]["revisions"]
    assert [each["sql"] for each in a1["statements"]] == ["CREATE TABLE one (id int)"]
    shop.done("alembic", "upgrade", "head")


def test_an_empty_database(shop: Shop, database: Database) -> None:
    assert planned(shop, 0)[0] == (
        "The database is at no revision: nothing to do for head.\n"
    )
    shop.add("a1", upgrade=f"{TABLE}\n    op.drop_column('item', 'n')")
    # What the plan has made itself nobody loses, and nobody waits for.
    found = planned(shop, 2)[1]
    created, dropped = found["revisions"][0]["statements"]
    assert (created["locks"], dropped["locks"], dropped["destroys"]) == ([], [], "")
    assert query(database, "SELECT to_regclass('alembic_version') IS NULL") == ["t"]


def test_needs_approval(shop_at_a1: Shop) -> None:
    path = shop_at_a1.add("b2", "a1", "op.drop_column('item', 'n')")
    text, found = planned(shop_at_a1, 3)
    (reason,) = found["revisions"][0]["needs_approval"]
    assert reason == "destroys column n of item (line 12)"
    assert "  needs approval: destroys column n of item (line 12)\n" in text
    assert text.endswith("Needs approval: b2.\nNext: `alembic upgrade head`.\n")
    source = path.read_text()

    def with_upgrade(code: str) -> dict[str, Any]:
        path.write_text(source.replace("op.drop_column('item', 'n')", code))
        revision: dict[str, Any] = planned(shop_at_a1, 3)[1]["revisions"][0]
        return revision

    revision = with_upgrade(
        "with op.get_context().autocommit_block():\n"
        "        op.create_index('i', 'item', ['n'], postgresql_concurrently=True)\n"
        "    op.execute('UPDATE item SET n = 1')"
    )
    index, update = revision["statements"]
    assert (index["in_transaction"], update["in_transaction"]) == (False, True)
    assert index["locks"][0]["mode"] == "SHARE UPDATE EXCLUSIVE"
    assert revision["needs_approval"] == [
        "CREATE INDEX CONCURRENTLY is outside a transaction, and stays (line 13)"
    ]
    revision = with_upgrade("op.execute('DO $$ BEGIN PERFORM 1; END $$')")
    assert revision["needs_approval"] == [
        "nothing is known about what DO locks (line 12)"
    ]


def test_what_asks_the_database(shop_at_a1: Shop, database: Database) -> None:
    shop_at_a1.add(
        "b2",
        "a1",
        "op.execute('DELETE FROM item')\n"
        "    for row in op.get_bind().execute(sa.text('SELECT 1')).fetchall():\n"
        "        op.drop_table('item')",
    )
    shop_at_a1.add("c3", "b2", "sa.inspect(op.get_bind()).get_table_names()")
    shop_at_a1.add("d4", "c3", "op.add_column('item', sa.Column('z', sa.Text))")
    text, found = planned(shop_at_a1, 3)
    b2, c3, d4 = found["revisions"]
    assert (b2["known"], c3["known"], d4["known"]) == ("partly", "none", "offline")
    assert [each["sql"] for each in b2["statements"]] == [
        "DELETE FROM item",
        "SELECT 1",
    ]
    assert "upgrade() stops at line 13, where the database is not asked" in b2["why"]
    assert "its SQL is known in part: upgrade() stops at line 13" in text
    assert "its SQL is not known: upgrade() stops at line 12" in text
    assert query(database, "SELECT count(*) FROM item") == ["1000"]
    # Somebody may not want the code to be run at all.
    text, found = planned(shop_at_a1, 2, "--no-sql")
    assert [each["known"] for each in found["revisions"]] == ["not asked"] * 3
    assert text.count("its SQL was not asked for") == 3


def test_an_engine_of_its_own_executes_nothing(
    shop_at_a1: Shop, database: Database
) -> None:
    shop_at_a1.add(
        "b2",
        "a1",
        "import os\n"
        "    with sa.create_engine(os.environ['DATABASE']).begin() as own:\n"
        "        own.execute(sa.text('DELETE FROM item'))",
    )
    (revision,) = planned(shop_at_a1, 3)[1]["revisions"]
    assert revision["known"] == "none"
    assert "A plan executes nothing." in revision["why"]
    assert query(database, "SELECT count(*) FROM item") == ["1000"]


def test_what_the_plan_has_changed_is_not_taken_for_granted(shop: Shop) -> None:
    write_env(shop.folder, stock_env())
    shop.add(
        "a1",
        upgrade="op.execute('CREATE TABLE item (c varchar(10), d varchar(10))')",
    )
    shop.done("alembic", "upgrade", "head")

    def widened(column: str, size: int) -> str:
        return f"op.alter_column('item', '{column}', type_=sa.String({size}))"

    shop.add("b2", "a1", f"{widened('c', 50)}")
    shop.add("c3", "b2", f"{widened('c', 20)}")
    revisions = planned(shop, 2)[1]["revisions"]
    locks = [each["statements"][0]["locks"][0] for each in revisions]
    assert [lock["rewrites"] for lock in locks] == [False, None]
    shop.add("b2", "a1", "op.execute('DO $$ BEGIN END $$')")
    revisions = planned(shop, 3)[1]["revisions"]
    assert revisions[1]["statements"][0]["locks"][0]["rewrites"] is None


def test_context_and_op_are_offline_and_come_back(shop_at_a1: Shop) -> None:
    shop_at_a1.add(
        "b2",
        "a1",
        "from alembic import context\n"
        "    assert context.is_offline_mode()\n"
        "    assert op.get_context().as_sql and context.get_context().as_sql\n"
        "    op.execute(\"UPDATE item SET n = 'a%' WHERE n LIKE '%b'; SELECT 2\")",
    )
    env = shop_at_a1.folder / "alembic" / "env.py"
    env.write_text(
        env.read_text() + "\nfrom alembic import context\n"
        "assert not context.is_offline_mode()\n"
    )
    found = planned(shop_at_a1, 2)[1]
    assert [each["sql"] for each in found["revisions"][0]["statements"]] == [
        "UPDATE item SET n = 'a%' WHERE n LIKE '%b'",
        "SELECT 2",
    ]


def test_it_stands_in_nobodys_way(shop_at_a1: Shop, database: Database) -> None:
    """Neither does it wait for those who hold the table."""
    query(database, "ANALYZE item")
    shop_at_a1.add("b2", "a1", "op.add_column('item', sa.Column('x', sa.Integer))")
    with session(database) as cursor:
        cursor.execute("LOCK TABLE item")
        found = planned(shop_at_a1, 2)[1]
    lock = found["revisions"][0]["statements"][0]["locks"][0]
    assert (lock["mode"], lock["rows"]) == ("ACCESS EXCLUSIVE", 1000)


def test_an_impatient_server(shop_at_a1: Shop, database: Database) -> None:
    """The connection is idle in its transaction while the code of revisions runs."""
    limits = ["idle_in_transaction_session_timeout"]
    if int(query(database, "SHOW server_version_num")[0]) >= 170000:
        limits.append("transaction_timeout")
    for limit in limits:
        query(database, f"ALTER DATABASE \"{database.name}\" SET {limit} = '500ms'")
    shop_at_a1.add(
        "b2", "a1", "__import__('time').sleep(1.2)\n    op.drop_table('item')"
    )
    (b2,) = planned(shop_at_a1, 3)[1]["revisions"]
    (lock,) = b2["statements"][0]["locks"]
    assert (lock["relation"], lock["mode"]) == ("item", "ACCESS EXCLUSIVE")


def test_edited_unknown_ahead(shop_at_a1: Shop, database: Database) -> None:
    b2 = shop_at_a1.add("b2", "a1")
    path = shop_at_a1.versions / "a1_.py"
    text = path.read_text()
    path.write_text(text.replace("1000", "1001"))
    said, found = planned(shop_at_a1, 4)
    assert said.startswith(f"edited: {path} means something else than when run ")
    assert [each["revision"] for each in found["revisions"]] == ["b2"]
    path.write_text(text)
    shop_at_a1.done("alembic", "upgrade", "head", **SAFE)
    b2.unlink()
    said, found = planned(shop_at_a1, 5)
    assert (found["findings"][0]["kind"], found["revisions"]) == ("ahead", [])
    assert said.endswith("The database is at b2: nothing is planned from there.\n")
    query(database, "DROP SCHEMA ibutsu_migrate CASCADE")
    assert planned(shop_at_a1, 4)[1]["findings"][0]["kind"] == "unknown"


def test_several_heads_and_no_such_target(shop: Shop) -> None:
    shop.add("a1", upgrade=TABLE)
    shop.add("b2", "a1")
    shop.add("c3", "a1")
    result = shop.run("ibutsu-migrate", "plan")
    assert (result.returncode, result.stdout) == (255, "")
    assert "FAILED: Multiple head revisions are present" in result.stderr
    assert len(planned(shop, 2, "heads")[1]["revisions"]) == 3
    result = shop.run("ibutsu-migrate", "plan", "b22")
    assert (result.returncode, result.stdout) == (255, "")
    assert "FAILED: Can't locate revision identified by 'b22'" in result.stderr
    assert "Did you mean 'b2'?" in result.stderr
    (shop.versions / "c3_.py").write_text("revision = 'c3'\ndown_revision = 'a1'\n(")
    result = shop.run("ibutsu-migrate", "plan", "heads")
    assert (result.returncode, result.stdout) == (255, "")
    assert "c3_.py:3 is not valid Python" in result.stderr


def test_sqlite(sqlite_shop: Shop) -> None:
    sqlite_shop.add("a1", upgrade=TABLE)
    found = planned(sqlite_shop, 2)[1]
    (statement,) = found["revisions"][0]["statements"]
    assert statement["sql"].startswith("CREATE TABLE item")
    assert statement["locks"] == []
    sqlite_shop.add("b2", "a1", "op.drop_table('item')")
    sqlite_shop.done("alembic", "upgrade", "a1")
    reasons = planned(sqlite_shop, 3)[1]["revisions"][0]["needs_approval"]
    assert reasons == ["destroys table item (line 12)"]


def test_many_of_a_kind_are_told_once(shop_at_a1: Shop) -> None:
    shop_at_a1.add(
        "b2",
        "a1",
        "op.bulk_insert(sa.table('item', sa.column('id', sa.Integer)), "
        "[{'id': n} for n in range(50)])",
    )
    text, found = planned(shop_at_a1, 2)
    assert len(found["revisions"][0]["statements"]) == 50
    assert text.count("INSERT INTO item") == 3
    assert "  ... and 47 more of INSERT\n" in text


@pytest.mark.parametrize("mode", MODES)
def test_in_every_mode(mode: str, shop: Shop) -> None:
    write_env(shop.folder, stock_env())
    shop.add("a1", upgrade=TABLE)
    shop.environ["IBUTSU_MIGRATE"] = mode
    assert planned(shop, 2)[1]["revisions"][0]["revision"] == "a1"


def test_nothing_but_the_answer_is_said(shop: Shop) -> None:
    """env.py of `alembic init` sets up logging; here nobody asked for it."""
    write_env(
        shop.folder,
        "from logging.config import fileConfig\nfrom alembic import context\n"
        "config = context.config\nif config.config_file_name is not None:\n"
        "    fileConfig(config.config_file_name)\n" + stock_env(),
    )
    shop.add("a1", upgrade=TABLE)
    ini = shop.folder / "alembic.ini"
    ini.write_text(
        ini.read_text() + "[loggers]\nkeys = root,alembic\n[handlers]\nkeys = console\n"
        "[formatters]\nkeys =\n[logger_root]\nlevel = INFO\nhandlers = console\n"
        "[logger_alembic]\nlevel = INFO\nhandlers =\nqualname = alembic\n"
        "[handler_console]\nclass = StreamHandler\nargs = (sys.stderr,)\n"
    )
    assert "Will assume" in shop.run("alembic", "current").stderr
    planned(shop, 2)
