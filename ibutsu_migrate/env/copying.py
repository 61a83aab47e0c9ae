"""COPY for the INSERTs of migrations: where it is switched off."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from alembic.runtime.migration import MigrationContext

from ..config import toml_table
from ..engine.bulk import OPTION, read_option
from ..errors import ConfigurationError

VARIABLE: Final = "IBUTSU_MIGRATE_COPY"


def choose_copy(
    context: MigrationContext, environ: Mapping[str, str] | None = None
) -> bool | int | None:
    """Whether, or from how many rows on, migrations copy; None: as the engine does.

    The environment says so, else an execution option of the connection, the engine's
    argument, pyproject.toml.

    Args:
        context: Alembic's, with a connection.
        environ: ``os.environ`` where None.

    Raises:
        ConfigurationError: The environment or pyproject.toml says something else.
    """
    text = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
    if text:
        return _read(text, f"{VARIABLE} in the environment")
    connection = context.connection
    if connection is not None and OPTION in connection.get_execution_options():
        return None
    path = getattr(context.config, "toml_file_name", None)
    if getattr(context.dialect, OPTION, None) is not None or path is None:
        return None
    table = toml_table(Path(path))
    if "copy" not in table:
        return None
    return _read(table["copy"], f"copy in [tool.ibutsu_migrate] of {path}")


def _read(value: object, place: str) -> bool | int:
    try:
        return read_option(value)
    except ValueError as error:
        raise ConfigurationError(
            f"{place} is {value!r}.",
            remedy="Use on, off, or the number of rows from which rows are copied.",
        ) from error
