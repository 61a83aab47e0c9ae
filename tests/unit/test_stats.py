"""IBUTSU_MIGRATE_STATS: one line of JSON for each process that used C."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

USE = "from ibutsu_migrate._native import require; require('_core')\n"


def run(code: str, stats: Path, *arguments: str) -> str:
    environment = {**os.environ, "IBUTSU_MIGRATE_STATS": str(stats)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_one_line_each(tmp_path: Path) -> None:
    stats = tmp_path / "stats.jsonl"
    for _ in range(2):
        assert run(2 * USE, stats, "--password=secret") == ""
    lines = [json.loads(line) for line in stats.read_text().splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert set(line) == {"program", "cpu_seconds", "core"}
        assert line["core"]["files_scanned"] == 0
        assert line["cpu_seconds"] > 0
    assert "secret" not in stats.read_text()


def test_a_process_that_used_nothing_writes_nothing(tmp_path: Path) -> None:
    stats = tmp_path / "stats.jsonl"
    run("import ibutsu_migrate.config", stats)
    assert not stats.exists()


def test_a_forked_child_does_not_count_again(tmp_path: Path) -> None:
    stats = tmp_path / "stats.jsonl"
    fork = "import os, sys\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nsys.exit()"
    run(USE + fork, stats)
    assert len(stats.read_text().splitlines()) == 1


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    said = run(USE, tmp_path / "nil" / "stats.jsonl")
    assert "IBUTSU_MIGRATE_STATS: what C did cannot be written" in said
    assert "Traceback" not in said
