"""Child process of the benchmark: the floor of a pipelined upgrade.

Usage: ``python probe_pipeline.py LOG``, with the database in BENCHMARK_URL. LOG has one
line of JSON for each statement of an upgrade, which ``record()`` wrote: text, whether
rows came back, whether it was outside transactions; a commit is null. They are sent
through one pipeline that waits only for rows, at commits and outside transactions.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

# What makes a cursor of a query: its rows come in several pieces, here in one.
DECLARE = re.compile(r'^DECLARE "[^"]+" .*?CURSOR .*?FOR ')
HERE = (__file__, 1, "main")


def record(log: str) -> None:
    """Write down what every engine of this process sends.

    Args:
        log: The file.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    file = Path(log).open("w")  # noqa: SIM115 - until the process ends

    def executed(
        connection: Any, cursor: Any, sql: str, values: Any, context: Any, many: bool
    ) -> None:
        rows, alone = cursor.description is not None, cursor.connection.autocommit
        text = DECLARE.sub("", cursor.query.decode())
        file.write(json.dumps([text, rows, alone]) + "\n")

    def committed(connection: Any) -> None:
        file.write("null\n")

    event.listen(Engine, "after_cursor_execute", executed)
    event.listen(Engine, "commit", committed)


def main() -> None:
    """Send what the log says."""
    from ibutsu_migrate.engine import dbapi

    lines = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    begun = time.perf_counter()
    connection = dbapi.connect(os.environ["BENCHMARK_URL"])
    connection.pipeline = True
    cursor = connection.cursor()
    for line in lines:
        if line is None:
            connection.commit()
            continue
        sql, rows, alone = line
        if alone != connection.autocommit:
            connection.commit()
            connection.autocommit = alone
        if alone:
            cursor.execute(sql)
        elif rows:
            cursor.execute(sql)
            cursor.fetchall()
        else:
            cursor.enqueue(sql, None, HERE)
    connection.commit()
    connection.close()
    sys.stdout.write(f"within: {time.perf_counter() - begun}\n")


if __name__ == "__main__":
    main()
