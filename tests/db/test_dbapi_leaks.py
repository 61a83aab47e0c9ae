"""Nothing is left behind: objects, memory, file descriptors; a second interpreter."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

dbapi = pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)


def everything(dsn: str) -> None:
    """All that the driver does once, errors included."""

    class Broken(io.StringIO):
        def read(self, size: int | None = -1) -> str:
            raise ZeroDivisionError

    with pytest.raises(dbapi.Error):
        dbapi.connect(host="/nil")
    with pytest.raises(dbapi.Error):
        dbapi.connect("password=a b")
    connection = dbapi.connect(dsn, json_loads=lambda text: [text])
    cursor = connection.cursor()
    cursor.execute(
        "SELECT %s, %s, %s, '{}'::json, '[1,2)'::int4range, now(), 1.5::numeric(9, 2)",
        (1, "a", [b"x", None]),
    )
    assert cursor.description is not None
    cursor.fetchone()
    cursor.executemany("SELECT %(a)s", [{"a": n} for n in range(10)])
    cursor.callproc("generate_series", (1, 3))
    list(cursor)
    for wrong in ("nil", "SELECT 1 / 0", "COPY pg_class TO STDOUT"):
        connection.rollback()
        with pytest.raises(dbapi.Error):
            cursor.execute(wrong)
    connection.rollback()
    values: Any
    for values in ((), (1, 2), ({},)):
        with pytest.raises(dbapi.Error):
            cursor.execute("SELECT %s", values)
    cursor.execute("CREATE TEMPORARY TABLE t (a text)")
    cursor.copy_expert("COPY t FROM STDIN", io.StringIO("a\nb\n"))
    cursor.copy_expert("COPY t TO STDOUT", io.BytesIO())
    cursor.executemany("INSERT INTO t VALUES (%s)", [("x",)] * 50)
    connection.commit()
    row: Any
    for row in ((1, 2), ({},), ()):
        with pytest.raises(dbapi.Error):
            cursor.executemany("INSERT INTO t VALUES (%s)", [("x",), row])
    with pytest.raises(dbapi.Error):
        cursor.executemany("INSERT INTO t VALUES (1 / %s)", [(1,), (0,), (1,)])
    connection.rollback()
    text = (("a", 25, 0, False),)
    assert cursor.copy_rows("COPY t FROM STDIN", text, [{"a": "x"}] * 3) == 3
    unfit: Any
    for unfit in ({"a": 1.5}, {"a": {}}, {}, None):
        connection.commit()
        assert cursor.copy_rows("COPY t FROM STDIN", text, [unfit]) is None
        connection.rollback()
    with pytest.raises(dbapi.Error):
        cursor.copy_rows("COPY nil FROM STDIN", text, [{"a": "x"}])
    connection.rollback()
    with pytest.raises(ZeroDivisionError):
        cursor.copy_expert("COPY t FROM STDIN", Broken())
    connection.rollback()
    with connection.cursor("c") as named:
        named.execute("SELECT generate_series(1, 10)")
        named.fetchmany(3)
        named.scroll(1)
        list(named)
    cursor.execute("DO $$ BEGIN RAISE NOTICE 'x'; END $$; LISTEN c; NOTIFY c, 'y'")
    connection.commit()
    for name in ("isolation_level", "read_only", "deferrable"):
        setattr(connection, name, None)
    assert connection.notifies
    assert connection.info.backend_pid
    connection.tpc_begin(connection.xid(1, "leak", "x"))
    connection.tpc_rollback()
    connection.tpc_recover()
    # A pooler gives the backend, and what is temporary in it, to the next one.
    cursor.execute("DROP TABLE t")
    connection.commit()
    connection.cancel()
    cursor.mogrify("SELECT %s", (1,))
    repr((cursor, connection, connection.dsn))
    connection.close()


def counts() -> dict[str, int]:
    """Live objects by type, after a collection."""
    gc.collect()
    found: dict[str, int] = {}
    for each in gc.get_objects():
        name = type(each).__name__
        found[name] = found.get(name, 0) + 1
    return found


def test_objects_and_descriptors(database: Database) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0

    for _ in range(3):
        everything(database.dsn)
    before, open_before = counts(), descriptors()
    blocks = sys.getallocatedblocks()
    for _ in range(20):
        everything(database.dsn)
    after = counts()
    # pytest.raises and the counting itself leave a few of their own, not twenty.
    grown = {
        name: after[name] - before.get(name, 0)
        for name in after
        if after[name] - before.get(name, 0) >= 15
    }
    assert grown == {}
    assert descriptors() == open_before
    assert sys.getallocatedblocks() - blocks < 1000


def test_memory_of_results(database: Database) -> None:
    """libpq's memory too, which no count of objects sees."""
    import resource

    connection = dbapi.connect(database.dsn)
    cursor = connection.cursor()

    def read() -> None:
        for _ in range(30):
            cursor.execute("SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
            cursor.fetchall()

    read()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read()
    # One result is 5 MB; thirty that stay would be 150.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
    connection.close()


def test_copy_in_flat_memory(database: Database) -> None:
    import resource

    connection = dbapi.connect(database.dsn)
    cursor = connection.cursor()
    cursor.execute("CREATE TEMPORARY TABLE t (a text)")

    class Rows:
        left = 2000

        def read(self, size: int) -> str:
            self.left -= 1
            return "x" * 65535 + "\n" if self.left >= 0 else ""

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cursor.copy_expert("COPY t FROM STDIN", Rows())
    assert cursor.rowcount == 2000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000
    connection.close()


SUBINTERPRETER = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

code = '''
from ibutsu_migrate.engine import dbapi
connection = dbapi.connect({dsn!r})
cursor = connection.cursor()
cursor.execute("SELECT %s, now(), '1.5'::numeric, 'x'::json IS NULL", (1,))
'''.replace("'x'::json IS NULL", "true")
code += '''
assert cursor.fetchone()[0] == 1
try:
    cursor.execute("nil")
except dbapi.ProgrammingError as error:
    assert error.sqlstate == "42601"
connection.close()
'''
from ibutsu_migrate.engine import dbapi
for _ in range(3):
    try:
        found = interpreters.create("legacy")
    except TypeError:
        found = interpreters.create(isolated=False)
    failed = interpreters.run_string(found, code)
    assert failed is None, failed
    interpreters.destroy(found)
    connection = dbapi.connect({dsn!r})
    connection.cursor().execute("SELECT 1")
    connection.close()
print("fine")
"""


def test_second_interpreter(database: Database) -> None:
    program = SUBINTERPRETER.replace("{dsn!r}", repr(database.dsn))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("fine\n", 0), done.stderr


def test_allocation_failure(database: Database) -> None:
    """Each allocation of Python's fails once: MemoryError or success, and no crash."""
    pytest.importorskip("_testcapi", reason="Python is built without its test modules")
    program = ALLOCATION.replace("{dsn!r}", repr(database.dsn))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-3000:])
    failures, usable = done.stdout.split()
    assert int(failures) > 50
    assert usable == "usable"


ALLOCATION = """
import _testcapi, io, sys
from ibutsu_migrate.engine import dbapi
from ibutsu_migrate import _pq

connection = dbapi.connect({dsn!r})
cursor = connection.cursor()
options = _pq.parse_conninfo({dsn!r})

def run():
    cursor.execute("SELECT %s, %s AS b, now(), 1.5::numeric, '{1,2}'::int[]", (1, "a"))
    cursor.description
    cursor.fetchall()
    connection.rollback()

def fail():
    try:
        cursor.execute("SELECT 1 / 0")
    except dbapi.DataError:
        pass
    connection.rollback()

TARGETS = ((None, 23, 0, False), (None, 1009, 25, False))
ROWS = [(n, ["x", None]) for n in range(3)]

def copy():
    assert cursor.copy_rows("COPY t FROM STDIN", TARGETS, ROWS) == 3
    connection.rollback()

def give_up():
    found = cursor.copy_rows("COPY t FROM STDIN", TARGETS, [*ROWS, (1.5, [])])
    assert found is None
    connection.rollback()

def many():
    cursor.executemany("INSERT INTO t VALUES (%s, %s)", ROWS)
    assert cursor.rowcount == 3
    connection.rollback()

def connect():
    _pq.connect(options).close()

cursor.execute("CREATE TABLE t (a int, b text[])")
connection.commit()

failures = 0
for work in (run, fail, copy, give_up, many, connect):
    work()
    for n in range(1, 400):
        failed = False
        _testcapi.set_nomemory(n, n + 1)
        try:
            work()
        except MemoryError:
            failed = True
        except dbapi.Error as error:
            failed = True
        finally:
            _testcapi.remove_mem_hooks()
        failures += failed
        if connection.closed:
            connection = dbapi.connect({dsn!r})
            cursor = connection.cursor()
        connection.rollback()
cursor.execute("SELECT 42")
assert cursor.fetchone() == (42,)
connection.close()
print(failures, "usable")
"""


def test_types_are_not_made_by_hand() -> None:
    from ibutsu_migrate import _pq

    for kind in (_pq.Connection, _pq.Cursor, _pq.ConnectionInfo):
        made: Any = kind
        with pytest.raises(TypeError):
            made()
        with pytest.raises(TypeError):
            made.x = 1
