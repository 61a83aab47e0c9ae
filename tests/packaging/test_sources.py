"""What the tree must hold, and must not."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from setuptools import Extension

import ibutsu_migrate

ROOT = Path(__file__).resolve().parents[2]
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
BUILT = sorted(Path(ibutsu_migrate.__file__).parent.glob(f"*{SUFFIX}"))
SKIPPED = {".git", ".venv", ".cache", "build", "dist", "__pycache__"}


def source_files() -> Iterator[Path]:
    """The checkout's files, without what was built or installed there."""
    for folder, below, names in os.walk(ROOT):
        below[:] = [
            name
            for name in below
            if name not in SKIPPED and not name.endswith((".egg-info", "_cache"))
        ]
        for name in set(names) - SKIPPED:
            yield Path(folder, name).relative_to(ROOT)


@pytest.fixture
def setup_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """setup.py, loaded but not run, as if from the checkout."""
    monkeypatch.chdir(ROOT)
    spec = importlib.util.spec_from_file_location("setup_to_test", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_package_hides_alembic_or_the_tests() -> None:
    """With an __init__.py the checkout's folder is what `import alembic` finds."""
    for name in ("alembic", "tests"):
        assert not (ROOT / name / "__init__.py").exists()


def test_nothing_that_was_built_is_in_the_history() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: an unpacked sdist has no history")
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    built = re.compile(r"\.(so|o|a|pyc|whl|egg-info)$|^\.venv|^\.cache|^build/|^dist/")
    assert [name for name in done.stdout.splitlines() if built.search(name)] == []


def test_every_c_file_is_built(setup_module: ModuleType) -> None:
    extensions: list[Extension] = setup_module.extensions()
    assert [extension.name for extension in extensions] == [
        "ibutsu_migrate._core",
        "ibutsu_migrate._pq",
    ]
    named = {source for extension in extensions for source in extension.sources}
    there = {str(path.relative_to(ROOT)) for path in ROOT.glob("csrc/**/*.c")}
    assert named == there
    for extension in extensions:
        bases = [Path(source).stem for source in extension.sources]
        assert len(bases) == len(set(bases))


def test_every_header_is_a_dependency(setup_module: ModuleType) -> None:
    there = {str(path.relative_to(ROOT)) for path in ROOT.glob("csrc/**/*.h")}
    for extension in setup_module.extensions():
        assert set(extension.depends) == there


def test_core_needs_no_libpq(setup_module: ModuleType) -> None:
    core: Extension = setup_module.extensions()[0]
    assert core.libraries == []
    assert core.include_dirs == ["csrc/core"]
    assert not any("/pq" in str(source) for source in core.sources)


def test_no_c_file_over_the_limit() -> None:
    for path in (*ROOT.glob("csrc/**/*.c"), *ROOT.glob("tests/c/*.c")):
        assert len(path.read_text().splitlines()) <= 800, path


def test_no_module_over_the_limit() -> None:
    for path in (*ROOT.glob("ibutsu_migrate/**/*.py"), *ROOT.glob("tools/**/*.py")):
        text = path.read_text()
        assert len(text.splitlines()) <= 500, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                length = node.end_lineno - node.lineno + 1
                assert length <= 70, f"{path}: {node.name} has {length} lines"


def test_library_code_neither_prints_nor_exits() -> None:
    """Programs may: cli, what runs in Alembic's, and what testing starts as its own."""
    # A command that is interrupted twice, or whose server is silent, leaves at once.
    runtime = ("troubles.py", "leaving.py")
    programs = ("__main__.py", "cli/", "flask/cli.py", *runtime, "testing/upgrade.py")
    calls = re.compile(r"^\s*(print\(|sys\.exit\(|os\._exit\()", re.M)
    for path in (ROOT / "ibutsu_migrate").rglob("*.py"):
        name = str(path.relative_to(ROOT / "ibutsu_migrate"))
        if not name.startswith(programs):
            assert calls.search(path.read_text()) is None, name


@pytest.mark.parametrize("library", BUILT, ids=lambda path: path.name.split(".")[0])
def test_nothing_but_the_init_function_is_exported(library: Path) -> None:
    done = subprocess.run(
        ["nm", "-D", "--defined-only", "-g", str(library)],
        capture_output=True,
        text=True,
        check=True,
    )
    symbols = [line.split()[-1] for line in done.stdout.splitlines()]
    assert symbols == [f"PyInit_{library.name.split('.')[0]}"]


def test_both_extensions_are_built() -> None:
    assert [path.name.split(".")[0] for path in BUILT] == ["_core", "_pq"]


def test_importing_the_package_imports_none_of_what_it_works_with() -> None:
    code = "import ibutsu_migrate, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    assert "ibutsu_migrate" in tops
    assert tops & {"alembic", "sqlalchemy", "flask", "pytest", "psycopg2"} == set()


def test_entry_points_load() -> None:
    from importlib.metadata import distribution

    points = distribution("ibutsu-migrate").entry_points
    assert {(point.group, point.name) for point in points} == {
        ("alembic.plugins", "ibutsu_migrate"),
        ("console_scripts", "ibutsu-migrate"),
        ("pytest11", "ibutsu_migrate"),
        ("sqlalchemy.dialects", "postgresql.ibutsu"),
    }
    for point in points:
        assert point.load() is not None


def test_the_metadata_says_what_is_tested() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    classifiers = project["project"]["classifiers"]
    here = f"Programming Language :: Python :: 3.{sys.version_info.minor}"
    assert here in classifiers


# --- the build ---------------------------------------------------------------------


def test_a_missing_libpq_names_what_was_asked_and_the_remedy(
    setup_module: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "pg_config"
    old.write_text("#!/bin/sh\necho 'PostgreSQL 13.22'\n")
    old.chmod(0o755)
    monkeypatch.setenv("IBUTSU_MIGRATE_PG_CONFIG", "/nil/pg_config")
    monkeypatch.setenv("PG_CONFIG", str(old))
    monkeypatch.setenv("PATH", "/nil")
    monkeypatch.setattr(setup_module, "glob", lambda pattern: [])
    with pytest.raises(SystemExit) as caught:
        setup_module.find_libpq()
    said = str(caught.value)
    assert "/nil/pg_config: [Errno 2] No such file or directory" in said
    assert f"{old}: PostgreSQL 13.22, but 14 is the oldest usable" in said
    assert "pg_config on PATH: not there" in said
    assert "apt-get install libpq-dev" in said
    assert "IBUTSU_MIGRATE_WITHOUT_PQ=1" in said


def test_headers_that_are_missing(setup_module: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "pg_config"
    program.write_text(
        "#!/bin/sh\n"
        f"case $1 in --version) echo PostgreSQL 17.1;; *) echo {tmp_path};; esac\n"
    )
    program.chmod(0o755)
    options, why_not = setup_module.try_pg_config(str(program))
    assert options is None
    assert why_not == f"{program}: {tmp_path} has no libpq-fe.h"


def test_a_private_libpq_is_found_again_at_run_time(
    setup_module: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "libpq-fe.h").touch()
    program = tmp_path / "pg_config"
    program.write_text(
        "#!/bin/sh\n"
        f"case $1 in --version) echo PostgreSQL 17.1;; *) echo {tmp_path};; esac\n"
    )
    program.chmod(0o755)
    options, _ = setup_module.try_pg_config(str(program))
    assert options["runtime_library_dirs"] == [str(tmp_path)]


def test_a_compiler_warning_is_an_error_in_development_only(
    setup_module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IBUTSU_MIGRATE_WERROR", raising=False)
    assert "-Werror" not in setup_module.compile_args()
    monkeypatch.setenv("IBUTSU_MIGRATE_WERROR", "1")
    assert "-Werror" in setup_module.compile_args()


def test_the_warnings_are_really_on(setup_module: ModuleType, tmp_path: Path) -> None:
    """-Wno-conversion behind -Wconversion would switch it off without a word."""
    wrong = tmp_path / "wrong.c"
    wrong.write_text("int f(long x);\nint f(long x)\n{\n    return x;\n}\n")
    done = subprocess.run(
        ["gcc", *setup_module.compile_args(), "-Werror", "-fsyntax-only", str(wrong)],
        capture_output=True,
        text=True,
    )
    assert "-Werror=conversion" in done.stderr


def test_no_machine_is_named() -> None:
    """Paths of somebody's machine have no business in the repository."""
    homes = re.compile(r"/(?:root|home)/(?!you\b)\w+")
    mine = Path(__file__).relative_to(ROOT)
    for path in source_files():
        if path.suffix in {".py", ".c", ".h", ".md", ".toml", ".sh", ".ini", ""}:
            text = (ROOT / path).read_bytes().decode("utf-8", "replace")
            if path != mine:
                assert homes.search(text) is None, path
