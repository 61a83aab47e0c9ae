"""``ibutsu-migrate config``: values, places, refusals; without Alembic."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert found.pop("pipeline") == found.pop("copy") == ("on", "default")
    assert found == {policy.name: (policy.default, "default") for policy in POLICIES}
    assert "In mode fast none but `mode`" in result.stdout


def test_places(tmp_path: Path) -> None:
    ini = "ibutsu_migrate = safe\nibutsu_migrate.history = off\n"
    toml = "[tool.ibutsu_migrate]\npipeline = true\ncopy = 500\nlock_timeout = 0.25\n"
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
    assert found["copy"] == ("500", f"copy {table}")
    assert found["history"] == ("off", "ibutsu_migrate.history in alembic.ini")
    assert found["report"] == ("json", "IBUTSU_MIGRATE_REPORT in the environment")
    assert "In mode" not in result.stdout


def test_json(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    result = run(folder, "config", "--json", IBUTSU_MIGRATE="safe")
    told = json.loads(result.stdout)
    assert (told["schema"], told["mode"]) == ("ibutsu-migrate/config/1", "safe")
    by_name = {each["name"]: each for each in told["settings"]}
    assert list(by_name) == ["mode", *(p.name for p in POLICIES), "pipeline", "copy"]
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


IMPORT = "from ibutsu_migrate.env import run_migrations\n"


@pytest.mark.parametrize(
    ("calls", "line", "source"),
    [
        ("yes", 2, f"{IMPORT}run_migrations(1)"),
        ("yes", 2, f"{IMPORT}done = run_migrations(1)"),
        ("yes", 2, "from ibutsu_migrate.env import run_migrations as run\nrun()"),
        ("yes", 2, "import ibutsu_migrate.env\nibutsu_migrate.env.run_migrations()"),
        ("yes", 2, "import ibutsu_migrate.env as e\ne.run_migrations()"),
        ("yes", 2, "from ibutsu_migrate import env\nenv.run_migrations()"),
        ("yes", 3, f"{IMPORT}with app.app_context():\n    run_migrations(app)"),
        ("yes", 3, f"{IMPORT}try:\n    run_migrations(app)\nfinally:\n    pass"),
        ("maybe", 0, f"{IMPORT}if a:\n    run_migrations(app)"),
        ("maybe", 0, f"{IMPORT}def f():\n    run_migrations(app)\nf()"),
        ("maybe", 0, f"{IMPORT}run_migrations = print\nrun_migrations()"),
        ("maybe", 0, f"try:\n    {IMPORT}except E:\n    def run_migrations(): ...\n"),
        ("maybe", 0, f"{IMPORT}run_migrations"),
        ("maybe", 0, "from ibutsu_migrate.env import *\nrun_migrations()"),
        ("maybe", 0, "import_module('ibutsu_migrate.env').run_migrations()"),
        ("maybe", 0, f"{IMPORT}run_migrations(1)\nprint 'two'"),
        ("no", 0, "from ibutsu_migrate.env import database_url\ncontext.configure()"),
        ("no", 0, "from .ibutsu_migrate.env import run_migrations\nrun_migrations()"),
        (
            "no",
            0,
            "from other import run_migrations # ibutsu_migrate\nrun_migrations()",
        ),
        ("no", 0, '"""As ibutsu_migrate.env.run_migrations()."""\ncontext.configure()'),
        ("no", 0, "context.configure()"),
    ],
)
def test_the_hook_in_env_py(calls: str, line: int, source: str, tmp_path: Path) -> None:
    folder = shop(tmp_path)
    (folder / "alembic").mkdir()
    (folder / "alembic" / "env.py").write_text(source)
    result = run(folder, "config")
    (first, *_) = result.stdout.splitlines()
    wanted = {
        "yes": f"mode safe the env hook, alembic/env.py:{line}",
        "maybe": "mode fast or safe default",
        "no": "mode fast default",
    }
    assert " ".join(first.split()) == wanted[calls]
    assert ("env.py speaks of" in result.stdout) == (calls == "maybe")
    told = json.loads(run(folder, "config", "--json").stdout)
    mode = "safe" if calls == "yes" else "fast"
    assert (told["mode"], told["hook"]) == (mode, calls)
    assert told["settings"][1]["counts"] is (calls == "yes")
    # What is said elsewhere wins, as in a run.
    said = run(folder, "config", IBUTSU_MIGRATE="fast").stdout.splitlines()[0]
    assert " ".join(said.split()) == "mode fast IBUTSU_MIGRATE in the environment"


def test_a_folder_named_by_its_package(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    (folder / "src" / "pack" / "inside").mkdir(parents=True)
    (folder / "src" / "pack" / "__init__.py").write_text("raise SystemExit('imported')")
    (folder / "src" / "pack" / "inside" / "env.py").write_text(
        f"{IMPORT}run_migrations()"
    )
    (folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = pack:inside\nprepend_sys_path = src\n"
    )
    found = rows(run(folder, "config"))
    assert found["mode"] == ("safe", "the env hook, src/pack/inside/env.py:2")
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = nil:inside\n")
    assert json.loads(run(folder, "config", "--json").stdout)["hook"] is None
