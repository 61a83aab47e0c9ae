"""Check the .pyi files against the extensions: mypy's stubtest on each that exists."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """The exit status: stubtest's."""
    stubs = sorted(path.stem for path in (ROOT / "ibutsu_migrate").glob("_*.pyi"))
    modules = [f"ibutsu_migrate.{name}" for name in stubs]
    command = [sys.executable, "-m", "mypy.stubtest", *modules, "--concise"]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
