"""What the C driver needs in Python: small values, and a word for the log."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import logging
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_log: Final = logging.getLogger("ibutsu_migrate.engine")


def warn_not_committed() -> None:
    """The server answered COMMIT with ROLLBACK, which is no error for it."""
    _log.warning(
        "COMMIT rolled back: a statement of the transaction had failed, and its error "
        "was not passed on"
    )


def warn_discarded(count: int) -> None:
    """A connection was closed with statements in its queue that nobody waited for.

    Args:
        count: How many.
    """
    _log.warning(
        "close() with %d queued %s whose outcome nobody had waited for: the server "
        "rolls back. Call commit() or rollback() first, which tell what failed",
        count,
        "statement" if count == 1 else "statements",
    )


class Notify(NamedTuple):
    """What a NOTIFY sent.

    Attributes:
        pid: Of the server process that sent it.
        channel: Its channel.
        payload: Its text; empty where none was given.
    """

    pid: int
    channel: str
    payload: str = ""


@dataclass(frozen=True, slots=True)
class Xid:
    """Identifier of a two-phase transaction, PEP 249's ``xid()``.

    The server knows one text; the three parts are put into it as psycopg2 puts them,
    so that either driver can end what the other has prepared.

    Attributes:
        format_id: A number, or None where the text was not made of three parts.
        gtrid: Of the global transaction; the whole text where ``format_id`` is None.
        bqual: Of the branch, or None.
        prepared: When it was prepared, of what ``tpc_recover()`` returns.
        owner: The role that did.
        database: Where.

    Source: PEP 249, "Optional Two-Phase Commit Extensions"; psycopg2's xid text.
    """

    format_id: int | None
    gtrid: str
    bqual: str | None = None
    prepared: dt.datetime | None = field(default=None, compare=False)
    owner: str | None = field(default=None, compare=False)
    database: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        if self.format_id is None:
            return self.gtrid
        gtrid, bqual = (
            base64.b64encode((part or "").encode()).decode()
            for part in (self.gtrid, self.bqual)
        )
        return f"{self.format_id}_{gtrid}_{bqual}"

    @classmethod
    def of_text(cls, text: str) -> Xid:
        """The parts of a text, or the text as it is where it has none."""
        try:
            number, gtrid, bqual = text.split("_")
            xid = cls(
                int(number),
                base64.b64decode(gtrid, validate=True).decode(),
                base64.b64decode(bqual, validate=True).decode(),
            )
        except (ValueError, binascii.Error):
            return cls(None, text)
        return xid if str(xid) == text else cls(None, text)

    @classmethod
    def of_row(cls, row: tuple[str, dt.datetime, str, str]) -> Xid:
        """From a row of ``pg_prepared_xacts``: gid, prepared, owner, database."""
        gid, prepared, owner, database = row
        xid = cls.of_text(gid)
        return cls(xid.format_id, xid.gtrid, xid.bqual, prepared, owner, database)
