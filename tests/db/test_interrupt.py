"""Ctrl-C, signals, threads, forks and the end of the interpreter: real processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ibutsu_migrate._pq import Connection
    from ibutsu_migrate.testing import Database

dbapi = pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

# From the signal to KeyboardInterrupt; the server is on this machine.
BOUND = 1.0

CHILD = """\
import io, os, signal, sys, time
from ibutsu_migrate.engine import dbapi

dsn = sys.argv[1]
# An endless COPY that nobody stops would fill the disk.
signal.alarm(90)

class Endless:
    def read(self, size):
        return "x\\n" * 10000

class Slow:
    def write(self, data):
        pass

def tell(text):
    sys.stdout.write(text + "\\n")
    sys.stdout.flush()

def interrupted(connection, call):
    tell("ready")
    try:
        call()
    except KeyboardInterrupt:
        tell("interrupted")
        if connection is None:
            return
        if connection.closed:
            tell(f"closed {connection.closed}")
            return
        tell(f"usable {connection.info.transaction_status}")
        connection.rollback()
        cursor = connection.cursor()
        cursor.execute("SELECT 41 + 1")
        tell(f"answer {cursor.fetchone()[0]}")
        connection.close()
    else:
        tell("not interrupted")
"""


@contextlib.contextmanager
def child(body: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs CHILD and then ``body``, and has said that it is ready."""
    program = CHILD + textwrap.dedent(body)
    # Of a sanitizer with which the extension was built; see docs/design/driver.md.
    preload = os.environ.get("IBUTSU_MIGRATE_TEST_PRELOAD")
    environment = {**os.environ, **({"LD_PRELOAD": preload} if preload else {})}
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", program, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if line != "ready\n":
                pytest.fail(line + process.communicate(timeout=30)[1])
            yield process
        finally:
            process.kill()


def outcome(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    assert process.stderr is not None
    # Not communicate(): it does not know of lines that were read ahead.
    out = process.stdout.read()
    assert process.stderr.read() == ""
    assert process.wait(30) == 0
    return out.splitlines()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def active(database: Database, pattern: str) -> Callable[[], bool]:
    sql = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
        f"AND query LIKE '{pattern}' AND pid <> pg_backend_pid()"
    )
    return lambda: database.cluster.psql(sql, database.name).strip() != "0"


STATEMENTS = {
    "sleep": ("cursor.execute('SELECT pg_sleep(60)')", "SELECT pg_sleep%"),
    "loop": (
        "cursor.execute('SELECT count(*) FROM generate_series(1, 10000000000)')",
        "SELECT count%",
    ),
    "lock": ("cursor.execute('LOCK TABLE held')", "LOCK TABLE%"),
    "rows": (
        "cursor.execute('SELECT repeat(%s, 500) FROM generate_series(1, 100000000)',"
        " ('x',))",
        "SELECT repeat%",
    ),
    "named": (
        "named = connection.cursor('c'); "
        "named.execute('SELECT pg_sleep(60)'); named.fetchone()",
        "FETCH%",
    ),
    "copy in": ("cursor.copy_expert('COPY held FROM STDIN', Endless())", "COPY held%"),
    "copy out": (
        "cursor.copy_expert('COPY (SELECT generate_series(1, 10000000000)) TO STDOUT',"
        " Slow())",
        "COPY (%",
    ),
    "copy waits": (
        "cursor.copy_expert('COPY (SELECT pg_sleep(60)) TO STDOUT', Slow())",
        "COPY (%",
    ),
    "copy rows": (
        "cursor.copy_rows('COPY slow FROM STDIN', (('a', 25, 0, False),),"
        " [{'a': 'x' * 1000}] * 20000)",
        "COPY slow%",
    ),
    "many queued": (
        "cursor.executemany('INSERT INTO slow VALUES (%s)', [('x',)] * 20000)",
        "INSERT INTO slow%",
    ),
    "many": (
        "cursor.executemany('SELECT pg_sleep(%s)', [(0.01,)] * 10000)",
        "SELECT pg_sleep%",
    ),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_ctrl_c(name: str, database: Database) -> None:
    statement, pattern = STATEMENTS[name]
    slow = "CREATE TABLE slow (a text CHECK (pg_sleep(0.001)::text = ''))"
    database.cluster.psql(f"CREATE TABLE held (a text); {slow}", database.name)
    holder = dbapi.connect(database.dsn)
    if name == "lock":
        holder.cursor().execute("LOCK TABLE held")
    body = f"""
    connection = dbapi.connect(dsn)
    cursor = connection.cursor()
    interrupted(connection, lambda: [{statement.replace("; ", ", ")}])
    """
    if name == "named":
        body = """
        connection = dbapi.connect(dsn)
        named = connection.cursor("c")
        named.execute("SELECT pg_sleep(60)")
        interrupted(connection, named.fetchone)
        """
    with child(body, database.dsn) as process:
        wait_until(active(database, pattern))
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - started < BOUND
        # INERROR, or INTRANS where the signal came between two statements.
        usable, answer = outcome(process)
        assert usable in ("usable 3", "usable 2")
        assert answer == "answer 42"
    wait_until(lambda: not active(database, pattern)())
    holder.close()


def test_ctrl_c_while_rows_are_decoded(database: Database) -> None:
    body = """
    import json
    connection = dbapi.connect(dsn)
    cursor = connection.cursor()
    cursor.execute("SELECT n, n::text, now() FROM generate_series(1, 3000000) n")
    interrupted(connection, cursor.fetchall)
    """
    with child(body, database.dsn) as process:
        time.sleep(0.1)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert outcome(process) == ["interrupted", "usable 2", "answer 42"]
        assert time.monotonic() - started < 2 * BOUND


def test_ctrl_c_while_connecting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        body = "interrupted(None, lambda: dbapi.connect(dsn))"
        with (
            child(body, f"host=127.0.0.1 port={port}") as process,
            silent.accept()[0] as half_open,
        ):
            assert half_open.recv(1)
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert outcome(process) == ["interrupted"]
            assert time.monotonic() - started < BOUND


SLOW_RESOLVER = """
#define _GNU_SOURCE
#include <netdb.h>
#include <unistd.h>
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    (void)name, (void)service, (void)hints, (void)found;
    for (int i = 0; i < 600; i++)
        usleep(100000);
    return EAI_AGAIN;
}
"""


@pytest.fixture(scope="session")
def slow_resolver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library to preload, in which looking up a name takes a minute."""
    if os.environ.get("IBUTSU_MIGRATE_TEST_PRELOAD"):
        pytest.skip("something else is preloaded")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("resolver")
    source, library = folder / "slow.c", folder / "slow.so"
    source.write_text(SLOW_RESOLVER)
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    return library


def test_ctrl_c_while_a_name_is_looked_up(
    slow_resolver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBUTSU_MIGRATE_TEST_PRELOAD", str(slow_resolver))
    body = "interrupted(None, lambda: dbapi.connect(dsn))"
    with child(body, "host=db.example") as process:
        time.sleep(0.3)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert outcome(process) == ["interrupted"]
        assert time.monotonic() - started < BOUND


def test_looking_up_a_name_counts_as_connecting(
    slow_resolver: Path, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setenv("IBUTSU_MIGRATE_TEST_PRELOAD", str(slow_resolver))
    body = """
    tell("ready")
    started = time.monotonic()
    connection = dbapi.connect(dsn)
    assert 0.9 < time.monotonic() - started < 3
    tell(connection.info.host)
    connection.close()
    """
    cluster = database.cluster
    hosts = f"host=db.example,{cluster.socket_dir} port={cluster.port} user=postgres"
    with child(body, f"{hosts} connect_timeout=1") as process:
        assert outcome(process) == [str(cluster.socket_dir)]


def test_ctrl_c_of_a_server_that_does_not_answer(database: Database) -> None:
    # The network goes: neither the cancel request nor its effect arrives.
    with Proxy(database.cluster.port) as proxy:
        body = """
        connection = dbapi.connect(dsn)
        cursor = connection.cursor()
        interrupted(connection, lambda: cursor.execute("SELECT pg_sleep(60)"))
        """
        dsn = f"host=127.0.0.1 port={proxy.port} user=postgres dbname={database.name}"
        with child(body, f"{dsn} password={password(database)}") as process:
            wait_until(active(database, "SELECT pg_sleep%"))
            proxy.freeze()
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert outcome(process) == ["interrupted", "closed 1"]
            assert time.monotonic() - started < BOUND + 0.5


def password(database: Database) -> str:
    database.cluster.psql("ALTER ROLE postgres PASSWORD 'hush'", database.name)
    return "hush"


class Proxy:
    """Passes bytes between clients and the server, until told to stop."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.frozen = threading.Event()
        self.sockets: list[socket.socket] = []

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.cut()
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                self.sockets.append(client)
                if self.frozen.is_set():
                    continue
                server = socket.create_connection(("127.0.0.1", self.target))
                self.sockets.append(server)
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.frozen.is_set():
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def freeze(self) -> None:
        """No byte passes any more, in either direction; nothing is closed."""
        self.frozen.set()

    def cut(self) -> None:
        """Close everything."""
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def test_handlers_that_do_not_raise(database: Database) -> None:
    body = """
    connection = dbapi.connect(dsn)
    cursor = connection.cursor()

    def on_signal(*args):
        # What is under way is not to be disturbed by it.
        try:
            connection.cursor().execute("SELECT 1")
        except dbapi.ProgrammingError as error:
            tell("refused" if "in use" in str(error) else str(error))

    signal.signal(signal.SIGUSR1, on_signal)
    tell("ready")
    cursor.execute("SELECT pg_sleep(1.0), 7")
    tell(f"row {cursor.fetchone()[1]}")
    connection.close()
    """
    with child(body, database.dsn) as process:
        wait_until(active(database, "SELECT pg_sleep%"))
        process.send_signal(signal.SIGUSR1)
        assert outcome(process) == ["refused", "row 7"]


def test_a_handler_that_closes(database: Database) -> None:
    body = """
    connection = dbapi.connect(dsn)
    cursor = connection.cursor()
    signal.signal(signal.SIGTERM, lambda *args: connection.close())
    tell("ready")
    try:
        cursor.execute("SELECT pg_sleep(60)")
    except dbapi.OperationalError as error:
        tell(f"{connection.closed} {error}")
    """
    with child(body, database.dsn) as process:
        wait_until(active(database, "SELECT pg_sleep%"))
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert outcome(process) == ["1 connection already closed"]
        assert time.monotonic() - started < BOUND


def test_timers_that_interrupt_all_the_time(database: Database) -> None:
    body = """
    connection = dbapi.connect(dsn)
    cursor = connection.cursor()
    counted = []
    signal.signal(signal.SIGALRM, lambda *args: counted.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    tell("ready")
    for n in range(200):
        cursor.execute("SELECT repeat('x', 100000), %s", (n,))
        assert cursor.fetchone()[1] == n
    cursor.execute("CREATE TABLE t (a text)")
    cursor.copy_expert("COPY t FROM STDIN", io.StringIO("abc\\n" * 200000))
    assert cursor.rowcount == 200000
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert len(counted) > 10, counted
    connection.close()
    """
    with child(body, database.dsn) as process:
        assert outcome(process) == []


# Threads


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    found = dbapi.connect(database.dsn)
    yield found
    found.close()


def in_thread(call: Callable[[], object]) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def test_second_thread_is_refused(connection: Connection, database: Database) -> None:
    cursor = connection.cursor()
    thread, found = in_thread(lambda: cursor.execute("SELECT pg_sleep(1), 5"))
    wait_until(active(database, "SELECT pg_sleep%"))
    for call in (
        lambda: connection.cursor().execute("SELECT 1"),
        connection.commit,
        connection.rollback,
        connection.tpc_recover,
        lambda: connection.cursor("c").execute("SELECT 1"),
    ):
        with pytest.raises(dbapi.ProgrammingError, match="in use"):
            call()
    # Looking is possible, and other threads go on meanwhile.
    assert connection.closed == 0
    thread.join()
    assert found == [None]
    row = cursor.fetchone()
    assert row is not None
    assert row[1] == 5


def test_cancel_from_another_thread(connection: Connection, database: Database) -> None:
    cursor = connection.cursor()
    thread, found = in_thread(lambda: cursor.execute("SELECT pg_sleep(60)"))
    wait_until(active(database, "SELECT pg_sleep%"))
    started = time.monotonic()
    connection.cancel()
    thread.join(10)
    assert time.monotonic() - started < BOUND
    assert isinstance(found[0], dbapi.QueryCanceled)
    assert found[0].sqlstate == "57014"
    connection.rollback()
    # Nothing under way: nothing is cancelled, and not the next statement either.
    for _ in range(20):
        connection.cancel()
        cursor.execute("SELECT 1")
    connection.rollback()


def test_close_from_another_thread(connection: Connection, database: Database) -> None:
    cursor = connection.cursor()
    thread, found = in_thread(lambda: cursor.execute("SELECT pg_sleep(60)"))
    wait_until(active(database, "SELECT pg_sleep%"))
    connection.close()
    assert connection.closed == 1
    thread.join(10)
    assert not thread.is_alive()
    assert isinstance(found[0], dbapi.OperationalError)
    assert str(found[0]) == "connection already closed"
    assert connection.closed == 1
    with pytest.raises(dbapi.InterfaceError):
        connection.commit()


def test_threads_that_fight_for_it(connection: Connection) -> None:
    """One statement at a time, whatever they do: each gets its own rows or a no."""
    answered: list[int] = []
    refused: list[str] = []

    def work(k: int) -> None:
        cursor = connection.cursor()
        for n in range(200):
            try:
                cursor.execute("SELECT %s, repeat('x', %s)", (k * 1000 + n, n))
            except dbapi.ProgrammingError as error:
                refused.append(str(error))
            else:
                assert cursor.fetchall() == [(k * 1000 + n, "x" * n)]
                answered.append(1)

    threads = [in_thread(lambda k=k: work(k)) for k in range(4)]  # type: ignore[misc]
    for thread, found in threads:
        thread.join()
        assert found == [None]
    assert len(answered) + len(refused) == 800
    assert answered
    assert all("in use" in text for text in refused)


# Fork


def test_fork(database: Database) -> None:
    body = """
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    connection = dbapi.connect(dsn)
    cursor = connection.cursor("c")
    cursor.execute("SELECT generate_series(1, 3)")
    tell("ready")
    pid = os.fork()
    if pid == 0:
        for call in (
            connection.close,
            connection.commit,
            connection.cancel,
            cursor.fetchone,
            connection.cursor,
            lambda: connection.info.backend_pid,
        ):
            try:
                call()
            except dbapi.InterfaceError as error:
                assert "forked" in str(error), error
            else:
                os._exit(1)
        assert connection.closed
        # Neither does forgetting it end the parent's session.
        del connection, cursor, call, error
        import gc
        gc.collect()
        own = dbapi.connect(dsn)
        own.close()
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert cursor.fetchall() == [(1,), (2,), (3,)]
    cursor.close()
    connection.commit()
    connection.close()
    tell("parent goes on")
    """
    with child(body.replace(", error\n", "\n"), database.dsn) as process:
        assert outcome(process) == ["parent goes on"]


# The end


def test_garbage_collection_of_an_open_connection(database: Database) -> None:
    connection = dbapi.connect(database.dsn)
    pid = connection.info.backend_pid
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t ()")
    with pytest.warns(ResourceWarning, match="unclosed connection <Connection"):
        del connection, cursor
    sql = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}"
    wait_until(lambda: database.cluster.psql(sql, database.name) == "0\n")


def test_a_cycle_with_a_connection_is_collected(database: Database) -> None:
    import gc

    class Loader:
        connection: Any = None

        def __call__(self, text: str) -> object:
            return text

    loader = Loader()
    loader.connection = dbapi.connect(database.dsn, json_loads=loader)
    cursor = loader.connection.cursor()
    cursor.execute("SELECT 1")
    loader.connection.close()
    gone = weakref.ref(loader)
    del loader, cursor
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "ending",
    [
        "sys.exit(0)",
        "keep = [connection, cursor]; sys.modules['keep'] = keep",
        "import atexit; atexit.register(connection.close)",
        "import threading; threading.Thread("
        "target=lambda: cursor.execute('SELECT pg_sleep(60)'), daemon=True).start(); "
        "time.sleep(0.3)",
        "import gc; gc.disable(); connection.me = None if 0 else None",
    ],
)
def test_interpreter_ends_with_an_open_connection(
    ending: str, database: Database
) -> None:
    body = f"""
    import warnings
    connection = dbapi.connect(dsn)
    cursor = connection.cursor()
    cursor.execute("SELECT generate_series(1, 3)")
    warnings.simplefilter("ignore", ResourceWarning)
    tell("ready")
    {ending if "connection.me" not in ending else "import gc; gc.disable()"}
    """
    with child(body, database.dsn) as process:
        assert outcome(process) == []


def test_signal_that_another_thread_gets(database: Database) -> None:
    """The kernel may give SIGINT to any thread: poll() is then not interrupted."""
    body = """
    import threading
    connection = dbapi.connect(dsn)
    cursor = connection.cursor()
    main = threading.main_thread()

    def strike():
        time.sleep(0.3)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    threading.Thread(target=strike).start()
    interrupted(connection, lambda: cursor.execute("SELECT pg_sleep(60)"))
    """
    started = time.monotonic()
    with child(body, database.dsn) as process:
        assert outcome(process) == ["interrupted", "usable 3", "answer 42"]
    assert time.monotonic() - started < 20


def test_two_ctrl_c(database: Database) -> None:
    body = """
    connection = dbapi.connect(dsn)
    cursor = connection.cursor()
    interrupted(connection, lambda: cursor.execute("SELECT pg_sleep(60)"))
    """
    with child(body, database.dsn) as process:
        wait_until(active(database, "SELECT pg_sleep%"))
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "interrupted\n"
        assert outcome(process)[-1] == "answer 42"
