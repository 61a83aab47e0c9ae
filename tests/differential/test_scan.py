"""The scanner against Python's own compiler and import."""

from __future__ import annotations

import random
from itertools import product

import pytest
from differential.scan_cases import NAMES, Case, plain_case, wild_case
from differential.scan_oracle import difference, imported
from differential.scan_snippets import TEMPLATES, fill, snippet

from ibutsu_migrate import _core

CASES = 5_000
PART = 500
HEADER = "revision = 'a'\ndown_revision = ('b', 'c')\nitems = [0]\n"


@pytest.mark.parametrize("part", range(CASES // PART))
def test_generated(part: int) -> None:
    """Every fourth case is plain; a failure prints its seed (see scan_long.py)."""
    for seed in range(part * PART, (part + 1) * PART):
        rng = random.Random(seed)
        case = plain_case(rng) if seed % 4 == 0 else wild_case(rng, snippet)
        wrong = difference(case)
        assert wrong is None, f"seed {seed}\n{case.source!r}\n{wrong}"


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_snippet(template: str) -> None:
    """Each one alone, and before and after a header, for every name."""
    for first, place in product(NAMES, ("alone", "before", "after")):
        second = NAMES[NAMES.index(first) - 1]
        written = fill(template, first, second, "'v'") + "\n"
        source = {"alone": written, "before": written + HEADER}.get(
            place, HEADER + written
        )
        wrong = difference(Case(source.encode(), plain=False))
        assert wrong is None, f"{place}\n{source}\n{wrong}"


def test_wild_cases_are_not_all_refused() -> None:
    """The comparison says something only where both sides have an answer."""
    answered = refused = 0
    for seed in range(1_000):
        case = wild_case(random.Random(seed), snippet)
        if imported(case.source) is not None:
            static = isinstance(_core.scan_source(case.source), dict)
            answered += static
            refused += not static
    assert answered > 100
    assert refused > 100
