"""Start runners together, in processes that have imported all they need.

    python herd.py FOLDER COUNT [KILL_WITHIN_SECONDS]

Each runs `alembic upgrade head` in FOLDER. With a third argument the one that holds the
lock is killed at a random moment. Prints one line of JSON: exit codes, who was killed,
and after how many seconds another one held the lock or all had ended.
"""

from __future__ import annotations

import json
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


def holder(cursor: Any) -> tuple[int, int] | None:
    """Backend and process of the one that holds the lock."""
    cursor.execute(HOLDER)
    row = cursor.fetchone()
    return None if row is None else (row[0], int(row[1].split(":")[1].split()[0]))


def kill_the_holder(cursor: Any, within: float, pids: list[int]) -> dict[str, object]:
    time.sleep(random.uniform(0, within))
    found = holder(cursor)
    if found is None or found[1] not in pids:
        return {"killed": None}
    os.kill(found[1], signal.SIGKILL)
    begun = time.monotonic()
    while time.monotonic() - begun < 30:
        after = holder(cursor)
        if after is not None and after[0] != found[0]:
            break
        if all(has_ended(pid) for pid in pids):
            break
        time.sleep(0.01)
    return {"killed": found[1], "resumed": time.monotonic() - begun}


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
    found: dict[str, object] = {}
    if within is not None:
        connection = psycopg2.connect(os.environ["DSN"])
        connection.autocommit = True
        found = kill_the_holder(connection.cursor(), within, pids)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return {"codes": codes, **found}


if __name__ == "__main__":
    limit = float(sys.argv[3]) if len(sys.argv) > 3 else None
    print(json.dumps(herd(sys.argv[1], int(sys.argv[2]), limit)))
