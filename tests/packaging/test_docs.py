"""Every page of the documentation, done as a reader would do it.

docs/design/docs.md says how pages are marked.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ibutsu_migrate.testing.cluster import Database

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
)
BLOCK = re.compile(r"^```(\w*)[ ]?([^\n]*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
IN_CHECKOUT = "<!-- session: checkout -->"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its marks (`title=`, `exit=`), its text."""

    language: str
    marks: dict[str, str]
    text: str


def blocks(page: Path) -> Iterator[Block]:
    for language, info, text in BLOCK.findall(page.read_text()):
        marks = dict(re.findall(r"(\w+)=(\S+)", info))
        yield Block(language, marks, text)


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block with the output lines shown under it."""
    command: str | None = None
    shown: list[str] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield command, shown
            command, shown = line[2:], []
        elif line.strip():
            shown.append(line)
    if command is not None:
        yield command, shown


def shows(output: str, lines: list[str]) -> bool:
    """Whether the output holds the shown lines in order, `...` matching anything."""
    pattern = ".*".join(
        ".*".join(re.escape(part) for part in line.split("...")) for line in lines
    )
    return re.search(pattern, output, re.S) is not None


def run(command: str, cwd: Path, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


def check_make_target(command: str) -> None:
    """A command of the checkout: that it names a target, without running it."""
    assert command.startswith("make "), f"pages of the checkout show make: {command}"
    done = subprocess.run(
        ["make", "--dry-run", *command.split()[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def play(page: Path, folder: Path, environment: dict[str, str]) -> None:
    """Write the page's files and run its commands, in the order of the page."""
    for block in blocks(page):
        if title := block.marks.get("title"):
            target = folder / title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        elif block.language == "python":
            ast.parse(block.text)
        elif block.language == "console":
            for command, shown in commands(block):
                code, output = run(command, folder, environment)
                assert code == int(block.marks.get("exit", "0")), (
                    f"{page.name}: $ {command}\n{output}"
                )
                assert shows(output, shown), f"{page.name}: $ {command}\n{output}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_does_what_it_shows(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if IN_CHECKOUT in page.read_text():
        for block in blocks(page):
            if block.language == "console":
                for command, _ in commands(block):
                    check_make_target(command)
        return
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "IBUTSU", "SQLALCHEMY", "POSTGRES", "FLASK"))
    }
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["PYTHONPATH"] = str(tmp_path)
    if any(block.language == "console" for block in blocks(page)):
        database: Database = request.getfixturevalue("database")
        environment["DATABASE_URL"] = database.url("psycopg2")
        # For psql, where none is installed.
        environment["PATH"] += f":{database.cluster.bin_dir}"
    play(page, tmp_path, environment)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, _ in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"
