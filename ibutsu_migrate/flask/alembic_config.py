"""An Alembic ``Config`` for a Flask app. Importing this imports Alembic."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping

from alembic.config import Config

from .environment import Environment


def make_config(
    environment: Environment,
    *,
    cmd_opts: Namespace | None = None,
    attributes: Mapping[str, object] | None = None,
) -> Config:
    """Make the configuration that ``alembic`` would make for these files.

    Args:
        environment: The files; paths are made text, as Alembic wants them.
        cmd_opts: Options of the command line, where there is one.
        attributes: What env.py finds in ``config.attributes``; ``app`` is the app.
    """
    config = Config(
        file_=str(environment.ini) if environment.ini else None,
        toml_file=str(environment.toml) if environment.toml else None,
        ini_section=environment.section,
        # Alembic's default is the stdout of when it was imported.
        stdout=sys.stdout,
        cmd_opts=cmd_opts,
        attributes=dict(attributes or {}),
    )
    if environment.script_location is not None:
        # The value goes through ConfigParser's interpolation.
        location = str(environment.script_location).replace("%", "%%")
        config.set_main_option("script_location", location)
    return config
