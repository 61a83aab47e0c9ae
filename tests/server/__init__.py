"""A Flask app with the Ibutsu Server's models, as far as its database goes.

``create_app()`` is what ``flask --app server`` finds; ``create_migration_app()`` is the
light one for migrations, which only knows the database.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask

from ibutsu_migrate.flask import IbutsuMigrate

from .database import database_uri
from .models import db

__all__ = ["create_app", "create_migration_app", "db"]

# What the app's own requests run under; a migration must not inherit it.
ENGINE_OPTIONS = {"connect_args": {"options": "-c statement_timeout=25000"}}

migrate = IbutsuMigrate(db=db)


def create_app(**config: Any) -> Flask:
    """Make the server's app.

    Args:
        **config: Settings that go before those of the environment.
    """
    app = create_migration_app(**config)
    migrate.init_app(app)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "up"}

    return app


def create_migration_app(**config: Any) -> Flask:
    """Make an app that configures the database and nothing else.

    Args:
        **config: Settings that go before those of the environment.
    """
    app = Flask("server")
    settings = {**_database_settings(), **config}
    app.config.from_mapping(settings)
    uri = database_uri(app.config)
    app.config["SQLALCHEMY_DATABASE_URI"] = uri
    if uri.drivername.startswith("postgresql"):
        app.config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", ENGINE_OPTIONS)
    db.init_app(app)
    return app


def _database_settings() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("SQLALCHEMY_DATABASE_URI", "POSTGRESQL_", "POSTGRES_"))
    }
