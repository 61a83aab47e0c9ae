"""The Flask extension object."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from ..errors import ConfigurationError
from .environment import Environment, find_environment
from .gate import is_starting
from .history import History, read_history
from .status import DatabaseNotCurrent, State, Status, compare, unreachable

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy.engine import Engine

EXTENSION: Final = "ibutsu_migrate"
OnBehind = Literal["ignore", "warn", "refuse"]

_CONNECT_TIMEOUT: Final = 10


@dataclass(frozen=True, slots=True)
class AppState:
    """What the extension keeps for one app, in ``app.extensions["ibutsu_migrate"]``.

    Attributes:
        db: The app's ``flask_sqlalchemy.SQLAlchemy``, or None to take the one that is
            registered with the app.
        directory: The folder with env.py, or None to look for it.
        on_behind: What starting does when the database is behind.
        version_table: Alembic's ``version_table``.
        version_table_schema: Alembic's ``version_table_schema``.
        connect_timeout: Seconds ``status()`` waits for the server.
    """

    db: Any
    directory: str | os.PathLike[str] | None
    on_behind: OnBehind
    version_table: str
    version_table_schema: str | None
    connect_timeout: int


class IbutsuMigrate:
    """Migrations for a Flask app: ``flask db``, ``status()`` and the start-up gate.

    Args:
        app: The app, or None and ``init_app()`` later.
        db: Its ``flask_sqlalchemy.SQLAlchemy``; None takes the one that is registered
            with the app.
        directory: The folder with env.py. Without it: what ``alembic`` would use in
            the working directory, or in the app's folder or the one above it.
        on_behind: ``"refuse"`` raises ``DatabaseNotCurrent`` when the app is made and
            the database is behind; ``"warn"`` logs it; ``"ignore"`` does not look.
            Neither acts where the app is made in order to migrate (``flask db``,
            env.py), nor refuses a database that is ahead or does not answer: those
            are logged.
        version_table: As env.py gives it to ``context.configure``.
        version_table_schema: As env.py gives it to ``context.configure``.
        connect_timeout: Seconds ``status()`` waits for a server that is silent.
        command: Name of the command group, or None for none.

    Raises:
        ConfigurationError: A setting cannot be meant.
        DatabaseNotCurrent: See ``on_behind``.
    """

    def __init__(
        self,
        app: Flask | None = None,
        db: Any = None,
        directory: str | os.PathLike[str] | None = None,
        *,
        on_behind: OnBehind = "ignore",
        version_table: str = "alembic_version",
        version_table_schema: str | None = None,
        connect_timeout: int = _CONNECT_TIMEOUT,
        command: str | None = "db",
    ) -> None:
        if on_behind not in get_args(OnBehind):
            raise ConfigurationError(
                f"on_behind is {on_behind!r}.", remedy="Use ignore, warn or refuse."
            )
        self._state = AppState(
            db=db,
            directory=directory,
            on_behind=on_behind,
            version_table=version_table,
            version_table_schema=version_table_schema,
            connect_timeout=connect_timeout,
        )
        self._command = command
        self._app = app
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, db: Any = None) -> None:
        """Register with an app.

        Call it after the app's database is configured when ``on_behind`` is not
        ``"ignore"``: the look at the database is made here.

        Args:
            app: The app.
            db: As for the constructor, where it was not known there.
        """
        from dataclasses import replace

        from .cli import make_group

        state = self._state if db is None else replace(self._state, db=db)
        app.extensions[EXTENSION] = state
        if self._command is not None:
            app.cli.add_command(make_group(self._command))
        if state.on_behind != "ignore" and is_starting():
            _gate(app, state)

    def status(self, app: Flask | None = None) -> Status:
        """Compare the database with the revision files.

        One round trip after connecting, on a connection of its own that is closed
        again. Alembic is imported only where a revision file cannot be read without
        executing it.

        Args:
            app: The app; by default the constructor's, or the current one.

        Returns:
            The answer; a database that cannot be reached is an answer too.

        Raises:
            ConfigurationError: There are no revision files to compare with, or the
                app has no database.
        """
        found = self._find_app(app)
        return _status(found, _state_of(found))

    def require_current(self, app: Flask | None = None) -> Status:
        """Return the status if the database is current.

        Raises:
            DatabaseNotCurrent: It is behind, ahead or unreachable; the message ends
                with the command to type.
        """
        status = self.status(app)
        if status.state is not State.CURRENT:
            raise DatabaseNotCurrent(status)
        return status

    def _find_app(self, app: Flask | None) -> Flask:
        if app is not None:
            return app
        if self._app is not None:
            return self._app
        from flask import current_app

        found: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        return found


def _state_of(app: Flask) -> AppState:
    state = app.extensions.get(EXTENSION)
    if not isinstance(state, AppState):
        raise ConfigurationError(
            f"The app {app.name!r} is not registered with IbutsuMigrate.",
            remedy="Call IbutsuMigrate(app, db) or init_app(app).",
        )
    return state


def environment_of(app: Flask, directory: str | None = None) -> Environment:
    """The migration environment of an app.

    Args:
        app: The app, registered with the extension.
        directory: Instead of the extension's own.
    """
    parent = os.path.dirname(app.root_path)
    return find_environment(
        directory if directory is not None else _state_of(app).directory,
        (os.getcwd(), app.root_path, parent),
        os.environ,
    )


def _engine_of(app: Flask, state: AppState) -> Engine:
    """The app's engine. Needs an app context."""
    db = state.db if state.db is not None else app.extensions.get("sqlalchemy")
    if db is None:
        raise ConfigurationError(
            f"The app {app.name!r} has no Flask-SQLAlchemy to take its database from.",
            remedy="Call db.init_app(app) before IbutsuMigrate(app, db).",
        )
    try:
        engine: Engine = db.engine
    except (RuntimeError, KeyError) as error:
        raise ConfigurationError(
            f"The app {app.name!r} has no database yet: {error}",
            remedy="Call db.init_app(app) before IbutsuMigrate looks at it.",
        ) from error
    return engine


def _connect_args(app: Flask) -> Mapping[str, object]:
    options = app.config.get("SQLALCHEMY_ENGINE_OPTIONS") or {}
    found = options.get("connect_args") or {}
    return dict(found)


def _status(app: Flask, state: AppState) -> Status:
    from ..advice import explain_look_failure
    from .versions import read_versions

    history: History = read_history(environment_of(app))
    with app.app_context():
        engine = _engine_of(app, state)
        try:
            versions = read_versions(
                engine,
                table=state.version_table,
                schema=state.version_table_schema,
                connect_args=_connect_args(app),
                connect_timeout=state.connect_timeout,
            )
        except Exception as error:  # each driver has its own tree of errors
            return unreachable(history.heads, explain_look_failure(error, engine.url))
    return compare(history, versions)


def _gate(app: Flask, state: AppState) -> None:
    """Look once, and act on a database that is not current."""
    status = _status(app, state)
    if status.state is State.CURRENT:
        return
    if status.state is State.BEHIND and state.on_behind == "refuse":
        raise DatabaseNotCurrent(status)
    logging.getLogger(__name__).warning("%s", status.detail)
