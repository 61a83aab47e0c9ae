"""Build and run the C tests, and replay the fuzz corpora, under ASan and UBSan.

Each ``tests/c/test_*.c`` is one program with all of ``csrc/core``; one named
``test_pq_*.c`` also has ``csrc/pq`` and, in libpq's place, ``tests/c/fake_libpq.c``.
Each ``tests/fuzz/fuzz_NAME.c`` is one with ``tests/fuzz/standalone.c`` as its main
program, and gets the files of ``tests/fuzz/corpora/NAME`` as arguments. Every
allocation can be made to fail (``IMIG_FAIL_ALLOC``). Objects are kept in
``.cache/c-test`` and rebuilt when a source or any header is newer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from setup import WARNINGS, find_libpq  # noqa: E402

OUT = ROOT / ".cache" / "c-test"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CFLAGS = ["-std=c11", *WARNINGS, "-Werror", "-O1", "-g", "-fno-omit-frame-pointer"]
DEFINES = ["-DIMIG_FAIL_ALLOC", "-UNDEBUG"]
TIMEOUT = 300


@dataclass(frozen=True, slots=True)
class Program:
    """One test program.

    Attributes:
        name: Of the executable.
        sources: What it is built from.
        includes: Folders that the compiler searches.
        libraries: Arguments for the linker.
        arguments: What it is run with.
    """

    name: str
    sources: Sequence[Path]
    includes: Sequence[str]
    libraries: Sequence[str] = ()
    arguments: Sequence[str] = ()


def layer(name: str) -> list[Path]:
    """The sources of one folder of csrc."""
    return sorted((ROOT / "csrc" / name).glob("*.c"))


def programs() -> list[Program]:
    """All test programs, then all corpora."""
    core = ["csrc/core", "tests/c"]
    found = []
    for source in sorted((ROOT / "tests" / "c").glob("test_*.c")):
        if source.name.startswith("test_pq_"):
            found.append(pq_program(source, core))
        else:
            found.append(Program(source.stem, [source, *layer("core")], core))
    standalone = ROOT / "tests" / "fuzz" / "standalone.c"
    for source in sorted((ROOT / "tests" / "fuzz").glob("fuzz_*.c")):
        name = source.stem.removeprefix("fuzz_")
        corpus = sorted((ROOT / "tests" / "fuzz" / "corpora" / name).rglob("*"))
        sources = [source, standalone, *layer("core")]
        arguments = [str(path) for path in corpus if path.is_file()]
        found.append(Program(source.stem, sources, core, arguments=arguments))
    return found


def pq_program(source: Path, core: list[str]) -> Program:
    """A test of the libpq layer; the scripted libpq stands in for the real one."""
    fake = ROOT / "tests" / "c" / "fake_libpq.c"
    libpq = find_libpq()
    sources = [source, *layer("pq"), *layer("core")]
    includes = [*core, "csrc/pq", *libpq["include_dirs"]]
    if fake.exists():
        return Program(source.stem, [*sources, fake], includes)
    folders = [f"-L{folder}" for folder in libpq["library_dirs"]]
    return Program(source.stem, sources, includes, [*folders, "-lpq"])


def newest_header() -> float:
    """When a header was last changed."""
    headers = [*ROOT.glob("csrc/*/*.h"), *ROOT.glob("tests/c/*.h")]
    return max(path.stat().st_mtime for path in [*headers, Path(__file__)])


def compile_object(source: Path, includes: Sequence[str]) -> Path:
    """Compile one source, unless its object is newer than it and all headers."""
    target = OUT / source.relative_to(ROOT).with_suffix(".o")
    needed = max(source.stat().st_mtime, newest_header())
    if target.exists() and target.stat().st_mtime > needed:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    search = [f"-I{folder}" for folder in includes]
    command = ["gcc", *CFLAGS, *SANITIZERS, *DEFINES, *search, "-c", str(source)]
    subprocess.run([*command, "-o", str(target)], cwd=ROOT, check=True)
    return target


def build(found: Sequence[Program]) -> dict[str, Path]:
    """Compile every source once, two at a time, and link; executables by name."""
    # Sources of core are compiled with core's include path, whoever needs them.
    wanted: dict[Path, Sequence[str]] = {}
    for program in found:
        for source in program.sources:
            wanted.setdefault(source, program.includes)
    for source in layer("core"):
        wanted[source] = ["csrc/core"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = dict(
            zip(wanted, pool.map(compile_object, wanted, wanted.values()), strict=True)
        )
    built = {}
    for program in found:
        built[program.name] = OUT / program.name
        parts = [str(objects[source]) for source in program.sources]
        command = ["gcc", *SANITIZERS, *parts, *program.libraries]
        subprocess.run([*command, "-o", str(built[program.name])], check=True)
    return built


def run(program: Program, executable: Path) -> bool:
    """Run one; its output is shown when it fails."""
    environment = {
        **os.environ,
        "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    begin = time.perf_counter()
    try:
        done = subprocess.run(
            [str(executable), *program.arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
        )
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        status, output = -1, (error.stdout or b"") + b"\ntimeout"
    took = time.perf_counter() - begin
    files = f", {len(program.arguments)} files" if program.arguments else ""
    word = "ok" if status == 0 else f"FAILED, status {status}"
    print(f"{program.name}: {word} ({took:.1f} s{files})", flush=True)
    if status != 0:
        sys.stdout.flush()
        sys.stdout.buffer.write(output)
    return status == 0


def main() -> int:
    """The exit status: 1 where something does not build or fails."""
    found = programs()
    if not found:
        print("There are no C tests in tests/c.")
        return 1
    try:
        built = build(found)
    except subprocess.CalledProcessError:
        return 1
    passed = [run(program, built[program.name]) for program in found]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
