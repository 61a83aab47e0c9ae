"""The database's URL, from a configuration to the migration's connection."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest
from sqlalchemy.engine import URL, make_url

from ibutsu_migrate.config import Mode
from ibutsu_migrate.env import database_url
from ibutsu_migrate.env.url import (
    connect_arguments,
    migration_url,
    parse_url,
    without_statement_timeout,
)
from ibutsu_migrate.errors import ConfigurationError

NASTY = ("p%40w", "a@b:c/d", "100%", "%(here)s", "%%", "?x=1&y#z", "[::1]", " ü'\"\\ ")
PARTS = {"POSTGRESQL_HOST": "db", "POSTGRESQL_DATABASE": "ibutsu"}


@pytest.mark.parametrize("password", NASTY)
def test_password_survives(password: str) -> None:
    config = {**PARTS, "POSTGRESQL_USER": "u@v", "POSTGRESQL_PASSWORD": password}
    url = database_url(config)
    assert (url.username, url.password) == ("u@v", password)
    assert (url.host, url.database) == ("db", "ibutsu")
    again = make_url(url.render_as_string(hide_password=False))
    assert again.password == password
    assert password not in str(url)
    whole = {"SQLALCHEMY_DATABASE_URI": url.render_as_string(hide_password=False)}
    assert database_url(whole).password == password


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "sqlite:///ibutsu.db"),
        ({"SQLALCHEMY_DATABASE_URI": "", "POSTGRES_HOST": ""}, "sqlite:///ibutsu.db"),
        ({**PARTS, "SQLALCHEMY_DATABASE_URI": "sqlite:///x"}, "sqlite:///x"),
        (PARTS, "postgresql://db/ibutsu"),
        ({"POSTGRES_HOSTNAME": "h", "POSTGRES_DB": "d"}, "postgresql://h/d"),
        ({**PARTS, "POSTGRES_HOST": "other"}, "postgresql://db/ibutsu"),
        ({**PARTS, "POSTGRESQL_PORT": 6543}, "postgresql://db:6543/ibutsu"),
        (
            {**PARTS, "POSTGRESQL_PORT": "tcp://10.0.0.7:99"},
            "postgresql://db:99/ibutsu",
        ),
        (
            {**PARTS, "POSTGRES_SSLMODE": "verify-full"},
            "postgresql://db/ibutsu?sslmode=verify-full",
        ),
        ({"POSTGRESQL_DATABASE": "d"}, "postgresql:///d"),
    ],
)
def test_order_and_spellings(config: Mapping[str, object], expected: str) -> None:
    assert database_url(config) == make_url(expected)


def test_what_cannot_be_meant() -> None:
    with pytest.raises(ConfigurationError, match="POSTGRESQL_PORT is 'x'"):
        database_url({**PARTS, "POSTGRESQL_PORT": "x"})
    with pytest.raises(ConfigurationError, match="SQLALCHEMY_DATABASE_URI") as caught:
        database_url({"SQLALCHEMY_DATABASE_URI": "postgresql//u:s3cret@h/d"})
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_password_in_the_query_is_one() -> None:
    url = parse_url("postgresql://u@h/d?password=s3cret&sslmode=require", "test")
    assert url.password == "s3cret"
    assert dict(url.query) == {"sslmode": "require"}
    assert "s3cret" not in repr(url)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ""),
        ("-c statement_timeout=25000", ""),
        ("-cstatement_timeout=25s", ""),
        ("--statement-timeout=1", ""),
        ("-c search_path=a -c statement_timeout=1 -d 2", "-c search_path=a -d 2 "),
        (r"-c search_path=a,\ b --STATEMENT_TIMEOUT=1", r"-c search_path=a,\ b "),
        ("-c lock_timeout=3 -c", "-c lock_timeout=3 -c "),
    ],
)
def test_statement_timeout_is_taken_out(options: str, expected: str) -> None:
    found = without_statement_timeout(options)
    assert found == f"{expected}-c statement_timeout=0"


def test_arguments_of_connecting() -> None:
    url = make_url("postgresql+psycopg2://h/d?options=-c%20work_mem=1MB")
    application = {"application_name": "web", "sslmode": "require"}
    found = connect_arguments(url, application, {"PGOPTIONS": "-c a=b"})
    assert found == {
        "application_name": "ibutsu_migrate",
        "sslmode": "require",
        "connect_timeout": 10,
        "options": "-c work_mem=1MB -c statement_timeout=0",
    }
    plain = make_url("postgresql+psycopg2://h/d")
    environ = {"PGOPTIONS": "-c a=b", "PGCONNECT_TIMEOUT": "3"}
    assert connect_arguments(plain, {}, environ) == {
        "application_name": "ibutsu_migrate",
        "options": "-c a=b -c statement_timeout=0",
    }
    sqlite = {"timeout": 3}
    assert connect_arguments(make_url("sqlite://"), sqlite, {}) == sqlite


def test_driver_of_migrations(caplog: pytest.LogCaptureFixture) -> None:
    def driver(text: str, wanted: str | None, mode: Mode = Mode.FAST) -> str:
        return migration_url(make_url(text), wanted, mode).drivername

    for text in ("sqlite://", "mysql+pymysql://h/d", "postgresql+asyncpg://h/d"):
        assert driver(text, "psycopg2") == make_url(text).drivername
    for name in ("postgresql", "postgresql+psycopg2", "postgresql+psycopg", "postgres"):
        assert driver(f"{name}://h/d", "other") == "postgresql+other"
    for mode, wanted in ((Mode.OFF, "ibutsu"), (Mode.FAST, None)):
        assert driver("postgresql+psycopg2://h", wanted, mode) == "postgresql+psycopg2"
        # psycopg2 is what is installed here, whatever SQLAlchemy's default is.
        assert driver("postgresql://h", wanted, mode) == "postgresql+psycopg2"
        assert driver("postgres://h", wanted, mode) == "postgresql+psycopg2"
    assert caplog.records == []


def test_the_driver_is_ours_or_its_absence_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from importlib.util import find_spec

    with caplog.at_level(logging.WARNING, "ibutsu_migrate.env"):
        found = migration_url(URL.create("postgresql", host="h"), "ibutsu", Mode.FAST)
    if find_spec("ibutsu_migrate._pq") is not None:
        assert found.drivername == "postgresql+ibutsu"
        assert caplog.records == []
    else:
        assert found.drivername == "postgresql+psycopg2"
        (record,) = caplog.records
        assert "driver=None" in record.getMessage()
