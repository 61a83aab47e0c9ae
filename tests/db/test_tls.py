"""The driver over TLS: a server with a certificate, and clients that check it.

The keys in ``tests/data/tls`` protect nothing. They are valid for a hundred years.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ibutsu_migrate.testing import Cluster, ClusterError

if TYPE_CHECKING:
    from ibutsu_migrate.testing import Database

dbapi = pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

FILES = Path(__file__).parents[1] / "data" / "tls"
PASSWORD = "s3cret"


def _give(cluster: Cluster, name: str) -> None:
    """A file for the server, written by the server: its key has to be its own."""
    text = (FILES / name).read_text().strip().replace("\n", "\\n")
    cluster.psql(
        f"COPY (SELECT regexp_split_to_table(E'{text}', '\\n')) "
        f"TO PROGRAM 'umask 077 && cat > {name}'"
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster.start() as found:
        _give(found, "server.crt")
        _give(found, "server.key")
        try:
            found.psql("ALTER SYSTEM SET ssl = on")
        except ClusterError as error:
            if "not supported by this build" not in str(error):
                raise
            pytest.skip("this PostgreSQL was built without TLS")
        found.psql("SELECT pg_reload_conf()")
        found.psql(f"CREATE ROLE client LOGIN PASSWORD '{PASSWORD}'")
        end = time.monotonic() + 10
        while "on" not in found.psql("SHOW ssl"):
            assert time.monotonic() < end
            time.sleep(0.05)
        yield found


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    with cluster.create_database() as found:
        yield found


def options(database: Database, **more: object) -> dict[str, Any]:
    return {
        "host": "localhost",
        "hostaddr": "127.0.0.1",
        "port": database.cluster.port,
        "dbname": database.name,
        "user": "client",
        "password": PASSWORD,
        "sslmode": "verify-full",
        "sslrootcert": str(FILES / "root.crt"),
        **more,
    }


@pytest.mark.parametrize("sslmode", ["prefer", "require", "verify-ca", "verify-full"])
def test_connected(sslmode: str, database: Database) -> None:
    with dbapi.connect(**options(database, sslmode=sslmode)) as connection:
        assert connection.info.ssl_in_use is True
        cursor = connection.cursor()
        cursor.execute(
            "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        )
        secure, version = cursor.fetchone()
        assert secure
        assert version.startswith("TLS")
    connection.close()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"host": "127.0.0.1"}, "does not match host name"),
        ({"sslrootcert": str(FILES / "other.crt")}, "certificate verify failed"),
        ({"sslmode": "verify-ca", "sslrootcert": "/nil/root.crt"}, "/nil/root.crt"),
    ],
)
def test_refused(more: dict[str, Any], says: str, database: Database) -> None:
    with pytest.raises(dbapi.OperationalError) as caught:
        dbapi.connect(**options(database, **more))
    assert says in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_more_than_one_record_at_a_time(database: Database) -> None:
    """What TLS has read ahead is not seen by poll()."""
    connection = dbapi.connect(**options(database))
    cursor = connection.cursor()
    cursor.execute("SELECT n, repeat('x', n % 3000) FROM generate_series(1, 5000) n")
    rows = cursor.fetchall()
    assert sum(len(text) for _, text in rows) == sum(n % 3000 for n in range(1, 5001))
    cursor.execute("SELECT length(%s)", ("ü" * 5_000_000,))
    assert cursor.fetchone() == (5_000_000,)
    cursor.execute("CREATE TEMPORARY TABLE t (a int, b text)")
    lines = "".join(f"{n}\t{'y' * (n % 700)}\n" for n in range(20000))
    cursor.copy_expert("COPY t FROM STDIN", io.StringIO(lines))
    out = io.StringIO()
    cursor.copy_expert("COPY t TO STDOUT", out)
    assert out.getvalue() == lines
    connection.close()


def test_pipeline(database: Database) -> None:
    connection = dbapi.connect(**options(database))
    connection.pipeline = True
    cursor = connection.cursor()
    cursor.execute("CREATE TEMPORARY TABLE t (a text)")
    for n in range(3000):
        cursor.execute("INSERT INTO t VALUES (%s)", (str(n) * 100,))
        if n % 10 == 0:
            cursor.execute("DO $$ BEGIN RAISE NOTICE '%', repeat('n', 2000); END $$")
    cursor.execute("SELECT count(*) FROM t")
    assert cursor.fetchone() == (3000,)
    connection.close()


def test_cancel(database: Database) -> None:
    connection = dbapi.connect(**options(database))
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(dbapi.OperationalError) as caught:
        connection.cursor().execute("SELECT pg_sleep(30)")
    timer.join()
    assert time.monotonic() - begun < 10
    assert caught.value.sqlstate == "57014"
    connection.rollback()
    connection.cursor().execute("SELECT 1")
    connection.close()


def test_a_backend_that_ends(database: Database) -> None:
    connection = dbapi.connect(**options(database))
    pid = connection.info.backend_pid
    database.cluster.psql(f"SELECT pg_terminate_backend({pid}, 10000)")
    with pytest.raises(dbapi.OperationalError):
        connection.cursor().execute("SELECT 1")
    assert connection.closed == 2
