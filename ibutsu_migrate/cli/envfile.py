"""Whether env.py is the hook, as far as its text tells: it is not run.

A call that stands where Python cannot but come by is sure. Whatever else speaks of the
hook may be one: a condition, a function, a name that is bound twice.
"""

from __future__ import annotations

import ast
import os
import sys
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from ..errors import ConfigurationError
from ..layout import folder_of, is_resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..options import Options

_PACKAGE: Final = "ibutsu_migrate"
_MODULE: Final = "ibutsu_migrate.env"
_FUNCTION: Final = "run_migrations"
_SURE_BLOCKS: Final = (ast.With, ast.Try)


class Hook(NamedTuple):
    """What env.py's text tells.

    Attributes:
        calls: ``yes``, ``maybe``, ``no``; None: no env.py is found.
        place: Of the call that is sure.
    """

    calls: Literal["yes", "maybe", "no"] | None
    place: str = ""


def find_hook(options: Options) -> Hook:
    """Read the env.py of a configuration.

    ``sys.path`` is changed as Alembic does it where a package names the folder.

    Args:
        options: Of the configuration files.
    """
    try:
        location = options.text("script_location")
        if location is None:
            return Hook(None)
        if is_resource(location):
            sys.path[:0] = options.paths("prepend_sys_path", "path_separator")
        path = os.path.join(folder_of(location), "env.py")
        with open(path, "rb") as file:
            source = file.read()
    except (ConfigurationError, OSError):
        return Hook(None)
    if _PACKAGE.encode() not in source:
        return Hook("no")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return Hook("maybe")
    line = _sure_line(tree)
    if line is not None:
        return Hook("yes", f"{os.path.relpath(path)}:{line}")
    return Hook("maybe" if _speaks_of_it(tree) else "no")


def _sure_line(tree: ast.Module) -> int | None:
    """Of a call that every run of env.py comes to."""
    bound = list(_bindings(tree))
    names = {name for name, is_hook in bound if is_hook}
    for statement in _straight(tree.body):
        value = getattr(statement, "value", None)
        if not isinstance(statement, (ast.Expr, ast.Assign)):
            continue
        if not isinstance(value, ast.Call):
            continue
        name = ast.unparse(value.func)
        first = name.partition(".")[0]
        once = sum(each.partition(".")[0] == first for each, _ in bound) == 1
        if name in names and once:
            return statement.lineno
    return None


def _straight(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements outside of functions and conditions."""
    waiting = list(body)
    while waiting:
        statement = waiting.pop(0)
        if isinstance(statement, _SURE_BLOCKS):
            waiting[:0] = statement.body
        else:
            yield statement


def _bindings(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Every name that is bound anywhere, and whether it then is the hook."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for each in node.names:
                whole = f"{node.module}.{each.name}"
                name = each.asname or each.name
                is_module = whole == _MODULE and not node.level
                is_hook = whole == f"{_MODULE}.{_FUNCTION}" and not node.level
                yield (
                    f"{name}.{_FUNCTION}" if is_module else name,
                    is_module or is_hook,
                )
        elif isinstance(node, ast.Import):
            for each in node.names:
                name = each.asname or each.name
                is_hook = each.name == _MODULE
                yield (f"{name}.{_FUNCTION}" if is_hook else name, is_hook)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id, False
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, False


def _speaks_of_it(tree: ast.Module) -> bool:
    if any(is_hook or name == "*" for name, is_hook in _bindings(tree)):
        return True
    return any(
        isinstance(node, ast.Constant) and node.value in (_MODULE, _PACKAGE)
        for node in ast.walk(tree)
    )
