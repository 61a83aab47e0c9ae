"""The SQL classifier against PostgreSQL's grammar, from a table that was made with it.

``sql_long.py`` makes the table (``--write``), and does the same for as many texts as
one likes.
"""

from __future__ import annotations

from collections import Counter

from differential.sql_cases import DATA, STATEMENTS
from differential.sql_compare import Expected, compare, from_line

TABLE = (DATA / "oracle.jsonl").read_text(encoding="utf-8")
ROWS = [from_line(line) for line in TABLE.split("\n") if line]


def test_no_fact_is_wrong() -> None:
    wrong = []
    tally: Counter[str] = Counter()
    for sql, wanted in ROWS:
        verdict, where = compare(sql, wanted)
        tally[verdict] += 1
        if verdict == "wrong":
            wrong.append((where, sql, wanted))
    assert wrong == []
    # Too careful: SELECT INTO, and little else.
    assert tally["safe"] < len(ROWS) / 100


def test_the_table_has_every_kind_of_statement() -> None:
    texts = {sql for sql, _ in ROWS}
    # The grammar knows it, to say that there is no such thing.
    assert set(STATEMENTS) - texts == {"CREATE ASSERTION a9 CHECK (true)"}
    assert len(texts) == len(ROWS) >= 2000


def test_a_wrong_fact_is_seen() -> None:
    sql, wanted = next(row for row in ROWS if row[0] == "DELETE FROM u")
    assert compare(sql, wanted) == ("equal", "")
    several: Expected = {**wanted, "statements": 2}
    assert compare(sql, several) == ("wrong", "statements")
    rows: Expected = {**wanted, "returns_rows": True}
    assert compare(sql, rows) == ("wrong", "returns_rows")
    call: Expected = {**wanted, "verbs": ["CALL"], "main_verbs": ["CALL"]}
    assert compare("CALL x()", call) == ("safe", "returns_rows")
    name: Expected = {
        **wanted,
        "verbs": ["DROP"],
        "main_verbs": ["DROP"],
        "name": ["u"],
    }
    assert compare('DROP TABLE "u"', name) == ("equal", "")
    assert compare("DROP TABLE u.u", name) == ("wrong", "name")
