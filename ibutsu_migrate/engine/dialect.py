"""SQLAlchemy dialect ``postgresql+ibutsu``.

What a statement becomes is SQLAlchemy's own PostgreSQL dialect; here stands what
depends on the driver: connecting, transactions, disconnection, server-side cursors
and, in ``types``, values.
"""

from __future__ import annotations

import itertools
import os
import re
import warnings
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from sqlalchemy import event, util
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import URL, Connection

from . import bulk
from .pipeline import PipelineContext, name_origin
from .reflection import IbutsuInspector
from .relatives import is_postgresql
from .types import COLSPECS

_IDLE: Final = 0  # PQTRANS_IDLE

# SQLSTATEs after which a connection is of no use: class 08, and the server going away.
_LOST_STATES: Final = frozenset(("25P03", "25P04", "57P01", "57P02", "57P03", "57P05"))

# libpq's own words where there was no SQLSTATE to be had.
_LOST_WORDS: Final = (
    "server closed the connection unexpectedly",
    "terminating connection",
    "connection already closed",
    "connection is closed",
    "connection not open",
    "could not receive data from server",
    "could not send data to server",
    "no connection to the server",
    "SSL connection has been closed unexpectedly",
    "SSL SYSCALL error",
)

# One round trip where SQLAlchemy's dialect makes four and psycopg2's two more.
_FIRST_LOOK: Final = """
SELECT pg_catalog.version(), pg_catalog.current_schema(),
  pg_catalog.current_setting('transaction_isolation'),
  pg_catalog.current_setting('standard_conforming_strings'),
  (SELECT pg_catalog.min(oid) FROM pg_catalog.pg_type WHERE typname = 'hstore'),
  (SELECT pg_catalog.min(typarray) FROM pg_catalog.pg_type WHERE typname = 'hstore')
"""

_VERSION: Final = re.compile(
    r"(?:PostgreSQL|EnterpriseDB) (\d+)\.?(\d+)?(?:\.(\d+))?(?:\.\d+)?(?:devel|beta)?"
)

_cursor_numbers = itertools.count(1)


class PGExecutionContext_ibutsu(PipelineContext):  # noqa: N801 - SQLAlchemy's style
    """Server-side cursors, and COPY; the rest is the queue's."""

    attempt: bulk.Attempt | None = None

    def insert_to_copy(self, statement: str, rows: Any) -> bulk.Insert | None:
        """What of a statement with many parameters is to be copied, if it may be."""
        dialect: Any = self.dialect
        said = self.execution_options.get(bulk.OPTION)
        least = bulk.least_rows(said, dialect.ibutsu_copy)
        if least is None or len(rows) < least or not dialect.is_postgresql:
            return None
        # An INSERT by a server-side cursor is an error.
        if getattr(self.cursor, "name", None) is not None:
            return None
        return bulk.read_insert(statement)

    def create_server_side_cursor(self) -> Any:
        """A cursor that DECLAREs, for ``stream_results``."""
        name = f"c_{id(self):x}_{next(_cursor_numbers):x}"
        return self._dbapi_connection.cursor(name)


def _is_switched_off() -> bool:
    return os.environ.get("IBUTSU_MIGRATE", "").strip().lower() == "off"


class PGDialect_ibutsu(PGDialect):  # noqa: N801 - SQLAlchemy's style
    """PostgreSQL through this package's libpq driver.

    Args:
        client_encoding: Of the connection; UTF8 by default, whatever PGCLIENTENCODING
            says.
        use_native_hstore: Have the driver make dicts of hstore values, as psycopg2
            does; columns of type HSTORE are dicts either way.
        executemany_mode: psycopg2's, without effect.
        executemany_batch_page_size: psycopg2's, without effect.
        ibutsu_pipeline: Leave statements in a queue where nobody waits for their
            answers; an execution option of the same name wins. None: in migrations.
        ibutsu_copy: Send rows of a plain INSERT through COPY where that does the same:
            yes, no, or from how many rows on; an execution option of the same name
            wins. None: yes, unless IBUTSU_MIGRATE=off is in the environment.
        **kwargs: As for any PostgreSQL dialect: ``json_serializer``, ...
    """

    driver = "ibutsu"
    supports_statement_cache = True
    supports_server_side_cursors = True
    default_paramstyle = "pyformat"
    supports_sane_rowcount = True
    supports_sane_multi_rowcount = True
    returns_native_bytes = True
    use_insertmanyvalues_wo_returning = True
    # Read by SQLAlchemy 2.1.
    supports_native_json_serialization = False
    supports_native_json_deserialization = True
    dialect_injects_custom_json_deserializer = True
    execution_ctx_cls = PGExecutionContext_ibutsu
    inspector = IbutsuInspector
    colspecs = util.update_copy(PGDialect.colspecs, COLSPECS)
    # engine_from_config() has them as text.
    engine_config_types = util.immutabledict(
        {
            **PGDialect.engine_config_types,
            "ibutsu_pipeline": util.asbool,
            bulk.OPTION: bulk.read_option,
        }
    )

    def __init__(
        self,
        # Not keyword-only: create_engine() finds its arguments by position.
        client_encoding: str | None = None,
        use_native_hstore: bool = True,
        executemany_mode: str | None = None,
        executemany_batch_page_size: int | None = None,
        ibutsu_pipeline: bool | None = None,
        ibutsu_copy: bool | int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        if getattr(self, "_native_inet_types", None):
            raise NotImplementedError(
                "postgresql+ibutsu returns inet and cidr as text, as psycopg2 does; "
                "native_inet_types cannot be True."
            )
        if executemany_mode is not None or executemany_batch_page_size is not None:
            warnings.warn(
                "executemany_mode and executemany_batch_page_size are psycopg2's and "
                "have no effect with postgresql+ibutsu",
                stacklevel=2,
            )
        self.client_encoding = client_encoding
        self.ibutsu_pipeline = ibutsu_pipeline
        if ibutsu_copy is None and _is_switched_off():
            ibutsu_copy = False
        self.ibutsu_copy = ibutsu_copy
        self.use_native_hstore = use_native_hstore
        self._hstore_oids = (0, 0)
        self.is_postgresql = False
        self._first_look: tuple[str, str | None, str, str] | None = None

    @property
    def _stock(self) -> Any:
        """What SQLAlchemy's own dialect does; its methods have no annotations."""
        return super()

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The PEP 249 module.

        Raises:
            ExtensionError: libpq or the C extension is missing.
        """
        return import_module("ibutsu_migrate.engine.dbapi")

    def retrieve_dbapi_version(self, dbapi: Any) -> Any:
        """The driver's version, for SQLAlchemy 2.1."""
        return util.parse_version_string(dbapi.__version__)

    # Connecting

    def create_connect_args(self, url: URL) -> tuple[list[str], dict[str, Any]]:
        """Libpq's keywords from a URL.

        Several hosts are spelled ``?host=a:5432&host=b`` or ``?host=a,b&port=1,2``;
        every other key behind the question mark is libpq's, which refuses those it
        does not know.
        """
        arguments: dict[str, Any] = url.translate_connect_args(
            username="user", database="dbname"
        )
        hosts, ports = self._split_multihost_from_url(url)
        arguments.update(url.query)
        if hosts:
            arguments["host"] = ",".join(host or "" for host in hosts)
            if ports and any(ports):
                arguments["port"] = ",".join(str(port or "") for port in ports)
            else:
                arguments.pop("port", None)
        for name, value in arguments.items():
            if isinstance(value, tuple):
                raise self._dbapi().ProgrammingError(
                    f"connection option {name!r} is given {len(value)} times"
                )
        if self.client_encoding is not None:
            arguments["client_encoding"] = self.client_encoding
        if self._json_deserializer is not None:
            arguments["json_loads"] = self._json_deserializer
        return [], arguments

    def _dbapi(self) -> Any:
        return self.dbapi or self.import_dbapi()

    def on_connect(self) -> Any:
        """What each new connection is told; nothing is sent."""
        return self._prepare

    def _prepare(self, dbapi_connection: Any) -> None:
        dbapi_connection.hstore_oids = self._hstore_oids

    def initialize(self, connection: Connection) -> None:
        """Learn about the server, in one round trip."""
        row = self._look(connection)
        self.is_postgresql = is_postgresql(row[0])
        if self.use_native_hstore:
            self._hstore_oids = (row[4] or 0, row[5] or 0)
            self._prepare(connection.connection.dbapi_connection)
        self._first_look = (row[0], row[1], row[2], row[3])
        try:
            self._stock.initialize(connection)
        finally:
            self._first_look = None

    @staticmethod
    def _look(connection: Connection) -> Any:
        """Ask all at once, and in no transaction where none is open.

        BEGIN and ROLLBACK would be two more round trips of every program.
        """
        driver: Any = connection.connection.dbapi_connection
        alone = driver.info.transaction_status == _IDLE and not driver.autocommit
        driver.autocommit = driver.autocommit or alone
        try:
            # Server-side cursors need a transaction; an engine may want them for all.
            plain = {"stream_results": False}
            return connection.exec_driver_sql(_FIRST_LOOK, None, plain).one()
        finally:
            if alone and not driver.closed:
                driver.autocommit = False

    def _get_server_version_info(self, connection: Connection) -> Any:
        if self._first_look is None:
            return self._stock._get_server_version_info(connection)
        found = _VERSION.search(self._first_look[0])
        if found is None:
            return self._stock._get_server_version_info(connection)
        return tuple(int(part) for part in found.groups() if part is not None)

    def _get_default_schema_name(self, connection: Connection) -> Any:
        if self._first_look is None:
            return self._stock._get_default_schema_name(connection)
        return self._first_look[1]

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        """The level of a connection on which none was set."""
        if self._first_look is None:
            return self._stock.get_default_isolation_level(dbapi_conn)
        # An engine's own, which its connections are given before they are looked at.
        known = dbapi_conn.isolation_level
        return known if known is not None else self._first_look[2].upper()

    def _set_backslash_escapes(self, connection: Connection) -> None:
        if self._first_look is None:
            self._stock._set_backslash_escapes(connection)
        else:
            self._backslash_escapes = self._first_look[3] == "off"

    # Executing

    def do_execute(
        self, cursor: Any, statement: str, parameters: Any, context: Any = None
    ) -> None:
        """Execute, or queue."""
        if context is None:
            cursor.execute(statement, parameters)
        else:
            context.send(cursor, statement, parameters)

    def do_execute_no_params(
        self, cursor: Any, statement: str, context: Any = None
    ) -> None:
        """The same, with percent signs as they are."""
        self.do_execute(cursor, statement, None, context)

    def do_executemany(
        self, cursor: Any, statement: str, parameters: Any, context: Any = None
    ) -> None:
        """Execute for each of the parameters, or copy them."""
        if context is not None:
            if context.attempt is not None:
                context.attempt.run(cursor, statement, parameters)
                return
            insert = context.insert_to_copy(statement, parameters)
            if insert is not None and bulk.copy_rows(cursor, insert, parameters):
                return
        cursor.executemany(statement, parameters)

    def _deliver_insertmanyvalues_batches(
        self,
        connection: Any,
        cursor: Any,
        statement: str,
        parameters: Any,
        generic_setinputsizes: Any,
        context: Any,
    ) -> Iterator[Any]:
        """SQLAlchemy's INSERTs of many rows each; none where all were copied."""
        if not (
            context.compiled.effective_returning
            or context.execution_options.get("preserve_rowcount")
            or bulk.is_watched(self)
        ):
            insert = context.insert_to_copy(statement, parameters)
            if insert is not None and bulk.Attempt(connection, context, insert).make(
                cursor, statement, parameters
            ):
                return
        yield from self._stock._deliver_insertmanyvalues_batches(
            connection, cursor, statement, parameters, generic_setinputsizes, context
        )

    @classmethod
    def engine_created(cls, engine: Any) -> None:
        """Errors that come late are told where they belong."""
        event.listen(engine, "handle_error", name_origin)

    # Transactions

    def get_isolation_level_values(self, dbapi_conn: Any) -> Any:
        """The levels there are."""
        return (
            "AUTOCOMMIT",
            "READ COMMITTED",
            "READ UNCOMMITTED",
            "REPEATABLE READ",
            "SERIALIZABLE",
        )

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        """Set it for the transactions to come; nothing is sent."""
        if level == "AUTOCOMMIT":
            dbapi_connection.autocommit = True
            return
        dbapi_connection.autocommit = False
        dbapi_connection.isolation_level = level

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        """The level in effect; an idle connection is idle afterwards."""
        idle = dbapi_connection.info.transaction_status == _IDLE
        if idle and not dbapi_connection.autocommit:
            known = dbapi_connection.isolation_level
            if known:
                return known
        value = self._stock.get_isolation_level(dbapi_connection)
        if idle and not dbapi_connection.autocommit:
            dbapi_connection.rollback()
        return value

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        """Whether the connection commits by itself."""
        return bool(dbapi_conn.autocommit)

    def set_readonly(self, connection: Any, value: Any) -> None:
        """``postgresql_readonly``."""
        connection.read_only = value

    def get_readonly(self, connection: Any) -> Any:
        """``postgresql_readonly``."""
        return connection.read_only

    def set_deferrable(self, connection: Any, value: Any) -> None:
        """``postgresql_deferrable``."""
        connection.deferrable = value

    def get_deferrable(self, connection: Any) -> Any:
        """``postgresql_deferrable``."""
        return connection.deferrable

    def do_ping(self, dbapi_connection: Any) -> bool:
        """One round trip that begins no transaction."""
        before = dbapi_connection.autocommit
        if not before:
            dbapi_connection.autocommit = True
        cursor = dbapi_connection.cursor()
        try:
            cursor.execute(self._dialect_specific_select_one)
        finally:
            cursor.close()
            if not before and not dbapi_connection.closed:
                dbapi_connection.autocommit = before
        return True

    @util.memoized_property
    def _dialect_specific_select_one(self) -> str:
        return ";"

    # Two-phase commit

    def do_begin_twophase(self, connection: Connection, xid: Any) -> None:
        """Begin a transaction that will be prepared."""
        connection.connection.tpc_begin(xid)

    def do_prepare_twophase(self, connection: Connection, xid: Any) -> None:
        """PREPARE TRANSACTION."""
        connection.connection.tpc_prepare()

    def do_rollback_twophase(
        self,
        connection: Connection,
        xid: Any,
        is_prepared: bool = True,
        recover: bool = False,
    ) -> None:
        """ROLLBACK, or ROLLBACK PREPARED."""
        found: Any = connection.connection.dbapi_connection
        self._end_twophase(found, found.tpc_rollback, xid, recover)

    def do_commit_twophase(
        self,
        connection: Connection,
        xid: Any,
        is_prepared: bool = True,
        recover: bool = False,
    ) -> None:
        """COMMIT, or COMMIT PREPARED."""
        found: Any = connection.connection.dbapi_connection
        self._end_twophase(found, found.tpc_commit, xid, recover)

    def _end_twophase(
        self, connection: Any, operation: Any, xid: Any, recover: bool
    ) -> None:
        if not recover:
            operation()
            return
        if connection.info.transaction_status != _IDLE:
            connection.rollback()
        operation(xid)

    def do_recover_twophase(self, connection: Connection) -> list[Any]:
        """The prepared transactions of this database."""
        found: Any = connection.connection
        return [str(xid) for xid in found.tpc_recover()]

    # Disconnection

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Whether an error means that the connection is gone.

        Args:
            e: Any exception.
            connection: The driver's, or None where it was connecting.
            cursor: Not looked at.
        """
        if not isinstance(e, self._dbapi().Error):
            return False
        if connection is not None and connection.closed:
            return True
        state = getattr(e, "sqlstate", None)
        if isinstance(state, str):
            return state in _LOST_STATES or state.startswith("08")
        # What the server quotes of a statement must not decide: the first line, and
        # that up to the first quotation mark.
        words = str(e).partition("\n")[0].partition('"')[0]
        return any(word in words for word in _LOST_WORDS)


dialect = PGDialect_ibutsu
