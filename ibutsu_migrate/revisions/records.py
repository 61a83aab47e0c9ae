"""Revision files one by one, with all that is wrong with each of them.

For ``check-history``: unlike the scan for a graph, this compiles every file, goes on
after a broken one, and knows the lines. Imports nothing of Alembic; a revision file
that is not static may.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from .._native import require

Level = Literal["error", "info"]

_LEGACY_ID: Final = re.compile(r"([a-f0-9]+)\.py$")
_RESERVED: Final = "@-+:"
_SYMBOLS: Final = frozenset(("head", "heads", "base", "current"))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one place in the history.

    Attributes:
        kind: One of the names in ``docs/reference/cli.md``.
        level: ``error``, or ``info`` for what need not be wrong.
        file: The file's real path.
        line: 1-based line, 0 for the whole file.
        revision: The file's revision id, None where it is not known.
        message: What is the case.
        remedy: What to do.
        related: Ids of other revisions that take part.
    """

    kind: str
    level: Level
    file: str
    line: int
    revision: str | None
    message: str
    remedy: str
    related: tuple[str, ...] = ()


@dataclass(slots=True)
class Record:
    """What one file declares.

    Attributes:
        file: Its real path.
        revision: Its id; None where it is not known.
        down: ``down_revision`` as ids.
        depends: ``depends_on`` as ids or labels.
        labels: ``branch_labels``.
        findings: What is wrong with the file by itself.
    """

    file: str
    revision: str | None = None
    down: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)

    def line_of(self, name: str) -> int:
        """The line that last assigns a name; 0 where there is none."""
        try:
            with open(self.file, "rb") as stream:
                tree = _quietly(ast.parse, stream.read())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            return 0
        return max(_assigned(tree, name), default=0)

    def find(
        self,
        kind: str,
        message: str,
        remedy: str,
        *,
        line: int | str = 0,
        level: Level = "error",
        related: tuple[str, ...] = (),
    ) -> None:
        """Add a finding about this file.

        Args:
            kind: As ``Finding.kind``.
            message: As ``Finding.message``.
            remedy: As ``Finding.remedy``.
            line: A line, or the name whose assignment is meant.
            level: As ``Finding.level``.
            related: As ``Finding.related``.
        """
        at = self.line_of(line) if isinstance(line, str) else line
        self.findings.append(
            Finding(kind, level, self.file, at, self.revision, message, remedy, related)
        )


def _assigned(tree: ast.AST, name: str) -> Iterator[int]:
    """Lines of the module's own assignments to a name."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and node.id == name:
            if isinstance(node.ctx, ast.Store):
                yield node.lineno
        elif not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
        ):
            waiting.extend(ast.iter_child_nodes(node))


def _quietly(compiled: Any, source: bytes, *arguments: Any) -> Any:
    with warnings.catch_warnings():
        # "\d" in somebody's docstring is not what is looked for.
        warnings.simplefilter("ignore")
        return compiled(source, *arguments)


def read_record(path: str) -> Record:
    """Read a revision file; what is wrong with it stands in the record.

    A file that is not static is imported, with all that this may do.

    Source: ``alembic.script.base.Script._from_path`` and ``Revision.__init__``.
    """
    record = Record(path)
    _read(record)
    # What was found before the id was known is told with it.
    named = (replace(each, revision=record.revision) for each in record.findings)
    record.findings = list(named)
    return record


def _read(record: Record) -> None:
    path = record.file
    if not path.endswith(".py"):
        _declare(record, _imported(record))
        return
    try:
        header = require("_core").scan_file(path)
    except OSError as error:
        record.find(
            "unreadable",
            f"The file cannot be read: {error.strerror or error}.",
            "Alembic stops at it. Make it readable, or take it away.",
        )
        return
    if _compiles(record) and not isinstance(header, dict):
        record.find(
            "not-static",
            f"Only importing tells what this file declares: {header.reason}.",
            "Nothing need be done; a literal would let it be read without.",
            line=header.line,
            level="info",
        )
        header = _imported(record)
    _declare(record, header if isinstance(header, dict) else None)


def _compiles(record: Record) -> bool:
    """Whether the file is Python."""
    try:
        with open(record.file, "rb") as stream:
            source = stream.read()
        _quietly(compile, source, record.file, "exec", 0, True)
    except SyntaxError as error:
        what, line = error.msg, error.lineno or 0
    except (OSError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        what, line = str(error) or type(error).__name__, 0
    else:
        return True
    record.find(
        "syntax",
        f"The file is not valid Python: {what}.",
        "No run that needs this revision can start. Correct the file.",
        line=line,
    )
    return False


def _imported(record: Record) -> dict[str, object] | None:
    """What a module's names are after importing it.

    Source: ``alembic.util.pyfiles.load_module_py``.
    """
    name = re.sub(r"\W", "_", os.path.basename(record.file))
    spec = importlib.util.spec_from_file_location(name, record.file)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    try:
        # stdout is for the findings.
        with contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: it is somebody's module
        record.find(
            "import",
            f"Importing the file fails: {type(error).__name__}: {error}",
            "Alembic stops at it. Correct the file, or what it imports.",
            line=_line_in(record.file, error),
        )
        return None
    return vars(module)


def _line_in(file: str, error: BaseException) -> int:
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _declare(record: Record, header: dict[str, object] | None) -> None:
    """Take over a header, if there is one."""
    if header is None:
        return
    if "revision" in header:
        revision = header["revision"]
    else:
        legacy = _LEGACY_ID.match(os.path.basename(record.file))
        if legacy is None:
            record.find(
                "no-revision",
                "There is no `revision` in the file, and Alembic stops at it.",
                "Give it one, or move what is no revision to another folder.",
            )
            return
        revision = legacy[1]
    if not isinstance(revision, str) or not _is_usable(revision):
        record.find(
            "bad-id",
            f"{revision!r} cannot be a revision's id.",
            "An id is a text without @ - + : that is none of head, heads, base, "
            "current.",
            line="revision",
        )
        return
    record.revision = revision
    if "down_revision" not in header:
        record.find(
            "no-down-revision",
            "There is no `down_revision` in the file, and Alembic stops at it.",
            "Name the revision before this one; `down_revision = None` for the first.",
            line="revision",
        )
    record.down = _names(record, header, "down_revision")
    record.depends = _names(record, header, "depends_on")
    record.labels = _names(record, header, "branch_labels")


def _is_usable(revision: str) -> bool:
    return (
        bool(revision)
        and revision not in _SYMBOLS
        and not any(each in revision for each in _RESERVED)
    )


def _names(
    record: Record, header: dict[str, object], attribute: str
) -> tuple[str, ...]:
    """Source: ``alembic.util.to_tuple``."""
    value = header.get(attribute)
    if not value:
        return ()
    names = (value,) if isinstance(value, str) else value
    if isinstance(names, (set, frozenset)):
        names = sorted(names, key=repr)
    if isinstance(names, (tuple, list)) and all(
        isinstance(each, str) for each in names
    ):
        return tuple(dict.fromkeys(names))
    record.find(
        "bad-id",
        f"`{attribute}` is {value!r}, which names no revision.",
        "It takes a text, a tuple of texts, or None.",
        line=attribute,
    )
    return ()
