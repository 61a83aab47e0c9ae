"""Several of SQLAlchemy's catalogue queries in one statement.

What is asked, and what is made of the answers, stays SQLAlchemy's: its dialect's
methods run on a ``Replay`` instead of a connection, which notes the statements that
it has no answer to. All of them are then put to the server as one, and the methods run
again, until nothing is left to be asked. That takes two statements: one for what can be
asked at once, one for what needs the tables' OIDs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import OID, pg_catalog
from sqlalchemy.engine import Connection
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.sql import visitors
from sqlalchemy.types import ARRAY, JSON, TypeEngine

_ROUNDS: Final = 10

# The server takes 1,664 columns.
_TOGETHER: Final = 1000

_VECTORS: Final = (pg_catalog.INT2VECTOR, pg_catalog.OIDVECTOR)

Job = Callable[["Replay"], Any]


class UnknownError(Exception):
    """A single value is needed that has not been asked for yet."""


class Replay:
    """Stands in for a connection while the dialect reads the catalogue.

    Args:
        json_loads: What makes an object of a ``json`` value.
    """

    def __init__(self, json_loads: Callable[[str], Any] | None = None) -> None:
        self._json_loads = json_loads or json.loads
        self._answers: dict[Any, list[tuple[Any, ...]]] = {}
        self._wanted: dict[Any, Any] = {}

    def execute(
        self, statement: Any, parameters: Mapping[str, Any] | None = None
    ) -> IteratorResult[Any]:
        """The rows, or none and the statement is noted."""
        rows = self._look_up(statement, parameters)
        names = SimpleResultMetaData(list(statement.selected_columns.keys()))
        return IteratorResult(names, iter(rows or ()))

    def scalars(
        self, statement: Any, parameters: Mapping[str, Any] | None = None
    ) -> Any:
        """Likewise, the first of each row."""
        return self.execute(statement, parameters).scalars()

    def scalar(
        self, statement: Any, parameters: Mapping[str, Any] | None = None
    ) -> Any:
        """The first of the first row.

        Raises:
            UnknownError: It is not known yet; the statement is noted.
        """
        rows = self._look_up(statement, parameters)
        if rows is None:
            raise UnknownError
        return rows[0][0] if rows else None

    def run(self, jobs: Sequence[Job], connection: Connection) -> list[Any]:
        """What the jobs return once all they ask has been answered.

        Args:
            jobs: Called several times.
            connection: Asked once for each round.
        """
        results: list[Any] = [None] * len(jobs)
        waiting = list(range(len(jobs)))
        for _ in range(_ROUNDS):
            waiting = [n for n in waiting if not self._try(jobs[n], results, n)]
            if not self._wanted:
                return results
            self._ask(connection)
        raise RuntimeError("reading the catalogue does not come to an end")

    def _try(self, job: Job, results: list[Any], place: int) -> bool:
        # A statement that another job has noted already counts for this one too.
        before, self._wanted = self._wanted, {}
        try:
            results[place] = job(self)
        except UnknownError:
            return False
        finally:
            complete = not self._wanted
            self._wanted = {**before, **self._wanted}
        return complete

    def _look_up(
        self, statement: Any, parameters: Mapping[str, Any] | None
    ) -> list[tuple[Any, ...]] | None:
        form = statement._generate_cache_key()
        values = repr([each.value for each in form.bindparams])
        key = (form.key, values, repr(parameters))
        rows = self._answers.get(key)
        if rows is None:
            self._wanted[key] = _bound(statement, parameters or {})
        return rows

    def _ask(self, connection: Connection) -> None:
        keys = list(self._wanted)
        for start in range(0, len(keys), _TOGETHER):
            chunk = keys[start : start + _TOGETHER]
            parts = [_Part(self._wanted[key]) for key in chunk]
            found = connection.execute(sa.select(*(part.query for part in parts))).one()
            for key, part, text in zip(chunk, parts, found, strict=True):
                self._answers[key] = part.rows(text, self._json_loads)
        self._wanted = {}


def _bound(statement: Any, parameters: Mapping[str, Any]) -> Any:
    """A copy with its values, whose parameters no other statement's can replace.

    Source: ``ClauseElement.unique_params()``, which SQLAlchemy 2.1 deprecates.
    """

    def bind(found: Any) -> None:
        if found.key in parameters:
            found.value = parameters[found.key]
            found.required = False
        found._convert_to_unique()

    return visitors.cloned_traverse(
        statement,
        {"maintain_key": True, "detect_subquery_cols": True},
        {"bindparam": bind},
    )


class _Part:
    """One query as a scalar: a JSON array of its rows, in its order."""

    def __init__(self, statement: Any) -> None:
        inner = statement.subquery()
        columns = list(inner.columns)
        self._types: list[TypeEngine[Any]] = [column.type for column in columns]
        row = sa.func.json_build_array(*(_sent(column) for column in columns))
        query = sa.select(sa.cast(sa.func.json_agg(row), sa.Text))
        self.query = query.select_from(inner).scalar_subquery()

    def rows(
        self, text: str | None, json_loads: Callable[[str], Any]
    ) -> list[tuple[Any, ...]]:
        """As a connection would have returned them."""
        if text is None:
            return []
        readers = [_reader(kind, json_loads) for kind in self._types]
        return [
            tuple(
                value if value is None or read is None else read(value)
                for read, value in zip(readers, row, strict=True)
            )
            for row in json.loads(text)
        ]


def _sent(column: Any) -> Any:
    # Within JSON an OID is text, and json is parsed by whatever the user gave.
    if isinstance(column.type, JSON):
        return sa.cast(column, sa.Text)
    if isinstance(column.type, OID):
        return sa.cast(column, sa.BigInteger)
    return column


def _reader(
    kind: TypeEngine[Any], json_loads: Callable[[str], Any]
) -> Callable[[Any], Any] | None:
    if isinstance(kind, JSON):
        return json_loads
    if isinstance(kind, _VECTORS):
        return _numbers
    if isinstance(kind, ARRAY) and isinstance(kind.item_type, OID):
        return _numbers
    return None


def _numbers(value: str | list[Any]) -> list[int | None]:
    parts = value.split() if isinstance(value, str) else value
    return [None if each is None else int(each) for each in parts]
