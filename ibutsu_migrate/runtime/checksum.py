"""What a revision file means, as a number: formatting and comments do not change it."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path


def checksum_of(path: str | Path) -> str | None:
    """SHA-256 over the syntax tree, cut to 16 digits; None where it cannot be read.

    Docstrings count as comments. Fields that are empty are left out, so that a newer
    Python, which knows more of them, comes to the same number.

    Args:
        path: Of the file.
    """
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = hashlib.sha256()
    for part in _parts(tree):
        found.update(part.encode("utf-8", "surrogatepass"))
        found.update(b"\0")
    return found.hexdigest()[:16]


class _Name(str):
    """A field's name among values, which may be text too."""

    __slots__ = ()


_END = _Name(")")
_SKIPPED = ("ctx", "kind", "type_comment")
_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _parts(tree: ast.AST) -> Iterator[str]:
    """Names and values in order, without recursion: expressions may be deep."""
    pending: list[object] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.AST):
            yield f"({type(node).__name__}"
            pending.append(_END)
            for name, value in reversed(_fields(node)):
                pending += [value, _Name(f".{name}")]
        elif isinstance(node, list):
            yield "["
            pending += [_END, *reversed(node)]
        else:
            yield str(node) if isinstance(node, _Name) else repr(node)


def _fields(node: ast.AST) -> list[tuple[str, object]]:
    found = [(name, getattr(node, name, None)) for name in node._fields]
    if isinstance(node, _DOCUMENTED):
        found = [(n, _undocumented(v) if n == "body" else v) for n, v in found]
    return [(n, v) for n, v in found if n not in _SKIPPED and v is not None and v != []]


def _undocumented(body: object) -> object:
    first = body[0] if isinstance(body, list) and body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        text = isinstance(first.value.value, str)
        return body[1:] if text and isinstance(body, list) else body
    return body
