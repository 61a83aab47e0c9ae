"""``run_migrations``: all of an env.py that is not the application's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from alembic import context
from alembic.config import Config
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.schema import MetaData

from .. import _queued
from ..config import HOOK_ATTRIBUTE, Mode, settings_for
from ..errors import ConfigurationError
from ..troubles import URL_ATTRIBUTE
from .connect import connected, keeps_its_driver, make_engine
from .directives import without_empty_revisions
from .logs import set_up_logging
from .pipeline import REQUEST
from .url import OURS, alembic_url, database_url, migration_url, parse_url

_DATABASE_SETTINGS: Final = ("SQLALCHEMY_DATABASE_URI", "POSTGRESQL_", "POSTGRES_")


@dataclass(frozen=True)
class _Database:
    """What a migration goes to.

    Attributes:
        url: With the driver to use.
        metadata: Of the models, or None.
        options: ``SQLALCHEMY_ENGINE_OPTIONS``.
        engine: The application's engine, where only that one can reach the database.
    """

    url: URL
    metadata: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    engine: Engine | None = None


def run_migrations(
    app: Any = None,
    *,
    target_metadata: MetaData | list[MetaData] | None = None,
    url: str | URL | None = None,
    db: Any = None,
    driver: str | None = OURS,
    skip_empty_revisions: bool = False,
    pipeline: bool | None = None,
    **options: Any,
) -> None:
    """Run what ``alembic`` was called for, safely. Only to be called from an env.py.

    Args:
        app: A Flask app, or a function without arguments that makes one. An app that
            ``flask db`` or a caller left in ``config.attributes["app"]`` is used
            instead of calling the function. None where ``url`` or ``sqlalchemy.url``
            of alembic.ini says all.
        target_metadata: The models' metadata; by default Flask-SQLAlchemy's.
        url: The database, before anything that the app says.
        db: The ``flask_sqlalchemy.SQLAlchemy``; by default the one that is registered
            with the app.
        driver: The driver for migrations on PostgreSQL, in place of psycopg2 or
            psycopg; None leaves the URL's own.
        skip_empty_revisions: ``alembic revision --autogenerate`` that finds no
            difference writes no file.
        pipeline: Whether statements whose answers nobody waits for are sent together;
            by default what ``[tool.ibutsu_migrate]`` says, else they are. The
            environment variable IBUTSU_MIGRATE_PIPELINE wins. Only with this package's
            driver.
        **options: Any option of Alembic's ``context.configure()``. Differing from
            Alembic's default: ``transaction_per_migration`` is True; on SQLite
            ``render_as_batch`` is True.

    Raises:
        ConfigurationError: The app or the database cannot be found, or the switch
            asks for a mode that is not there.
        DatabaseConnectionError: The database cannot be connected to (in mode ``off``:
            ``alembic.util.CommandError``).
        ExtensionError: The C driver cannot be loaded.

    Source: the env.py that ``alembic init`` writes; Alembic's cookbook on
    ``config.attributes["connection"]``.
    """
    config = context.config
    config.attributes[HOOK_ATTRIBUTE] = True  # which means mode safe
    set_up_logging(config)
    flask_app = _resolve_app(config, app)
    if flask_app is not None:
        # Whoever asks for settings later sees the app's too.
        config.attributes.setdefault("app", flask_app)
    mode = settings_for(config).mode
    with flask_app.app_context() if flask_app is not None else nullcontext():
        database = _find_database(config, flask_app, url, db, driver, mode)
        config.attributes[URL_ATTRIBUTE] = database.url
        if target_metadata is not None:
            options["target_metadata"] = target_metadata
        _fill_in(options, database, skip_empty_revisions)
        if context.is_offline_mode():
            _run_offline(database, options)
        else:
            config.attributes[REQUEST] = pipeline
            if mode is not Mode.OFF:
                _queued.install()
            with _connection(config, database, mode) as connection:
                _run_online(connection, options)


def _fill_in(
    options: dict[str, Any], database: _Database, skip_empty_revisions: bool
) -> None:
    """Options that the caller has not given."""
    options.setdefault("target_metadata", database.metadata)
    options.setdefault("transaction_per_migration", True)
    options.setdefault("render_as_batch", database.url.get_backend_name() == "sqlite")
    if skip_empty_revisions:
        hook = options.get("process_revision_directives")
        options["process_revision_directives"] = without_empty_revisions(hook)


def _run_online(connection: Connection, options: dict[str, Any]) -> None:
    context.configure(connection=connection, **options)
    with context.begin_transaction():
        context.run_migrations()


def _run_offline(database: _Database, options: dict[str, Any]) -> None:
    dialect_opts = {"paramstyle": "named", **options.pop("dialect_opts", {})}
    literal_binds = options.pop("literal_binds", True)
    context.configure(
        url=database.url,
        literal_binds=literal_binds,
        dialect_opts=dialect_opts,
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()


@contextmanager
def _connection(
    config: Config, database: _Database, mode: Mode
) -> Iterator[Connection]:
    """The caller's connection as it is, or one of our own that is closed again."""
    given = config.attributes.get("connection")
    if isinstance(given, Connection):
        yield given
        return
    engine = given if isinstance(given, Engine) else database.engine
    if engine is not None:
        with connected(engine, mode) as connection:
            yield connection
        return
    engine = make_engine(database.url, database.options, mode)
    try:
        with connected(engine, mode) as connection:
            yield connection
    finally:
        engine.dispose()


def _resolve_app(config: Config, app: Any) -> Any:
    """The Flask app: handed over, given, or made now."""
    found = config.attributes.get("app", app)
    # A Flask app can be called too, by a WSGI server.
    if found is not None and not hasattr(found, "app_context") and callable(found):
        found = found()
    if not hasattr(found, "app_context"):
        # A wrapper such as connexion's.
        found = getattr(found, "app", found)
    if found is None and app is None:
        return None
    if not hasattr(found, "app_context"):
        raise ConfigurationError(
            f"run_migrations() got {app!r}, which neither is nor makes a Flask app.",
            remedy="Pass the app, or a function without arguments that returns it.",
        )
    return found


def _find_database(
    config: Config,
    app: Any,
    url: str | URL | None,
    db: Any,
    driver: str | None,
    mode: Mode,
) -> _Database:
    """Decide on URL, metadata and options. Needs the app's context, if there is one."""
    found = db
    if found is None and app is not None:
        found = app.extensions.get("sqlalchemy")
    options = _engine_options(app, found)
    if keeps_its_driver(options):
        driver = None
    metadata = getattr(found, "metadata", None)
    given = config.attributes.get("connection")
    if isinstance(given, Connection | Engine) and not context.is_offline_mode():
        return _Database(given.engine.url, metadata)
    engine = _engine_of(found) if found is not None else None
    if url is not None:
        own, engine = parse_url(url, "url of run_migrations()"), None
    elif engine is not None:
        own = parse_url(engine.url, "the app's database URL")
    else:
        own = _configured_url(config, app)
    shared = engine if _is_in_memory(own) else None
    return _Database(migration_url(own, driver, mode), metadata, options, shared)


def _engine_of(db: Any) -> Engine:
    try:
        engine: Engine = db.engine
    except (RuntimeError, KeyError) as error:
        raise ConfigurationError(
            f"Flask-SQLAlchemy has no database for this app: {error}",
            remedy="Call db.init_app(app) in the function that makes the app, and set "
            "SQLALCHEMY_DATABASE_URI.",
        ) from error
    return engine


def _engine_options(app: Any, db: Any) -> dict[str, Any]:
    """What Flask-SQLAlchemy makes its default engine with, but for the URL.

    Source: ``flask_sqlalchemy.SQLAlchemy.init_app``.
    """
    options = dict(getattr(db, "_engine_options", None) or {})
    if app is not None:
        options.update(app.config.get("SQLALCHEMY_ENGINE_OPTIONS") or {})
    options.pop("url", None)
    return options


def _configured_url(config: Config, app: Any) -> URL:
    """Without Flask-SQLAlchemy: the app's settings, else alembic.ini's."""
    settings: Mapping[str, Any] = app.config if app is not None else {}
    text = config.get_main_option("sqlalchemy.url")
    if any(name.startswith(_DATABASE_SETTINGS) for name in settings):
        return database_url(settings)
    found = alembic_url(text)
    if found is not None:
        return found
    if app is not None:
        return database_url(settings)
    raise ConfigurationError(
        "No database is configured: run_migrations() got neither an app nor a url, and "
        "alembic.ini has no sqlalchemy.url.",
        remedy="Write run_migrations(create_app) or run_migrations(url=...) in env.py.",
    )


def _is_in_memory(url: URL) -> bool:
    """Whether another engine would see another, empty database."""
    if url.get_backend_name() != "sqlite":
        return False
    return url.database in (None, "", ":memory:") or "mode" in url.query
