"""Words for errors: which cause is named, and that no password is."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError as Wrapped

from ibutsu_migrate import advice
from ibutsu_migrate.errors import ExtensionError, OperationalError, ProgrammingError

SECRET = "p@s/s w%rd"
URL = make_url("postgresql://").set(
    username="app", password=SECRET, host="db.example", port=5433, database="ibutsu"
)


@pytest.mark.parametrize(
    ("sqlstate", "text", "says"),
    [
        # The server speaks French; SQLSTATE does not.
        ("28P01", "authentification par mot de passe échouée", "refuses the password"),
        ("3D000", "la base de données n'existe pas", "no such database"),
        ("57P03", "le système démarre", "starting or stopping"),
        ("53300", "trop de clients", "no connection left"),
        ("28000", "aucune entrée", "does not let this user in"),
        ("42501", "droit refusé", "may not connect to this database"),
        # libpq and psycopg2 have no SQLSTATE while connecting.
        (None, 'FATAL:  database "nil" does not exist', "no such database"),
        (None, "FATAL:  the database system is starting up", "starting or stopping"),
        (None, 'FATAL:  role "nil" does not exist', "does not let this user in"),
        (None, "connection failed: timeout expired", "the server is silent"),
        (None, "Connection refused\n\tIs the server running?", "nothing listens"),
        (None, 'could not translate host name "x"', "host name is not known"),
        (None, "server does not support SSL, but SSL was required", "TLS"),
    ],
)
def test_cause(sqlstate: str | None, text: str, says: str) -> None:
    bare = OperationalError(text, sqlstate=sqlstate)
    for error in (bare, Wrapped(None, None, bare)):
        assert advice.is_connection_failure(error)
        first, *rest = advice.explain_connection_failure(error, URL).splitlines()
        assert first.startswith(
            'Cannot connect to the database "ibutsu" at db.example:5433 as "app": '
        )
        assert says in first
        assert rest[0] == text.splitlines()[0]
        assert rest[-1].endswith(".")


def test_unknown_cause_is_what_the_library_said() -> None:
    said = advice.explain_connection_failure(OperationalError("strange"), URL)
    assert said.splitlines()[1:] == ["strange"]
    assert not advice.is_connection_failure(OperationalError("strange"))


@pytest.mark.parametrize("spelling", [SECRET, "p%40s%2Fs%20w%25rd", "p%40s%2Fs+w%25rd"])
def test_the_password_is_taken_out_of_what_libraries_say(spelling: str) -> None:
    error = OperationalError(f'invalid URI "postgresql://app:{spelling}@x": refused')
    for url in (
        URL,
        make_url("postgresql://x").update_query_dict({"password": SECRET}),
    ):
        assert spelling not in advice.explain_connection_failure(error, url)
        assert spelling not in advice.scrub(str(error), url)


def test_a_failed_statement_is_no_connection_failure() -> None:
    timeout = OperationalError("canceling statement: timeout expired", sqlstate="57014")
    assert not advice.is_connection_failure(Wrapped("SELECT 1", None, timeout))


def test_rights() -> None:
    denied = ProgrammingError("permission denied for schema app", sqlstate="42501")
    said = advice.explain_no_rights(denied, "web")
    assert said is not None
    assert 'GRANT USAGE, CREATE ON SCHEMA "app" TO "web";' in said
    reading = advice.explain_no_rights(denied, None, reading=True)
    assert reading is not None
    assert 'GRANT USAGE ON SCHEMA "app" TO ...;' in reading
    # The same words from another failure are not about rights.
    other = ProgrammingError("permission denied for schema app", sqlstate="22000")
    assert advice.explain_no_rights(other, "web") is None


def test_own_errors_speak_for_themselves() -> None:
    error = ExtensionError(f"cannot be loaded with {SECRET}", remedy="Install it.")
    assert advice.explain(error, url=URL) == "cannot be loaded with ***\nInstall it."
    assert advice.explain(ValueError("a bug in env.py"), url=URL) is None


def test_near_names() -> None:
    said = advice.unknown_argument("abc132", {"abc123", "base1"}, "alembic")
    assert "Did you mean 'abc123'?" in said
    assert "Did you mean" not in advice.unknown_argument("zzz", {"abc"}, "alembic")
