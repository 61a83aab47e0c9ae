"""``ibutsu-migrate config``: values, places, refusals; without Alembic."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ibutsu_migrate.policies import POLICIES

Result = subprocess.CompletedProcess[str]


def run(folder: Path, *arguments: str, **environ: str) -> Result:
    known = {k: v for k, v in os.environ.items() if not k.startswith("IBUTSU")}
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ibutsu_migrate", *arguments],
        cwd=folder,
        env={**known, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def said(result: Result) -> str:
    """What is on stderr besides the imports."""
    lines = result.stderr.splitlines()
    return "\n".join(line for line in lines if not line.startswith("import time:"))


def shop(folder: Path, ini: str = "", toml: str = "") -> Path:
    start = "[alembic]\nscript_location = %(here)s/alembic\n"
    (folder / "alembic.ini").write_text(start + ini)
    (folder / "pyproject.toml").write_text(toml)
    return folder


def rows(result: Result) -> dict[str, tuple[str, str]]:
    """Value and place by name."""
    assert result.returncode == 0, result.stderr
    lines = result.stdout.partition("\n\n")[0].splitlines()
    cut = [line.split(maxsplit=2) for line in lines]
    return {name: (value, place) for name, value, place in cut}


def test_defaults(tmp_path: Path) -> None:
    result = run(shop(tmp_path), "config")
    found = rows(result)
    assert found.pop("mode") == ("fast", "default")
    assert found.pop("pipeline") == ("on", "default")
    assert found == {policy.name: (policy.default, "default") for policy in POLICIES}
    assert "In mode fast none but `mode`" in result.stdout


def test_places(tmp_path: Path) -> None:
    ini = "ibutsu_migrate = safe\nibutsu_migrate.history = off\n"
    toml = "[tool.ibutsu_migrate]\npipeline = true\nlock_timeout = 0.25\n"
    result = run(
        shop(tmp_path, ini, toml),
        *("-x", "ibutsu_migrate.lock_wait=90", "config"),
        IBUTSU_MIGRATE_REPORT="json",
    )
    found = rows(result)
    assert found["mode"] == ("safe", "ibutsu_migrate in alembic.ini")
    assert found["lock_wait"] == ("90s", "-x ibutsu_migrate.lock_wait")
    table = "in [tool.ibutsu_migrate] of pyproject.toml"
    assert found["lock_timeout"] == ("250ms", f"lock_timeout {table}")
    assert found["pipeline"] == ("on", f"pipeline {table}")
    assert found["history"] == ("off", "ibutsu_migrate.history in alembic.ini")
    assert found["report"] == ("json", "IBUTSU_MIGRATE_REPORT in the environment")
    assert "In mode" not in result.stdout


def test_json(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    result = run(folder, "config", "--json", IBUTSU_MIGRATE="safe")
    told = json.loads(result.stdout)
    assert (told["schema"], told["mode"]) == ("ibutsu-migrate/config/1", "safe")
    by_name = {each["name"]: each for each in told["settings"]}
    assert list(by_name) == ["mode", *(p.name for p in POLICIES), "pipeline"]
    assert by_name["lock_wait"] == {
        "name": "lock_wait",
        "value": 600.0,
        "text": "10min",
        "default": "10min",
        "source": "default",
        "counts": True,
    }
    assert by_name["terminate_blockers_after"]["value"] is None
    assert by_name["history"]["value"] is True
    # argparse reads it, and Alembic's Config is there.
    spelled = run(folder, "config", "--js", IBUTSU_MIGRATE="safe")
    assert json.loads(spelled.stdout) == told


def test_what_is_no_setting_is_refused_in_every_mode(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    result = run(folder, "config", IBUTSU_MIGRATE_LOCK_WIAT="1")
    assert result.returncode == 255
    assert result.stdout == ""
    assert said(result) == (
        "FAILED: IBUTSU_MIGRATE_LOCK_WIAT in the environment is no setting.\n"
        "Did you mean 'lock_wait'?"
    )
    result = run(folder, "config", IBUTSU_MIGRATE_LOCK_WAIT="soon")
    assert "which is no duration" in said(result)
    (tmp_path / "pyproject.toml").write_text("[tool.ibutsu_migrate\n")
    result = run(folder, "config")
    assert (result.returncode, result.stdout) == (255, "")
    assert "is not valid TOML" in said(result)


def test_without_a_file_and_without_alembic(tmp_path: Path) -> None:
    result = run(tmp_path, "config")
    assert rows(result)["mode"] == ("fast", "default")
    assert "| ibutsu_migrate.cli" in result.stderr.replace("|   ", "| ")
    for name in ("alembic", "sqlalchemy", "flask"):
        assert f" {name}\n" not in result.stderr


def test_quiet(tmp_path: Path) -> None:
    result = run(shop(tmp_path), "-q", "config")
    assert (result.returncode, result.stdout) == (0, "")
