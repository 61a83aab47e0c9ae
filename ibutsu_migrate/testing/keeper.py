"""The keeper of one throwaway server: a program that outlives its owner.

``cluster.py`` starts it by path (``python -I -S keeper.py ORDER``) and reads one line
of JSON from it. From then on it waits until its standard input ends or its owner's
process does, whatever the reason, stops the server and deletes every file. It is alone
in its session: Ctrl-C in the owner's terminal reaches the owner only.

The interpreter and this file may lie in a folder that only root can enter. So where
the owner is root the keeper stays root, and only what it starts (initdb, postgres)
runs as ``postgres`` or ``nobody``. It imports nothing of this package.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import locale
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "ibutsu-pg-"
ACCOUNTS: Final = ("postgres", "nobody")
# sockaddr_un holds 108 bytes; the server adds "/s/.s.PGSQL.65535.lock" to the folder.
LONGEST_FOLDER: Final = 80
PORT_ATTEMPTS: Final = 10
FOLDER_ATTEMPTS: Final = 3
PR_SET_PDEATHSIG: Final = 1
IPC_RMID: Final = 0

HBA: Final = """\
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""


class Stop(BaseException):
    """The owner has gone, or asked to stop."""


class StartError(Exception):
    """The server cannot be started; the message is for the owner."""


@dataclass(frozen=True)
class Account:
    """Whom initdb and the server run as when the keeper is root."""

    name: str
    uid: int
    gid: int


class Owner:
    """What tells that the owner is still there: its end of our stdin, its process."""

    def __init__(self, pid: int) -> None:
        self.poll = select.poll()
        self.poll.register(0, select.POLLIN)
        # A child that the owner forked may hold the other end of stdin open after the
        # owner's death; the process itself cannot be mistaken.
        with contextlib.suppress(OSError, AttributeError):
            self.process = os.pidfd_open(pid)
            self.poll.register(self.process, select.POLLIN)
        if os.getppid() != pid:
            raise Stop

    def wait(self, seconds: float) -> None:
        """Wait; Stop is raised as soon as the owner has gone."""
        if self.poll.poll(seconds * 1000):
            raise Stop


def choose_account() -> Account | None:
    """None where the keeper is not root: everything runs as what it is."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise StartError(
        "PostgreSQL refuses to run as root, and this machine has neither of the "
        f"accounts {' and '.join(ACCOUNTS)} to run it as."
    )


def clean_environment() -> dict[str, str]:
    """Ours without what would configure a server or a client."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_", "LANG"))
    }
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def as_account(account: Account | None) -> dict[str, Any]:
    """Arguments of Popen that drop root's rights for good."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def may_run(command: list[str], account: Account | None) -> bool:
    """Whether the account can start a program, and it ends with status 0."""
    try:
        done = subprocess.run(
            command,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            **as_account(account),
        )
    except OSError:
        return False
    return done.returncode == 0


# --- files -------------------------------------------------------------------------


def bases() -> list[str]:
    """Where the folder may be made: TMPDIR first, if its name is short enough."""
    return [
        base
        for base in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp"))  # noqa: S108
        if len(os.fsencode(base)) + len(PREFIX) + 9 <= LONGEST_FOLDER
        and os.path.isdir(base)
    ]


def make_folder(account: Account | None) -> tuple[Path, int]:
    """A folder that the account can reach, and the lock on it that says "in use"."""
    for base in bases() * FOLDER_ATTEMPTS:
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
            lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            # Another keeper's sweep() may have got it first, and deletes the folder.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if account is not None:
                folder.chmod(0o711)
            # By a name, not by cwd: Popen goes there before it drops the rights.
            if may_run(["/bin/sh", "-c", 'cd "$0"', str(folder)], account):
                return folder, lock
            remove(folder)
            os.close(lock)
    who = "this user" if account is None else f"the account {account.name}"
    raise StartError(f"No folder for temporary files that {who} can use: {bases()}")


def remove(folder: Path) -> None:
    """Delete a folder; a backend that is just ending may still write into it."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def sweep() -> None:
    """Delete what a keeper left that was itself killed with SIGKILL."""
    for base in bases():
        for folder in Path(base).glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if folder.stat().st_uid == os.geteuid():
                    sweep_one(folder)


def sweep_one(folder: Path) -> None:
    """Raises OSError where the folder is in use, or just being made."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_shared_memory(folder)
        remove(folder)
    finally:
        os.close(lock)


def place_programs(bin_dir: Path, folder: Path, account: Account | None) -> Path:
    """The programs' folder, or a copy where the account cannot reach it.

    A package in a home folder that only its owner can enter is such a case. Nobody's
    modes are changed: files are linked where that is possible, else copied.
    """
    if may_run([str(bin_dir / "postgres"), "--version"], account):
        return bin_dir
    root = bin_dir.parent
    package = folder / "package"
    copy = package / root.parent.name / root.name
    trees = [(root, copy)]
    # Wheels keep the libraries that they bring beside the package.
    for libraries in root.parent.parent.glob(f"{root.parent.name}.libs"):
        trees.append((libraries, package / libraries.name))
    for source, target in trees:
        shutil.copytree(source, target, symlinks=True, copy_function=link_or_copy)
    for path, _, _ in os.walk(package):
        os.chmod(path, 0o755)  # noqa: S103 - copies of ours, in a folder of ours
    placed = copy / bin_dir.name
    if not may_run([str(placed / "postgres"), "--version"], account):
        name = account.name if account else "this user"
        raise StartError(f"The account {name} cannot run {bin_dir}, nor a copy of it.")
    return placed


def link_or_copy(source: str, target: str) -> str:
    """A hard link of a file that everybody may read; a readable copy of others."""
    mode = os.stat(source).st_mode
    if mode & 0o004 and not os.path.islink(source):
        with contextlib.suppress(OSError):
            os.link(source, target)
            return target
    shutil.copy2(source, target)
    os.chmod(target, 0o755 if mode & 0o100 else 0o644)
    return target


# --- server ------------------------------------------------------------------------


def run(command: list[str], owner: Owner, seconds: float, **popen: Any) -> None:
    """Run a program to its end, unless the owner goes first."""
    deadline = time.monotonic() + seconds
    with subprocess.Popen(command, **popen) as process:
        try:
            while process.poll() is None:
                owner.wait(0.005)
                if time.monotonic() > deadline:
                    raise StartError(f"{command[0]} took longer than {seconds:g} s")
        finally:
            if process.poll() is None:
                process.kill()
    if process.returncode != 0:
        raise StartError(f"{command[0]} ended with status {process.returncode}")


def best_locale() -> str:
    """C.UTF-8 sorts as C and knows every letter; some systems lack it."""
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        return "C.UTF-8"
    return "C"


def quoted(value: str) -> str:
    """A value for postgresql.conf."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def free_port() -> int:
    """A port that nobody listens on now; the server may still lose it to another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One data directory and the postmaster on it."""

    def __init__(self, folder: Path, order: dict[str, Any], account: Account | None):
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.order = order
        self.account = account
        self.process: subprocess.Popen[bytes] | None = None

    def popen(self) -> dict[str, Any]:
        """What every program of the server is started with."""
        return {
            "cwd": self.folder,
            "env": clean_environment(),
            "stdin": subprocess.DEVNULL,
            "stdout": self.log.open("ab"),
            "stderr": subprocess.STDOUT,
            **as_account(self.account),
        }

    def create(self, bin_dir: Path, owner: Owner) -> None:
        """Make the data directory."""
        for folder in (self.data, self.folder / "s"):
            folder.mkdir(mode=0o700)
            if self.account is not None:
                os.chown(folder, self.account.uid, self.account.gid)
        command = [str(bin_dir / "initdb"), "-D", str(self.data), "-U", "postgres"]
        command += ["--no-sync", "--no-instructions", "--encoding=UTF8"]
        command += [f"--locale={best_locale()}", "--lc-messages=C", "--auth=trust"]
        with self.opened() as popen:
            run(command, owner, self.order["seconds"], **popen)
        (self.data / "pg_hba.conf").write_text(HBA)
        with (self.data / "postgresql.conf").open("a") as conf:
            for name, value in self.order["settings"].items():
                conf.write(f"{name} = {quoted(str(value))}\n")

    @contextlib.contextmanager
    def opened(self) -> Any:
        """``popen()``, its log closed on our side afterwards."""
        popen = self.popen()
        with popen["stdout"]:
            yield popen

    def start(self, bin_dir: Path, owner: Owner) -> int:
        """Start the postmaster; the port on which it is ready."""
        deadline = time.monotonic() + self.order["seconds"]
        for _ in range(PORT_ATTEMPTS):
            port = free_port()
            command = [str(bin_dir / "postgres"), "-F", "-D", str(self.data)]
            command += [
                "-k",
                str(self.folder / "s"),
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
            ]
            with self.opened() as popen:
                self.process = subprocess.Popen(
                    command, preexec_fn=die_with_us, **popen
                )
            while self.process.poll() is None:
                if self.is_ready():
                    return port
                if time.monotonic() > deadline:
                    raise StartError(f"not ready after {self.order['seconds']:g} s")
                owner.wait(0.005)
            # Another program took the port between the look and the start.
            if "Address already in use" not in self.log.read_text(errors="replace"):
                break
        raise StartError("the server does not start")

    def is_ready(self) -> bool:
        """As pg_ctl's wait_for_postmaster_start: line 8 of postmaster.pid."""
        with contextlib.suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[7].strip() == "ready"
        return False

    def stop(self) -> None:
        """End the server: politely, then at once, then by force."""
        process = self.process
        if process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if process.poll() is None:
                process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
        remove_shared_memory(self.folder)

    def log_tail(self) -> str:
        """The last lines of the server's log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        return ""


def die_with_us() -> None:
    """In the server, before exec: an immediate shutdown should the keeper be killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def remove_shared_memory(folder: Path) -> None:
    """Remove the System V segment that a postmaster ended by SIGKILL leaves behind.

    Line 7 of postmaster.pid names it (CreateLockFile, AddToDataDirLockFile in
    PostgreSQL's miscinit.c); a server that ends otherwise deletes that file.
    """
    with contextlib.suppress(OSError, IndexError, ValueError):
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        ctypes.CDLL(None).shmctl(int(lines[6].split()[1]), IPC_RMID, None)


# --- the program -------------------------------------------------------------------


def stop_by_signal(_number: int, _frame: object) -> None:
    """SIGTERM and its like end the keeper in order."""
    raise Stop


def quiet_signals(handler: Callable[[int, Any], None] | signal.Handlers) -> None:
    """One handler for all that could end this program."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def answer(**data: Any) -> None:
    """The one line to the owner."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(data).encode() + b"\n")


def keep(order: dict[str, Any], owner: Owner) -> None:
    """Start the server, wait for the owner's end, leave nothing behind."""
    account = choose_account()
    folder, lock = make_folder(account)
    server = Server(folder, order, account)
    try:
        bin_dir = place_programs(Path(order["bin_dir"]), folder, account)
        server.create(bin_dir, owner)
        port = server.start(bin_dir, owner)
        answer(folder=str(folder), socket_dir=str(folder / "s"), port=port)
        sweep()
        while True:
            owner.wait(3600)
    except (StartError, OSError) as error:
        answer(error=str(error), log=server.log_tail())
    finally:
        quiet_signals(signal.SIG_IGN)
        server.stop()
        remove(folder)
        os.close(lock)


def main() -> None:
    """Do what the order says."""
    quiet_signals(stop_by_signal)
    order = json.loads(sys.argv[1])
    try:
        keep(order, Owner(order["owner"]))
    except StartError as error:
        answer(error=str(error), log="")
    except Stop:
        pass


if __name__ == "__main__":
    main()
