"""verify(): the version table, edited files, and what failed builds leave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from alembic.config import Config
from safe_runs import SAFE, TABLE, query, stock_env, write_env

from ibutsu_migrate import Verification, verify

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop


@pytest.fixture
def safe(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """At b2, by a safe run."""
    monkeypatch.setenv("DATABASE", shop.url)
    shop.environ.update(SAFE)
    write_env(shop.folder, stock_env())
    shop.add("a1", upgrade=TABLE)
    shop.add("b2", "a1")
    shop.done("alembic", "upgrade", "head", GIT_SHA="abc123")
    return shop


def verified(shop: Shop) -> Verification:
    found = verify(Config(shop.folder / "alembic.ini"))
    json.dumps(found.as_json())
    return found


def kinds(found: Verification) -> list[tuple[str, str]]:
    return [(each.kind, each.name) for each in found.findings]


def test_all_is_well(safe: Shop) -> None:
    found = verified(safe)
    assert (found.heads, found.expected) == (("b2",), ("b2",))
    assert (found.findings, found.exit_code) == ((), 0)


def test_behind_and_several_heads(safe: Shop) -> None:
    safe.add("c3", "b2")
    safe.add("d4", "c3")
    found = verified(safe)
    assert (kinds(found), found.exit_code) == ([("behind", "c3, d4")], 2)
    safe.add("e5", "c3")
    assert kinds(verified(safe))[0] == ("heads", "d4, e5")


def test_an_edited_file(safe: Shop) -> None:
    path = safe.versions / "a1_.py"
    path.write_text(f"# a comment\n{path.read_text()}")
    assert verified(safe).exit_code == 0
    path.write_text(path.read_text().replace("item", "items"))
    found = verified(safe)
    assert (kinds(found), found.exit_code) == ([("edited", "a1")], 4)
    assert f"{path} means something else than when run " in found.findings[0].message


def test_a_revision_that_no_file_has(safe: Shop) -> None:
    (safe.versions / "b2_.py").unlink()
    found = verified(safe)
    assert (kinds(found), found.exit_code) == ([("ahead", "b2")], 5)
    assert "by code version abc123" in found.findings[0].message
    assert "git log --all --oneline -S b2" in found.findings[0].remedy


def test_the_database_is_ahead_or_on_another_way(safe: Shop) -> None:
    c3 = safe.add("c3", "b2")
    d4 = safe.add("d4", "c3")
    safe.done("alembic", "upgrade", "head", GIT_SHA="def456")
    for path in (c3, d4):
        path.unlink()
    found = verified(safe)
    assert (kinds(found), found.exit_code) == ([("ahead", "d4")], 5)
    assert "(def456)" in found.findings[0].remedy
    # A file that was edited weighs more, also beneath a revision that is not known.
    a1 = safe.versions / "a1_.py"
    text = a1.read_text()
    a1.write_text(text.replace("item", "items"))
    found = verified(safe)
    assert (kinds(found), found.exit_code) == ([("ahead", "d4"), ("edited", "a1")], 4)
    a1.write_text(text)
    safe.add("c4", "b2")
    found = verified(safe)
    assert (kinds(found), found.exit_code) == ([("unknown", "d4")], 4)
    assert "others on the same base: c4." in found.findings[0].message


def test_a_part_of_an_id_is_no_revision(safe: Shop, database: Database) -> None:
    query(database, "UPDATE alembic_version SET version_num = 'b'")
    assert kinds(verified(safe)) == [("unknown", "b")]


def test_a_revision_and_one_beneath_it(safe: Shop, database: Database) -> None:
    query(database, "INSERT INTO alembic_version VALUES ('a1')")
    found = verified(safe)
    assert (kinds(found), found.exit_code) == ([("overlap", "a1")], 1)
    assert "`alembic stamp --purge b2`" in found.findings[0].remedy


def test_another_version_table_has_another_history(safe: Shop) -> None:
    configure = "version_table='second'"
    write_env(safe.folder, stock_env(configure=configure))
    safe.done("alembic", "stamp", "head")
    path = safe.versions / "a1_.py"
    path.write_text(path.read_text().replace("item", "items"))
    assert verified(safe).findings == ()
    write_env(safe.folder, stock_env())
    assert verified(safe).exit_code == 4


def test_where_each_statement_commits_by_itself(safe: Shop) -> None:
    write_env(safe.folder, stock_env("isolation_level='AUTOCOMMIT'"))
    path = safe.versions / "a1_.py"
    path.write_text(path.read_text().replace("item", "items"))
    assert kinds(verified(safe)) == [("edited", "a1")]


def test_without_a_history(safe: Shop, database: Database) -> None:
    query(database, "DROP SCHEMA ibutsu_migrate CASCADE")
    assert verified(safe).exit_code == 0
    (safe.versions / "b2_.py").unlink()
    found = verified(safe)
    assert (kinds(found), found.exit_code) == ([("unknown", "b2")], 4)
    assert "nothing is known about when" in found.findings[0].message
    assert found.history == "none"


def test_what_failed_builds_leave(safe: Shop, database: Database) -> None:
    query(
        database,
        "INSERT INTO item VALUES (1), (1);"
        "ALTER TABLE item ADD CONSTRAINT positive CHECK (id > 5) NOT VALID",
    )
    with pytest.raises(Exception, match="could not create unique index"):
        query(database, "CREATE UNIQUE INDEX CONCURRENTLY item_id ON item (id)")
    found = verified(safe)
    assert kinds(found) == [("invalid", "item_id"), ("unvalidated", "positive")]
    assert found.exit_code == 1
    assert found.findings[0].remedy.startswith("DROP INDEX CONCURRENTLY item_id")


def test_it_changes_nothing(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE", shop.url)
    write_env(shop.folder, stock_env())
    shop.add("a1")
    assert kinds(verified(shop)) == [("behind", "a1")]
    assert query(database, "SELECT to_regclass('alembic_version') IS NULL") == ["t"]
