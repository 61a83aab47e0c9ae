"""The handbook's troubles under the real ``alembic``: what is said, what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

if TYPE_CHECKING:
    import subprocess

    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

TABLE = "op.create_table('item', sa.Column('id', sa.Integer, primary_key=True))"
STAMP = (
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
    "INSERT INTO alembic_version VALUES ('feedbeef')"
)


def both(shop: Shop, *arguments: str) -> list[subprocess.CompletedProcess[str]]:
    """The command as it is installed, and with this package switched off."""
    started = [
        shop.start("alembic", *arguments, IBUTSU_MIGRATE=mode)
        for mode in ("fast", "off")
    ]
    return [shop.finish(process) for process in started]


def assert_added(
    results: list[subprocess.CompletedProcess[str]], first: str, *advice: str
) -> None:
    """Alembic's own line and exit code in both; the advice on stderr in one."""
    fast, off = results
    assert (
        (fast.returncode, fast.stdout) == (off.returncode, off.stdout) == (255, first)
    )
    assert off.stderr == ""
    for text in advice:
        assert text in fast.stderr


def test_autogenerate_behind(shop: Shop) -> None:
    shop.add("a1")
    shop.add("b2", "a1", TABLE)
    for arguments in (("revision", "--autogenerate"), ("check",)):
        assert_added(
            both(shop, *arguments),
            "FAILED: Target database is not up to date.\n",
            "The database is at no revision, the files end at b2: 2 revisions are",
            "Type `alembic upgrade head`, then this command again.",
        )
    assert len(list(shop.versions.glob("*.py"))) == 2
    shop.done("alembic", "upgrade", "head")
    shop.done("alembic", "revision", "--autogenerate")


def test_database_stamped_with_an_unknown_revision(
    shop: Shop, database: Database
) -> None:
    shop.add("a1")
    database.cluster.psql(STAMP, database.name)
    first = "FAILED: Can't locate revision identified by 'feedbeef'\n"
    for arguments in (("upgrade", "head"), ("current",), ("stamp", "a1")):
        assert_added(
            both(shop, *arguments),
            first,
            "The database is stamped with 'feedbeef'",
            "ahead of these files",
            "These files end at a1",
            "alembic stamp --purge REVISION",
        )
    held = database.cluster.psql(
        "SELECT version_num FROM alembic_version", database.name
    )
    assert held.strip() == "feedbeef"
    # The way that is named works.
    shop.done("alembic", "stamp", "--purge", "a1")
    assert "a1 (head)" in shop.done("alembic", "current")


def test_unknown_revision_on_the_command_line(shop: Shop, database: Database) -> None:
    shop.add("abc123")
    assert_added(
        both(shop, "upgrade", "abc132"),
        "FAILED: Can't locate revision identified by 'abc132'\n",
        "No revision file has an id or a branch label that begins with 'abc132'",
        "Did you mean 'abc123'?",
        "`alembic history`",
    )
    # A typo while the database is stamped with another unknown one is still a typo.
    database.cluster.psql(
        "DROP TABLE IF EXISTS alembic_version;" + STAMP, database.name
    )
    assert "begins with 'zz'" in shop.run("alembic", "show", "zz").stderr


def test_empty_baseline(shop: Shop, database: Database) -> None:
    database.cluster.psql(
        "CREATE TABLE item (id serial PRIMARY KEY, name text)", database.name
    )
    off = shop.run("alembic", "revision", "--autogenerate", IBUTSU_MIGRATE="off")
    assert (off.returncode, off.stderr) == (0, "")
    (stock,) = shop.versions.glob("*.py")
    text = stock.read_text().partition("import")[2]
    stock.unlink()
    fast = shop.run("alembic", "revision", "--autogenerate")
    assert fast.returncode == 0
    assert "The first revision is empty" in fast.stderr
    assert "already has the 1 table of the models" in fast.stderr
    assert "alembic stamp head" in fast.stderr
    (written,) = shop.versions.glob("*.py")
    ours = written.read_text().partition("import")[2]
    assert ours.replace(written.name[:12], "") == text.replace(stock.name[:12], "")


def test_the_way_out_of_an_empty_baseline(shop: Shop, database: Database) -> None:
    database.cluster.psql(
        "CREATE TABLE item (id serial PRIMARY KEY, name text)", database.name
    )
    other = database.cluster.create_database().url("psycopg2")
    made = shop.run("alembic", "revision", "--autogenerate", "-m", "b", DATABASE=other)
    assert (made.returncode, made.stderr) == (0, "")
    shop.done("alembic", "stamp", "head")
    assert "No new upgrade operations" in shop.done("alembic", "check")
    shop.done("alembic", "upgrade", "head", DATABASE=other)
    assert "No new upgrade operations" in shop.done("alembic", "check", DATABASE=other)


def test_no_false_alarm(shop: Shop, database: Database) -> None:
    """An empty revision is ordinary where it is not the first, or not generated."""
    assert shop.run("alembic", "revision").stderr == ""
    shop.done("alembic", "upgrade", "head")
    database.cluster.psql(
        "CREATE TABLE item (id serial PRIMARY KEY, name text)", database.name
    )
    assert shop.run("alembic", "revision", "--autogenerate").stderr == ""


def test_offline_errors_are_alembics(shop: Shop) -> None:
    shop.add("a1")
    assert_added(
        both(shop, "stamp", "a1", "--purge", "--sql"),
        "BEGIN;\n\nFAILED: Can't use --purge with --sql mode\n",
    )


def test_api_keeps_class_and_text(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add("a1")
    monkeypatch.setenv("DATABASE", shop.url)
    monkeypatch.syspath_prepend(shop.folder)
    monkeypatch.chdir(shop.folder)
    config = Config("alembic.ini")
    with pytest.raises(CommandError) as raised:
        command.revision(config, autogenerate=True)
    assert type(raised.value) is CommandError
    assert str(raised.value) == "Target database is not up to date."
    (note,) = raised.value.__notes__
    assert "alembic upgrade head" in note


def test_quiet_and_flask_say_it_too(shop: Shop) -> None:
    shop.add("a1")
    quiet = shop.run("alembic", "-q", "check")
    assert (quiet.returncode, quiet.stdout) == (255, "")
    flask = shop.run("flask", "db", "check")
    assert flask.stderr.startswith("FAILED: Target database is not up to date.\n")
    assert "Type `flask db upgrade head`" in flask.stderr
