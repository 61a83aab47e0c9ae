"""Child process of the benchmark: reads a history's files in C and nothing else.

Usage: ``python probe_floor.py LIBRARY FOLDER``; prints seconds. Alembic is imported as
in ``probe.py``, so that the processor is as warm, or cold, for both.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time

import alembic.script  # noqa: F401


def main() -> None:
    """Measure the library's ``floor_read()``."""
    read = ctypes.CDLL(sys.argv[1]).floor_read
    folder = os.fsencode(sys.argv[2])
    start = time.perf_counter()
    failed = read(folder)
    took = time.perf_counter() - start
    if failed:
        sys.exit(f"{sys.argv[2]} cannot be read")
    sys.stdout.write(f"{took:.9f}\n")


if __name__ == "__main__":
    main()
