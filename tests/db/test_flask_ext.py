"""The Flask extension: status(), the start-up gate, ``flask db``."""

from __future__ import annotations

import json
import pickle
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from ibutsu_migrate.errors import ConfigurationError
from ibutsu_migrate.flask import (
    DatabaseNotCurrent,
    IbutsuMigrate,
    State,
    Status,
)

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

STATUS = """
import json, sys, shop
app = shop.create_app()
status = shop.migrate.status(app)
print(json.dumps([status.state, status.missing, sorted(
    name for name in sys.modules if name.partition(".")[0] == "alembic")]))
"""


def extension(shop: Shop, url: str | None = None, **options: Any) -> IbutsuMigrate:
    """The extension on an app of this process, with the shop's revision files."""
    app = Flask("shop", root_path=str(shop.folder))
    app.config["SQLALCHEMY_DATABASE_URI"] = url or shop.url
    db = SQLAlchemy(app)
    return IbutsuMigrate(app, db, shop.folder / "alembic", **options)


def look(shop: Shop, url: str | None = None, **options: Any) -> Status:
    migrate = extension(shop, url, **options)
    try:
        return migrate.status()
    finally:
        dispose(migrate)


def dispose(migrate: IbutsuMigrate) -> None:
    app = migrate._app
    assert app is not None
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def test_status_follows_a_database_through_its_life(
    shop: Shop, database: Database
) -> None:
    assert look(shop).state is State.CURRENT, "no files, no table: nothing to do"
    shop.add("a1")
    shop.add("b2", "a1")
    empty = look(shop)
    assert (empty.state, empty.missing) == (State.BEHIND, 2)
    assert (empty.database_heads, empty.script_heads) == ((), ("b2",))
    assert "flask db upgrade head" in empty.detail
    shop.done("flask", "db", "upgrade", "a1")
    assert look(shop).missing == 1
    shop.done("flask", "db", "upgrade", "head")
    assert look(shop).state is State.CURRENT
    database.cluster.psql(
        "UPDATE alembic_version SET version_num = 'c3'", database.name
    )
    newer = look(shop)
    assert (newer.state, newer.unknown) == (State.AHEAD, ("c3",))


def test_status_counts_merges_and_dependencies_once(
    shop: Shop, database: Database
) -> None:
    shop.add("a1")
    shop.add("b2", "a1")
    shop.add("c3", "a1")
    shop.add("d4", "b2").write_text(
        shop.add("d4", "b2")
        .read_text()
        .replace("depends_on = None", "depends_on = 'c3'")
    )
    database.cluster.psql(
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
        "INSERT INTO alembic_version VALUES ('b2')",
        database.name,
    )
    behind = look(shop)
    assert (behind.missing, behind.script_heads) == (2, ("c3", "d4"))
    shop.done("flask", "db", "upgrade", "heads")
    assert look(shop).state is State.CURRENT


@pytest.mark.parametrize("name", ['odd "name"', "back\\slash's", "%s%(x)s"])
def test_status_reads_any_version_table(
    shop: Shop, database: Database, name: str
) -> None:
    shop.add("a1")
    quoted = '"' + name.replace('"', '""') + '"'
    database.cluster.psql(
        f"CREATE SCHEMA {quoted};"
        f"CREATE TABLE {quoted}.{quoted} (version_num text);"
        f"INSERT INTO {quoted}.{quoted} VALUES ('a1')",
        database.name,
    )
    found = look(shop, version_table=name, version_table_schema=name)
    assert found.state is State.CURRENT
    assert look(shop, version_table=name).state is State.BEHIND


def test_status_needs_alembic_for_no_literal_history(shop: Shop) -> None:
    shop.add("a1")
    (shop.folder / "look.py").write_text(STATUS)
    state, missing, modules = json.loads(shop.done("python", "look.py"))
    assert (state, missing, modules) == ("behind", 1, [])
    path = shop.add("b2", "a1")
    path.write_text(path.read_text().replace('"b2"', '"b" + "2"'))
    state, missing, modules = json.loads(shop.done("python", "look.py"))
    assert (state, missing) == ("behind", 2)
    assert "alembic.script" in modules, "a computed header is imported as Alembic does"


class CountingProxy:
    """Passes a PostgreSQL session on and counts what the client waits for."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.waits: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with closing(client), closing(socket.create_connection(self._server)) as up:
                back = threading.Thread(target=self._copy, args=(up, client))
                back.start()
                self._count(client, up)
                up.shutdown(socket.SHUT_WR)
                back.join(10)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(65536):
            target.sendall(data)

    def _count(self, client: socket.socket, server: socket.socket) -> None:
        stream = client.makefile("rb")
        typed = False
        while True:
            kind = stream.read(1) if typed else b""
            if typed and not kind:
                return
            length = stream.read(4)
            if len(length) < 4:
                return
            body = stream.read(int.from_bytes(length) - 4)
            # Requests for TLS and GSS come before the start-up message; they are
            # answered by one letter, and what follows is untyped again.
            typed = typed or body[:2] == (3).to_bytes(2)
            # Query and Sync are what a client waits for; Flush is not used here.
            if kind in (b"Q", b"S"):
                self.waits.append(kind)
            server.sendall(kind + length + body)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@contextmanager
def counting(database: Database) -> Iterator[CountingProxy]:
    proxy = CountingProxy("127.0.0.1", database.cluster.port)
    try:
        yield proxy
    finally:
        proxy.close()


def test_status_is_one_round_trip(shop: Shop, database: Database) -> None:
    shop.add("a1")
    for state in (State.BEHIND, State.CURRENT):
        role = f"{database.name}_r"
        if state is State.BEHIND:
            database.cluster.psql(
                f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'pw'", database.name
            )
        else:
            shop.done("flask", "db", "upgrade", "head")
        with counting(database) as proxy:
            url = f"postgresql+psycopg2://{role}:pw@127.0.0.1:{proxy.port}/{database.name}"
            found = look(shop, url + "?sslmode=disable&gssencmode=disable")
        assert found.state is state, found.detail
        assert proxy.waits == [b"Q"]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_unreachable_is_an_answer_without_the_password(
    shop: Shop, database: Database
) -> None:
    shop.add("a1")
    role = f"{database.name}_r"
    database.cluster.psql(f"CREATE ROLE {role} LOGIN PASSWORD 'right'", database.name)
    port = database.cluster.port
    base = f"postgresql+psycopg2://{role}:s3cr%40t@127.0.0.1"
    for url, said in (
        (f"{base}:{closed_port()}/{database.name}", "connection refused"),
        (f"{base}:{port}/{database.name}", "refuses the password"),
        (
            f"postgresql+psycopg2://{role}:right@127.0.0.1:{port}/nil",
            "no such database",
        ),
    ):
        found = look(shop, url)
        assert found.state is State.UNREACHABLE
        assert said in found.detail
        assert "s3cr" not in repr(found)
        assert "right" not in repr(found)


def test_a_silent_server_is_left_after_the_timeout(shop: Shop) -> None:
    shop.add("a1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        url = f"postgresql+psycopg2://u@127.0.0.1:{port}/d"
        found = look(shop, url, connect_timeout=2)
    assert found.state is State.UNREACHABLE
    assert "silent" in found.detail


def test_no_right_to_read_names_the_grant(shop: Shop, database: Database) -> None:
    shop.add("a1")
    role = f"{database.name}_r"
    database.cluster.psql(
        f"CREATE ROLE {role} LOGIN PASSWORD 'pw';"
        "CREATE TABLE alembic_version (version_num varchar(32))",
        database.name,
    )
    url = (
        f"postgresql+psycopg2://{role}:pw@127.0.0.1:{database.cluster.port}"
        f"/{database.name}"
    )
    found = look(shop, url)
    assert found.state is State.UNREACHABLE
    assert f'GRANT SELECT ON TABLE "alembic_version" TO "{role}"' in found.detail


def test_status_on_sqlite_makes_no_file(sqlite_shop: Shop, tmp_path: Path) -> None:
    sqlite_shop.add("a1")
    assert look(sqlite_shop).state is State.BEHIND
    assert not (tmp_path / "shop.db").exists()
    sqlite_shop.done("flask", "db", "upgrade", "head")
    assert look(sqlite_shop).state is State.CURRENT


def test_require_current(sqlite_shop: Shop) -> None:
    sqlite_shop.add("a1")
    migrate = extension(sqlite_shop)
    with pytest.raises(DatabaseNotCurrent, match="flask db upgrade head") as raised:
        migrate.require_current()
    assert raised.value.status.missing == 1
    again = pickle.loads(pickle.dumps(raised.value))
    assert (str(again), again.status) == (str(raised.value), raised.value.status)
    sqlite_shop.done("flask", "db", "upgrade", "head")
    assert migrate.require_current().state is State.CURRENT
    dispose(migrate)


def test_gate_refuses_to_serve_and_lets_migrate(sqlite_shop: Shop) -> None:
    sqlite_shop.add("a1")
    (sqlite_shop.folder / "serve.py").write_text("import shop\nshop.create_app()\n")
    serve = sqlite_shop.run("python", "serve.py", ON_BEHIND="refuse")
    assert serve.returncode != 0
    assert "DatabaseNotCurrent: The database is 1 revision behind" in serve.stderr
    routes = sqlite_shop.run("flask", "routes", ON_BEHIND="refuse")
    assert routes.returncode != 0
    warned = sqlite_shop.run("python", "serve.py", ON_BEHIND="warn")
    assert (warned.returncode, warned.stderr.count("flask db upgrade head")) == (0, 1)
    # Both ways to migrate make the app with the gate closed.
    sqlite_shop.done("flask", "db", "upgrade", "head", ON_BEHIND="refuse")
    sqlite_shop.done("alembic", "downgrade", "base", ON_BEHIND="refuse")
    sqlite_shop.done("alembic", "upgrade", "head", ON_BEHIND="refuse")
    assert sqlite_shop.done("python", "serve.py", ON_BEHIND="refuse") == ""


def test_settings_that_cannot_be_meant(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ignore, warn or refuse"):
        IbutsuMigrate(on_behind="maybe")  # type: ignore[arg-type]
    app = Flask("shop", root_path=str(tmp_path))
    # Wrong, but no reason not to serve: who migrates is told, see test_switch.py.
    app.config["IBUTSU_MIGRATE"] = "fats"
    migrate = IbutsuMigrate(app, directory=tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="nowhere"):
        migrate.status()
    (tmp_path / "nowhere" / "versions").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"db\.init_app"):
        migrate.status()


COMMANDS = (
    ("upgrade", "head", "--sql"),
    ("upgrade", "a1"),
    ("current",),
    ("current", "--check-heads"),
    ("heads", "-v"),
    ("history", "-r", "a1:", "-i"),
    ("show", "b2"),
    ("stamp", "b2"),
    ("downgrade", "-1"),
    ("upgrade", "nil"),
    ("revision", "-m", "more", "--rev-id", "c3", "--depends-on", "a1"),
    ("check",),
    ("heads", "--nonsense"),
)


def test_flask_db_is_alembic(tmp_path: Path, new_shop: Callable[..., Shop]) -> None:
    shops = [
        new_shop(f"sqlite:///{tmp_path / f'{name}.db'}", plain=True, name=name)
        for name in ("flask", "alembic")
    ]
    for shop in shops:
        shop.add("a1", upgrade="op.create_table('t', sa.Column('id', sa.Integer))")
        shop.add("b2", "a1")
    for command in COMMANDS:
        programs = (("flask", "db", *command), ("alembic", *command))
        started = [
            shop.start(*program) for shop, program in zip(shops, programs, strict=True)
        ]
        ours, theirs = (
            outcome(process, shop) for process, shop in zip(started, shops, strict=True)
        )
        assert ours == theirs, command


def outcome(process: subprocess.Popen[str], shop: Shop) -> tuple[int, str]:
    """Exit code and all output, without what must differ: folder and program.

    A failure's first line stands on stdout in Alembic and on stderr here.
    """
    out, err = process.communicate(timeout=60)
    text = (
        (out + err).replace(str(shop.folder), "FOLDER").replace("flask db", "alembic")
    )
    # argparse wraps its usage by the length of the program's name.
    return process.returncode, " ".join(text.split())


def test_options_of_alembic_itself_stand_on_either_side(sqlite_shop: Shop) -> None:
    env = sqlite_shop.folder / "alembic" / "env.py"
    env.write_text("print(context.get_x_argument())\n" + env.read_text())
    env.write_text("from alembic import context\n" + env.read_text())
    moved = sqlite_shop.folder / "elsewhere"
    shutil.move(sqlite_shop.folder / "alembic", moved)
    (sqlite_shop.folder / "alembic.ini").unlink()
    for command in (
        ("-d", "elsewhere", "-x", "a=1", "-x", "b", "current"),
        ("current", "--directory=elsewhere", "-xa=1", "-x", "b"),
        ("-x", "a=1", "current", "-d", "elsewhere", "-x", "b"),
    ):
        assert "['a=1', 'b']" in sqlite_shop.done("flask", "db", *command)
    lost = sqlite_shop.run("flask", "db", "current")
    assert (lost.returncode, lost.stdout) == (255, "")
    assert "FAILED: No 'script_location' key found in configuration" in lost.stderr
    headless = sqlite_shop.run("flask", "db", "current", "-x")
    assert (headless.returncode, "requires an argument" in headless.stderr) == (2, True)


def test_raiseerr_gives_the_traceback(sqlite_shop: Shop) -> None:
    result = sqlite_shop.run("flask", "db", "--raiseerr", "upgrade", "nil")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_an_error_is_one_line_and_a_remedy(shop: Shop) -> None:
    shop.add("a1", upgrade="1 / 0")
    url = f"postgresql+psycopg2://u:s3cret@127.0.0.1:{closed_port()}/d"
    for environ, says in (
        ({"DATABASE": url}, "FAILED: Cannot connect to the database"),
        ({}, "FAILED: The revision failed at "),
    ):
        result = shop.run("flask", "db", "upgrade", "head", **environ)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith(says)
        assert "Traceback" not in result.stderr
        assert "s3cret" not in result.stderr


def test_alembic_is_imported_when_a_command_runs(sqlite_shop: Shop) -> None:
    (sqlite_shop.folder / "look.py").write_text(
        "import sys, shop\n"
        "app = shop.create_app()\n"
        "assert 'db' in app.cli.list_commands(None)\n"
        "assert 'alembic' not in sys.modules\n"
        "print(app.test_cli_runner().invoke(args=['db', 'heads']).output)\n"
        "assert 'alembic' in sys.modules\n"
    )
    sqlite_shop.add("a1")
    assert "a1 (head)" in sqlite_shop.done("python", "look.py")


def test_env_gets_the_current_app(sqlite_shop: Shop) -> None:
    env = sqlite_shop.folder / "alembic" / "env.py"
    env.write_text(
        "from flask import current_app\n"
        "from alembic import context\n"
        "assert context.config.attributes['app'] is current_app._get_current_object()\n"
        "print('the same app')\n" + env.read_text()
    )
    assert "the same app" in sqlite_shop.done("flask", "db", "current")


def test_a_revision_may_be_left_out(sqlite_shop: Shop) -> None:
    sqlite_shop.add("a1")
    sqlite_shop.add("b2", "a1")

    def current() -> str:
        return sqlite_shop.done("flask", "db", "current")

    sqlite_shop.done("flask", "db", "upgrade")
    assert current() == "b2 (head)\n"
    sqlite_shop.done("flask", "db", "downgrade")
    assert current() == "a1\n"
    sqlite_shop.done("flask", "db", "stamp")
    assert current() == "b2 (head)\n"
    assert "Rev: b2 (head)" in sqlite_shop.done("flask", "db", "show")
    sqlite_shop.done("flask", "db", "downgrade", "base")
    assert current() == ""
    sqlite_shop.done("flask", "db", "upgrade", "--sql", "a1")
    assert "head by default" in sqlite_shop.done("flask", "db", "upgrade", "--help")
