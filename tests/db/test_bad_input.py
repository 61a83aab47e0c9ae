"""Bad input, end to end: one clear error, exit code not 0, the database as it was."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ibutsu_migrate

if TYPE_CHECKING:
    import subprocess

    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

    Result = subprocess.CompletedProcess[str]

SECRET = "s3cr/t@%:w"
QUOTED = "s3cr%2Ft%40%25%3Aw"
TABLE = "op.create_table('made', sa.Column('id', sa.Integer))"


@pytest.fixture(params=["hook", "plain"])
def env(request: pytest.FixtureRequest) -> str:
    """Which env.py: on this package's hook, or Alembic's own way with psycopg2."""
    name: str = request.param
    return name


@pytest.fixture
def bad_shop(
    env: str, database: Database, new_shop: Callable[..., Shop]
) -> Callable[[], Shop]:
    """Make the shop with one good revision in it."""

    def make() -> Shop:
        plain = env == "plain"
        # The app has its own driver; for migrations the hook puts another in place.
        shop = new_shop(database.url("psycopg2"), plain=plain)
        shop.add("a1", upgrade=TABLE)
        return shop

    return make


def assert_clear(result: Result, env: str, *says: str) -> None:
    """One error on stderr; on a plain env.py it ends the traceback that stock gives."""
    assert result.returncode != 0
    assert result.stdout == ""
    if env == "hook":
        assert "Traceback" not in result.stderr
        before, failed, after = result.stderr.partition("FAILED: ")
        assert failed
        assert "FAILED: " not in after
        # What comes before it is Alembic's log, or how the run went, not another
        # telling of the error.
        lines = [line for line in before.splitlines() if "ibutsu-migrate: " not in line]
        assert all(line.startswith("INFO ") for line in lines), before
    for text in says:
        assert text in result.stderr, result.stderr
    for spelling in (SECRET, QUOTED, "s3cr"):
        assert spelling not in result.stdout + result.stderr


def relations(database: Database) -> str:
    return database.cluster.psql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace",
        database.name,
    )


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def role_of(database: Database, attributes: str = "LOGIN") -> str:
    role = f"{database.name}_r"
    database.cluster.psql(
        f"CREATE ROLE {role} {attributes} PASSWORD '{SECRET}'", database.name
    )
    return role


def test_connecting_fails(
    env: str, bad_shop: Callable[[], Shop], database: Database
) -> None:
    shop = bad_shop()
    role = role_of(database)
    port = database.cluster.port

    def url(port: int, name: str = database.name, user: str = role) -> str:
        return f"postgresql+psycopg2://{user}:{QUOTED}@127.0.0.1:{port}/{name}"

    with socket.create_server(("127.0.0.1", 0)) as silent:
        cases = {
            url(closed_port()): "nothing listens there (connection refused)",
            url(silent.getsockname()[1]) + "?connect_timeout=2": "the server is silent",
            url(port, user="postgres"): "refuses the password",
            url(port, "nil"): "no such database",
            url(port, user="nobody_here"): "the password",
            f"postgresql+psycopg2://u:{QUOTED}@nil.invalid/d": "host name is not known",
        }
        started = {
            says: shop.start("alembic", "upgrade", "head", DATABASE=each)
            for each, says in cases.items()
        }
        for says, process in started.items():
            assert_clear(shop.finish(process), env, "Cannot connect to the", says)
    assert relations(database) == ""


@pytest.mark.slow
def test_the_default_wait_is_bounded(hook_shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"postgresql+psycopg2://u:{QUOTED}@127.0.0.1:{port}/d"
        waiting = hook_shop.start("alembic", "current", DATABASE=url)
        result = hook_shop.finish(waiting, timeout=20)
    assert_clear(result, "hook", "the server is silent")


def test_no_rights(env: str, bad_shop: Callable[[], Shop], database: Database) -> None:
    shop = bad_shop()
    role = role_of(database)
    address = f"127.0.0.1:{database.cluster.port}/{database.name}"
    grant = f'GRANT USAGE, CREATE ON SCHEMA "public" TO "{role}";'
    for right in ("CREATE", "ALL"):
        revoke = f"REVOKE {right} ON SCHEMA public FROM PUBLIC"
        database.cluster.psql(revoke, database.name)
        result = shop.run(
            "alembic",
            "upgrade",
            "head",
            DATABASE=f"postgresql+psycopg2://{role}:{QUOTED}@{address}",
        )
        assert_clear(result, env, grant)
        assert relations(database) == ""
    # What it names helps.
    database.cluster.psql(grant, database.name)
    shop.done(
        "alembic",
        "upgrade",
        "head",
        DATABASE=f"postgresql+psycopg2://{role}:{QUOTED}@{address}",
    )


def test_revision_files_that_fail(
    env: str, bad_shop: Callable[[], Shop], database: Database
) -> None:
    shop = bad_shop()
    path = shop.add("b2", "a1", upgrade=f"{TABLE.replace('made', 'b')}\n    1 / 0")
    line = path.read_text().splitlines().index("    1 / 0") + 1
    # The hook means safe, which names the revision instead of the function.
    end = ".\n" if env == "hook" else ", in upgrade()"
    for text, says in (
        (path.read_text(), f"failed at {path}:{line}{end}"),
        (path.read_text().replace("1 / 0", "op.execute('SELECT nil')"), "nil"),
        (path.read_text() + "\n\nimport nil.nil\n", "cannot be loaded"),
        (path.read_text() + "\n\ndef (\n", "is not valid Python"),
    ):
        path.write_text(text)
        result = shop.run("alembic", "upgrade", "b2")
        assert_clear(result, env, str(path), says)
        assert "b\n" not in relations(database)


def test_no_env(env: str, bad_shop: Callable[[], Shop], database: Database) -> None:
    shop = bad_shop()
    (shop.folder / "alembic" / "env.py").unlink()
    result = shop.run("alembic", "upgrade", "head")
    assert_clear(result, "hook", "There is no env.py in", "alembic init")
    shutil.rmtree(shop.folder / "alembic")
    result = shop.run("alembic", "upgrade", "head")
    assert (result.returncode, result.stderr) == (255, "")
    assert result.stdout.startswith("FAILED: Path doesn't exist")
    assert relations(database) == ""


def test_unknown_revision(
    env: str, bad_shop: Callable[[], Shop], database: Database
) -> None:
    shop = bad_shop()
    result = shop.run("alembic", "upgrade", "nil")
    assert result.returncode == 255
    assert result.stdout == "FAILED: Can't locate revision identified by 'nil'\n"
    assert "No revision file has an id" in result.stderr
    assert "made" not in relations(database)


# An editable install would find the extension in the checkout all the same.
NO_CHECKOUT = """
import sys
sys.meta_path = [each for each in sys.meta_path if "editable" not in str(each).lower()]
"""


def copy_without(folder: Path, extension: str, content: bytes | None) -> Path:
    """A copy of the package whose extension is not there, or will not load."""
    target = folder / "copy" / "ibutsu_migrate"
    source = Path(ibutsu_migrate.__file__).parent
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    found = list(target.glob(f"{extension}.*.so"))
    assert found, f"{extension} is not built"
    for each in found:
        each.unlink()
        if content is not None:
            each.write_bytes(content)
    (target.parent / "sitecustomize.py").write_text(NO_CHECKOUT)
    return target.parent


def test_missing_libpq(hook_shop: Shop, tmp_path: Path, database: Database) -> None:
    hook_shop.add("a1", upgrade=TABLE)
    copy = copy_without(tmp_path, "_pq", b"\x7fELF")
    path = f"{copy}:{hook_shop.folder}"
    result = hook_shop.run("alembic", "upgrade", "head", PYTHONPATH=path)
    assert_clear(result, "hook", "libpq 14 or newer", "apt-get install libpq5")
    assert relations(database) == ""
    # The graph does not need it.
    heads = hook_shop.run("alembic", "heads", PYTHONPATH=path)
    assert (heads.returncode, heads.stdout, heads.stderr) == (0, "a1 (head)\n", "")


def test_extension_not_built(shop: Shop, tmp_path: Path, database: Database) -> None:
    shop.add("a1", upgrade=TABLE)
    copy = copy_without(tmp_path, "_core", None)
    path = f"{copy}:{shop.folder}"
    result = shop.run("alembic", "upgrade", "head", PYTHONPATH=path)
    assert result.returncode == 0, result.stderr
    assert "made" in relations(database)
    assert result.stderr.count("ibutsu_migrate._core") == 1, "one warning"
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("mode", ["fast", "hook"])
def test_password_is_not_in_current_v(
    mode: str, database: Database, new_shop: Callable[..., Shop]
) -> None:
    role = role_of(database, "LOGIN SUPERUSER")
    shop = new_shop("", plain=mode == "fast")
    shop.add("a1")
    address = f"127.0.0.1:{database.cluster.port}/{database.name}"
    for url in (
        f"postgresql+psycopg2://{role}:{QUOTED}@{address}",
        f"postgresql+psycopg2://{role}@{address}?password={QUOTED}",
    ):
        shop.done("alembic", "upgrade", "head", DATABASE=url)
        result = shop.run("alembic", "current", "-v", DATABASE=url)
        assert result.returncode == 0
        assert "Current revision(s) for postgresql+" in result.stdout
        assert "s3cr" not in result.stdout + result.stderr
