"""What an env.py is made of: get the app, say which metadata, run.

::

    from ibutsu_migrate.env import run_migrations
    from shop import create_app

    run_migrations(create_app)

``docs/design/env-hook.md`` says what each default is and why.
"""

from __future__ import annotations

from .connect import DatabaseConnectionError
from .hook import run_migrations
from .url import database_url

__all__ = ["DatabaseConnectionError", "database_url", "run_migrations"]
