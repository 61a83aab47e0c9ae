"""What a run tells: lines, a live line, JSON; and waiting for a server."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from safe_runs import (
    EACH_ITS_OWN,
    SAFE,
    TABLE,
    query,
    session,
    stock_env,
    until,
    until_says,
    write_env,
)

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

    from .conftest import Shop

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "json.md"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z ibutsu-migrate: (.*)")


@pytest.fixture
def safe(shop: Shop) -> Shop:
    """Mode safe, with a1 and b2; nothing applied."""
    shop.environ.update(SAFE)
    write_env(shop.folder, stock_env(configure=EACH_ITS_OWN))
    shop.add("a1", upgrade=TABLE)
    shop.add("b2", "a1")
    return shop


def documented(event: str) -> set[str]:
    """The fields that the reference lists for an event."""
    row = re.search(rf"^\| `{event}` \| (.*?) \|", REFERENCE.read_text(), re.M)
    assert row is not None, event
    return set(re.findall(r"`(\w+)`", row[1]))


def test_lines_have_a_time(safe: Shop) -> None:
    said = safe.run("alembic", "upgrade", "head").stderr.splitlines()
    texts = [found[1] for line in said if (found := LINE.fullmatch(line))]
    assert len(texts) == len(said) == 4
    assert re.fullmatch(
        r"upgrade head \(run [0-9a-f]{8}\): database test_\w+ as postgres, lock "
        r"public\.alembic_version, at no revision; 2 revisions to go \(a1 to b2\)",
        texts[0],
    )
    assert re.fullmatch(r"upgrade a1 \(1/2\) make a1: \d\.\d\d s", texts[1])
    assert re.fullmatch(
        r"done: 2 revisions in \d\.\d\d s; the database is at b2", texts[3]
    )


def test_nothing_to_do_is_one_line(safe: Shop) -> None:
    safe.done("alembic", "upgrade", "head")
    said = safe.run("alembic", "upgrade", "head").stderr.splitlines()
    assert len(said) == 1
    assert said[0].endswith("nothing to do: the database is at b2")


def test_none_says_nothing(safe: Shop) -> None:
    result = safe.run("alembic", "upgrade", "head", IBUTSU_MIGRATE_REPORT="none")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def waits(database: Database) -> bool:
    sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
    return query(database, sql) != ["0"]


def test_json_is_as_documented(safe: Shop, database: Database) -> None:
    safe.add("c3", "b2", "op.drop_table('item')")
    safe.done("alembic", "upgrade", "b2")
    environ = {"IBUTSU_MIGRATE_REPORT": "json"}
    with session(database) as report:
        report.execute("SELECT * FROM item")
        runner = safe.start("alembic", "upgrade", "head", **environ)
        until(lambda: waits(database))
        time.sleep(1.5)
    result = safe.finish(runner)
    assert result.returncode == 0, result.stderr
    found = lines(result.stdout)
    assert {"blocked", "retrying", "run_finished"} < {each["event"] for each in found}
    assert len({each["run"] for each in found}) == 1
    for each in found:
        assert set(each) - {"event", "run", "time"} == documented(each["event"])
    blocked = next(each for each in found if each["event"] == "blocked")
    assert set(blocked["blockers"][0]) == documented("blockers")
    safe.add("d4", "c3", "op.execute('SELECT 1/0')")
    result = safe.run("alembic", "upgrade", "head", **environ)
    assert lines(result.stdout)[-1]["outcome"] == "failed"


def test_every_event_is_documented() -> None:
    from dataclasses import fields

    from ibutsu_migrate.runtime import events

    kinds = list(events.Event.__subclasses__())
    for kind in kinds:
        # With slots a class is made twice: only the second is the one of its name.
        if getattr(events, kind.__name__) is not kind:
            continue
        below = kind.__subclasses__()
        kinds += below
        if not below:
            names = {field.name for field in fields(kind)} - {"run", "time", "start"}
            assert names == documented(kind.name)
    assert len(kinds) > 12


def on_terminal(safe: Shop, *command: str, **environ: str) -> tuple[int, str]:
    """The exit status of a program, and the bytes of its stderr on a terminal."""
    ours, theirs = pty.openpty()
    program, *arguments = command
    process = subprocess.Popen(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=safe.folder,
        env={
            **os.environ,
            "TERM": "xterm",
            "DATABASE": safe.url,
            **safe.environ,
            **environ,
        },
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    os.close(theirs)
    said = b""
    with suppress(OSError):
        while part := os.read(ours, 65536):
            said += part
    os.close(ours)
    return process.wait(10), said.decode().replace("\r\n", "\n")


def test_a_live_line_on_a_terminal(safe: Shop) -> None:
    """It has the elapsed time, and is replaced by the next."""
    safe.add("c3", "b2", "op.execute('SELECT pg_sleep(2.5)')")
    status, said = on_terminal(safe, "alembic", "upgrade", "head", COLUMNS="60")
    assert status == 0
    shown = said.split("\r\x1b[K")
    live = [line.rpartition("\n")[2] for line in shown if "running for " in line]
    assert live
    assert all(len(plain(line)) < 60 for line in live)
    assert re.match(
        r"ibutsu-migrate: running for \x1b\[2m1\.\d\d s\x1b\[m: SELECT pg_sleep",
        live[0],
    )
    assert re.match(
        r"ibutsu-migrate: upgrade c3 \(3/3\) make c3: 2\.\d+ s\n", plain(shown[-1])
    )


def plain(text: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", text)


RED, GREEN, YELLOW, DIM, END = (f"\x1b[{n}m" for n in ("31", "32", "33", "2", ""))
SECONDS = rf"{re.escape(DIM)}\d\.\d\d s{re.escape(END)}"


def shape(said: str) -> str:
    """Colours by name, and no times."""
    for name in ("RED", "GREEN", "YELLOW", "DIM", "END"):
        said = said.replace(globals()[name], f"<{name}>" if name != "END" else "<>")
    return re.sub(r"\d\.\d\d s|[0-9a-f]{8}\b|test_\w+", "*", said)


def test_colours_on_a_terminal(safe: Shop) -> None:
    """Green for what is done, red for what failed, durations stand back."""
    status, said = on_terminal(safe, "alembic", "upgrade", "head")
    assert (status, shape(said)) == (
        0,
        "ibutsu-migrate: upgrade head (run *): database * as postgres, lock "
        "public.alembic_version, at no revision; 2 revisions to go (a1 to b2)\n"
        "ibutsu-migrate: <GREEN>upgrade a1<> (1/2) make a1: <DIM>*<>\n"
        "ibutsu-migrate: <GREEN>upgrade b2<> (2/2) make b2: <DIM>*<>\n"
        "ibutsu-migrate: <GREEN>done:<> 2 revisions in <DIM>*<>; the database is at "
        "b2\n",
    )
    status, said = on_terminal(safe, "alembic", "upgrade", "head")
    assert said == f"ibutsu-migrate: {GREEN}nothing to do:{END} the database is at b2\n"
    safe.add("c3", "b2", "op.execute('SELECT 1/0')")
    status, said = on_terminal(safe, "alembic", "upgrade", "head")
    ending = shape(said).partition("<RED>")[2]
    assert status == 1
    assert ending.startswith(
        "failed:<> 0 revisions in <DIM>*<>; the database is at b2\n"
        "<RED>FAILED:<> revision c3 failed at "
    )


def test_who_is_in_the_way_is_yellow(safe: Shop, database: Database) -> None:
    safe.done("alembic", "upgrade", "head")
    safe.add("c3", "b2", "op.drop_table('item')")
    with session(database) as report:
        report.execute("SELECT * FROM item /* \x1b[31m */")
        status, said = on_terminal(
            safe, "alembic", "upgrade", "head", IBUTSU_MIGRATE_LOCK_PATIENCE="0.5s"
        )
    assert status == 1
    blocked = next(part for part in said.split(YELLOW) if "blocked by pid" in part)
    assert blocked.startswith("waiting for AccessExclusiveLock on item for ")
    # What others have written is no colour.
    assert blocked.partition(END)[0].endswith("SELECT * FROM item /* ?[31m */")


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours(environ: dict[str, str], safe: Shop) -> None:
    """A dumb one has no live line either."""
    safe.add("c3", "b2", "op.execute('SELECT pg_sleep(2.5)')")
    status, said = on_terminal(safe, "alembic", "upgrade", "head", **environ)
    live = said.count("\r\x1b[K")
    assert (live > 0) == ("TERM" not in environ)
    assert "\x1b" not in said.replace("\r\x1b[K", "")
    assert ("running for" in said) == (live > 0)
    assert re.search(r"\nibutsu-migrate: done: 3 revisions in", said)
    safe.add("d4", "c3", "op.execute('SELECT 1/0')")
    status, said = on_terminal(safe, "alembic", "upgrade", "head", **environ)
    assert (status, "\x1b" in said) == (1, False)
    assert "\nFAILED: revision d4 failed at " in said


def test_colours_that_are_asked_for(safe: Shop) -> None:
    """Where there is no terminal the time stays; JSON has none."""
    said = safe.run("alembic", "upgrade", "a1", FORCE_COLOR="1").stderr
    assert re.search(
        rf"^[-\d]+ [:.\d]+Z ibutsu-migrate: \x1b\[32mupgrade a1\x1b\[m .*: {SECONDS}$",
        said,
        re.M,
    )
    told = safe.run(
        *("alembic", "upgrade", "b2"), FORCE_COLOR="1", IBUTSU_MIGRATE_REPORT="json"
    )
    assert "\x1b" not in told.stdout
    result = safe.run("flask", "db", "upgrade", "nil", CLICOLOR_FORCE="1")
    assert f"\n{RED}FAILED:{END} Can't locate revision" in result.stderr
    result = safe.run("flask", "db", "upgrade", "nil", CLICOLOR_FORCE="1", NO_COLOR="1")
    assert "\nFAILED: Can't locate revision" in result.stderr
    for environ in ({}, {"FORCE_COLOR": "0"}, {"CLICOLOR_FORCE": ""}):
        said = safe.run("flask", "db", "upgrade", "nil", **environ).stderr
        assert "\nFAILED: Can't locate revision" in said
        assert "\x1b" not in said


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def forward(port: int, path: str) -> subprocess.Popen[bytes]:
    """A server on a port that leads to a socket: it comes up when we want it to."""
    code = f"""
import socket, threading
server = socket.create_server(("127.0.0.1", {port}))
def copy(a, b):
    try:
        while part := a.recv(65536):
            b.sendall(part)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
while True:
    client, _ = server.accept()
    behind = socket.socket(socket.AF_UNIX)
    behind.connect({path!r})
    for pair in ((client, behind), (behind, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""
    return subprocess.Popen([sys.executable, "-c", code])


@pytest.mark.parametrize("command", ["upgrade head", "current"])
def test_a_server_that_comes_up_later(
    command: str, safe: Shop, database: Database
) -> None:
    port = free_port()
    url = f"postgresql+psycopg2://postgres@127.0.0.1:{port}/{database.name}"
    cluster = database.cluster
    path = f"{cluster.socket_dir}/.s.PGSQL.{cluster.port}"
    runner = safe.start(
        "alembic",
        *command.split(),
        DATABASE=url,
        IBUTSU_MIGRATE_WAIT_FOR_DATABASE="30s",
    )
    # That it has been refused is said at once.
    said = until_says(runner, "waiting for the database; waited 0.0")
    proxy = forward(port, path)
    try:
        result = safe.finish(runner)
    finally:
        proxy.kill()
        proxy.wait()
    assert result.returncode == 0, result.stderr
    assert "of 30 s: connection to server at" in said


def test_a_wait_for_a_server_ends(safe: Shop) -> None:
    url = f"postgresql+psycopg2://postgres@127.0.0.1:{free_port()}/nobody"
    begun = time.monotonic()
    result = safe.run(
        "alembic",
        "upgrade",
        "head",
        DATABASE=url,
        IBUTSU_MIGRATE_WAIT_FOR_DATABASE="1s",
    )
    assert result.returncode == 1
    assert "nothing listens there (connection refused)" in result.stderr
    assert time.monotonic() - begun < 15


def test_a_wrong_password_is_not_waited_for(safe: Shop, database: Database) -> None:
    port = database.cluster.port
    url = f"postgresql+psycopg2://postgres:wrong@127.0.0.1:{port}/{database.name}"
    result = safe.run(
        "alembic",
        "upgrade",
        "head",
        DATABASE=url,
        IBUTSU_MIGRATE_WAIT_FOR_DATABASE="1h",
    )
    assert result.returncode == 1
    assert "the server refuses the password" in result.stderr
    assert "waiting for the database" not in result.stderr
