"""Flask: the extension object, the ``flask db`` group and the start-up gate."""

from __future__ import annotations

from .extension import EXTENSION, AppState, IbutsuMigrate, OnBehind
from .status import DatabaseNotCurrent, State, Status

__all__ = [
    "EXTENSION",
    "AppState",
    "DatabaseNotCurrent",
    "IbutsuMigrate",
    "OnBehind",
    "State",
    "Status",
]
