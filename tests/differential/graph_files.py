"""A random history as files: Alembic's scripts beside ours."""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from alembic.script.base import Script
from differential.graph_cases import Case, Declared, told, told_error

from ibutsu_migrate.revisions.map import RevisionMap, StockMap

_ENV = "from alembic import context\ncontext.configure(dialect_name='postgresql')\n"


def text_of(each: Declared, rng: random.Random) -> str:
    """The file, in one of a few spellings; some of them are not static."""
    doc = rng.choice(
        (
            '"""Add é to it"""\n',
            '"""One\n\nTwo  \n  three\n"""\n',
            "",
            "'''\n a\n b'''\n",
        )
    )
    annotated = rng.random() < 0.5
    lines = []
    for name, value in (
        ("revision", each.id),
        ("down_revision", each.down[0] if len(each.down) == 1 else each.down or None),
        ("branch_labels", each.labels or None),
        ("depends_on", list(each.depend) or None),
    ):
        spelled = repr(value)
        if rng.random() < 0.05:
            spelled = f"(lambda: {spelled})()"
        lines.append(f"{name}{': object' if annotated else ''} = {spelled}")
    body = "\n\ndef upgrade(): pass\n\ndef downgrade(): pass\n"
    return doc + "\n".join(lines) + body


def write(case: Case, seed: int, folder: Path) -> Path:
    """Write alembic.ini, env.py and the files; their names keep the case's order."""
    rng = random.Random(seed)
    versions = folder / "alembic" / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic" / "env.py").write_text(_ENV)
    for place, each in enumerate(case):
        name = f"{place:03}_{rng.choice(('change', 'a b', 'x-y', 'é'))}.py"
        (versions / name).write_text(text_of(each, rng), encoding="utf-8")
    ini = folder / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = %(here)s/alembic\n")
    return ini


def outcome(ask: Callable[[Any], Any], directory: ScriptDirectory) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer = ("answer", told(ask(directory)))
        except Exception as error:
            answer = told_error(error)
    return answer, [str(each.message) for each in caught]


def lines_of(text: str) -> list[list[str]]:
    """Text whose lists of names may be in any order."""
    return [sorted(re.findall(r"[^\s,()]+", line)) for line in text.splitlines()]


def shown(script: Script) -> Any:
    return (
        [script.revision, script.path, script.doc, script.longdoc, repr(script.module)],
        [lines_of(script.log_entry), str(script), repr(script).split("branch_")[0]],
        [lines_of(script.cmd_format(False, True, True, True)), script.module.__doc__],
        [script.dependencies, script.down_revision, script._script_path.name],
        [sorted(script.branch_labels), sorted(script.nextrev)],
    )


def differences(case: Case, seed: int, folder: Path) -> list[str]:
    """What ScriptDirectory says differently on the two maps."""
    write(case, seed, folder)
    directories = []
    for kind in (StockMap, RevisionMap):
        directory = ScriptDirectory(str(folder / "alembic"))
        directory.revision_map = kind(directory._load_revisions)
        directories.append(directory)
    stock, ours = directories
    found = []
    asked: tuple[tuple[str, Any], ...] = (
        ("heads", lambda d: d.get_heads()),
        ("walk", lambda d: list(d.walk_revisions())),
        ("current", lambda d: d.get_current_head()),
        ("upgrade", lambda d: [step.doc for step in d._upgrade_revs("heads", None)]),
        ("scripts", lambda d: [(k, v and shown(v)) for k, v in by_key(d)]),
        ("downgrade", lambda d: [s.doc for s in d._downgrade_revs("base", "heads")]),
    )
    for name, ask in asked:
        wanted, got = outcome(ask, stock), outcome(ask, ours)
        if name in ("walk", "upgrade", "downgrade"):
            wanted, got = in_any_order(wanted), in_any_order(got)
        if wanted != got:
            found.append(f"{name}\n  Alembic: {wanted}\n  ours:    {got}")
    return found


def by_key(directory: ScriptDirectory) -> list[Any]:
    """Labels may be in any order: what Alembic has them in is a set's."""
    items = directory.revision_map._revision_map.items()
    return sorted(items, key=lambda item: str(item[0]))


def in_any_order(answer: Any) -> Any:
    """Alembic's order of several branches hangs on the hash seed."""
    (kind, *rest), warned = answer
    return kind, sorted(map(str, rest[0])) if kind == "answer" else rest, warned
