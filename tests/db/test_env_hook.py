"""``run_migrations()`` under the real ``alembic`` command."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

    from .conftest import Shop

TABLE = "op.create_table('made', sa.Column('id', sa.Integer))"
SETTINGS = (
    "print(*op.get_bind().exec_driver_sql(\"SELECT current_setting('statement_timeout'"
    "), current_setting('application_name'), current_setting('work_mem')\").one())"
)
NASTY = ("p%40w", "a@b:c/d", "100%", "%(here)s", "?x=1&y#z", " ü'\"\\ ")
LOGGING = """
[loggers]
keys = root,alembic
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARNING
handlers = console
[logger_alembic]
level = INFO
handlers =
qualname = alembic
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = ini: %(message)s
"""


def set_env(shop: Shop, text: str) -> None:
    start = (
        "from alembic import context\nfrom ibutsu_migrate.env import run_migrations\n"
    )
    (shop.folder / "alembic" / "env.py").write_text(start + text)


def in_app(shop: Shop, setting: str, value: object) -> None:
    """Add a setting to the app's config."""
    path = shop.folder / "shop.py"
    line = '    app.config["SQLALCHEMY_DATABASE_URI"]'
    path.write_text(
        path.read_text().replace(
            line, f"    app.config[{setting!r}] = {value!r}\n{line}"
        )
    )


def relations(database: Database) -> set[str]:
    names = database.cluster.psql(
        "SELECT relname FROM pg_class WHERE relkind = 'r' "
        "AND relnamespace = 'public'::regnamespace",
        database.name,
    )
    return set(names.split())


@pytest.mark.parametrize("mode", ["fast", "off"])
def test_the_apps_statement_timeout_stays_behind(mode: str, hook_shop: Shop) -> None:
    options = "-c statement_timeout=25000 -c work_mem=1234kB"
    in_app(
        hook_shop,
        "SQLALCHEMY_ENGINE_OPTIONS",
        {"pool_size": 3, "connect_args": {"options": options}},
    )
    hook_shop.add("a1", upgrade=SETTINGS)
    out = hook_shop.done("alembic", "upgrade", "head", IBUTSU_MIGRATE=mode)
    assert out == "0 ibutsu_migrate 1234kB\n"


def test_the_roles_statement_timeout_too(hook_shop: Shop, database: Database) -> None:
    alter = f"ALTER DATABASE {database.name} SET statement_timeout = '9s'"
    database.cluster.psql(alter, database.name)
    hook_shop.add("a1", upgrade=SETTINGS)
    out = hook_shop.done(
        "alembic", "upgrade", "head", PGOPTIONS="-c work_mem=4321kB", PGAPPNAME="web"
    )
    assert re.fullmatch(r"0 ibutsu_migrate/\w{8} key=\w{8} 4321kB\n", out)


def test_alembic_ini_logs_and_loggers_live_on(hook_shop: Shop) -> None:
    ini = hook_shop.folder / "alembic.ini"
    ini.write_text(ini.read_text() + LOGGING)
    before = "import logging\nown = logging.getLogger('shop.views')\n"
    set_env(
        hook_shop,
        f"{before}import shop\nrun_migrations(shop.create_app)\nprint(own.disabled)\n",
    )
    hook_shop.add("a1")
    result = hook_shop.run("alembic", "upgrade", "head")
    assert (result.returncode, result.stdout) == (0, "False\n")
    assert "ini: Running upgrade  -> a1, make a1\n" in result.stderr


def test_the_applications_logging_is_left_alone(hook_shop: Shop) -> None:
    ini = hook_shop.folder / "alembic.ini"
    ini.write_text(ini.read_text() + LOGGING)
    set_env(
        hook_shop,
        "import logging\nlogging.basicConfig(format='app: %(message)s')\n"
        "root = logging.getLogger()\nbefore = (root.handlers[:], root.level)\n"
        "import shop\nrun_migrations(shop.create_app)\n"
        "print((root.handlers, root.level) == before)\n",
    )
    hook_shop.add("a1")
    result = hook_shop.run("alembic", "upgrade", "head")
    assert (result.returncode, result.stdout) == (0, "True\n")
    assert "app: Running upgrade  -> a1, make a1\n" in result.stderr
    assert "ini: " not in result.stderr


def test_pyproject_alone_shows_what_runs(hook_shop: Shop) -> None:
    (hook_shop.folder / "alembic.ini").unlink()
    (hook_shop.folder / "pyproject.toml").write_text(
        '[tool.alembic]\nscript_location = "%(here)s/alembic"\n'
    )
    hook_shop.add("a1")
    result = hook_shop.run("alembic", "upgrade", "head")
    assert (result.returncode, result.stdout) == (0, "")
    assert "INFO  [alembic.runtime.migration] Running upgrade  -> a1" in result.stderr


def test_the_python_api_configures_no_logging(hook_shop: Shop) -> None:
    ini = hook_shop.folder / "alembic.ini"
    ini.write_text(ini.read_text() + LOGGING)
    hook_shop.add("a1")
    script = (
        "import logging\nfrom alembic import command\n"
        "from alembic.config import Config\n"
        "command.upgrade(Config('alembic.ini'), 'head')\n"
        "print(logging.getLogger().handlers, logging.getLogger('alembic').level)\n"
    )
    assert hook_shop.done("python", "-c", script) == "[] 0\n"


def test_offline_is_what_stock_writes(
    new_shop: Callable[..., Shop], tmp_path: Path
) -> None:
    url = "postgresql+psycopg2://u:p%25@nowhere.invalid/d"
    upgrade = (
        "import datetime\n    t = op.create_table('t', sa.Column('d', sa.Date), "
        "sa.Column('s', sa.String(9)), sa.Column('n', sa.Numeric), "
        "sa.Column('b', sa.Boolean))\n"
        "    op.bulk_insert(t, [{'d': datetime.date(2026, 1, 2), 's': \"it's 5%: :x\", "
        "'n': -1.5, 'b': True}], multiinsert=False)\n"
        "    op.execute(t.update().where(t.c.s == 'a\\\\b').values(n=None))"
    )
    written = []
    for plain in (True, False):
        shop = new_shop(url, plain=plain, name="plain" if plain else "hook")
        shop.add("a1", upgrade=upgrade)
        shop.add("a2", "a1")
        if plain:
            env = shop.folder / "alembic" / "env.py"
            old = "context.configure(url=engine.url,"
            new = (
                f"{old} literal_binds=True, transaction_per_migration=True, "
                "dialect_opts={'paramstyle': 'named'},"
            )
            env.write_text(env.read_text().replace(old, new))
        written.append(shop.done("alembic", "upgrade", "head", "--sql"))
    assert written[0] == written[1]
    assert "'it''s 5%: :x'" in written[1]
    assert written[1].count("COMMIT;") == 2


def test_options_go_through(hook_shop: Shop, database: Database) -> None:
    database.cluster.psql("CREATE TABLE legacy (id int)", database.name)
    set_env(
        hook_shop,
        """
from shop import create_app, db

db.metadata.naming_convention = {"ix": "idx_of_%(column_0_label)s"}
db.Index(None, db.metadata.tables["item"].c.name)
x = context.get_x_argument(as_dictionary=True)


def mine(thing, name, kind, reflected, compare_to):
    return name != x.get("leave")


def directives(context, revision, scripts):
    scripts[0].message = "by the hook"


run_migrations(
    create_app,
    include_object=mine,
    process_revision_directives=directives,
    version_table="versions_of_mine",
    skip_empty_revisions=True,
)
""",
    )
    arguments = ("alembic", "-x", "leave=legacy", "revision", "--autogenerate")
    hook_shop.done(*arguments, "-m", "first")
    (first,) = hook_shop.versions.glob("*.py")
    text = first.read_text()
    assert "by the hook" in text
    assert "'idx_of_item_name'" in text
    assert "legacy" not in text
    hook_shop.done("alembic", "upgrade", "head")
    assert relations(database) == {"legacy", "item", "versions_of_mine"}
    hook_shop.done(*arguments, "-m", "nothing to do")
    hook_shop.done("alembic", "-x", "leave=legacy", "check")
    assert [*hook_shop.versions.glob("*.py")] == [first]
    hook_shop.done("alembic", "revision", "-m", "by hand")
    assert len([*hook_shop.versions.glob("*.py")]) == 2


@pytest.mark.parametrize("password", NASTY)
def test_passwords_over_tcp(password: str, hook_shop: Shop, database: Database) -> None:
    role = f"{database.name}_r"
    quoted = password.replace("'", "''")
    database.cluster.psql(
        f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{quoted}'", database.name
    )
    config = {
        "POSTGRESQL_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(database.cluster.port),
        "POSTGRES_DB": database.name,
        "POSTGRESQL_USER": role,
        "POSTGRESQL_PASSWORD": password,
    }
    set_env(
        hook_shop,
        "import flask\napp = flask.Flask('own')\n"
        f"app.config.update({config!r})\nrun_migrations(app)\n",
    )
    hook_shop.add("a1", upgrade=TABLE)
    hook_shop.done("alembic", "upgrade", "head")
    assert "made" in relations(database)


def test_each_revision_is_a_transaction(hook_shop: Shop, database: Database) -> None:
    hook_shop.add("a1", upgrade=TABLE)
    hook_shop.add("a2", "a1", upgrade="1 / 0")
    set_env(
        hook_shop,
        "from shop import create_app\n"
        "run_migrations(create_app, transaction_per_migration=False)\n",
    )
    assert hook_shop.run("alembic", "upgrade", "head").returncode == 1
    assert relations(database) == set()
    set_env(hook_shop, "from shop import create_app\nrun_migrations(create_app)\n")
    assert hook_shop.run("alembic", "upgrade", "head").returncode == 1
    assert relations(database) == {"made", "alembic_version"}


@pytest.mark.parametrize(
    "env",
    [
        "import os\nrun_migrations(url=os.environ['DATABASE'])\n",
        "import os\nfrom shop import create_app\nos.environ['REAL'] = "
        "os.environ['DATABASE']\nos.environ['DATABASE'] = 'sqlite://'\n"
        "run_migrations(create_app, url=os.environ['REAL'])\n",
        "from shop import create_app\nrun_migrations(create_app())\n",
        "import types\nfrom shop import create_app\n"
        "run_migrations(lambda: types.SimpleNamespace(app=create_app()))\n",
        "run_migrations()\n",
    ],
    ids=["url", "url before app", "app", "connexion", "ini"],
)
def test_where_the_database_is_said(
    env: str, hook_shop: Shop, database: Database
) -> None:
    ini = hook_shop.folder / "alembic.ini"
    ini.write_text(f"{ini.read_text()}sqlalchemy.url = {hook_shop.url}\n")
    hook_shop.add("a1", upgrade=TABLE)
    set_env(hook_shop, env)
    hook_shop.done("alembic", "upgrade", "head")
    assert "made" in relations(database)


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ("run_migrations()", "No database is configured"),
        ("run_migrations('shop:app')", "neither is nor makes a Flask app"),
        ("run_migrations(url='nil://h/d')", "driver of nil:// cannot be imported"),
        ("run_migrations(url='nil')", "url of run_migrations() is not a database URL"),
    ],
)
def test_one_clear_error(env: str, says: str, hook_shop: Shop) -> None:
    set_env(hook_shop, env)
    result = hook_shop.run("alembic", "current")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("FAILED: ")
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_switched_off(hook_shop: Shop, database: Database) -> None:
    hook_shop.add("a1", upgrade="print(op.get_bind().dialect.driver)")
    out = hook_shop.done("alembic", "upgrade", "head", IBUTSU_MIGRATE="off")
    assert out == "psycopg2\n"
    in_app(hook_shop, "IBUTSU_MIGRATE", "off")
    hook_shop.add("a2", "a1", upgrade="print(op.get_bind().dialect.driver)")
    assert hook_shop.done("alembic", "upgrade", "head") == "psycopg2\n"
    # Nobody but Alembic prints then, and it prints its own class of errors.
    nil = database.url("psycopg2").replace(database.name, "nil")
    result = hook_shop.run("alembic", "current", DATABASE=nil, IBUTSU_MIGRATE="off")
    assert result.returncode == 255
    assert result.stdout.startswith("FAILED: Cannot connect to the database")
    assert "Traceback" not in result.stderr


def test_the_callers_connection_is_used_as_it_is(
    hook_shop: Shop, database: Database
) -> None:
    hook_shop.add("a1", upgrade=TABLE)
    script = (
        "import os, sqlalchemy as sa\nfrom alembic import command\n"
        "from alembic.config import Config\nconfig = Config('alembic.ini')\n"
        "with sa.create_engine(os.environ['DATABASE']).connect() as connection:\n"
        "    config.attributes['connection'] = connection\n"
        "    with connection.begin() as transaction:\n"
        "        command.upgrade(config, 'head')\n"
        "        print(sa.inspect(connection).get_table_names())\n"
        "        transaction.rollback()\n"
    )
    out = hook_shop.done("python", "-c", script)
    assert sorted(eval(out)) == ["alembic_version", "made"]
    assert relations(database) == set()


def test_sqlite_by_the_stock_driver(
    new_shop: Callable[..., Shop], tmp_path: Path
) -> None:
    shop = new_shop(f"sqlite:///{tmp_path / 'shop.db'}")
    shop.done("alembic", "revision", "--autogenerate", "-m", "baseline")
    (baseline,) = shop.versions.glob("*.py")
    assert "op.create_table('item'" in baseline.read_text()
    shop.done("alembic", "upgrade", "head")
    path = shop.folder / "shop.py"
    path.write_text(path.read_text().replace("db.Text)", "db.Text, nullable=False)"))
    shop.done("alembic", "revision", "--autogenerate", "-m", "not null")
    (second,) = set(shop.versions.glob("*.py")) - {baseline}
    assert "batch_alter_table" in second.read_text()
    shop.done("alembic", "upgrade", "head")
    shop.done("alembic", "check")


def test_sqlite_in_memory_is_the_apps_own(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop("sqlite://")
    shop.add("a1", upgrade=TABLE)
    script = (
        "import shop\nfrom alembic import command\nfrom alembic.config import Config\n"
        "config = Config('alembic.ini')\n"
        "app = config.attributes['app'] = shop.create_app()\n"
        "command.upgrade(config, 'head')\n"
        "with app.app_context():\n"
        "    print(shop.db.session.execute(shop.db.text('SELECT * FROM made')).all())\n"
    )
    assert shop.done("python", "-c", script) == "[]\n"


PLAIN = """
from sqlalchemy import engine_from_config, pool

section = context.config.get_section(context.config.config_ini_section, {})
engine = engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.mark.parametrize("env", [PLAIN, "run_migrations()\n"], ids=["plain", "hook"])
def test_the_url_names_our_driver(
    env: str, hook_shop: Shop, database: Database
) -> None:
    pytest.importorskip(
        "ibutsu_migrate._pq", reason="built without the PostgreSQL driver"
    )
    ini = hook_shop.folder / "alembic.ini"
    ini.write_text(f"{ini.read_text()}sqlalchemy.url = {database.url('ibutsu')}\n")
    set_env(hook_shop, env)
    hook_shop.add("a1", upgrade=f"{TABLE}; print(op.get_bind().dialect.driver)")
    assert hook_shop.done("alembic", "upgrade", "head") == "ibutsu\n"
    assert "made" in relations(database)
    assert hook_shop.done("alembic", "current") == "a1 (head)\n"
