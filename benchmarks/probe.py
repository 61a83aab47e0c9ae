"""Child process of the benchmark: loads a history, plans an upgrade, reports times.

Usage: ``python probe.py ALEMBIC_INI``; prints one line of JSON, all times in seconds.
Importing Alembic is not part of any figure: both sides pay it alike.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from alembic.config import Config
from alembic.script import ScriptDirectory


def main() -> None:
    """Measure load, plan and walk of the history named on the command line."""
    script = ScriptDirectory.from_config(Config(sys.argv[1]))
    read_before = resource.getrusage(resource.RUSAGE_SELF).ru_inblock
    start = time.perf_counter()
    heads = script.get_heads()
    loaded = time.perf_counter()
    # What `alembic upgrade heads` asks for on an empty database.
    steps = script._upgrade_revs("heads", None)  # type: ignore[arg-type]
    planned = time.perf_counter()
    walked = sum(1 for _ in script.walk_revisions())
    done = time.perf_counter()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    report = {
        "load": loaded - start,
        "plan": planned - loaded,
        "walk": done - planned,
        "load+plan": planned - start,
        "revisions": walked,
        "steps": len(steps),
        "heads": len(heads),
        "peak_kib": usage.ru_maxrss,
        "disk_blocks": usage.ru_inblock - read_before,
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
