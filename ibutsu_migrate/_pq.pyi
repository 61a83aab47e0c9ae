"""PostgreSQL through libpq (``csrc/pq``, bound by ``csrc/py``)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NoReturn, Protocol, SupportsIndex, final

from . import errors
from .engine.records import Notify, Xid

_Params = Sequence[Any] | Mapping[str, Any] | None
_Row = tuple[Any, ...]

class _Reads(Protocol):
    def read(self, size: int, /) -> str | bytes: ...

class _Writes(Protocol):
    def write(self, data: Any, /) -> object: ...

def connect(
    options: dict[str, str],
    json_loads: Callable[[str], Any] | None = None,
    clamp_infinity: bool = False,
) -> Connection:
    """Connect with libpq's options."""

def counters() -> dict[str, int]:
    """What this module has done since it was loaded, by name."""

def keywords() -> tuple[str, ...]:
    """The options that libpq knows."""

def libpq_version() -> int:
    """Version of the libpq in use; 150004 is 15.4."""

def parse_conninfo(text: str, /) -> dict[str, str]:
    """The options in a connection string or URI."""

@final
class Column(tuple[str, int, None, int, int | None, int | None, None]):
    """One column of cursor.description."""

    n_fields: Final = 7
    n_sequence_fields: Final = 7
    n_unnamed_fields: Final = 0
    __match_args__: Final = (
        "name",
        "type_code",
        "display_size",
        "internal_size",
        "precision",
        "scale",
        "null_ok",
    )
    @property
    def name(self) -> str: ...
    @property
    def type_code(self) -> int: ...
    @property
    def display_size(self) -> None: ...
    @property
    def internal_size(self) -> int: ...
    @property
    def precision(self) -> int | None: ...
    @property
    def scale(self) -> int | None: ...
    @property
    def null_ok(self) -> None: ...

@final
class ConnectionInfo:
    """What is known of session and server."""

    @property
    def transaction_status(self) -> int: ...
    @property
    def ssl_in_use(self) -> bool: ...
    @property
    def server_version(self) -> int: ...
    @property
    def protocol_version(self) -> int: ...
    @property
    def backend_pid(self) -> int: ...
    @property
    def host(self) -> str: ...
    @property
    def hostaddr(self) -> str: ...
    @property
    def port(self) -> str: ...
    @property
    def dbname(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def options(self) -> str: ...
    def parameter_status(self, name: str, /) -> str | None: ...

@final
class Connection:
    """A session on the server; PEP 249's Connection."""

    autocommit: bool
    pipeline: bool
    @property
    def isolation_level(self) -> str | None: ...
    @isolation_level.setter
    def isolation_level(self, value: str | int | None, /) -> None: ...
    read_only: bool | None
    hstore_oids: tuple[int, int]
    deferrable: bool | None
    dsn: str
    @property
    def closed(self) -> int: ...
    @property
    def notices(self) -> list[str]: ...
    @property
    def notifies(self) -> list[Notify]: ...
    @property
    def encoding(self) -> str: ...
    @property
    def info(self) -> ConnectionInfo: ...
    Warning: type[errors.Warning]
    Error: type[errors.Error]
    InterfaceError: type[errors.InterfaceError]
    DatabaseError: type[errors.DatabaseError]
    DataError: type[errors.DataError]
    OperationalError: type[errors.OperationalError]
    IntegrityError: type[errors.IntegrityError]
    InternalError: type[errors.InternalError]
    ProgrammingError: type[errors.ProgrammingError]
    NotSupportedError: type[errors.NotSupportedError]
    def cursor(
        self,
        name: str | None = None,
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> Cursor: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...
    def cancel(self) -> None: ...
    def fileno(self) -> int: ...
    def xid(self, format_id: int, gtrid: str, bqual: str, /) -> Xid: ...
    def tpc_begin(self, xid: Xid | str, /) -> None: ...
    def tpc_prepare(self) -> None: ...
    def tpc_commit(self, xid: Xid | str | None = None, /) -> None: ...
    def tpc_rollback(self, xid: Xid | str | None = None, /) -> None: ...
    def tpc_recover(self) -> list[Xid]: ...
    def __enter__(self) -> Connection: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> bool: ...

@final
class Cursor:
    """Runs statements; PEP 249's Cursor."""

    arraysize: int
    itersize: int
    @property
    def rowcount(self) -> int: ...
    @property
    def withhold(self) -> bool: ...
    @property
    def description(self) -> tuple[Column, ...] | None: ...
    @property
    def connection(self) -> Connection: ...
    @property
    def name(self) -> str | None: ...
    @property
    def query(self) -> bytes | None: ...
    @property
    def statusmessage(self) -> str | None: ...
    @property
    def closed(self) -> bool: ...
    @property
    def rownumber(self) -> int | None: ...
    @property
    def lastrowid(self) -> None: ...
    def execute(self, sql: str | bytes, params: _Params = None) -> None: ...
    def enqueue(
        self,
        sql: str | bytes,
        params: _Params = None,
        origin: tuple[str, int, str] | None = None,
        rows: bool = False,
        label: object = None,
    ) -> bool: ...
    def executemany(
        self, sql: str | bytes, seq_of_params: Iterable[_Params]
    ) -> None: ...
    def copy_rows(
        self,
        sql: str | None,
        targets: tuple[tuple[str | None, int, int, bool], ...],
        rows: list[Any] | tuple[Any, ...],
        /,
    ) -> int | None: ...
    def mogrify(self, sql: str | bytes, params: _Params = None) -> bytes: ...
    def callproc(self, name: str, params: Sequence[Any] = ()) -> Any: ...
    def fetchone(self) -> _Row | None: ...
    def fetchmany(self, size: SupportsIndex | None = None) -> list[_Row]: ...
    def fetchall(self) -> list[_Row]: ...
    def scroll(self, value: int, mode: str = "relative") -> None: ...
    def copy_expert(
        self, sql: str | bytes, file: _Reads | _Writes, size: int = 65536
    ) -> None: ...
    def close(self) -> None: ...
    def nextset(self) -> NoReturn: ...
    def setinputsizes(self, *args: object) -> None: ...
    def setoutputsize(self, *args: object) -> None: ...
    def __iter__(self) -> Cursor: ...
    def __next__(self) -> _Row: ...
    def __enter__(self) -> Cursor: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> bool: ...

def decode(
    oid: int,
    text: bytes,
    /,
    *,
    clamp_infinity: bool = False,
    encoding: str | None = None,
    hstore_oid: int = 0,
    hstore_array_oid: int = 0,
) -> Any:
    """The Python value of a type's text."""

def literal(
    value: object, /, *, encoding: str | None = None, conforming: bool = True
) -> bytes:
    """A value as an SQL literal."""

def merge(sql: str, params: Sequence[Any] | Mapping[str, Any], /) -> bytes:
    """A statement with its placeholders replaced by literals."""

def param(value: object, /) -> tuple[int, int, bytes | None]:
    """A value as a bound parameter: type's OID or 0, format, bytes."""

def copy_field(value: object, /) -> bytes:
    """A value as a field of COPY's text format."""
