"""Commands of ``ibutsu-migrate`` that ask the database, and are refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from safe_runs import SAFE, TABLE, query, stock_env, write_env

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

COMMANDS = ["log", "verify", "plan"]
SECRET = "s3cr et"


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def refused(shop: Shop, command: str, url: str) -> str:
    """What is said on stderr, the same for people and programs, in every mode."""
    said = set()
    for mode, *more in (("off",), ("safe", "--json")):
        result = shop.run(
            *("ibutsu-migrate", command, *more), DATABASE=url, IBUTSU_MIGRATE=mode
        )
        assert (result.returncode, result.stdout) == (255, ""), result
        said.add(result.stderr)
    (text,) = said
    assert "FAILED: " in text
    assert "Traceback" not in text
    assert "s3cr" not in text
    return text


@pytest.mark.parametrize("env", ["stock", "hook"])
def test_connecting(
    env: str, command: str, new_shop: Callable[..., Shop], database: Database
) -> None:
    shop = new_shop("nil")
    if env == "stock":
        write_env(shop.folder, stock_env())
    shop.add("a1")
    port = database.cluster.port
    start = f"postgresql+psycopg2://postgres:{SECRET.replace(' ', '%20')}@127.0.0.1"
    text = refused(shop, command, f"{start}:{port}/{database.name}")
    assert "the server refuses the password" in text
    assert "Check user and password" in text
    text = refused(shop, command, f"{start}:1/{database.name}")
    assert "nothing listens there" in text
    assert "Start the server" in text


def test_an_env_py_that_asks_nothing(shop: Shop, command: str) -> None:
    write_env(shop.folder, "print('hello')\n")
    text = refused(shop, command, shop.url)
    assert "hello" in text.partition("FAILED")[0]
    assert "It must call context.run_migrations() on a connection." in text


def test_a_wrong_command_line(shop: Shop, command: str) -> None:
    result = shop.run("ibutsu-migrate", command, "--nil")
    # 2 is an answer of those whose exit status is one.
    assert (result.returncode, result.stdout) == (2 if command == "log" else 255, "")
    assert "unrecognized arguments: --nil" in result.stderr
    assert "--json" in shop.done("ibutsu-migrate", command, "--help")


def test_output_of_the_application_is_not_in_the_answer(
    shop: Shop, command: str
) -> None:
    write_env(shop.folder, "print('hello')\n" + stock_env())
    result = shop.run("ibutsu-migrate", command, "--json")
    assert json.loads(result.stdout)["schema"] == f"ibutsu-migrate/{command}/1"
    assert result.stderr == "hello\n"
    assert shop.run("ibutsu-migrate", "-q", command).stdout == ""


def test_pyproject_alone(shop: Shop, command: str) -> None:
    (shop.folder / "alembic.ini").unlink()
    (shop.folder / "pyproject.toml").write_text(
        "[tool.alembic]\nscript_location = '%(here)s/alembic'\n"
    )
    shop.add("a1", upgrade=TABLE)
    shop.done("alembic", "upgrade", "head", **SAFE)
    result = shop.run("ibutsu-migrate", command, "--json")
    assert json.loads(result.stdout)["schema"] == f"ibutsu-migrate/{command}/1"
    assert (result.returncode, result.stderr) == (0, "")


def as_guest(
    shop: Shop, database: Database, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """As a role that has no rights but those that everybody has."""
    role = "shop_guest"
    query(database, f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN")
    url = database.url("psycopg2").replace("postgres@", f"{role}@")
    try:
        return shop.run("ibutsu-migrate", *arguments, DATABASE=url)
    finally:
        query(database, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_no_rights(shop: Shop, database: Database, command: str) -> None:
    write_env(shop.folder, stock_env())
    shop.add("a1", upgrade=TABLE)
    shop.done("alembic", "upgrade", "head", **SAFE)
    result = as_guest(shop, database, command)
    assert (result.returncode, result.stdout) == (255, "")
    assert 'permission denied for table "alembic_version"' in result.stderr
    assert 'GRANT SELECT ON TABLE "alembic_version" TO "shop_guest"' in result.stderr
