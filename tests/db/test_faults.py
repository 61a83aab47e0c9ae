"""Things that break, for real: hosts, the network, the server, the transaction."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from ibutsu_migrate.errors import DeadlockDetected, LockNotAvailable, QueryCanceled

if TYPE_CHECKING:
    from ibutsu_migrate._pq import Connection
    from ibutsu_migrate.testing import Cluster, Database

dbapi = pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

SECRET = "s3cr et'%\\"


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    found = dbapi.connect(database.dsn)
    yield found
    found.close()


def is_disconnect(error: Exception, connection: object) -> bool:
    dialect: Any = sa.create_engine("postgresql+ibutsu://").dialect
    return bool(dialect.is_disconnect(error, connection, None))


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


# Connecting


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    name = f"{database.name}_r"
    quoted = SECRET.replace("'", "''")
    database.cluster.psql(f"CREATE ROLE {name} LOGIN PASSWORD '{quoted}'")
    yield name
    database.cluster.psql(f"DROP ROLE {name}")


def tcp(database: Database, role: str, **options: object) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": database.cluster.port,
        "dbname": database.name,
        "user": role,
        "password": SECRET,
        **options,
    }


def test_password(database: Database, role: str) -> None:
    connection = dbapi.connect(**tcp(database, role))
    assert SECRET not in repr(connection)
    assert "s3cr" not in connection.dsn
    connection.close()
    assert "s3cr" not in repr(connection)


@pytest.mark.parametrize(
    ("options", "sqlstate", "kind"),
    [
        ({"password": "wrong s3cr"}, "28P01", "InvalidPassword"),
        ({"password": ""}, None, "OperationalError"),
        ({"dbname": "nil"}, "3D000", "OperationalError"),
        ({"user": "nil"}, "28P01", "InvalidPassword"),
        ({"options": "-c nil=1"}, "42704", "OperationalError"),
        ({"sslmode": "require"}, None, "OperationalError"),
        ({"port": closed_port()}, None, "OperationalError"),
        ({"host": "nil.invalid"}, None, "OperationalError"),
        ({"host": "/nil"}, None, "OperationalError"),
        ({"port": "nil"}, None, "OperationalError"),
        ({"host": "127.0.0.1,127.0.0.1", "port": "1,2,3"}, None, "OperationalError"),
        ({"sslmode": "nil"}, None, "OperationalError"),
        ({"target_session_attrs": "standby"}, None, "OperationalError"),
        ({"service": "nil"}, None, "OperationalError"),
    ],
)
def test_refused(
    options: dict[str, Any],
    sqlstate: str | None,
    kind: str,
    database: Database,
    role: str,
) -> None:
    with pytest.raises(dbapi.OperationalError) as caught:
        dbapi.connect(**tcp(database, role, **options))
    assert (type(caught.value).__name__, caught.value.sqlstate) == (kind, sqlstate)
    text = str(caught.value)
    assert text
    assert "s3cr" not in text
    # What was asked for to learn the SQLSTATE is not shown.
    assert "LOCATION" not in text
    if sqlstate is not None:
        assert sqlstate not in text
    assert not is_disconnect(caught.value, None)


def test_message_is_libpqs(database: Database, role: str) -> None:
    import psycopg2

    for options in ({"password": "x"}, {"dbname": "nil"}, {"port": closed_port()}):
        given = tcp(database, role, **options)
        with pytest.raises(dbapi.OperationalError) as ours:
            dbapi.connect(**given)
        with pytest.raises(psycopg2.OperationalError) as theirs:
            psycopg2.connect(**given)
        assert str(ours.value) == str(theirs.value).rstrip("\n")


@pytest.mark.parametrize(
    "dsn",
    [
        "user=u password=s3cr et",
        "user=u password='s3cr",
        "postgresql://u:s3cr%zz@h/d",
        "postgresql://u:p@h/d?s3cr",
        "password=a s3cr=b",
        "=s3cr",
    ],
)
def test_a_connection_string_that_cannot_be_read(dsn: str) -> None:
    for options in ({"dsn": dsn}, {"dbname": dsn}):
        with pytest.raises(dbapi.ProgrammingError, match="cannot be read") as caught:
            dbapi.connect(**options)
        assert "s3cr" not in str(caught.value)
        assert "s3cr" not in repr(caught.value.__dict__)


def test_options(database: Database, role: str) -> None:
    with pytest.raises(dbapi.ProgrammingError, match='invalid connection option "nil"'):
        dbapi.connect(nil=1)
    with pytest.raises(dbapi.ProgrammingError, match="NUL"):
        dbapi.connect(host="a\0b")
    cluster = database.cluster
    base = f"port={cluster.port} user=postgres"
    for arguments, options in (
        ((f"host={cluster.socket_dir} {base} dbname={database.name}",), {}),
        ((f"host=/nil {base}",), {"host": cluster.socket_dir, "dbname": database.name}),
        (("dbname=nil",), {"database": database.name, **own(cluster)}),
        ((), {"dbname": f"dbname={database.name}", **own(cluster)}),
        ((), {"dbname": f"postgresql:///{database.name}", **own(cluster)}),
        ((), {"dbname": database.name, "sslmode": None, **own(cluster)}),
        (
            (),
            {"dbname": database.name, "keepalives": True, **own(cluster)},
        ),
    ):
        connection = dbapi.connect(*arguments, **options)
        assert connection.info.dbname == database.name
        connection.close()


def own(cluster: Cluster) -> dict[str, Any]:
    return {"host": cluster.socket_dir, "port": cluster.port, "user": "postgres"}


def test_environment_service_and_passfile(
    database: Database, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = database.cluster.port
    services, passwords = tmp_path / "services", tmp_path / "passwords"
    services.write_text(
        f"[two]\nhost=/nil,127.0.0.1\nport=1,{port}\nuser={role}\nconnect_timeout=7\n"
    )
    escaped = SECRET.replace("\\", "\\\\").replace(":", "\\:")
    passwords.write_text(f"127.0.0.1:{port}:*:{role}:{escaped}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv("PGDATABASE", database.name)
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("PGAPPNAME", "mine")
    for arguments in (
        {"service": "two", "passfile": str(passwords)},
        {"dsn": f"service=two passfile={passwords}"},
    ):
        connection = dbapi.connect(**arguments)
        assert (connection.info.host, connection.info.user) == ("127.0.0.1", role)
        cursor = connection.cursor()
        cursor.execute("SHOW application_name")
        assert cursor.fetchone() == ("mine",)
        # The environment is the user's; the conversions are ours.
        assert connection.encoding == "UTF8"
        connection.close()
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", str(port))
    monkeypatch.setenv("PGUSER", role)
    monkeypatch.setenv("PGPASSWORD", SECRET)
    connection = dbapi.connect()
    assert connection.info.hostaddr == "127.0.0.1"
    connection.close()


def test_several_hosts(database: Database) -> None:
    cluster = database.cluster
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        port = silent.getsockname()[1]
        started = time.monotonic()
        connection = dbapi.connect(
            host=f"/nil,nil.invalid,127.0.0.1,localhost,{cluster.socket_dir}",
            port=f"1,1,{port},{closed_port()},{cluster.port}",
            user="postgres",
            dbname=database.name,
            connect_timeout=1,
        )
        # Each host has the whole time; only one of them needed it.
        assert 0.9 < time.monotonic() - started < 3
    assert connection.info.host == str(cluster.socket_dir)
    connection.close()


def test_several_hosts_that_all_fail() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        ports = f"1,{silent.getsockname()[1]},{closed_port()},2"
        with pytest.raises(dbapi.OperationalError) as caught:
            dbapi.connect(
                host="/nil,127.0.0.1,127.0.0.1,nil.invalid",
                port=ports,
                connect_timeout=1,
            )
    socket_dir, silence, refused, *rest = str(caught.value).split("\nconnection ")
    assert "No such file" in socket_dir
    assert silence.endswith("timeout expired")
    assert "Connection refused" in refused
    assert 'could not translate host name "nil.invalid"' in "\n".join([refused, *rest])


def test_names_with_several_addresses(database: Database, role: str) -> None:
    # "localhost" may be ::1 first, where nothing listens.
    options = tcp(database, role, host="localhost")
    connection = dbapi.connect(**options)
    assert (connection.info.host, connection.info.hostaddr) == (
        "localhost",
        "127.0.0.1",
    )
    connection.close()


@pytest.mark.parametrize(
    ("wanted", "fine"),
    [
        ("any", True),
        ("primary", True),
        ("read-write", True),
        ("prefer-standby", True),
        ("standby", False),
        ("read-only", False),
    ],
)
def test_target_session_attrs(wanted: str, fine: bool, database: Database) -> None:
    cluster = database.cluster
    options = {
        "host": f"{cluster.socket_dir},{cluster.socket_dir}",
        "port": cluster.port,
        "user": "postgres",
        "target_session_attrs": wanted,
    }
    if fine:
        dbapi.connect(**options).close()
    else:
        with pytest.raises(dbapi.OperationalError, match=r"standby|read-only"):
            dbapi.connect(**options)


def test_too_many_connections(database: Database, role: str) -> None:
    database.cluster.psql(f"ALTER ROLE {role} CONNECTION LIMIT 1")
    first = dbapi.connect(**tcp(database, role))
    with pytest.raises(dbapi.OperationalError, match="too many") as caught:
        dbapi.connect(**tcp(database, role))
    assert caught.value.sqlstate == "53300"
    first.close()


# The server and the network


def terminate(connection: Connection, database: Database) -> None:
    pid = connection.info.backend_pid
    sql = f"SELECT pg_terminate_backend({pid}, 10000)"
    assert database.cluster.psql(sql, database.name) == "t\n"


def uses(connection: Connection) -> dict[str, Callable[[], object]]:
    import io

    cursor = connection.cursor()
    return {
        "execute": lambda: cursor.execute("SELECT 1"),
        "copy": lambda: cursor.copy_expert("COPY t FROM STDIN", io.StringIO("1\n")),
        "named": lambda: connection.cursor("c").execute("SELECT 1"),
        "tpc": lambda: connection.tpc_begin("x"),
    }


@pytest.mark.parametrize("name", ["execute", "copy", "named", "tpc"])
def test_terminated_while_idle(
    name: str, connection: Connection, database: Database
) -> None:
    terminate(connection, database)
    with pytest.raises(dbapi.OperationalError) as caught:
        uses(connection)[name]()
    assert caught.value.sqlstate in ("57P01", None)
    assert connection.closed == 2
    assert is_disconnect(caught.value, connection)
    assert is_disconnect(caught.value, None)
    with pytest.raises(dbapi.InterfaceError, match="already closed"):
        connection.rollback()
    connection.close()
    assert connection.closed == 2


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_terminated_in_a_transaction(
    ending: str, connection: Connection, database: Database
) -> None:
    connection.cursor().execute("CREATE TABLE t ()")
    terminate(connection, database)
    with pytest.raises(dbapi.OperationalError) as caught:
        getattr(connection, ending)()
    assert is_disconnect(caught.value, connection)
    assert connection.closed == 2
    assert database.cluster.psql("SELECT to_regclass('t')", database.name) == "\n"


def after(seconds: float, call: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, call)
    timer.start()
    return timer


def test_terminated_while_running(connection: Connection, database: Database) -> None:
    timer = after(0.3, lambda: terminate(connection, database))
    cursor = connection.cursor()
    with pytest.raises(dbapi.OperationalError) as caught:
        cursor.execute("SELECT pg_sleep(60)")
    timer.join()
    assert caught.value.sqlstate == "57P01"
    assert type(caught.value).__name__ == "AdminShutdown"
    assert connection.closed == 2
    assert is_disconnect(caught.value, None)


def test_killed_while_running(tmp_path: Path) -> None:
    """A server process that is killed takes all sessions with it; then it is back."""
    from ibutsu_migrate.testing import Cluster

    with Cluster.start() as cluster, cluster.create_database() as database:
        connection, other = (dbapi.connect(database.dsn) for _ in range(2))
        other.cursor().execute("CREATE TABLE t ()")
        pid = connection.info.backend_pid
        timer = after(0.3, lambda: os.kill(pid, signal.SIGKILL))
        with pytest.raises(dbapi.OperationalError) as caught:
            connection.cursor().execute("SELECT pg_sleep(60)")
        timer.join()
        assert caught.value.sqlstate is None
        assert is_disconnect(caught.value, connection)
        assert is_disconnect(caught.value, None)
        # All server processes are told to go, each when it looks.
        with pytest.raises(dbapi.OperationalError) as caught:
            other.cursor().execute("SELECT pg_sleep(60)")
        assert is_disconnect(caught.value, None)
        # 57P03 while it recovers: an error of connecting like others.
        end = time.monotonic() + 20
        while True:
            try:
                again = dbapi.connect(database.dsn)
            except dbapi.OperationalError as error:
                assert error.sqlstate in ("57P03", None)  # noqa: PT017
                assert time.monotonic() < end
                time.sleep(0.05)
            else:
                break
        again.cursor().execute("CREATE TABLE t ()")
        again.close()


class Relay:
    """Passes bytes to the server, until it is cut or falls silent."""

    def __init__(self, cluster: Cluster) -> None:
        self.target = ("127.0.0.1", cluster.port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.silent = threading.Event()
        self.sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection(self.target)
                self.sockets += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.silent.is_set():
                    return
                target.sendall(data)

    def cut(self, reset: bool = False) -> None:
        for each in self.sockets:
            if reset:
                linger = b"\1\0\0\0\0\0\0\0"
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            with contextlib.suppress(OSError):
                # Also ends the recv() of another thread, which holds the socket open.
                each.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
            each.close()
        self.listener.close()


@pytest.fixture
def relay(database: Database) -> Iterator[Relay]:
    found = Relay(database.cluster)
    yield found
    found.cut()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("when", ["before", "during"])
def test_network_is_cut(
    when: str, reset: bool, relay: Relay, database: Database, role: str
) -> None:
    connection = dbapi.connect(**tcp(database, role, port=relay.port))
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    timer = after(0 if when == "before" else 0.3, lambda: relay.cut(reset))
    if when == "before":
        timer.join()
    with pytest.raises(dbapi.OperationalError) as caught:
        cursor.execute("SELECT pg_sleep(60)")
    timer.join()
    assert connection.closed == 2
    assert is_disconnect(caught.value, connection)
    assert is_disconnect(caught.value, None)


def test_half_open_is_bounded_by_tcp_user_timeout(
    relay: Relay, database: Database, role: str
) -> None:
    """Silence of the peer's program, whose system still answers, has no bound but
    the statement's; what is bounded is a peer that is gone. Here: the former, ended
    by cancel()'s own bound and close()."""
    connection = dbapi.connect(
        **tcp(database, role, port=relay.port, tcp_user_timeout=1000, keepalives_idle=1)
    )
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    relay.silent.set()
    timer = after(0.5, connection.close)
    started = time.monotonic()
    with pytest.raises(dbapi.OperationalError, match="closed"):
        cursor.execute("SELECT 1")
    timer.join()
    assert time.monotonic() - started < 2


def test_server_stops(tmp_path: Path) -> None:
    from ibutsu_migrate.testing import Cluster

    with Cluster.start() as cluster:
        database = cluster.create_database()
        connection = dbapi.connect(database.dsn)
        connection.cursor().execute("SELECT 1")
        cluster.stop()
    with pytest.raises(dbapi.OperationalError) as caught:
        connection.cursor().execute("SELECT 1")
    assert is_disconnect(caught.value, connection)
    assert connection.closed == 2


# Transactions that fail


def test_timeouts(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("SET LOCAL statement_timeout = 50")
    with pytest.raises(QueryCanceled) as caught:
        cursor.execute("SELECT pg_sleep(60)")
    assert caught.value.sqlstate == "57014"
    assert not is_disconnect(caught.value, connection)
    connection.rollback()
    cursor.execute("SET idle_in_transaction_session_timeout = 50")
    connection.commit()
    cursor.execute("SELECT 1")
    time.sleep(0.3)
    with pytest.raises(dbapi.DatabaseError) as caught:
        cursor.execute("SELECT 1")
    assert is_disconnect(caught.value, connection)
    assert is_disconnect(caught.value, None)


def test_locks(connection: Connection, database: Database) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (id int)")
    connection.commit()
    other = dbapi.connect(database.dsn)
    theirs = other.cursor()
    theirs.execute("LOCK TABLE t")
    with pytest.raises(LockNotAvailable):
        cursor.execute("LOCK TABLE t NOWAIT")
    connection.rollback()
    cursor.execute("SET LOCAL lock_timeout = 50")
    with pytest.raises(LockNotAvailable) as caught:
        cursor.execute("SELECT * FROM t")
    assert caught.value.sqlstate == "55P03"
    other.close()


def test_deadlock(connection: Connection, database: Database) -> None:
    database.cluster.psql("CREATE TABLE a (); CREATE TABLE b ()", database.name)
    other = dbapi.connect(database.dsn)
    first, second = connection.cursor(), other.cursor()
    first.execute("LOCK TABLE a")
    second.execute("LOCK TABLE b")
    failed: list[Exception] = []

    def lock(cursor: Any, table: str) -> None:
        try:
            cursor.execute(f"LOCK TABLE {table}")
        except dbapi.Error as error:
            failed.append(error)

    thread = threading.Thread(target=lock, args=(first, "b"))
    thread.start()
    lock(second, "a")
    if failed:
        other.rollback()
    thread.join(20)
    (error,) = failed
    assert isinstance(error, DeadlockDetected)
    assert isinstance(error, dbapi.OperationalError)
    assert "Process" in str(error.diag.message_detail)
    other.close()


def test_serialization(connection: Connection, database: Database) -> None:
    database.cluster.psql(
        "CREATE TABLE t (n int); INSERT INTO t VALUES (0)", database.name
    )
    other = dbapi.connect(database.dsn)
    for each in (connection, other):
        each.isolation_level = "SERIALIZABLE"
        each.cursor().execute("SELECT * FROM t")
    connection.cursor().execute("UPDATE t SET n = 1")
    connection.commit()
    with pytest.raises(dbapi.OperationalError) as caught:
        other.cursor().execute("UPDATE t SET n = 2")
    assert caught.value.sqlstate == "40001"
    assert not is_disconnect(caught.value, other)
    other.rollback()
    other.close()


def test_disk_full(connection: Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("SET LOCAL temp_file_limit = '1MB'")
    cursor.execute("SET LOCAL work_mem = '64kB'")
    with pytest.raises(dbapi.OperationalError) as caught:
        cursor.execute("SELECT n FROM generate_series(1, 1000000) n ORDER BY -n")
    assert caught.value.sqlstate == "53400"
    connection.rollback()
    cursor.execute("SELECT 1")
    assert cursor.fetchall() == [(1,)]


def test_what_the_server_sends_while_nobody_reads(connection: Connection) -> None:
    """A statement of megabytes to a server that floods notices: no deadlock."""
    statements = "".join(
        f"DO $$ BEGIN RAISE WARNING '{n} %', repeat('x', 20000); END $$;"
        for n in range(2000)
    )
    sql = statements + f"SELECT length('{'y' * 10_000_000}')"
    cursor = connection.cursor()
    cursor.execute(sql)
    assert cursor.fetchall() == [(10_000_000,)]
    assert len(connection.notices) == 50
    assert connection.notices[-1].startswith("WARNING:  1999 x")


def test_replication_is_refused(database: Database) -> None:
    connection = dbapi.connect(database.dsn, replication="database")
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("IDENTIFY_SYSTEM")
    row = cursor.fetchone()
    with pytest.raises(dbapi.OperationalError, match="replication is not supported"):
        cursor.execute(f"START_REPLICATION PHYSICAL {row[2]}")
    assert connection.closed == 2


def test_bytes_that_are_no_text(database: Database) -> None:
    name = f"{database.name}_a"
    database.cluster.psql(
        f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' "
        "TEMPLATE template0"
    )
    connection = dbapi.connect(database.dsn, dbname=name)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (a text)")
    cursor.execute("INSERT INTO t VALUES (E'\\xff'), ('ü')")
    cursor.execute("SELECT a FROM t")
    assert cursor.fetchall() == [("\udcff",), ("ü",)]
    cursor.execute("SELECT a FROM t WHERE a = %s", ("\udcff",))
    assert cursor.fetchall() == [("\udcff",)]
    connection.close()
    database.cluster.psql(f"DROP DATABASE {name}")


def test_settings_of_the_role(database: Database, role: str) -> None:
    database.cluster.psql(f"ALTER ROLE {role} SET DateStyle = 'German, MDY'")
    connection = dbapi.connect(**tcp(database, role))
    cursor = connection.cursor()
    # As psycopg2: dates come in ISO style, but the order that was set is kept.
    cursor.execute("SELECT '2026-01-02'::date, '01/02/2026'::date")
    assert str(cursor.fetchone()) == (
        "(datetime.date(2026, 1, 2), datetime.date(2026, 1, 2))"
    )
    connection.close()
