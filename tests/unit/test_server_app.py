"""The app of ``tests/server``: its database, and what its models hold."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from server import create_app, create_migration_app, db
from server.database import database_uri
from server.models import Import, ImportFile, Run

PASSWORD = "p%40@:/ss"


@pytest.mark.parametrize("prefix", ["POSTGRESQL_", "POSTGRES_"])
@pytest.mark.parametrize(("host", "name"), [("HOST", "DATABASE"), ("HOSTNAME", "DB")])
def test_separate_settings(prefix: str, host: str, name: str) -> None:
    settings = {host: "db", name: "ibutsu", "PORT": "5433", "USER": "u"}
    settings |= {"PASSWORD": PASSWORD, "SSLMODE": "require"}
    url = database_uri({prefix + key: value for key, value in settings.items()})
    assert (url.host, url.port, url.database) == ("db", 5433, "ibutsu")
    assert (url.username, url.password) == ("u", PASSWORD)
    assert dict(url.query) == {"sslmode": "require"}
    assert PASSWORD not in str(url)


def test_a_whole_uri_goes_first_and_sqlite_last() -> None:
    settings = {"POSTGRESQL_HOST": "db", "POSTGRESQL_DATABASE": "ibutsu"}
    whole = {"SQLALCHEMY_DATABASE_URI": "sqlite:///other.db", **settings}
    assert str(database_uri(whole)) == "sqlite:///other.db"
    assert str(database_uri({})) == "sqlite:///ibutsu.db"


def test_what_is_passed_in_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SQLALCHEMY_DATABASE_URI", "sqlite:///environment.db")
    assert uri() == "sqlite:///environment.db"
    assert uri(SQLALCHEMY_DATABASE_URI="sqlite:///given.db") == "sqlite:///given.db"


def uri(**config: str) -> str:
    return str(create_migration_app(**config).config["SQLALCHEMY_DATABASE_URI"])


def test_models_hold_what_they_are_given() -> None:
    app = create_app(SQLALCHEMY_DATABASE_URI="sqlite:///:memory:")
    with app.app_context():
        db.create_all()
        run = Run(summary={"tests": 1}, data=None)
        upload = Import(filename="a.zip")
        db.session.add_all([run, upload])
        db.session.flush()
        db.session.add(ImportFile(import_id=upload.id, content=b"\0\xff"))
        db.session.commit()
        found = db.session.execute(sa.select(Run)).scalar_one()
        assert found.summary == {"tests": 1}
        assert len(found.id) == 36
        assert found.start_time.tzinfo is None
        assert (
            db.session.execute(sa.select(ImportFile.content)).scalar_one() == b"\0\xff"
        )
        db.session.remove()
        db.engine.dispose()
    assert app.test_client().get("/healthz").json == {"status": "up"}
