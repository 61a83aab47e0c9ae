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
    assert (kinds(found), found.exit_code) == ([("unknown", "b2")], 4)
    assert "by code version abc123" in found.findings[0].message


def test_without_a_history(safe: Shop, database: Database) -> None:
    query(database, "DROP SCHEMA ibutsu_migrate CASCADE")
    assert verified(safe).exit_code == 0
    (safe.versions / "b2_.py").unlink()
    assert "nothing is known about when" in verified(safe).findings[0].message


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
