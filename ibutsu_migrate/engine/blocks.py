"""Whether the code that executes a statement may act on its error, or on its count.

Asked of the frames of a revision, before its statement is left in the driver's queue
(``docs/design/pipeline.md``). What cannot be told may.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import inspect
import linecache
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final, NamedTuple

# Blocks that let every error through, and undo on one what SQLAlchemy would undo.
_TRANSPARENT: Final = frozenset(
    ("batch_alter_table", "begin_transaction", "begin", "connect")
)

_MADE: Final = contextlib.contextmanager(lambda: iter(())).__code__

_CACHE: Final = dis.opmap["CACHE"]
_POP_TOP: Final = dis.opmap["POP_TOP"]
_SEND: Final = dis.opmap["SEND"]

# Where statements stand in a node of Python's grammar (``ast``).
_BODIES: Final = ("body", "orelse", "finalbody", "handlers", "cases")


class _Block(NamedTuple):
    """A ``try`` or ``with``.

    Attributes:
        first: Its first line.
        last: Its last.
        calls: What is called to make the managers of a ``with``; None: not only calls.
        flags: Local names: while they are false, a ``try`` does nothing but its body.
    """

    first: int
    last: int
    calls: tuple[str, ...] | None = None
    flags: tuple[str, ...] = ()


_EVERYWHERE: Final = (_Block(0, 1 << 30),)

_blocks: dict[CodeType, tuple[_Block, ...]] = {}


def is_guarded(frame: FrameType) -> bool:
    """Whether a frame is in a block that may act on an error."""
    line = frame.f_lineno or 0
    return any(
        block.first <= line <= block.last and not _is_harmless(frame, block)
        for block in _blocks_of(frame.f_code)
    )


def is_thrown_away(frame: FrameType | None) -> bool:
    """Whether a frame does nothing with what the call returns that it is in.

    The instruction behind a call, and behind the room that the interpreter has left for
    itself, would then drop it.
    """
    if frame is None:
        return False
    code = frame.f_code.co_code
    behind = frame.f_lasti + 2
    while behind < len(code) and code[behind] == _CACHE:
        behind += 2
    return behind < len(code) and code[behind] == _POP_TOP


def _is_harmless(frame: FrameType, block: _Block) -> bool:
    if block.flags:
        values = [frame.f_locals.get(name, frame) for name in block.flags]
        return all(value is False or value is None for value in values)
    calls = block.calls
    return calls is not None and all(_lets_through(frame, name) for name in calls)


def _lets_through(frame: FrameType, name: str) -> bool:
    """Whether a call of that name makes a context manager that lets errors through.

    A generator with no block of its own ends where it yielded: what it would have done
    behind that is like what stands behind the statement.
    """
    code = frame.f_code
    first, *rest = name.split(".")
    inside = first in (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
    found: Any = (frame.f_locals if inside else frame.f_globals).get(first)
    for part in rest:
        if not isinstance(found, ModuleType):
            return False
        found = getattr(found, part, None)
    if not isinstance(found, FunctionType) or found.__code__ is not _MADE:
        return False
    made = getattr(found, "__wrapped__", None)
    if not (isinstance(made, FunctionType) and inspect.isgeneratorfunction(made)):
        return False
    inner = made.__code__
    if _SEND in inner.co_code[::2]:
        return False  # `yield from` another one, which may have a block
    lines = [line for _, _, line in inner.co_lines() if line is not None]
    first_line, last_line = min(lines), max(lines)
    return not any(
        block.first <= last_line and first_line <= block.last
        for block in _blocks_of(inner)
    )


# Reading


def _blocks_of(code: CodeType) -> tuple[_Block, ...]:
    # Without an entry there no instruction stands in a `try` or a `with`: most
    # functions of a revision, whose source need not be read then.
    if not code.co_exceptiontable:
        return ()
    blocks = _blocks.get(code)
    if blocks is None:
        lines = linecache.getlines(code.co_filename)
        first = code.co_firstlineno - 1
        try:
            blocks = _read_blocks("".join(_function_at(first, lines)), first)
        except (SyntaxError, ValueError, RecursionError):
            blocks = _read_file("".join(lines))
        _blocks[code] = blocks
    return blocks


def _function_at(first: int, lines: list[str]) -> list[str]:
    """The lines of a function that is indented by nothing, without those behind it.

    It ends before the next line that is not indented either. Where that is inside of
    brackets or of a text, what is left is not Python.

    Raises:
        SyntaxError: There is none.
    """
    found = lines[first : first + 1]
    if not found or not found[0].startswith(("def ", "async def ")):
        raise SyntaxError
    for line in lines[first + 1 :]:
        if not line[0].isspace() and line[0] != "#":
            break
        found.append(line)
    return found


@lru_cache(maxsize=8)
def _read_file(source: str) -> tuple[_Block, ...]:
    """The blocks of a file; one that is everywhere where it cannot be read."""
    try:
        return _read_blocks(source) if source else _EVERYWHERE
    except (SyntaxError, ValueError, RecursionError):
        return _EVERYWHERE


def _read_blocks(source: str, above: int = 0) -> tuple[_Block, ...]:
    """The blocks of a text.

    Args:
        source: Python.
        above: How many lines of its file stand above it.
    """
    tree = ast.parse(source)
    return tuple(
        _Block(
            above + node.lineno,
            above + (node.end_lineno or node.lineno),
            calls,
            _flags_of(node, tree),
        )
        for node in _statements_in(tree)
        if isinstance(node, ast.Try | ast.TryStar | ast.With | ast.AsyncWith)
        and (calls := _calls_of(node)) != ()
    )


def _statements_in(tree: ast.Module) -> Iterator[Any]:
    """All statements: no block stands in an expression."""
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in _BODIES:
            waiting.extend(getattr(node, name, ()))


def _calls_of(
    node: ast.Try | ast.TryStar | ast.With | ast.AsyncWith,
) -> tuple[str, ...] | None:
    if not isinstance(node, ast.With):
        return None
    names = []
    for item in node.items:
        expression = item.context_expr
        if not isinstance(expression, ast.Call):
            return None
        function = expression.func
        if isinstance(function, ast.Attribute) and function.attr in _TRANSPARENT:
            continue
        if not isinstance(function, ast.Attribute | ast.Name):
            return None
        names.append(ast.unparse(function))
    return tuple(names)


def _flags_of(
    node: ast.Try | ast.TryStar | ast.With | ast.AsyncWith, tree: ast.Module
) -> tuple[str, ...]:
    """The names a ``try`` asks in its ``finally``, which does nothing else.

    Only those that are set once: at the end they are what they are at a statement.
    """
    if not isinstance(node, ast.Try) or node.handlers:
        return ()
    names = []
    for last in node.finalbody:
        if not isinstance(last, ast.If) or last.orelse:
            return ()
        if not isinstance(last.test, ast.Name):
            return ()
        names.append(last.test.id)
    changed = list(_names_set_in(tree))
    return tuple(names) if all(changed.count(name) < 2 for name in names) else ()


def _names_set_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
