"""``ibutsu-migrate verify``: what it says, and its exit status."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from safe_runs import SAFE, TABLE, query, stock_env, write_env

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop


@pytest.fixture
def safe(shop: Shop) -> Shop:
    """At b2, by a safe run."""
    shop.environ.update(SAFE)
    write_env(shop.folder, stock_env())
    shop.add("a1", upgrade=TABLE)
    shop.add("b2", "a1")
    shop.done("alembic", "upgrade", "head", GIT_SHA="abc123")
    return shop


def verified(shop: Shop, status: int) -> tuple[str, dict[str, Any]]:
    """For people, and for programs."""
    text = shop.run("ibutsu-migrate", "verify")
    assert (text.returncode, text.stderr) == (status, "")
    told = shop.run("ibutsu-migrate", "verify", "--json")
    assert (told.returncode, told.stderr) == (status, "")
    found = json.loads(told.stdout)
    assert (found["schema"], found["exit_code"]) == ("ibutsu-migrate/verify/1", status)
    return text.stdout, found


def test_all_is_well(safe: Shop) -> None:
    text, found = verified(safe, 0)
    assert text == "Nothing is wrong: the database is at b2, where the files end.\n"
    assert (found["heads"], found["expected"], found["history"]) == (
        *(["b2"], ["b2"], "yes"),
    )


def test_an_edited_file(safe: Shop) -> None:
    path = safe.versions / "a1_.py"
    spaced = path.read_text().replace("'item', ", "'item',\n        # that is it\n  ")
    path.write_text(spaced)
    assert verified(safe, 0)[1]["findings"] == []
    path.write_text(spaced.replace("sa.Text", "sa.Integer"))
    text, found = verified(safe, 4)
    assert re.fullmatch(
        rf"edited: {path} means something else than when run \w+ applied it on .*\.\n"
        r"    Take the edit back, and write a new revision for it\.\n"
        r"1 finding: the database is at b2, the files end at b2\.\n",
        text,
    )
    assert found["findings"][0]["kind"] == "edited"


def test_ahead_unknown_behind(safe: Shop, database: Database) -> None:
    b2 = safe.versions / "b2_.py"
    text = b2.read_text()
    b2.unlink()
    said, found = verified(safe, 5)
    assert "it is ahead of these files; run " in said
    assert "by code version abc123" in said
    assert found["findings"][0]["kind"] == "ahead"
    query(database, "UPDATE alembic_version SET version_num = 'feedbeef'")
    assert "nothing is known about when it was applied" in verified(safe, 4)[0]
    b2.write_text(text)
    query(database, "UPDATE alembic_version SET version_num = 'a1'")
    said = verified(safe, 2)[0]
    assert said.startswith("behind: Not applied: b2.\n")


def test_an_empty_database_and_no_files(shop: Shop) -> None:
    text, found = verified(shop, 0)
    assert "Nothing is wrong: the database is at no revision" in text
    assert found["history"] == "none"
    shop.add("a1")
    shop.add("b2", "a1")
    shop.add("c3", "a1")
    text, found = verified(shop, 2)
    assert [each["kind"] for each in found["findings"]] == ["heads", "behind"]
    assert "ibutsu-migrate plan heads" in text


def test_an_invalid_index_alone(safe: Shop, database: Database) -> None:
    query(database, "INSERT INTO item VALUES (1), (1)")
    with pytest.raises(Exception, match="could not create unique index"):
        query(database, "CREATE UNIQUE INDEX CONCURRENTLY item_id ON item (id)")
    assert "DROP INDEX CONCURRENTLY item_id" in verified(safe, 1)[0]


def test_sqlite(sqlite_shop: Shop) -> None:
    sqlite_shop.add("a1")
    assert verified(sqlite_shop, 2)[1]["history"] == "unsupported"
    sqlite_shop.done("alembic", "upgrade", "head")
    assert verified(sqlite_shop, 0)[1]["heads"] == ["a1"]


def test_a_history_that_may_not_be_read(safe: Shop, database: Database) -> None:
    role = "shop_verifier"
    query(
        database,
        f"CREATE ROLE {role} LOGIN; GRANT SELECT ON alembic_version TO {role}",
    )
    url = database.url("psycopg2").replace("postgres@", f"{role}@")
    result = safe.run("ibutsu-migrate", "verify", DATABASE=url)
    assert (result.returncode, result.stderr) == (0, "")
    assert "The history may not be read, so edited files cannot be told." in (
        result.stdout
    )
    query(database, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_upgrade_gives_the_answer_too(safe: Shop) -> None:
    (safe.versions / "b2_.py").unlink()
    for mode in ("fast", "safe"):
        result = safe.run("alembic", "upgrade", "head", IBUTSU_MIGRATE=mode)
        assert result.returncode != 0
        assert "stamped with 'b2', and no revision file has this id" in result.stderr
        assert re.search(
            r"Run \w{8} applied it here on [-\d]+ [:\d]+, from \S+, by code version "
            "abc123",
            result.stderr,
        )
