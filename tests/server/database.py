"""Where the server's database is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import URL, make_url


def database_uri(config: Mapping[str, Any]) -> URL:
    """The database that the settings name, else ``sqlite:///ibutsu.db``.

    A whole URI goes first. In the separate settings nothing is percent-encoded, so a
    password may hold ``%``, ``@``, ``:`` and ``/``.

    Args:
        config: ``SQLALCHEMY_DATABASE_URI``, or ``POSTGRESQL_HOST``, ``PORT``,
            ``DATABASE``, ``USER``, ``PASSWORD`` and ``SSLMODE``, each also with the
            prefix ``POSTGRES_``; ``HOSTNAME`` and ``DB`` are accepted spellings.
    """
    if uri := config.get("SQLALCHEMY_DATABASE_URI"):
        return make_url(uri)
    host = _setting(config, "HOST", "HOSTNAME")
    database = _setting(config, "DATABASE", "DB")
    if host is None or database is None:
        return make_url("sqlite:///ibutsu.db")
    port = _setting(config, "PORT")
    sslmode = _setting(config, "SSLMODE")
    return URL.create(
        "postgresql+psycopg2",
        username=_setting(config, "USER"),
        password=_setting(config, "PASSWORD"),
        host=host,
        port=int(port) if port else None,
        database=database,
        query={"sslmode": sslmode} if sslmode else {},
    )


def _setting(config: Mapping[str, Any], *names: str) -> str | None:
    for prefix in ("POSTGRESQL_", "POSTGRES_"):
        for name in names:
            if value := config.get(prefix + name):
                return str(value)
    return None
