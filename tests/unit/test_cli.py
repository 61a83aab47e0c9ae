"""The program ``ibutsu-migrate`` as a process, beside the real ``alembic``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
FORBIDDEN = {"alembic", "sqlalchemy", "flask", "mako", "psycopg2"}
# What the start-up path has no need of, and what each would cost.
SLOW = {"argparse", "configparser", "tomllib", "dataclasses", "typing", "json"}

Result = subprocess.CompletedProcess[str]


def run(folder: Path, *command: str, **environ: str) -> Result:
    known = {
        name: value
        for name, value in os.environ.items()
        if name not in ("IBUTSU_MIGRATE", "ALEMBIC_CONFIG", "PYTHONWARNINGS")
    }
    return subprocess.run(
        [str(BIN / command[0]) if command[0] != "bash" else "bash", *command[1:]],
        cwd=folder,
        env={**known, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def revision(name: str, down: object = None, rest: str = "", doc: str = "") -> str:
    text = f'"""{doc or f"Make {name}"}"""\n' if doc != "-" else ""
    return f"{text}revision = {name!r}\ndown_revision = {down!r}\n{rest}"


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


HISTORY = {
    "a.py": revision("a1a1", doc="First\n\nWith é, and\n  more lines.\n\nThree.\n"),
    "b.py": revision("b2b2", "a1a1", "branch_labels = ('left', 'side')\n"),
    "c.py": revision("c3c3", "a1a1", "branch_labels = 'right'\n", doc="-"),
    "d.py": revision("d4d4", ("b2b2", "c3c3"), doc="Merge"),
    "e.py": revision("e5e5", None, "depends_on = ['c3c3', 'left']\n"),
    "f.py": revision("f6f6", "e5e5", "depends_on = 'd4d4'\n"),
}


def history(folder: Path, under: str = "alembic/versions") -> Path:
    put(folder, {f"{under}/{name}": text for name, text in HISTORY.items()})
    return put(folder, {"alembic/env.py": "raise SystemExit('env.py was run')\n"})


def modules_of(result: Result) -> set[str]:
    """Names in what ``-X importtime`` says."""
    lines = result.stderr.splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if "import time:" in line}


def linked(folder: Path) -> None:
    history(folder / "else")
    (folder / "alembic").symlink_to("else/alembic")
    put(folder, {"alembic.ini": INI})


INI = "[alembic]\nscript_location = %(here)s/alembic\n"

LAYOUTS: dict[str, Callable[[Path], object]] = {
    "ini": lambda f: put(history(f), {"alembic.ini": INI}),
    "relative": lambda f: put(
        history(f), {"alembic.ini": "[alembic]\nscript_location: alembic\n"}
    ),
    "toml": lambda f: put(
        history(f),
        {"pyproject.toml": '[tool.alembic]\nscript_location = "%(here)s/alembic"\n'},
    ),
    "toml that must be parsed": lambda f: put(
        history(f),
        {"pyproject.toml": 'tool.alembic.script_location = "%(here)s/alembic"\n'},
    ),
    "ini before toml": lambda f: put(
        history(f),
        {
            "alembic.ini": INI,
            "pyproject.toml": '[tool.alembic]\nscript_location = "nowhere"\n',
        },
    ),
    "several": lambda f: put(
        history(put(history(f, "one"), {"two/g.py": revision("g7g7", "f6f6")}), "gone"),
        {
            "alembic.ini": f"{INI}path_separator = os\n"
            f"version_locations = %(here)s/one{os.pathsep}%(here)s/two\n"
        },
    ),
    "lines": lambda f: put(
        history(put(f, {"two/g.py": revision("g7g7", "f6f6")}), "one"),
        {
            "alembic.ini": f"{INI}path_separator = newline\nversion_locations =\n"
            "    %(here)s/one\n    # a comment\n    %(here)s/two\n"
        },
    ),
    "legacy": lambda f: put(
        history(put(f, {"two/g.py": revision("g7g7", "f6f6")}), "one"),
        {"alembic.ini": f"{INI}version_locations = %(here)s/one, %(here)s/two\n"},
    ),
    "toml list": lambda f: put(
        history(put(f, {"two/g.py": revision("g7g7", "f6f6")}), "one"),
        {
            "pyproject.toml": "[tool.alembic]\nscript_location = 'alembic'\n"
            'version_locations = [\n  "%(here)s/one", # one\n  "two",\n]\n'
        },
    ),
    "recursive": lambda f: put(
        history(f, "alembic/versions/2024/01"),
        {"alembic.ini": f"{INI}recursive_version_locations = true\n"},
    ),
    "package": lambda f: put(
        history(put(f, {"src/shop/__init__.py": "1 / 0\n"}), "src/shop/db/versions"),
        {
            "alembic.ini": "[alembic]\nscript_location = shop:db\n"
            "prepend_sys_path = src\npath_separator = os\n"
        },
    ),
    "é": lambda f: put(
        history(f), {"alembic.ini": f"# Größe\n{INI}truncate_slug_length = 20\n"}
    ),
    "link": linked,
    "empty": lambda f: put(f, {"alembic.ini": INI, "alembic/env.py": ""}),
}

COMMANDS = (
    ["heads"],
    ["heads", "-v", "--resolve-dependencies"],
    ["history"],
    ["history", "-v", "-r", "a1a1:d4d4"],
    ["branches", "--verbose"],
    ["show", "e5"],
    ["show", "heads"],
)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, tmp_path: Path) -> None:
    LAYOUTS[layout](tmp_path)
    commands = COMMANDS if layout in ("ini", "several") else COMMANDS[::3]
    for command in commands if layout != "empty" else (["heads"], ["history"]):
        ours = run(tmp_path, "ibutsu-migrate", *command, PYTHONPROFILEIMPORTTIME="1")
        assert ours.returncode == 0, ours.stderr
        modules = modules_of(ours)
        assert "ibutsu_migrate._core" in modules
        assert modules & FORBIDDEN == set()
        if layout not in ("package", "legacy", "toml that must be parsed"):
            assert modules & SLOW == set()
        stock = run(tmp_path, "alembic", *command)
        if "ZeroDivisionError" in stock.stderr:
            # Alembic imports a package to find its folder; the files are the same.
            assert layout == "package"
            put(tmp_path, {"src/shop/__init__.py": ""})
            stock = run(tmp_path, "alembic", *command)
        assert (ours.returncode, ours.stdout) == (stock.returncode, stock.stdout)
        assert (ours.stdout == "") == (layout == "empty")


@pytest.mark.parametrize(
    "options",
    [
        ["-c", "other.ini", "-n", "mine"],
        ["-c", "conf/pyproject.toml"],
        ["--config=conf/../other.ini", "-nmine", "-x", "a=b"],
        ["-q"],
    ],
    ids=" ".join,
)
def test_options(options: list[str], tmp_path: Path) -> None:
    history(tmp_path)
    put(
        tmp_path,
        {
            "alembic.ini": INI,
            "other.ini": INI.replace("[alembic]", "[mine]"),
            "conf/pyproject.toml": '[tool.alembic]\nscript_location = "alembic"\n',
        },
    )
    (tmp_path / "alembic.ini").rename(
        tmp_path / ("alembic.ini" if "-q" in options else "unused.ini")
    )
    ours = run(tmp_path, "ibutsu-migrate", *options, "heads", "-v")
    stock = run(tmp_path, "alembic", *options, "heads", "-v")
    assert (ours.returncode, ours.stdout) == (0, stock.stdout)
    assert ours.stderr == stock.stderr == ""


def test_alembic_config_in_the_environment(tmp_path: Path) -> None:
    put(history(tmp_path), {"conf/a.ini": INI.replace("here)s", "here)s/..")})
    for name in ("conf/a.ini", "conf/nil.ini"):
        ours = run(tmp_path, "ibutsu-migrate", "heads", ALEMBIC_CONFIG=name)
        stock = run(tmp_path, "alembic", "heads", ALEMBIC_CONFIG=name)
        assert (ours.returncode, ours.stdout) == (stock.returncode, stock.stdout)


def test_a_file_that_is_not_static_is_named_and_alembic_answers(tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": INI})
    files = {
        "alembic/versions/g.py": revision("g7g7", "f6f6") + "revision += ''\n",
        "alembic/versions/h.py": "revision = str('h8h8')\ndown_revision = 'g7g7'\n",
    }
    put(tmp_path, files)
    ours = run(tmp_path, "ibutsu-migrate", "heads")
    assert (ours.returncode, ours.stdout) == (
        0,
        "d4d4 (left, side, right) (effective head)\nh8h8 (head)\n",
    )
    (line,) = ours.stderr.splitlines()
    assert line.startswith(f"{tmp_path}/alembic/versions/g.py:4: not static: ")
    assert line.endswith(", and 1 more; Alembic answers.")
    assert ours.stdout == run(tmp_path, "alembic", "heads").stdout


def test_sourceless_is_left_to_alembic(tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": f"{INI}sourceless = true\n"})
    versions = tmp_path / "alembic" / "versions"
    subprocess.run(
        [sys.executable, "-m", "compileall", "-bq", str(versions)], check=True
    )
    (versions / "f.py").unlink()
    # The labels of what Alembic has imported stand in a set.
    seed = {"PYTHONHASHSEED": "0"}
    ours = run(tmp_path, "ibutsu-migrate", "history", **seed)
    assert ours.stdout == run(tmp_path, "alembic", "history", **seed).stdout
    assert "f6f6" in ours.stdout
    assert "sourceless" in ours.stderr


@pytest.mark.parametrize("place", ["environment", "ini", "toml", "line"])
def test_the_switch(place: str, tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": INI})
    environ: dict[str, str] = {"PYTHONPROFILEIMPORTTIME": "1"}
    options: list[str] = []
    if place == "environment":
        environ["IBUTSU_MIGRATE"] = "off"
    elif place == "ini":
        put(tmp_path, {"alembic.ini": f"{INI}ibutsu_migrate = off\n"})
    elif place == "toml":
        put(tmp_path, {"pyproject.toml": '[tool.ibutsu_migrate]\nmode = "off"\n'})
    else:
        options = ["-x", "ibutsu_migrate=off"]
    result = run(tmp_path, "ibutsu-migrate", *options, "heads", **environ)
    assert result.returncode == 0
    assert "alembic" in modules_of(result)
    assert "ibutsu_migrate.revisions.map" not in modules_of(result) or (
        place != "environment"
    )
    fast = {**environ, "IBUTSU_MIGRATE": "fast"} if place != "line" else environ
    options = ["-x", "ibutsu_migrate=fast"] if place == "line" else []
    result = run(tmp_path, "ibutsu-migrate", *options, "heads", **fast)
    assert result.returncode == 0
    assert modules_of(result) & FORBIDDEN == set()


def test_a_setting_that_cannot_be_meant(tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": f"{INI}ibutsu_migrate = fsat\n"})
    ours = run(tmp_path, "ibutsu-migrate", "heads")
    stock = run(tmp_path, "alembic", "heads")
    assert (ours.returncode, ours.stdout) == (stock.returncode, stock.stdout)
    assert ours.returncode == 255
    assert "Did you mean 'fast'?" in ours.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["show", "nil"],
        ["history", "-r", "f6f6:a1a1"],
        ["history", "-r", "nil"],
        ["show", "head"],
        ["heads", "nil"],
        ["heads", "--nil"],
        ["nil"],
        [],
    ],
    ids=" ".join,
)
def test_failures_are_alembics(command: list[str], tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": INI})
    ours = run(tmp_path, "ibutsu-migrate", *command)
    stock = run(tmp_path, "alembic", *command)
    assert (ours.returncode, ours.stdout) == (stock.returncode, stock.stdout)
    assert ours.returncode in (2, 255)
    said = ours.stderr.replace("ibutsu-migrate", "alembic")
    assert said.splitlines()[-1:] == stock.stderr.splitlines()[-1:] or (
        "check-history" in said
    )


def test_the_advice_names_this_program(tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": INI})
    result = run(tmp_path, "ibutsu-migrate", "show", "a1b1")
    assert result.stdout == "FAILED: Can't locate revision identified by 'a1b1'\n"
    assert "Did you mean 'a1a1'?\n`ibutsu-migrate history` lists" in result.stderr


def test_no_environment(tmp_path: Path) -> None:
    ours = run(tmp_path, "ibutsu-migrate", "heads")
    stock = run(tmp_path, "alembic", "heads")
    assert (ours.returncode, ours.stdout) == (stock.returncode, stock.stdout)
    assert ours.stdout == ("FAILED: No 'script_location' key found in configuration.\n")


def test_a_broken_pyproject_is_seen_where_alembic_sees_it(tmp_path: Path) -> None:
    put(history(tmp_path), {"pyproject.toml": "[tool.alembic]\nscript_location = \n"})
    ours = run(tmp_path, "ibutsu-migrate", "heads")
    assert ours.returncode == 1
    assert "TOMLDecodeError" in ours.stderr


def test_help_and_version_name_both(tmp_path: Path) -> None:
    help_ = run(tmp_path, "ibutsu-migrate", "--help")
    assert help_.returncode == 0
    assert "check-history" in help_.stdout
    assert "upgrade" in help_.stdout
    version = run(tmp_path, "ibutsu-migrate", "--version")
    assert version.returncode == 0
    ours, theirs = version.stdout.strip().split(", ")
    assert ours.startswith("ibutsu-migrate ")
    assert theirs == run(tmp_path, "alembic", "--version").stdout.strip()


def test_as_a_module(tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": INI})
    result = run(tmp_path, "python", "-m", "ibutsu_migrate", "history")
    assert result.stdout == run(tmp_path, "alembic", "history").stdout
    result = run(tmp_path, "python", "-m", "ibutsu_migrate", "nil")
    assert result.stderr.startswith("usage: ibutsu-migrate ")


@pytest.mark.parametrize("command", ["history", "list_templates"])
def test_a_closed_pipe_is_no_error(command: str, tmp_path: Path) -> None:
    """One that the scan answers, and one that Alembic does."""
    put(history(tmp_path), {"alembic.ini": INI})
    read, write = os.pipe()
    os.close(read)
    # Unbuffered, Alembic itself passes over it.
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [str(BIN / "ibutsu-migrate"), command],
        cwd=tmp_path,
        env=environ,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_and_no_stdout_at_all(tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": INI})
    program = BIN / "ibutsu-migrate"
    full = run(tmp_path, "bash", "-c", f"{program} history > /dev/full")
    assert full.returncode == 255
    assert full.stderr == (
        "FAILED: The output cannot be written: [Errno 28] No space left on device\n"
    )
    none = run(tmp_path, "bash", "-c", f"{program} history >&-")
    assert (none.returncode, none.stderr) == (0, "")


def test_ascii_output_as_alembics(tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": INI})
    for encoding in ("ascii", "latin-1"):
        environ = {"PYTHONIOENCODING": encoding}
        ours, stock = (
            subprocess.run(
                [str(BIN / name), "show", "a1a1"],
                cwd=tmp_path,
                env={**os.environ, **environ},
                capture_output=True,
                timeout=60,
                check=True,
            ).stdout
            for name in ("ibutsu-migrate", "alembic")
        )
        assert ours == stock
        assert "é".encode(encoding, "replace") in ours


def test_ctrl_c(tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": INI})
    slow = "print('ready', flush=True)\nimport time\ntime.sleep(60)\n"
    put(tmp_path, {"alembic/env.py": slow})
    process = subprocess.Popen(
        [str(BIN / "ibutsu-migrate"), "current"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in errors


def cpu(command: list[str], folder: Path) -> float:
    """Seconds of processor time: other processes disturb it least."""
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    process = subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.slow
def test_at_most_three_python_starts(tmp_path: Path) -> None:
    """On 500 revisions; benchmarks/cli.py measures it more honestly."""
    files = {
        f"alembic/versions/{at}.py": revision(f"r{at}", f"r{at - 1}" if at else None)
        for at in range(500)
    }
    put(tmp_path, {**files, "alembic.ini": INI})
    floor, ours = [sys.executable, "-c", "pass"], [str(BIN / "ibutsu-migrate")]
    for command in ("heads", "history"):
        pairs = [
            (cpu(floor, tmp_path), cpu([*ours, command], tmp_path)) for _ in range(9)
        ]
        least, taken = (min(each) for each in zip(*pairs, strict=True))
        assert taken <= 3 * least


def test_without_the_extension_alembic_answers(tmp_path: Path) -> None:
    put(history(tmp_path), {"alembic.ini": INI})
    hide = "import sys\nsys.modules['ibutsu_migrate._core'] = None\n"
    put(tmp_path, {"hide/sitecustomize.py": hide})
    path = str(tmp_path / "hide")
    result = run(tmp_path, "ibutsu-migrate", "heads", PYTHONPATH=path)
    assert result.returncode == 0
    assert result.stdout.endswith("f6f6 (head)\n")
    assert "ibutsu_migrate._core" in result.stderr
