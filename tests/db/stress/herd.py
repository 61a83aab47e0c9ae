"""Start runners together, in processes that have imported all they need.

    python herd.py FOLDER COUNT [KILL_WITHIN_SECONDS]

Each runs `alembic upgrade head` in FOLDER. With a third argument the one that holds the
lock is killed at a random moment after it was first seen to hold it. Prints one line of
JSON: exit codes, for how many seconds the first held the lock, at which revision one
was killed, and after how many seconds another one held the lock or all had ended.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sys
import time
from typing import Any

import psycopg2
import sqlalchemy.dialects.postgresql.psycopg2  # noqa: F401 - before the fork
from alembic import command  # noqa: F401
from alembic.config import main

HOLDER = """
SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.classid = 1768060276 AND l.granted
AND a.datname = current_database()
"""


def run_one(number: int) -> None:
    log = os.open(f"runner-{number}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code: object = 1
    try:
        main(argv=["upgrade", "head"])
        code = 0
    except SystemExit as ending:
        code = ending.code
    except BaseException as error:
        print(repr(error))
    finally:
        sys.stderr.flush()
        os._exit(code & 255 if isinstance(code, int) else 1)


def holder(cursor: Any) -> tuple[int, int, str] | None:
    """Backend, process and revision of the one that holds the lock.

    The two views are read one after the other: a backend may be without its name in
    one, which comes before the lock and goes after it.
    """
    cursor.execute(HOLDER)
    row = cursor.fetchone()
    if row is None:
        return None
    _, _, rest = row[1].partition(":")
    process, _, revision = rest.partition(" ")
    if not process:
        return None
    return row[0], int(process), revision or "before the first"


def look_on(cursor: Any, within: float | None, pids: list[int]) -> dict[str, object]:
    """Until the first holder has let go, or has been killed and another goes on."""
    first = until_held(cursor, pids, None)
    begun = time.monotonic()
    moment = begun + random.uniform(0, within) if within is not None else math.inf
    while first is not None and time.monotonic() < moment:
        now = holder(cursor)
        if now is None or now[:2] != first[:2]:
            break
        first = now
        time.sleep(0.002)
    else:
        if first is not None and first[1] in pids:
            os.kill(first[1], signal.SIGKILL)
            killed = time.monotonic()
            until_held(cursor, pids, first[0])
            resumed = time.monotonic() - killed
            return {"killed": first[2], "resumed": resumed}
    return {"killed": None, "held": time.monotonic() - begun}


def until_held(
    cursor: Any, pids: list[int], before: int | None
) -> tuple[int, int, str] | None:
    """Wait until somebody, and not the backend before, holds the lock; None: ended."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = holder(cursor)
        if found is not None and found[0] != before:
            return found
        if all(has_ended(pid) for pid in pids):
            return None
        time.sleep(0.005)
    return None


def has_ended(pid: int) -> bool:
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return ended is not None


def herd(folder: str, count: int, within: float | None) -> dict[str, object]:
    os.chdir(folder)
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            run_one(number)
        pids.append(pid)
    connection = psycopg2.connect(os.environ["DSN"])
    connection.autocommit = True
    found = look_on(connection.cursor(), within, pids)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return {"codes": codes, **found}


if __name__ == "__main__":
    limit = float(sys.argv[3]) if len(sys.argv) > 3 else None
    print(json.dumps(herd(sys.argv[1], int(sys.argv[2]), limit)))
