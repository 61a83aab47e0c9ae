"""Safe runs for programs: values are returned, typed errors raised, nothing printed."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config

from ..config import Mode, settings_from_environment, settings_with
from ..config import Settings as _Settings
from ..errors import IbutsuMigrateError, RunError
from ..troubles import FAILURE_ATTRIBUTE
from . import events
from .failure import Failure
from .hook import SETTINGS_ATTRIBUTE
from .report import LISTENER_ATTRIBUTE

# Alembic's ``context`` is one for the whole process.
ONE_AT_A_TIME: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Step:
    """A revision that was applied, taken back or stamped.

    Attributes:
        revision: Its id.
        direction: ``upgrade``, ``downgrade`` or ``stamp``.
        seconds: How long it took, attempts included.
        statements: How many the last attempt executed.
        lock_seconds: The longest wait for a table in the last attempt.
        attempts: How often it was tried.
    """

    revision: str
    direction: str
    seconds: float
    statements: int
    lock_seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did.

    Attributes:
        run_id: In the application name of its connections, and in the history.
        database: Its name.
        outcome: ``done`` or ``nothing to do``.
        heads_before: Where the database was.
        heads: Where it is; None where that cannot be read.
        steps: In order.
        waited_seconds: For the lock.
        seconds: In all.
        others: Of an env.py that migrates several databases: the runs on the others.
    """

    run_id: str
    database: str
    outcome: str
    heads_before: tuple[str, ...]
    heads: tuple[str, ...] | None
    steps: tuple[Step, ...]
    waited_seconds: float
    seconds: float
    others: tuple[Run, ...] = ()


class MigrationFailedError(RunError):
    """A revision, or Alembic itself, raised an error. That is the cause.

    Attributes:
        failure: What is known: statement, place, server's answer, state, next step.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure), run_id=failure.run_id)
        self.failure = failure

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.failure,))


def upgrade(
    config: Config | str | os.PathLike[str],
    target: str = "head",
    *,
    on_event: events.Listener | None = None,
    **settings: object,
) -> Run:
    """Upgrade a database, safely: as ``alembic upgrade`` in mode safe.

    Args:
        config: Alembic's, or the path of an alembic.ini or pyproject.toml.
        target: Revision.
        on_event: Called with each ``Event``, from two threads.
        **settings: Policies by name; durations in seconds or as text.

    Raises:
        MigrationFailedError: A revision failed; the cause is what it raised.
        RunError: The lock was not got, is lost, or the server is a standby.
        ConfigurationError: A setting cannot be meant.
        RunInterrupted: A signal came; in the main thread only.

    Threads: any; a second run in the same process waits for the first, because
        Alembic's ``context`` is one for all.
    """
    return _run(command.upgrade, config, (target,), on_event, settings)


def downgrade(
    config: Config | str | os.PathLike[str],
    target: str,
    *,
    on_event: events.Listener | None = None,
    **settings: object,
) -> Run:
    """Take revisions back, safely. Arguments and errors are those of ``upgrade``."""
    return _run(command.downgrade, config, (target,), on_event, settings)


def stamp(
    config: Config | str | os.PathLike[str],
    target: str | Sequence[str],
    *,
    purge: bool = False,
    on_event: events.Listener | None = None,
    **settings: object,
) -> Run:
    """Write a version without running anything, safely.

    Args:
        config: As for ``upgrade``.
        target: One revision or several.
        purge: Whether to delete what is in the version table first.
        on_event: As for ``upgrade``.
        **settings: As for ``upgrade``.

    Raises:
        RunError: As for ``upgrade``.
    """
    arguments = (target, False, None, purge)
    return _run(command.stamp, config, arguments, on_event, settings)


def _run(
    what: Callable[..., object],
    given: Config | str | os.PathLike[str],
    arguments: tuple[Any, ...],
    on_event: events.Listener | None,
    settings: dict[str, object],
) -> Run:
    settings_with(_Settings(), **settings)
    if settings_from_environment(os.environ).mode is Mode.OFF:
        raise RunError(
            "IBUTSU_MIGRATE=off in the environment: there are no safe runs.",
            remedy="Call alembic.command, or unset it.",
        )
    seen = _Seen(on_event)
    config = without_logging(config_of(given))
    config.attributes[LISTENER_ATTRIBUTE] = seen
    config.attributes[SETTINGS_ATTRIBUTE] = settings
    with ONE_AT_A_TIME:
        try:
            what(config, *arguments)
        except IbutsuMigrateError:
            raise
        except Exception as error:
            failure = getattr(error, FAILURE_ATTRIBUTE, None)
            if failure is None:
                raise
            raise MigrationFailedError(failure) from error
    return seen.run()


def config_of(given: Config | str | os.PathLike[str]) -> Config:
    """A configuration of one's own: a copy, or what the file at a path says."""
    if isinstance(given, Config):
        copied = copy.copy(given)
        # Alembic keeps it in the instance; what is left there must not stay.
        copied.__dict__["attributes"] = dict(given.attributes)
        return copied
    path = Path(given)
    if path.suffix == ".toml":
        return Config(toml_file=path)
    return Config(path)


def without_logging(config: Config) -> Config:
    """Keep env.py from setting up logging, which would disable the application's.

    The env.py that ``alembic init`` writes does it if there is a file name; options
    are read before that is taken away.
    """
    # As Alembic itself does: the option may stand in pyproject.toml alone.
    location = config.get_alembic_option("script_location")
    if not location or config.config_file_name is None:
        return config
    try:
        text = Path(location, "env.py").read_text(encoding="utf-8")
    except OSError:
        return config
    if "config.config_file_name is not None" in text:
        config.file_config.sections()
        config.config_file_name = None
    return config


class _Seen:
    """Collects events, and passes them on."""

    def __init__(self, then: events.Listener | None) -> None:
        self._then = then
        self._all: dict[str, list[events.Event]] = {}

    def __call__(self, event: events.Event) -> None:
        self._all.setdefault(event.run, []).append(event)
        if self._then is not None:
            self._then(event)

    def run(self) -> Run:
        """The first run, with the others."""
        runs = [_summed(each) for each in self._all.values()]
        if not runs:
            raise RunError(
                "env.py ran no migration on PostgreSQL.",
                remedy="It must call context.run_migrations() on a connection.",
            )
        first, *others = runs
        return replace(first, others=tuple(others))


def _summed(seen: list[events.Event]) -> Run:
    steps: dict[int, Step] = {}
    found: dict[str, Any] = {"database": "", "heads_before": (), "waited_seconds": 0.0}
    for event in seen:
        if isinstance(event, events.PlanMade):
            found["heads_before"] = event.heads
            found["waited_seconds"] = event.waited_seconds
        elif isinstance(event, events.RunStarted):
            found["database"] = event.database
        elif isinstance(event, events.RevisionDone):
            # Where all is one transaction, an attempt does those before it again.
            values = {name: getattr(event, name) for name in Step.__slots__}
            steps[event.number] = Step(**values)
        elif isinstance(event, events.RunFinished):
            found |= {"outcome": event.outcome, "heads": event.heads}
            found["seconds"] = event.seconds
    return Run(run_id=seen[0].run, steps=tuple(steps.values()), **found)
