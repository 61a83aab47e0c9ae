"""The database's URL: from a configuration, and as a migration uses it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from .._native import require
from ..config import Mode
from ..errors import ConfigurationError, ExtensionError

OURS: Final = "ibutsu"
APPLICATION_NAME: Final = "ibutsu_migrate"

_PREFIXES: Final = ("POSTGRESQL_", "POSTGRES_")
_REPLACED: Final = frozenset(
    ("postgresql", "postgresql+psycopg2", "postgresql+psycopg", "postgres")
)
_LIBPQ_DRIVERS: Final = frozenset(("psycopg2", "psycopg", OURS))
_CONNECT_TIMEOUT: Final = 10

_log = logging.getLogger("ibutsu_migrate.env")


def database_url(
    config: Mapping[str, Any], *, default: str = "sqlite:///ibutsu.db"
) -> URL:
    """Find the database in a configuration.

    In this order: ``SQLALCHEMY_DATABASE_URI``; ``POSTGRESQL_HOST`` (or ``HOSTNAME``),
    ``PORT``, ``DATABASE`` (or ``DB``), ``USER``, ``PASSWORD``, ``SSLMODE``, each also
    as ``POSTGRES_...``; the default. Settings that are empty count as absent. A
    password given on its own may contain anything; one within a URI must be
    percent-encoded there.

    Args:
        config: A Flask config, ``os.environ``, or any mapping.
        default: The URL where the configuration names no database.

    Raises:
        ConfigurationError: The URI cannot be parsed, or the port is no number.
    """
    uri = config.get("SQLALCHEMY_DATABASE_URI")
    if uri:
        return parse_url(uri, "SQLALCHEMY_DATABASE_URI")
    host = _setting(config, "HOST", "HOSTNAME")
    database = _setting(config, "DATABASE", "DB")
    if host is None and database is None:
        return make_url(default)
    sslmode = _setting(config, "SSLMODE")
    return URL.create(
        "postgresql",
        username=_setting(config, "USER"),
        password=_setting(config, "PASSWORD"),
        host=host,
        port=_port(_setting(config, "PORT")),
        database=database,
        query={"sslmode": sslmode} if sslmode else {},
    )


def _setting(config: Mapping[str, Any], *names: str) -> str | None:
    for prefix in _PREFIXES:
        for name in names:
            found = config.get(prefix + name)
            if found is not None and str(found):
                return str(found)
    return None


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    # Kubernetes sets POSTGRESQL_PORT=tcp://10.0.0.7:5432 for a service of that name.
    found = re.fullmatch(r"(?:tcp://.*:)?([0-9]{1,5})", text.strip())
    if found is None:
        raise ConfigurationError(
            f"POSTGRESQL_PORT is {text!r}, which is no port number.",
            remedy="Set it to the server's port, usually 5432.",
        )
    return int(found[1])


def parse_url(given: str | URL, source: str) -> URL:
    """Parse a URL; the message of a failure does not repeat it.

    Args:
        given: As SQLAlchemy's ``make_url`` takes it.
        source: Where it stands, for the message.

    Raises:
        ConfigurationError: It cannot be parsed.
    """
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        # Without the cause: its text may hold what looked like the password.
        raise ConfigurationError(
            f"{source} is not a database URL.",
            remedy="Write driver://user:password@host:port/database; in the password "
            "percent-encode what is special in a URL: @ as %40, / as %2F, % as %25.",
        ) from None
    password = url.query.get("password")
    if not isinstance(password, str):
        return url
    # Behind the question mark it would be shown wherever the URL is.
    return url.difference_update_query(["password"]).set(password=password)


def migration_url(url: URL, driver: str | None, mode: Mode) -> URL:
    """The same database through the driver that migrations use.

    Args:
        url: The application's.
        driver: ``"ibutsu"``, another PostgreSQL driver's name, or None to leave the
            URL's own.
        mode: With ``off`` the URL's own driver stays.

    Returns:
        The URL; other databases' and other drivers' URLs come back as they are.

    Raises:
        ExtensionError: The C driver is built and cannot be loaded.
    """
    if url.drivername not in _REPLACED:
        return url
    if driver is None or mode is Mode.OFF:
        return _stock(url)
    if driver == OURS and not _driver_is_there():
        return _stock(url)
    return url.set(drivername=f"postgresql+{driver}")


def _driver_is_there() -> bool:
    """Whether ``_pq`` loads. One that was left out of the build is no error."""
    if find_spec("ibutsu_migrate._pq") is None:
        _log.warning(
            "This ibutsu-migrate was built without its PostgreSQL driver (no "
            "ibutsu_migrate._pq): the stock driver is used. Install libpq 14 or newer "
            "(Debian, Ubuntu: apt-get install libpq-dev) and reinstall it, or say "
            "run_migrations(..., driver=None)."
        )
        return False
    try:
        require("_pq")
    except ExtensionError as error:
        raise ExtensionError(
            f"{error}",
            remedy="To migrate without it now: IBUTSU_MIGRATE=off, or "
            "run_migrations(..., driver=None).",
        ) from error
    return True


def _stock(url: URL) -> URL:
    """Name a driver that is installed, where the URL leaves it to SQLAlchemy.

    SQLAlchemy 2.0 takes psycopg2 then, 2.1 psycopg, installed or not.
    """
    if url.drivername not in ("postgresql", "postgres"):
        return url
    plain = url.set(drivername="postgresql")
    default = plain.get_dialect().driver
    for name in (default, "psycopg2", "psycopg"):
        if find_spec(name) is not None:
            return plain.set(drivername=f"postgresql+{name}")
    return plain


_NO_LIMIT: Final = "-c statement_timeout=0"


def connect_arguments(
    url: URL,
    application: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    safe: bool = False,
) -> dict[str, Any]:
    """Arguments of connecting for migrations, from those of the application.

    On PostgreSQL through libpq: no ``statement_timeout``, whether the application's,
    the role's or the database's; ``application_name`` is ``ibutsu_migrate``; the
    server has ten seconds to answer if nothing else is said.

    Args:
        url: As it will be used.
        application: ``connect_args`` of the application.
        environ: Usually ``os.environ``.
        safe: Whether a safe run sets its limits itself. Then ``options`` are not sent
            for that alone: a pooler may refuse them.
    """
    arguments = dict(application)
    if url.get_backend_name() != "postgresql":
        return arguments
    if url.get_driver_name() not in _LIBPQ_DRIVERS:
        return arguments
    if url.get_driver_name() == OURS:
        # Classes of psycopg2's, which is the application's driver.
        for name in ("connection_factory", "cursor_factory"):
            arguments.pop(name, None)
    query = url.query.get("options")
    options = arguments.get("options") or query or environ.get("PGOPTIONS", "")
    kept = without_statement_timeout(str(options))
    if safe:
        kept = kept.removesuffix(_NO_LIMIT).rstrip()
    arguments["options"] = kept
    if not kept and not options:
        del arguments["options"]
    arguments["application_name"] = APPLICATION_NAME
    known = {*arguments, *url.query, *_named(environ)}
    if "connect_timeout" not in known:
        arguments["connect_timeout"] = _CONNECT_TIMEOUT
    return arguments


def _named(environ: Mapping[str, str]) -> set[str]:
    return {"connect_timeout"} if environ.get("PGCONNECT_TIMEOUT") else set()


def without_statement_timeout(options: str) -> str:
    """Switch ``statement_timeout`` off in libpq's ``options``; the rest stays.

    Args:
        options: Words separated by spaces; a backslash makes a space part of a word.

    Source: PostgreSQL, "Database Connection Control Functions", ``options``;
    ``pg_split_opts()`` of the server.
    """
    words = re.findall(r"(?:\\.|[^\s\\])+", options, re.S)
    kept: list[str] = []
    while words:
        word = words.pop(0)
        setting = words.pop(0) if word == "-c" and words else word
        name = re.sub(r"^(-c|--)", "", setting).partition("=")[0]
        if name.replace("-", "_").lower() == "statement_timeout":
            continue
        kept.extend((word, setting) if setting is not word else (word,))
    return " ".join([*kept, _NO_LIMIT])


def alembic_url(text: str | None) -> URL | None:
    """``sqlalchemy.url`` of alembic.ini, or None where it is not set.

    ``alembic init`` writes ``driver://user:pass@localhost/dbname`` there, which is
    as good as not set.
    """
    if not text or text.startswith("driver://"):
        return None
    return parse_url(text, "sqlalchemy.url in alembic.ini")
