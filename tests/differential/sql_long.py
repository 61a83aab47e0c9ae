"""The long run of the SQL classifier against PostgreSQL's grammar; needs pglast.

``python tests/differential/sql_long.py N`` makes N texts that the grammar accepts and
prints each that the classifier gets wrong, and how often it was too careful.
``--write FILE`` also writes them with the grammar's facts: the table that
``test_sql_oracle.py`` reads, so that pytest needs no pglast.
"""

from __future__ import annotations

import argparse
import collections
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from differential.sql_cases import STATEMENTS, make
from differential.sql_compare import Expected, compare, to_line
from differential.sql_oracle import expected


def cases(first_seed: int, count: int) -> Iterator[tuple[str, Expected]]:
    """Every statement of the list, then mutated ones, no text twice."""
    seen: set[str] = set()
    made = 0
    texts = (make(seed) for seed in range(first_seed, first_seed + 100 * count))
    for source in (STATEMENTS, texts):
        for text in source:
            if made >= count:
                return
            if text in seen or "\0" in text:
                continue
            seen.add(text)
            wanted = expected(text)
            if wanted is not None:
                made += 1
                yield text, wanted


def main() -> int:
    """The exit status: 1 where a fact is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    tally: collections.Counter[str] = collections.Counter()
    lines = []
    for sql, wanted in cases(asked.seed, asked.count):
        verdict, where = compare(sql, wanted)
        tally[f"{verdict} {where}".strip()] += 1
        if verdict == "wrong":
            print(f"--- {where}\n{sql}\n{wanted}", flush=True)
        lines.append(to_line(sql, wanted))
    for name, number in tally.most_common():
        print(f"{number:8} {name}")
    if asked.write is not None:
        asked.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if any(name.startswith("wrong") for name in tally) else 0


if __name__ == "__main__":
    sys.exit(main())
