"""The handbook's workflow: the demo's steps, and every command of alembic/README.md."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest
from demo.steps import ALEMBIC, FLASK, HEAD, Step, StepError, run_steps
from demo.workspace import CHECKOUT, Workspace

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

README = CHECKOUT / "alembic" / "README.md"


def on_postgresql(folder: Path, database: Database) -> Workspace:
    url = database.url("psycopg2")
    return Workspace.make(folder, url, lambda: psycopg2.connect(database.dsn))


def on_sqlite(folder: Path) -> Workspace:
    path = folder.with_suffix(".db")
    return Workspace.make(folder, f"sqlite:///{path}", lambda: sqlite3.connect(path))


@pytest.mark.parametrize("steps", [ALEMBIC, FLASK], ids=["alembic", "flask"])
def test_the_steps_in_c_on_postgresql(
    tmp_path: Path, database: Database, steps: tuple[Step, ...]
) -> None:
    workspace = on_postgresql(tmp_path / "backend", database)
    assert [done.step for done in run_steps(workspace, steps)] == list(steps)


@pytest.mark.parametrize("steps", [ALEMBIC, FLASK], ids=["alembic", "flask"])
def test_the_steps_on_sqlite(tmp_path: Path, steps: tuple[Step, ...]) -> None:
    workspace = on_sqlite(tmp_path / "backend")
    done = list(run_steps(workspace, steps, c_driver=False))
    assert [outcome.step for outcome in done] == list(steps)
    assert not any(outcome.tally.statements for outcome in done)


def test_a_step_that_fails_is_told_with_its_output(tmp_path: Path) -> None:
    wrong = Step("Go nowhere", "alembic upgrade nowhere")
    with pytest.raises(StepError, match="Go nowhere: exit status") as raised:
        list(run_steps(on_sqlite(tmp_path / "backend"), (wrong,), c_driver=False))
    assert "Can't locate revision identified by 'nowhere'" in raised.value.output


def test_without_the_c_driver_the_steps_fail(tmp_path: Path) -> None:
    first = Step("Up", "alembic upgrade head", at=HEAD)
    with pytest.raises(StepError, match="no statement was executed in C"):
        list(run_steps(on_sqlite(tmp_path / "backend"), (first,), c_driver=True))


def test_stock_alembic_is_not_taken_for_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBUTSU_MIGRATE", "off")
    first = Step("Up", "alembic upgrade head", at=HEAD)
    with pytest.raises(StepError, match="no revision file was scanned in C"):
        list(run_steps(on_sqlite(tmp_path / "backend"), (first,), c_driver=False))


def test_every_command_of_the_readme(tmp_path: Path, database: Database) -> None:
    workspace = on_postgresql(tmp_path / "backend", database)
    text = README.read_text()
    shown = re.findall(r"```toml title=pyproject.toml\n(.*?)```", text, re.S)
    assert [(workspace.folder / "pyproject.toml").read_text()] == shown
    commands = re.findall(r"^\$ (.*)$", text, re.M)
    assert len(commands) >= 10
    for command in commands:
        done = workspace.run(command)
        assert done.status == 0, f"{command}\n{done.output}"
