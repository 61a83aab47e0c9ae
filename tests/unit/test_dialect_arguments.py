"""The dialect's part that needs neither server nor driver."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, Date, Integer, MetaData, Numeric, String, Table
from sqlalchemy.dialects.postgresql import psycopg2
from sqlalchemy.engine import make_url

from ibutsu_migrate import errors
from ibutsu_migrate.engine.dialect import PGDialect_ibutsu
from ibutsu_migrate.engine.types import parse_array


class Driver:
    """As much of the PEP 249 module as is looked at here."""

    Error = errors.Error
    ProgrammingError = errors.ProgrammingError
    paramstyle = "pyformat"
    __version__ = "0.1"


def dialect(**options: Any) -> PGDialect_ibutsu:
    return PGDialect_ibutsu(dbapi=Driver, **options)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", {}),
        (
            "u:p%40%25@h:99/d",
            {"user": "u", "password": "p@%", "host": "h", "port": 99, "dbname": "d"},
        ),
        ("/d?host=%2Frun%2Fpg", {"dbname": "d", "host": "/run/pg"}),
        ("/?service=prod", {"service": "prod"}),
        (
            "u@/d?host=a:1&host=b&host=c:3",
            {"user": "u", "dbname": "d", "host": "a,b,c", "port": "1,,3"},
        ),
        ("/d?host=a&host=b", {"dbname": "d", "host": "a,b"}),
        ("/d?host=a,b&port=1,2", {"dbname": "d", "host": "a,b", "port": "1,2"}),
        (
            "h/d?sslmode=require&options=-c%20a%3Db",
            {"host": "h", "dbname": "d", "sslmode": "require", "options": "-c a=b"},
        ),
    ],
)
def test_urls(url: str, expected: dict[str, object]) -> None:
    positional, named = dialect().create_connect_args(
        make_url(f"postgresql+ibutsu://{url}")
    )
    assert (positional, named) == ([], expected)


def test_an_option_given_twice() -> None:
    url = make_url("postgresql+ibutsu://h/d?sslmode=require&sslmode=disable")
    with pytest.raises(errors.ProgrammingError, match="'sslmode' is given 2 times"):
        dialect().create_connect_args(url)


def test_options_of_the_engine() -> None:
    def loads(text: str) -> object:
        return text

    made = dialect(client_encoding="latin1", json_deserializer=loads)
    arguments = made.create_connect_args(make_url("postgresql+ibutsu://"))[1]
    assert arguments == {"client_encoding": "latin1", "json_loads": loads}
    with pytest.warns(UserWarning, match="executemany_mode"):
        dialect(executemany_mode="values_only")
    with pytest.raises(NotImplementedError, match="native_inet_types"):
        dialect(native_inet_types=True)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (errors.OperationalError("x", sqlstate="57P01"), True),
        (errors.OperationalError("x", sqlstate="08006"), True),
        (errors.OperationalError("x", sqlstate="57014"), False),
        (errors.OperationalError("server closed the connection unexpectedly"), True),
        (errors.ProgrammingError('column "connection is closed" is not there'), False),
        (ValueError("connection is closed"), False),
    ],
)
def test_disconnection(error: Exception, lost: bool) -> None:
    assert dialect().is_disconnect(error, None, None) is lost


def test_statements_are_those_of_psycopg2() -> None:
    columns = (
        Column("id", Integer, primary_key=True),
        Column("name", String(30)),
        Column("day", Date),
        Column("price", Numeric(9, 2)),
    )
    table = Table("t", MetaData(), *columns)
    ours, stock = dialect(), psycopg2.dialect()  # type: ignore[no-untyped-call]
    for statement in (
        table.insert(),
        table.select().where(table.c.name == "5%").where(table.c.day > "2026-01-01"),
        table.update().where(table.c.id.in_([1, 2])).values(price=1),
    ):
        theirs = str(statement.compile(dialect=stock))
        assert str(statement.compile(dialect=ours)) == theirs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", []),
        ("{a,NULL,null}", ["a", None, None]),
        ('{"NULL","","a,b","q\\"\\\\","{}"}', ["NULL", "", "a,b", 'q"\\', "{}"]),
        ("{{a b,c},{d,NULL}}", [["a b", "c"], ["d", None]]),
        ("[0:1]={5,6}", ["5", "6"]),
    ],
)
def test_text_of_arrays(text: str, expected: list[object]) -> None:
    assert parse_array(text) == expected
