"""Alembic's settings from the files that people write, read in a quarter of the time.

Importing and running ``configparser`` and ``tomllib`` takes longer than reading five
hundred revision files. The readers here know the plain part of both formats. What they
are not sure about they do not answer: None means that the standard library must read
the file.

Nothing is imported here; that is what makes it quick.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    Value = str | bool | int | list[str]

OURS: Final = "ibutsu_migrate"
"""The name of this package's settings in both files."""

_TABLE: Final = "[tool.alembic]"
# Of these tables nothing is asked; the rest of [tool.alembic] stays what it is.
_HOOKS: Final = "[[tool.alembic.post_write_hooks]]"
# How "tool" may begin: a quoted key may be spelled in several ways.
_MAY_BE_TOOL: Final = ("tool", '"', "'")


def read_ini(text: str, section: str) -> dict[str, str] | None:
    """The options of one section of an .ini file, before interpolation.

    Args:
        text: The whole file; all of it must be plain.
        section: Name of the section.

    Returns:
        Empty where there is no such section; None for what only
        ``configparser`` can tell, errors among it.

    Source: ``configparser.RawConfigParser._read`` with its default arguments.
    """
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    where = option = None
    indent = 0
    for line in text.split("\n"):
        value = line.strip()
        if not value or value[0] in "#;":
            if not value and option is not None:
                option.append("")
            continue
        depth = len(line) - len(line.lstrip())
        if option is not None and depth > indent:
            option.append(value)
            continue
        indent = depth
        if value[0] == "[":
            where, option = _header(value), None
            if where is None or f"[{where}" in seen:
                return None
            seen.add(f"[{where}")
            continue
        name, first = _option(value)
        key = f"{where}]{name}"
        if where is None or not name or key in seen:
            return None
        seen.add(key)
        option = [first]
        if where == section:
            found[name] = option
    return {name: "\n".join(lines).rstrip() for name, lines in found.items()}


def _header(value: str) -> str | None:
    """The name in ``[name]``, None for what is not as simple as that."""
    name = value[1:-1]
    plain = value[-1] == "]" and name and "]" not in name and name != "DEFAULT"
    return name if plain else None


def _option(value: str) -> tuple[str, str]:
    """``name = value`` or ``name: value``; no name where it is neither."""
    places = [at for at in (value.find("="), value.find(":")) if at >= 0]
    if not places:
        return "", ""
    at = min(places)
    return value[:at].rstrip().lower(), value[at + 1 :].strip()


def read_toml(text: str, names: frozenset[str]) -> dict[str, Value] | None:
    """Some values of ``[tool.alembic]`` in a pyproject.toml.

    Args:
        text: The whole file. What stands in other tables is only skipped, so that a
            mistake there is not noticed.
        names: Keys that are asked for.

    Returns:
        Their values, before interpolation; ``ibutsu_migrate`` is a key too where that
        table is there. None for what only ``tomllib`` can tell.
    """
    if "\\u" in text or "\\U" in text or "\\x" in text:
        return None
    if "alembic" not in text and OURS not in text:
        return {}
    if '"""' in text or "'''" in text:
        return None
    found: dict[str, Value] = {}
    table = ""
    for statement in _statements(text):
        if statement is None:
            return None
        if statement[0] == "[":
            table = statement
            if not _is_known_table(table, found):
                return None
        elif table == _TABLE:
            if not _take(found, statement, names):
                return None
        elif _may_be_alembics(table, statement):
            return None
    return found


def _statements(text: str) -> Iterator[str | None]:
    """Headers and ``key = value``, a value of several lines in one; None: unsure."""
    parts: list[str] = []
    depth = 0
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped or stripped[0] == "#":
            continue
        header = not parts and stripped[0] == "["
        depth = _depth(stripped, depth)
        if depth < 0 or (header and (depth != 0 or stripped[-1] != "]")):
            yield None
            return
        parts.append(stripped)
        if depth == 0:
            yield "\n".join(parts)
            parts = []
    if depth != 0:
        yield None


def _depth(line: str, depth: int) -> int:
    """How many brackets are open after a line; negative for what cannot be told."""
    quote = ""
    escaped = False
    if not any(each in line for each in "[]{}"):
        return depth
    for each in line:
        if quote:
            if escaped:
                escaped = False
            elif each == "\\" and quote == '"':
                escaped = True
            elif each == quote:
                quote = ""
        elif each in "\"'":
            quote = each
        elif each == "#":
            break
        elif each in "[{":
            depth += 1
        elif each in "]}":
            depth -= 1
            if depth < 0:
                return -1
    return -1 if quote else depth


def _is_known_table(header: str, found: dict[str, Value]) -> bool:
    """Take note of a header; False where it may say more than it seems to."""
    if header == f"[tool.{OURS}]":
        found[OURS] = True
        return True
    if header == _TABLE:
        first = _TABLE not in found
        found[_TABLE] = True
        return first
    names = "alembic" in header or OURS in header
    first_key = header.lstrip("[ \t")
    return header == _HOOKS or not names or not first_key.startswith(_MAY_BE_TOOL)


def _may_be_alembics(table: str, statement: str) -> bool:
    """Whether ``tool.alembic`` could be meant without its header."""
    if table.strip("[] \t\"'") not in ("", "tool"):
        return False
    return "alembic" in statement or OURS in statement


def _take(found: dict[str, Value], statement: str, names: frozenset[str]) -> bool:
    """Keep a value of ``[tool.alembic]`` if it is asked for; False: unsure."""
    key, equals, rest = statement.partition("=")
    key = key.strip()
    if not equals or not key.replace("_", "a").replace("-", "a").isalnum():
        return False
    if key not in names:
        return True
    value = _value(rest.strip())
    if value is None or key in found:
        return False
    found[key] = value
    return True


def _value(text: str) -> Value | None:
    if text[:1] == "[":
        return _array(text)
    if text[:1] in ("'", '"'):
        string, end = _string(text, 0)
        return string if end and _is_rest(text[end:]) else None
    word, _, _ = text.partition("#")
    word = word.strip()
    if word in ("true", "false"):
        return word == "true"
    return int(word) if word.isascii() and word.isdigit() and word[0] != "0" else None


def _is_rest(text: str) -> bool:
    """Whether nothing follows but a comment."""
    rest = text.strip()
    return not rest or (rest[0] == "#" and "\n" not in rest)


def _string(text: str, start: int) -> tuple[str, int]:
    """A string without escapes, and where it ends; 0 where it is no such."""
    quote = text[start]
    end = text.find(quote, start + 1)
    string = text[start + 1 : end]
    if end < 0 or "\n" in string or (quote == '"' and "\\" in string):
        return "", 0
    return string, end + 1


def _array(text: str) -> list[str] | None:
    """An array of strings."""
    items: list[str] = []
    at, comma = 1, True
    while True:
        at = _skipped(text, at)
        each = text[at : at + 1]
        if each == "]":
            return items if _is_rest(text[at + 1 :]) else None
        if each == "," and not comma:
            at, comma = at + 1, True
        elif each and each in "\"'" and comma:
            string, at = _string(text, at)
            if not at:
                return None
            items.append(string)
            comma = False
        else:
            return None


def _skipped(text: str, at: int) -> int:
    """Where white space and comments end."""
    while text[at : at + 1] and text[at] in " \t\r\n#":
        if text[at] == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        else:
            at += 1
    return at
