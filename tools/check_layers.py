"""Check the layers: which C file may include what, which module may import what.

The C side is checked twice: by the includes as written, and by compiling ``core`` with
no include path but its own. The Python side is docs/design/architecture.md's table.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ibutsu_migrate"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)

# What may be included besides the C library's own headers.
C_LAYERS = {
    "core": ("core",),
    "pq": ("core", "pq"),
    "py": ("core", "pq", "py"),
}
C_HEADERS = {
    "core": re.compile(
        r"(assert|ctype|errno|inttypes|limits|locale|math|stdalign|stdarg|stdbool"
        r"|stddef|stdint|stdio|stdlib|string|time|unistd|fcntl|dirent|sys/\w+)\.h"
    ),
    "pq": re.compile(
        r"libpq-fe\.h|pg_config\.h|poll\.h|signal\.h|pthread\.h|stdatomic\.h|netdb\.h"
        r"|arpa/inet\.h"
    ),
    "py": re.compile(r"Python\.h|structmember\.h|datetime\.h|pthread\.h"),
}
# The only poll() of the driver is where the GIL is let go and signals are served.
ONLY_POLL = "py/pq_wait.c"

# Module or package -> what it must never import, even in a function.
NEVER = {
    "errors": ("alembic", "sqlalchemy", "flask", "ibutsu_migrate"),
    "config": ("alembic", "sqlalchemy", "flask"),
    "colours": ("alembic", "sqlalchemy", "flask", "ibutsu_migrate"),
    "_native": ("alembic", "sqlalchemy", "flask"),
    # What `ibutsu-migrate heads` goes through.
    "plainfiles": ("alembic", "sqlalchemy", "flask", "ibutsu_migrate"),
    "options": ("alembic", "sqlalchemy", "flask"),
    "layout": ("alembic", "sqlalchemy", "flask"),
    "revisions.listing": ("alembic",),
    "revisions.sets": ("alembic",),
    "revisions.scanned": ("alembic",),
    "revisions.records": ("alembic",),
    "revisions.check": ("alembic",),
    "cli": (
        "sqlalchemy",
        "flask",
        "ibutsu_migrate._pq",
        "ibutsu_migrate.engine",
        "ibutsu_migrate.flask",
    ),
    "cli.program": ("alembic",),
    "cli.arguments": ("alembic", "ibutsu_migrate"),
    "cli.answers": ("alembic",),
    "cli.check": ("alembic",),
    "cli.settings": ("alembic",),
    "revisions": (
        "sqlalchemy",
        "flask",
        "ibutsu_migrate._pq",
        "ibutsu_migrate.engine",
        "ibutsu_migrate.env",
        "ibutsu_migrate.flask",
    ),
    "weight": ("alembic", "sqlalchemy", "flask", "ibutsu_migrate.runtime"),
    "engine": (
        "alembic",
        "flask",
        "ibutsu_migrate._core",
        "ibutsu_migrate.revisions",
        "ibutsu_migrate.env",
        "ibutsu_migrate.flask",
    ),
    "engine.dbapi": ("sqlalchemy",),
    "env": ("flask", "flask_sqlalchemy", "ibutsu_migrate.flask"),
    "testing": ("flask", "ibutsu_migrate.engine", "ibutsu_migrate.env"),
    "testing.keeper": ("ibutsu_migrate",),
}
# ... and what it must not import when it is itself imported.
NOT_AT_IMPORT = {
    "": ("alembic", "sqlalchemy", "flask"),
    "plugin": ("alembic", "sqlalchemy", "flask"),
    "testing": ("alembic", "sqlalchemy"),
}


def c_faults() -> Iterator[str]:
    """Includes across the layers, and calls of poll() in the wrong place."""
    for layer, below in C_LAYERS.items():
        own = {
            path.name for name in below for path in (ROOT / "csrc" / name).glob("*.h")
        }
        for path in sorted((ROOT / "csrc" / layer).glob("*.[ch]")):
            where, text = path.relative_to(ROOT / "csrc"), path.read_text()
            for bracket, header in INCLUDE.findall(text):
                system = any(C_HEADERS[name].fullmatch(header) for name in below)
                if not (system if bracket == "<" else header in own or system):
                    yield f"csrc/{where} includes {header}"
            if re.search(r"\b(poll|select|epoll_wait) ?\(", text) and layer != "core":
                code = re.sub(r"/\*.*?\*/|\"[^\"\n]*\"", "", text, flags=re.S)
                if re.search(r"\bp?poll ?\(", code) and str(where) != ONLY_POLL:
                    yield f"csrc/{where} calls poll(), which only {ONLY_POLL} may"


def core_compiles() -> bool:
    """Compile each file of core, headers included, with core's folder alone."""
    core = ROOT / "csrc" / "core"
    files = [str(path) for path in sorted(core.glob("*.[ch]"))]
    flags = ["-std=c11", "-fsyntax-only", "-Wall", "-Werror", f"-I{core}"]
    return subprocess.run(["gcc", *flags, *files]).returncode == 0


def imports(tree: ast.AST, package: str) -> Iterator[tuple[str, bool]]:
    """Each imported module, and whether that happens when the file is imported."""
    pending: list[tuple[ast.AST, bool]] = [(tree, True)]
    while pending:
        node, at_import = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending.extend((child, at_import) for child in node.orelse)
            continue
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, at_import
        elif isinstance(node, ast.ImportFrom):
            yield from ((module, at_import) for module in imported_from(node, package))
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        pending.extend(
            (child, at_import and not inside) for child in ast.iter_child_nodes(node)
        )


def imported_from(node: ast.ImportFrom, package: str) -> Iterator[str]:
    """``from x import y``: x, and x.y, which may be a module too."""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1] if node.level else []
    module = ".".join([*base, *([node.module] if node.module else [])])
    yield module
    yield from (f"{module}.{name.name}" for name in node.names)


def covers(prefix: str, name: str) -> bool:
    """Whether a dotted name is the prefix or below it."""
    return prefix == "" or name == prefix or name.startswith(f"{prefix}.")


def python_faults() -> Iterator[str]:
    """Imports across the layers."""
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE).with_suffix("")
        name = ".".join(part for part in relative.parts if part != "__init__")
        folder = ".".join(("ibutsu_migrate", *relative.parts[:-1]))
        for module, at_import in set(imports(ast.parse(path.read_text()), folder)):
            never = [
                bad
                for prefix, names in NEVER.items()
                if covers(prefix, name)
                for bad in names
            ]
            if at_import:
                never += [
                    bad
                    for prefix, names in NOT_AT_IMPORT.items()
                    if (name == prefix or (prefix and covers(prefix, name)))
                    for bad in names
                ]
            for bad in never:
                if covers(bad, module) and not covers(f"ibutsu_migrate.{name}", module):
                    yield f"{path.relative_to(ROOT)} imports {module}"


def main() -> int:
    """The exit status: 1 where a layer is crossed."""
    faults = [*c_faults(), *python_faults()]
    for fault in dict.fromkeys(faults):
        print(fault)
    return 0 if core_compiles() and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
