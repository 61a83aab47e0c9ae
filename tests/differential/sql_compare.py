"""The classifier's facts against those that PostgreSQL's grammar gives."""

from __future__ import annotations

import json
import re
from typing import Final, Literal, TypedDict

from ibutsu_migrate._core import sql_facts


class Expected(TypedDict):
    """What the parse tree of a text says; see ``csrc/core/imig_sql.h``.

    Attributes:
        verbs: The first statement's verb is one of these; more than one where the tree
            does not tell, as for TABLE t and SELECT * FROM t.
        main_verbs: Likewise.
        name: The first statement's name: schema and name, or the savepoint; empty for
            kinds of statements that are not compared.
    """

    statements: int
    verbs: list[str]
    main_verbs: list[str]
    returns_rows: bool
    transaction_control: bool
    own_transaction: bool
    name: list[str]


def to_line(sql: str, wanted: Expected) -> str:
    """A line of the table: what is false or empty is left out."""
    row = {"sql": sql, **wanted}
    if wanted["main_verbs"] == wanted["verbs"]:
        del row["main_verbs"]
    kept = {name: value for name, value in row.items() if value}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def from_line(line: str) -> tuple[str, Expected]:
    """What to_line made a line of."""
    row = json.loads(line)
    return row["sql"], Expected(
        statements=row.get("statements", 0),
        verbs=row["verbs"],
        main_verbs=row.get("main_verbs", row["verbs"]),
        returns_rows=row.get("returns_rows", False),
        transaction_control=row.get("transaction_control", False),
        own_transaction=row.get("own_transaction", False),
        name=row.get("name", []),
    )


Verdict = Literal["equal", "safe", "wrong"]

_UNICODE: Final = re.compile(r"\\([0-9a-fA-F]{4})")


def _same_name(found: str, wanted: list[str]) -> bool:
    """The name as it is written means `wanted`; blanks and comments are inside."""
    if not found:
        return False
    plain = re.sub(r"/\*.*?\*/(?=[\s.\"\w])|--[^\n\r]*", " ", found, flags=re.DOTALL)
    parts = []
    for part in re.findall(r'[uU]&"(?:[^"]|"")*"|"(?:[^"]|"")*"|[^\W\d][\w$]*', plain):
        inside = part[part.find('"') + 1 : -1].replace('""', '"')
        if part[0] == '"':
            parts.append(inside)
        elif part[-1] == '"':
            parts.append(_UNICODE.sub(lambda m: chr(int(m[1], 16)), inside))
        else:
            parts.append("".join(c.lower() if c.isascii() else c for c in part))
    return parts == wanted


def compare(sql: str, wanted: Expected) -> tuple[Verdict, str]:
    """How the classifier's facts stand to those of the grammar, and where they differ.

    Safe is what costs time only: more statements, or rows that do not come.
    """
    found = sql_facts(sql)
    raw = sql.encode()
    begin = found["name_offset"]
    name = raw[begin : begin + found["name_len"]].decode()
    if found["unsure"]:
        return "safe", "unsure"
    for field in ("statements", "transaction_control", "own_transaction"):
        if found[field] != wanted[field]:
            return "wrong", field
    if found["verb"] not in wanted["verbs"]:
        return "wrong", "verb"
    if found["main_verb"] not in wanted["main_verbs"]:
        lost = found["main_verb"] == "WITH" and found["returns_rows"]
        return ("safe" if lost else "wrong"), "main_verb"
    if wanted["name"] and not _same_name(name, wanted["name"]):
        return "wrong", "name"
    if found["returns_rows"] != wanted["returns_rows"]:
        return ("safe" if found["returns_rows"] else "wrong"), "returns_rows"
    return "equal", ""
