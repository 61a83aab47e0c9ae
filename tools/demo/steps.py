"""The handbook's steps: what is typed, and what must come of it.

The demo tells them, tests/db/test_handbook.py asserts them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from .tally import Tally, read_tally
from .workspace import Done, Workspace

BASELINE: Final = "4b2d8a61c7e0"
MIDDLE: Final = "c1a7e4920b5f"
HEAD: Final = "2f96ab17d8c4"
NEW: Final = "{new}"
"""Stands for the identifier of the revision that the steps generate."""

_ANCHOR: Final = "    duration: Mapped[float | None]"
_COLUMN: Final = (
    "    workers: Mapped[int | None] = mapped_column(sa.Integer, index=True)\n"
)


class StepError(Exception):
    """A step did not do what the handbook says.

    Args:
        step: Which.
        why: What is wrong.
        output: What the command wrote.
    """

    def __init__(self, step: Step, why: str, output: str = "") -> None:
        super().__init__(f"{step.say}: {why}")
        self.step = step
        self.why = why
        self.output = output


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that somebody does.

    Attributes:
        say: Why.
        command: What is typed, or None where ``act`` is done.
        shows: Regular expressions that the output must match, in this order.
        at: The revision at which the database must be then; None: not looked at.
        act: Does something else than a command, and returns the text to show.
        asks_database: The command connects.
        beside: Neither it nor the step before it changes anything: they run together.
    """

    say: str
    command: str | None = None
    shows: tuple[str, ...] = ()
    at: str | None = None
    act: Callable[[Workspace], str] | None = None
    asks_database: bool = True
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step that did what it should.

    Attributes:
        step: Which.
        output: What it showed.
        seconds: How long it took.
        tally: What C did for it.
    """

    step: Step
    output: str
    seconds: float
    tally: Tally


def run_steps(
    workspace: Workspace, steps: tuple[Step, ...], *, c_driver: bool = True
) -> Iterator[Outcome]:
    """Do the steps, one by one.

    Args:
        workspace: Where.
        steps: In their order.
        c_driver: Whether the SQL must have been executed in C too.

    Raises:
        StepError: The first that fails ends it.
    """
    with ThreadPoolExecutor() as pool:
        for group in _groups(steps):
            started = [
                pool.submit(_run, workspace, step, f"stats-{number}.jsonl", c_driver)
                for number, step in group
            ]
            for running in started:
                yield running.result()


def _groups(steps: tuple[Step, ...]) -> list[list[tuple[int, Step]]]:
    groups: list[list[tuple[int, Step]]] = []
    for number, step in enumerate(steps, 1):
        if not step.beside:
            groups.append([])
        groups[-1].append((number, step))
    return groups


def _run(workspace: Workspace, step: Step, stats: str, c_driver: bool) -> Outcome:
    if step.act is not None:
        try:
            return Outcome(step, step.act(workspace), 0.0, Tally())
        except LookupError as error:
            raise StepError(step, str(error)) from error
    done = workspace.run(step.command or "", stats)
    if done.status != 0:
        raise StepError(step, f"exit status {done.status}", done.output)
    rest = done.output
    for pattern in _filled(workspace, step.shows):
        found = re.search(pattern, rest)
        if found is None:
            raise StepError(step, f"the output lacks {pattern!r}", done.output)
        rest = rest[found.end() :]
    _check_version(workspace, step, done)
    tally = read_tally(done.stats)
    if not tally.files_scanned:
        raise StepError(step, "no revision file was scanned in C", done.output)
    if c_driver and step.asks_database and not tally.statements:
        raise StepError(step, "no statement was executed in C", done.output)
    return Outcome(step, done.output, done.seconds, tally)


def _check_version(workspace: Workspace, step: Step, done: Done) -> None:
    if step.at is None:
        return
    (expected,) = _filled(workspace, (step.at,))
    found = workspace.rows("SELECT version_num FROM alembic_version")
    if found != [(expected,)]:
        why = f"the database is at {found}, not at {expected}"
        raise StepError(step, why, done.output)


def _filled(workspace: Workspace, texts: tuple[str, ...]) -> list[str]:
    if not any(NEW in text for text in texts):
        return list(texts)
    new = workspace.new_revision.name.partition("_")[0]
    return [text.replace(NEW, new) for text in texts]


def add_column(workspace: Workspace) -> str:
    """Give the model of runs a column with an index; the line is returned.

    Raises:
        LookupError: The model is not as it was.
    """
    source = workspace.models.read_text()
    before, run, after = source.partition("class Run(Model):")
    head, anchor, tail = after.partition(_ANCHOR)
    if not anchor:
        raise LookupError(f"{_ANCHOR.strip()!r} is not in class Run")
    workspace.models.write_text(f"{before}{run}{head}{_COLUMN}{anchor}{tail}")
    return f"class Run(Model):\n    ...\n+{_COLUMN}"


def show_revision(workspace: Workspace) -> str:
    """The generated file, in which there is what was changed and nothing else.

    Raises:
        LookupError: It holds other operations.
    """
    source = workspace.new_revision.read_text()
    found = re.findall(r"\b(?:batch_)?op\.(\w+)\(", source)
    operations = [name for name in found if name not in ("f", "batch_alter_table")]
    expected = ["add_column", "create_index", "drop_index", "drop_column"]
    if operations != expected or source.count("workers") < len(expected):
        raise LookupError(f"the file does {operations} instead of {expected}\n{source}")
    return source


def check_column(workspace: Workspace) -> str:
    """The new column can be asked for."""
    return f"workers of {len(workspace.rows('SELECT workers FROM runs'))} runs"


ALEMBIC: Final = (
    Step(
        "An empty database gets every revision, in order",
        "alembic upgrade head",
        (f"upgrade  -> {BASELINE}", f"upgrade {MIDDLE} ->", f"-> {HEAD}"),
        at=HEAD,
    ),
    Step(
        "Which revisions there are",
        "alembic history",
        (rf"-> {HEAD} \(head\)", f"{MIDDLE} ->", f"<base> -> {BASELINE}"),
        asks_database=False,
    ),
    Step(
        "Where this database is",
        "alembic current",
        (rf"{HEAD} \(head\)",),
        at=HEAD,
        beside=True,
    ),
    Step("A model gains a column and an index", act=add_column),
    Step(
        "Alembic finds out what that means for the database",
        'alembic revision --autogenerate -m "Count the workers of a run"',
        ("added column 'runs.workers'", "added index 'ix_runs_workers'", "done"),
        at=HEAD,
    ),
    Step("The file it wrote: the change, and nothing else", act=show_revision),
    Step("Apply it", "alembic upgrade head", (f"{HEAD} -> {NEW}",), at=NEW),
    Step("The column is there", act=check_column),
    Step("One back", "alembic downgrade -1", (f"{NEW} -> {HEAD}",), at=HEAD),
    Step(
        "Back to a revision",
        f"alembic downgrade {MIDDLE}",
        (f"downgrade {HEAD} ->", f"-> {MIDDLE}"),
        at=MIDDLE,
    ),
    Step(
        "And all the way up again",
        "alembic upgrade head",
        (f"upgrade {MIDDLE} ->", f"-> {NEW}"),
        at=NEW,
    ),
)

FLASK: Final = (
    Step(
        "An empty database",
        "flask --app server db upgrade head",
        (f"upgrade  -> {BASELINE}", f"-> {HEAD}"),
        at=HEAD,
    ),
    Step(
        "Back to a revision",
        f"flask --app server db downgrade {MIDDLE}",
        (f"-> {MIDDLE}",),
        at=MIDDLE,
    ),
    Step(
        "And up again",
        "flask --app server db upgrade head",
        (f"upgrade {MIDDLE} ->", f"-> {HEAD}"),
        at=HEAD,
    ),
)
