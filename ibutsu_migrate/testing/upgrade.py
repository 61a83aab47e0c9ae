"""The program that ``migrate_database`` runs: one upgrade, to one database only."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Do what the order says; whatever is wrong goes to standard error."""
    from alembic import command
    from alembic.util import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    from ibutsu_migrate.errors import IbutsuMigrateError

    order = json.loads(sys.argv[1])
    _allow_only(order["socket_dir"])
    config = _config(Path(order["config"]))
    # A percent sign means something to the parser of alembic.ini.
    config.set_main_option("sqlalchemy.url", order["url"].replace("%", "%%"))
    try:
        with create_engine(order["url"], poolclass=NullPool).connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, order["revision"])
    except (CommandError, IbutsuMigrateError) as error:
        sys.exit(str(error))


def _config(path: Path) -> Any:
    """Both files, as ``alembic`` reads them."""
    from alembic.config import Config

    if path.suffix == ".toml":
        return Config(toml_file=str(path))
    return Config(str(path), toml_file=str(path.parent / "pyproject.toml"))


def _allow_only(socket_dir: str) -> None:
    """Refuse to connect to any database but the throwaway server's."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    from ibutsu_migrate.errors import ConfigurationError

    @event.listens_for(Engine, "do_connect")
    def look(_dialect: Any, _record: Any, args: Any, arguments: Any) -> None:
        given = [*args, *arguments.values()]
        if not any(socket_dir in str(value) for value in given):
            raise ConfigurationError(
                "env.py is about to connect to another database than the throwaway "
                "one.",
                remedy="Let it take config.attributes['connection'] or sqlalchemy.url, "
                "as run_migrations() does, or name the environment variable that it "
                "reads in ibutsu_migrate_url_variables.",
            )


if __name__ == "__main__":
    main()
