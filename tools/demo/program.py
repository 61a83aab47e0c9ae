"""The demo: a throwaway server, the steps, what C did."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ibutsu_migrate.errors import IbutsuMigrateError
from ibutsu_migrate.testing.cluster import Cluster, Database

from .steps import ALEMBIC, FLASK, Outcome, Step, StepError, run_steps
from .tally import Tally
from .workspace import Workspace


def main() -> int:
    """Run the demo.

    Returns:
        The exit status: 0; 1 where a step failed or C was not in use; 130 after
        Ctrl-C.
    """
    begin = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="ibutsu-demo-") as folder:
            total = _tell(Path(folder))
    except StepError as failure:
        _tell_failure(failure)
        return 1
    except IbutsuMigrateError as error:
        print(f"\nFAILED: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the server is stopped.", file=sys.stderr)
        return 130
    _tell_tally(total, time.perf_counter() - begin)
    return 0


def _tell(folder: Path) -> Tally:
    begin = time.perf_counter()
    with Cluster.start() as cluster:
        _say(f"PostgreSQL of {cluster.bin_dir} runs on a private socket", begin)
        first = _workspace(folder / "backend", cluster.create_database())
        # Nobody waits for it but the end: it stands back behind the first.
        second = _workspace(folder / "flask", cluster.create_database(), nice=10)
        # On a database of its own, beside the other: most of it is start-up of Python.
        with ThreadPoolExecutor(1) as pool:
            flask = pool.submit(lambda: list(run_steps(second, FLASK)))
            total = Tally()
            for outcome in run_steps(first, ALEMBIC):
                _tell_step(outcome)
                total += outcome.tally
            _say("The same through Flask; it ran meanwhile, on a second database")
            for outcome in flask.result():
                _tell_step(outcome)
                total += outcome.tally
    _say("The server is stopped, its files are gone")
    return total


def _workspace(folder: Path, database: Database, nice: int = 0) -> Workspace:
    url = database.url("psycopg2")
    return Workspace.make(folder, url, _connector(database), nice)


def _connector(database: Database) -> Callable[[], Any]:
    from ibutsu_migrate.engine import dbapi

    return lambda: dbapi.connect(database.dsn)


def _say(text: str, since: float | None = None) -> None:
    took = "" if since is None else f"  ({time.perf_counter() - since:.2f} s)"
    print(f"\n# {text}{took}", flush=True)


def _tell_step(outcome: Outcome) -> None:
    step = outcome.step
    print(f"\n# {step.say}")
    if step.command is not None:
        print(f"$ {step.command}")
    print(outcome.output.rstrip())
    if step.command is not None:
        print(_summary(step, outcome))
    sys.stdout.flush()


def _summary(step: Step, outcome: Outcome) -> str:
    tally = outcome.tally
    did = f"{tally.files_scanned} revision files"
    if step.asks_database:
        did += f", {tally.statements} statements"
    return f"  [{outcome.seconds:.2f} s; in C: {did}]"


def _tell_failure(failure: StepError) -> None:
    step = failure.step
    print(f"\nFAILED: {step.say}: {failure.why}", file=sys.stderr)
    if step.command is not None:
        print(f"$ {step.command}", file=sys.stderr)
    print(failure.output, file=sys.stderr)


def _tell_tally(total: Tally, seconds: float) -> None:
    print(
        f"\nIn C: {total.files_scanned} revision files scanned, "
        f"{total.graphs_built} graphs built, {total.statements} statements executed, "
        f"{total.rows} rows decoded.\nEvery step did what the handbook says. "
        f"{seconds:.1f} s"
    )
