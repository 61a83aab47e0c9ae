"""Revision files made up at random, in every spelling that Python has.

A *plain* case assigns literals only, however oddly they are written: the scanner must
answer it. A *wild* case does to a plain one what could change a name behind the
scanner's back, or is damaged: the scanner may answer NOT_STATIC, but nothing wrong.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

NAMES: Final = ("revision", "down_revision", "branch_labels", "depends_on")
TEXTS: Final = (
    *("a1b2c3d4e5f6", "27c6a30d7c24", "", "a", "head", "base", "x@y", "a b", "é"),
    *(
        "naïve",
        "日本",
        "🙂",
        "it's",
        'say "hi"',
        "tab\there",
        "nl\nhere",
        "back\\slash",
    ),
    *("\x00nul", "\x7f", "ÿ", "Ā", "{x}", "#no", "'''", '"""', "\\", "cr\rhere", "%s"),
)
DOCS: Final = (
    "Add a table\n\nRevision ID: abc\nRevises: \nCreate Date: 2024-01-01\n",
    "one line",
    "",
    "  spaces before\n    deep\n  less\n\n   \n",
    "first\n\tone tab\n\t\ttwo\n    four\n",
    "é\tü\n\t日本\tx\n",
    "\n\n  a\n   b\n \n  ",
    "x\r\ty\n\n        z",
    "   ",
    "   \n   ",
    " \t \n\t a\n  \tb",
    "x\n# coding: klingon\n",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One made-up file.

    Attributes:
        source: Its bytes.
        plain: The scanner must answer it.
    """

    source: bytes
    plain: bool


class Writer:
    """Writes one file's pieces; all choices come from one seeded source."""

    def __init__(self, rng: random.Random, encoding: str) -> None:
        self.rng = rng
        self.encoding = encoding
        # A list or set must not be mentioned again, so such files say less.
        self.mutable = self.chance(0.5)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def gap(self, *, lines: bool) -> str:
        """White space between two tokens; line ends where they mean nothing."""
        choices = ["", "", "", " ", "  ", "\t", " \f", "\\\n", " \\\n  "]
        if lines:
            choices += ["\n", "\n    ", " # comment ' \" ( [\n", "\n\n\t", "\n#\n"]
        return self.rng.choice(choices)

    def holds(self, char: str) -> bool:
        """Whether the file's encoding has the character."""
        try:
            char.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def char(self, char: str, quote: str) -> str:
        """One character of a literal that is not raw."""
        code = ord(char)
        forms: list[str] = []
        if self.holds(char) and char not in "\\\n\r\0" and char not in quote:
            forms += [char] * 12
        if char == "\n" and len(quote) == 3:
            forms += ["\n"] * 8
        forms.append(f"\\U{code:08x}")
        if code < 0x10000:
            forms.append(f"\\u{code:04X}")
        if code < 0x100:
            forms += [f"\\x{code:02x}", f"\\{code:03o}"]
        if char in "\\'\"\a\b\f\n\r\t\v":
            forms += [repr(char)[1:-1] if char not in "'\"\a\b\f\v" else ESCAPES[char]]
        if char in NAMED:
            forms.append(
                "\\N{" + self.rng.choice([str.upper, str.lower])(NAMED[char]) + "}"
            )
        return self.rng.choice(forms)

    def cooked(self, text: str) -> str:
        """A literal with escapes."""
        quote = self.rng.choice(["'", '"', "'''", '"""'])
        body = ""
        for char in text:
            if self.chance(0.03):
                body += "\\\n"
            body += self.char(char, quote)
            if self.chance(0.02):
                body += "\\\n"
        return self.rng.choice(["", "", "", "u", "U"]) + quote + body + quote

    def raw(self, text: str) -> str | None:
        """A raw literal, where the text has one."""
        for quote in self.rng.sample(["'", '"', "'''", '"""'], 4):
            if (
                quote[0] in text
                or text.endswith("\\")
                or "\r" in text
                or "\0" in text
                or (len(quote) == 1 and "\n" in text)
                or not all(self.holds(char) for char in text)
            ):
                continue
            return self.rng.choice(["r", "R"]) + quote + text + quote
        return None

    def literal(self, text: str) -> str:
        raw = self.raw(text) if self.chance(0.2) else None
        return raw if raw is not None else self.cooked(text)

    def string(self, text: str, *, lines: bool) -> str:
        """One or more adjacent literals, perhaps in parentheses."""
        inner = self.chance(0.15)
        parts = [text]
        while self.chance(0.2) and len(parts) < 4:
            last = parts.pop()
            cut = self.rng.randint(0, len(last))
            parts += [last[:cut], last[cut:]]
        written = self.literal(parts[0])
        for part in parts[1:]:
            # A space: 'a' 'b' without one may be the start of ''' or a prefix.
            written += " " + self.gap(lines=lines or inner) + " " + self.literal(part)
        return self.parens(written) if inner else written

    def parens(self, inside: str) -> str:
        return f"({self.gap(lines=True)}{inside}{self.gap(lines=True)})"

    def value(self) -> str:
        rng = self.rng
        kinds = ["none", "str", "str", "str", "tuple", "bare"]
        kind = rng.choice([*kinds, "list", "set"] if self.mutable else kinds)
        if kind == "none":
            return self.parens("None") if self.chance(0.1) else "None"
        if kind == "str":
            return self.string(rng.choice(TEXTS), lines=False)
        count = rng.choice([0, 1, 1, 2, 2, 3, 5])
        if kind in ("set", "bare"):
            count = max(count, 1)
        inside = kind != "bare"
        items = [self.string(rng.choice(TEXTS), lines=inside) for _ in range(count)]
        comma = self.gap(lines=True) + "," + self.gap(lines=True) if inside else " , "
        written = comma.join(items)
        if (kind in ("tuple", "bare") and count == 1) or (count and self.chance(0.3)):
            written += comma
        if kind == "bare":
            return written
        brackets = {"tuple": "()", "list": "[]", "set": "{}"}[kind]
        written = brackets[0] + self.gap(lines=True) + written + brackets[1]
        return self.parens(written) if self.chance(0.1) else written

    def annotation(self) -> str:
        return self.rng.choice(ANNOTATIONS)

    def assignment(self, name: str) -> str:
        space = self.gap(lines=False)
        if self.chance(0.35):
            return f"{name}{space}: {self.annotation()} = {self.value()}"
        value = self.value()
        immutable = value.lstrip("( \t\n\f\\")[:1] not in ("[", "{")
        if self.chance(0.08) and immutable and "[" not in value and "{" not in value:
            other = self.rng.choice(["other = ", "a = b = "])
            return self.rng.choice(
                [f"{other}{name} = {value}", f"{name} = {other}{value}"]
            )
        return f"{name}{space}={self.gap(lines=False)}{value}"

    def header(self) -> list[str]:
        names = list(NAMES)
        if self.chance(0.3):
            self.rng.shuffle(names)
        if self.chance(0.3):
            names = names[: self.rng.randint(1, 4)]
        lines: list[str] = []
        for name in names:
            if self.chance(0.05) and not self.mutable:
                lines.append(f"{name}: str")
            written = self.assignment(name)
            ending = lines[-1][-1:] if lines else ""
            if lines and self.chance(0.08) and "  # " not in lines[-1]:
                semicolon = "" if ending == ";" else ";"
                lines[-1] += semicolon + self.gap(lines=False) + written
            else:
                lines.append(written)
            if self.chance(0.1):
                lines[-1] += "  # " + self.rng.choice(["note", "revision = 'x'", '"""'])
            elif self.chance(0.05):
                lines[-1] += " ;"
        return lines

    def docstring(self) -> list[str]:
        if self.chance(0.2):
            return []
        text = self.rng.choice(DOCS)
        written = self.string(text, lines=False)
        return [written + ";" if self.chance(0.05) else written]

    def file(self) -> list[str]:
        """The logical lines of a plain file."""
        rng = self.rng
        lines = self.docstring()
        if self.chance(0.2):
            lines.append(rng.choice(FUTURE))
        lines.append("from typing import Sequence, Union")
        harmless = WITHOUT_NAMES if self.mutable else HARMLESS
        lines += rng.sample(harmless, rng.randint(0, 4))
        lines += self.header()
        lines += rng.sample(harmless, rng.randint(0, 5))
        return lines


ESCAPES: Final = {
    "'": "\\'",
    '"': '\\"',
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
}
NAMED: Final = {
    char: unicodedata.name(char)
    for char in "abcé'\"ÿĀ{ #@1"
    if unicodedata.name(char, "")
}
ANNOTATIONS: Final = (
    "str",
    "Union[str, None]",
    "Union[str, Sequence[str], None]",
    '"str | None"',
    "'str'",
    "(\n  str\n)",
    "dict[str, list[int]] | None",
    "str if True else int",
    "f'{1}'",
    "lambda: 0",
    "1 == 2",
)
FUTURE: Final = (
    "from __future__ import annotations",
    "from __future__ import division",
)
# Statements that change none of the names, whatever they look like.
HARMLESS: Final = (
    "import os",
    "from os import path as p, sep",
    "from os import (\n    path,\n    sep,  # note\n)",
    "x = 1 if True else 2",
    "y = [i for i in range(3) if i]",
    "z = {'revision': 1, 'down_revision': [2]}",
    "w = dict(revision=1, depends_on=2)",
    "print = lambda *a, **k: None",
    "def upgrade():\n    pass",
    "def upgrade() -> None:\n    revision = 'local'\n    down_revision: str = revision",
    "def helper(revision, down_revision=None, *depends_on, **branch_labels):\n"
    "    for revision in depends_on: pass\n"
    "    return [revision for revision in ()]",
    "def later():\n\tdef inner():\n\t\tbranch_labels = 1\n\treturn inner",
    "class Table:\n    revision = 'column'\n"
    "    def depends_on(self): return self.revision",
    "class Empty: revision = 1; down_revision = 2",
    "async def wait(revision):\n    async with revision as down_revision: pass",
    "def inline(revision): revision = 2; return revision",
    "@staticmethod\ndef decorated(revision): ...",
    "if True:\n    value = 'x'\nelse:\n    value = '''\nrevision = 1\n'''",
    "try:\n    import nothing_of_that_name\nexcept ImportError as error:\n    pass",
    "for i in range(2):\n  for j in range(2):\n    k = i\n",
    "while False:\n    pass",
    "with memoryview(b'') as f: pass",
    "t = '''\nrevision = 'in a string'\n'''",
    "t = r'\\\\' 'x' r'\\''",
    "s = f'{1!r:>{10}} {{}} {\"a\"}' f'{1:=^5}'",
    "s = f'''{\n1\n} {'a' 'b'} {1:{2}d}''' rf'\\{1}' f'\\x41{{'",
    "s = f\"{'revision'}\" f'{dict(revision=1)}' f\"{'{'}\" f'{1!=2}' f\"{'#'}\"",
    "b = b'bytes' rb'\\\\' B'\\x00' bR'''\n'''",
    "n = 0x1F + 0b1 + 0o7 + 1_000 + 1e5 + .5 + 5. + 1j + 1.5e-3",
    "o = -1 ** 2 // 3 % 4 @ 5 if False else ~1 << 2 >> 3 & 4 | 5 ^ 6",
    "o = 1 != 2 <= 3 >= 4 == 5 < 6 > 7",
    "i = 5; i += 1; i -= 1; i *= 2; i //= 3; i **= 2; i >>= 1; i <<= 1; i |= 1",
    "(m := 5)",
    "été = 1; Привет = 2; 名前 = 3",
    "...",
    "pass ; pass;",
    "\f",
    "\f\n \f",
    "# revision = 'comment'",
    "    # indented comment\n\t# another",
    "assert True, 'message'",
    "del_me = 1; del del_me",
    "v = (yield_ := 1), *[2, 3]",
    "items = {**{}, 'a': 1}; items['revision'] = 2",
    "matrix = [[1,\n  2], [3,\n4]]",
    "long = 1 + \\\n    2",
    "match = 1; case = 2; type = 3; _ = match",
    "'a string alone'; 5; None",
    "if 1: a = 1; b = 2",
    "class A(object):\n  x: int\n  y: 'str' = 'z'\n\n  def f(self):\n    n = 1",
    "def reader():\n    return revision, down_revision",
    "def outer():\n    revision = 1\n    def inner():\n        nonlocal revision\n"
    "        revision = 2\n    inner()\nouter()",
)


WITHOUT_NAMES: Final = tuple(
    text for text in HARMLESS if not any(name in text for name in NAMES)
)


def _bytes(rng: random.Random, lines: list[str], encoding: str) -> bytes:
    text = "\n".join(lines)
    if rng.random() < 0.9:
        text += "\n"
    first = ""
    mark = b""
    if encoding == "latin-1":
        first = rng.choice(LATIN1_COOKIES) + "\n"
    elif rng.random() < 0.2:
        first = rng.choice(UTF8_COOKIES) + "\n"
    elif rng.random() < 0.1:
        mark = b"\xef\xbb\xbf"
        first = rng.choice(["", "# -*- coding: utf-8 -*-\n"])
    data = (first + text).encode(encoding)
    ending = rng.choice([b"\n", b"\n", b"\n", b"\n", b"\r\n", b"\r\n", b"\r"])
    return mark + data.replace(b"\n", ending)


LATIN1_COOKIES: Final = (
    "# -*- coding: latin-1 -*-",
    "#!/usr/bin/python\n# vim: set fileencoding=iso-8859-1 :",
    "\n# coding=Latin_1",
    " \t\f# coding:ISO-8859-1-unix",
    "# coding: iso-latin-1",
)
UTF8_COOKIES: Final = (
    "# coding: utf-8",
    "# -*- coding: UTF_8 -*-",
    "#!/bin/sh\n#coding=utf8",
    "# encoding: utf-8-unix",
    "# no coding here",
    "# one\n# two\n# coding: klingon",
    "# coding:\n# coding : x",
)


def plain_lines(rng: random.Random) -> tuple[list[str], str]:
    """The logical lines of a plain file, and its encoding."""
    encoding = "latin-1" if rng.random() < 0.1 else "utf-8"
    lines = Writer(rng, encoding).file()
    if encoding == "latin-1":
        lines = [line for line in lines if _fits(line)]
    return lines, encoding


def _fits(line: str) -> bool:
    try:
        line.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def plain_case(rng: random.Random) -> Case:
    """A file that the scanner must answer."""
    lines, encoding = plain_lines(rng)
    return Case(_bytes(rng, lines, encoding), plain=True)


def wild_case(rng: random.Random, snippets: Callable[[random.Random], str]) -> Case:
    """A file that does something to the names, or is damaged, or both."""
    lines, encoding = plain_lines(rng)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        snippet = snippets(rng)
        if encoding == "utf-8" or _fits(snippet):
            lines.insert(rng.randint(0, len(lines)), snippet)
    if rng.random() < 0.15:
        rng.shuffle(lines)
    source = _bytes(rng, lines, encoding)
    if rng.random() < 0.3:
        source = _damaged(rng, source)
    return Case(source, plain=False)


def _damaged(rng: random.Random, source: bytes) -> bytes:
    """The file with a few bytes or tokens changed."""
    data = bytearray(source)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randint(0, len(data))
        kind = rng.randrange(5)
        if kind == 0:
            del data[at : at + rng.choice([1, 1, 1, 2, 5])]
        elif kind == 1:
            data[at:at] = rng.choice(TOKENS).encode("utf-8")
        elif kind == 2:
            data[at:at] = bytes([rng.choice(BYTES)])
        elif kind == 3:
            end = min(len(data), at + rng.randint(1, 30))
            to = rng.randint(0, len(data))
            data[to:to] = data[at:end]
        else:
            data[at : at + 1] = bytes([rng.choice(BYTES)])
    return bytes(data)


BYTES: Final = (
    b"\n\n\r\t\f  \\\\'\"\"'()[]{},;:=.#@+-*f\x00\x80\xc3\xa9\xff\x1a$?!`nrbu0"
)
TOKENS: Final = (
    *NAMES,
    *("=", ":=", ":", ";", ",", "(", ")", "[", "]", "{", "}", "'", '"', "'''", '"""'),
    *(
        "f'",
        'f"',
        "r'",
        "b'",
        "\\\n",
        "\n",
        "\n    ",
        "\n\t",
        "\f",
        "#",
        "lambda ",
        "if ",
    ),
    *(
        "else",
        "for ",
        "in ",
        "import ",
        "from ",
        "as ",
        "def f():",
        "class A:",
        "global ",
    ),
    *("del ", "None", "1", "+", "*", "**", "->", "@", ".", "not ", "and ", "is "),
    *("f'{", "}'", "{{", "}}", "!r", ":>", "\\N{DASH}", "rf'''", "'''", "u'", "pass"),
)
