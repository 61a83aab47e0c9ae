"""What C did in this process, written down when it ends.

Asked for by ``IBUTSU_MIGRATE_STATS=FILE``: one line of JSON is appended to the file.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import time
from typing import Final

ENVIRONMENT_VARIABLE: Final = "IBUTSU_MIGRATE_STATS"

_EXTENSIONS: Final = {"core": "ibutsu_migrate._core", "pq": "ibutsu_migrate._pq"}


@functools.cache
def watch(path: str, pid: int) -> None:
    """See to it that the line is written when a process ends; once for each.

    Args:
        path: The file.
        pid: The process.
    """
    atexit.register(_write, path, pid)


def _write(path: str, pid: int) -> None:
    if pid != os.getpid():
        # A forked child counts what its parent has done, which is not its own.
        return
    # Not at the top: hardly any process asks for this.
    import json
    import logging

    line = json.dumps(collected()) + "\n"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            # In one piece: several processes may append to one file.
            os.write(file, line.encode())
        finally:
            os.close(file)
    except OSError as error:
        logging.getLogger(__name__).warning(
            "%s: what C did cannot be written: %s", ENVIRONMENT_VARIABLE, error
        )


def collected() -> dict[str, object]:
    """The program's name, and the counters of each C extension that is loaded.

    Returns:
        ``program``; ``cpu_seconds``, the processor time of the whole process; ``core``
        and ``pq``, each a dict from counter to number. Counters that end in ``_ns``
        are nanoseconds. Arguments are left out: they may hold a password.
    """
    found: dict[str, object] = {
        "program": os.path.basename(sys.argv[0]) if sys.argv else "",
        "cpu_seconds": round(time.process_time(), 4),
    }
    for name, module in _EXTENSIONS.items():
        loaded = sys.modules.get(module)
        if loaded is not None:
            found[name] = loaded.counters()
    return found
