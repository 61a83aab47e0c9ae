"""Child process of the benchmark: reads a history's files in C and nothing else.

Usage: ``python probe_floor.py LIBRARY FOLDER``; prints one line of JSON, the time in
seconds. Alembic is imported as in ``probe.py``, so that the processor is as warm, or
cold, for both.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import time

import alembic.script  # noqa: F401


def main() -> None:
    """Measure the library's ``floor_read()``."""
    floor_read = ctypes.CDLL(sys.argv[1]).floor_read
    folder = os.fsencode(sys.argv[2])
    read_before = resource.getrusage(resource.RUSAGE_SELF).ru_inblock
    start = time.perf_counter()
    failed = floor_read(folder)
    took = time.perf_counter() - start
    if failed:
        sys.exit(f"{sys.argv[2]} cannot be read")
    read = resource.getrusage(resource.RUSAGE_SELF).ru_inblock - read_before
    sys.stdout.write(json.dumps({"load": took, "disk_blocks": read}) + "\n")


if __name__ == "__main__":
    main()
