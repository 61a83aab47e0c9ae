"""A walk over the tokens of a SQL text, which ``_core`` cuts as PostgreSQL does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .._core import sql_facts, sql_tokens

_IN_STRINGS: Final = re.compile(rb"(?i)(password\s*=\s*)[^\s'&]+")


class Words:
    """Tokens and a place among them.

    Args:
        sql: The text, in UTF-8.
        tokens: Some of its tokens; all where None.
    """

    def __init__(
        self, sql: bytes, tokens: list[tuple[str, int, int]] | None = None
    ) -> None:
        self.sql = sql
        self.tokens = sql_tokens(sql) if tokens is None else tokens
        self.at = 0

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self.at >= len(self.tokens)

    def word(self, ahead: int = 0) -> str:
        """The keyword or symbol here in capitals; empty for anything else."""
        if self.at + ahead >= len(self.tokens):
            return ""
        kind, begin, end = self.tokens[self.at + ahead]
        if kind not in ("WORD", "SYMBOL"):
            return ""
        return self.sql[begin:end].decode("utf-8", "replace").upper()

    def accept(self, *words: str) -> bool:
        """Step over these words, if they are what follows."""
        if all(self.word(ahead) == word for ahead, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def step(self) -> None:
        """Step over a token, or over parentheses with all that is in them."""
        depth = 0
        while not self.is_end:
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(self.word(), 0)
            self.at += 1
            if depth <= 0:
                return

    def find(self, *words: str) -> bool:
        """Go to the first of these words outside parentheses; False: there is none."""
        while not self.is_end:
            if self.word() in words:
                return True
            self.step()
        return False

    def has(self, *words: str) -> bool:
        """Whether one of these words follows, outside parentheses."""
        here = self.at
        found = self.find(*words)
        self.at = here
        return found

    def name(self) -> str:
        """Step over a name with its schema; as it is written, empty for none."""
        parts: list[str] = []
        while not self.is_end:
            kind, begin, end = self.tokens[self.at]
            if kind not in ("WORD", "QUOTED"):
                break
            parts.append(self.sql[begin:end].decode("utf-8", "replace"))
            self.at += 1
            if not self.accept("."):
                break
        return ".".join(parts)

    def names(self) -> list[str]:
        """Names with commas between them, each with or without ONLY and ``*``."""
        found: list[str] = []
        while True:
            self.accept("ONLY")
            found.append(self.name())
            self.accept("*")
            if not self.accept(","):
                return [name for name in found if name]

    def rest(self) -> Words:
        """What follows, as a walk of its own."""
        return Words(self.sql, self.tokens[self.at :])

    def inside(self) -> Words:
        """What is in the parentheses here, which are stepped over."""
        begin = self.at
        self.step()
        return Words(self.sql, self.tokens[begin + 1 : self.at - 1])

    def parts(self) -> Iterator[Words]:
        """What follows, cut at the commas outside parentheses."""
        while not self.is_end:
            begin = self.at
            self.find(",")
            yield Words(self.sql, self.tokens[begin : self.at])
            self.at += 1

    def text(self) -> str:
        """All of it, as it is written."""
        if not self.tokens:
            return ""
        begin, end = self.tokens[0][1], self.tokens[-1][2]
        return self.sql[begin:end].decode("utf-8", "replace")


def statements_of(sql: str) -> list[str] | None:
    """The statements of a text; None where it cannot be told where they end.

    Args:
        sql: Any text. Bodies of functions keep their semicolons.
    """
    raw = sql.encode("utf-8", "replace")
    facts = sql_facts(raw)
    count = facts["statements"]
    if count == 0:
        return []
    words = Words(raw)
    if count == 1 and not facts["unsure"]:
        while words.tokens and words.sql[words.tokens[-1][1] :][:1] == b";":
            words.tokens.pop()
        return [words.text()]
    found: list[str] = []
    while not words.is_end:
        begin = words.at
        words.find(";")
        part = Words(raw, words.tokens[begin : words.at])
        words.at += 1
        if part.tokens:
            found.append(part.text())
    # BEGIN ATOMIC ... END has semicolons that the classifier counts otherwise.
    return found if len(found) == count and not facts["unsure"] else None


def without_passwords(sql: str) -> str:
    """The text with those passwords hidden that statements themselves speak of.

    ``PASSWORD '...'`` of roles, ``password '...'`` among options, ``password=...`` in a
    connection's string.

    Args:
        sql: Any text.
    """
    if "password" not in sql.lower():
        return sql
    words = Words(sql.encode("utf-8", "replace"))
    found: list[bytes] = []
    at, after = 0, False
    for kind, begin, end in words.tokens:
        token = words.sql[begin:end]
        if kind == "STRING":
            hidden = b"'***'" if after else _IN_STRINGS.sub(rb"\1***", token)
            found += [words.sql[at:begin], hidden]
            at = end
        after = kind in ("WORD", "QUOTED") and token.strip(b'"').upper() == b"PASSWORD"
    return b"".join([*found, words.sql[at:]]).decode("utf-8", "replace")
