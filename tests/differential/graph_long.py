"""The long run of the graph's check: ``python graph_long.py [GRAPHS] [FIRST_SEED]``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from differential.graph_cases import report

STEP = 1000


def main() -> None:
    """Go on until all graphs are done or one differs."""
    graphs = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    start = time.monotonic()
    for seed in range(first, first + graphs, STEP):
        found = report(range(seed, min(seed + STEP, first + graphs)))
        if found is not None:
            sys.exit(found)
        done = min(seed + STEP - first, graphs)
        sys.stdout.write(f"{done:,} graphs, {time.monotonic() - start:.0f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
