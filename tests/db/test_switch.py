"""The switch under the real programs, in each place where it can be set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess

    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

    Result = subprocess.CompletedProcess[str]

TABLE = "op.create_table('made', sa.Column('id', sa.Integer))"
PLACES = ("environment", "flask", "toml", "ini")


def switch(shop: Shop, place: str, mode: str) -> dict[str, str]:
    """Set the mode in a place; the environment to run programs in."""
    if place == "environment":
        return {"IBUTSU_MIGRATE": mode}
    if place == "toml":
        table = f'[tool.ibutsu_migrate]\nmode = "{mode}"\n'
        (shop.folder / "pyproject.toml").write_text(table)
    elif place == "ini":
        ini = shop.folder / "alembic.ini"
        ini.write_text(f"{ini.read_text()}ibutsu_migrate = {mode}\n")
    else:
        app = shop.folder / "shop.py"
        uri = '    app.config["SQLALCHEMY_DATABASE_URI"]'
        line = f'    app.config["IBUTSU_MIGRATE"] = {mode!r}\n'
        app.write_text(app.read_text().replace(uri, line + uri))
    return {}


def program(place: str) -> tuple[str, ...]:
    """Who sees that place: only `flask db` has the app's config at hand."""
    return ("flask", "db") if place == "flask" else ("alembic",)


def assert_refused(result: Result, *says: str) -> None:
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert "Traceback" not in said
    assert said.count("FAILED: ") == 1
    for text in says:
        assert text in said


def tables(database: Database) -> str:
    return database.cluster.psql(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace",
        database.name,
    ).strip()


def scanned(stats: Path) -> int:
    """Revision files that were read in C."""
    if not stats.exists():
        return 0
    lines = [json.loads(line) for line in stats.read_text().splitlines()]
    return sum(line.get("core", {}).get("files_scanned", 0) for line in lines)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", ["off", "fast"])
def test_off_and_fast(
    mode: str, place: str, hook_shop: Shop, database: Database, tmp_path: Path
) -> None:
    hook_shop.add("a1", upgrade=TABLE)
    stats = tmp_path / "stats.jsonl"
    environ = {**switch(hook_shop, place, mode), "IBUTSU_MIGRATE_STATS": str(stats)}
    hook_shop.done(*program(place), "upgrade", "head", **environ)
    assert tables(database) == "3"  # made, alembic_version and its index
    assert (scanned(stats) > 0) is (mode == "fast")


@pytest.mark.parametrize("place", PLACES)
def test_no_mode_is_refused(place: str, hook_shop: Shop, database: Database) -> None:
    hook_shop.add("a1", upgrade=TABLE)
    environ = switch(hook_shop, place, "fst")
    for command in (("upgrade", "head"), ("heads",), ("stamp", "head")):
        result = hook_shop.run(*program(place), *command, **environ)
        assert_refused(result, "Did you mean 'fast'?", "fst")
    assert tables(database) == "0"


@pytest.mark.parametrize("place", PLACES)
def test_safe(place: str, hook_shop: Shop, database: Database) -> None:
    hook_shop.add("a1", upgrade=TABLE)
    environ = switch(hook_shop, place, "safe")
    result = hook_shop.run(*program(place), "upgrade", "head", **environ)
    assert result.returncode == 0, result.stderr
    assert "done: 1 revision" in result.stderr
    assert tables(database) == "3"


def test_the_environment_goes_first(hook_shop: Shop, database: Database) -> None:
    hook_shop.add("a1", upgrade=TABLE)
    for place in PLACES[1:]:
        switch(hook_shop, place, "safe")
    for run in (("alembic",), ("flask", "db")):
        hook_shop.done(*run, "upgrade", "head", IBUTSU_MIGRATE="off")
    assert tables(database) == "3"


def test_a_safe_run_in_an_app_that_only_env_py_knows(
    hook_shop: Shop, database: Database
) -> None:
    """`alembic` sees the Flask config when env.py has made the app, not before."""
    hook_shop.add("a1", upgrade=TABLE)
    switch(hook_shop, "flask", "safe")
    result = hook_shop.run("alembic", "upgrade", "head")
    assert result.returncode == 0, result.stderr
    assert "done: 1 revision" in result.stderr
    assert tables(database) == "3"


@pytest.mark.parametrize("mode", ["", "fast", "safe"])
@pytest.mark.parametrize("env", ["hook_shop", "shop"])
def test_config_says_what_a_run_goes_by(
    env: str, mode: str, request: pytest.FixtureRequest
) -> None:
    """It does not run env.py, and comes to the same."""
    shop = request.getfixturevalue(env)
    shop.add("a1", upgrade=TABLE)
    said = json.loads(
        shop.done("ibutsu-migrate", "config", "--json", IBUTSU_MIGRATE=mode)
    )
    assert said["hook"] == ("yes" if env == "hook_shop" else "no")
    run = shop.run("alembic", "upgrade", "head", IBUTSU_MIGRATE=mode)
    assert run.returncode == 0, run.stderr
    assert said["mode"] == ("safe" if "done: 1 revision" in run.stderr else "fast")
