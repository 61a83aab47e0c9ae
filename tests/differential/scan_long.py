"""The long differential run of the scanner: python tests/differential/scan_long.py N.

Runs N cases; prints the seed of each one that differs, and its file. ``--seed S`` runs
that one alone.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from differential.scan_cases import Case, plain_case, wild_case
from differential.scan_oracle import difference
from differential.scan_snippets import snippet


def make_case(seed: int) -> Case:
    """The case of a seed: every fourth is a plain one."""
    rng = random.Random(seed)
    return plain_case(rng) if seed % 4 == 0 else wild_case(rng, snippet)


def main() -> int:
    """The exit status: 1 where a case differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stop-after", type=int, default=10)
    asked = parser.parse_args()
    failed = 0
    for seed in range(asked.seed, asked.seed + asked.count):
        case = make_case(seed)
        wrong = difference(case)
        if wrong is not None:
            failed += 1
            print(f"--- seed {seed}\n{case.source!r}\n{wrong}", flush=True)
            if failed >= asked.stop_after:
                break
        if seed % 50_000 == 49_999:
            print(f"{seed + 1 - asked.seed} cases, {failed} differ", flush=True)
    print(f"{failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
