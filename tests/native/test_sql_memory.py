"""Out of memory in sql_tokens(): MemoryError or success, and nothing is leaked."""

from __future__ import annotations

import sys

import pytest

from ibutsu_migrate._core import sql_tokens

testcapi = pytest.importorskip(
    "_testcapi", reason="this Python was built without its test modules"
)

SQL = (
    "ALTER TABLE \"a b\".c ADD x varchar(10) DEFAULT 'y', ADD z int -- all kinds, $1\n"
)


def test_every_allocation_fails_once() -> None:
    whole = sql_tokens(SQL)
    failed = 0
    for start in range(1, 400):
        testcapi.set_nomemory(start, start + 1)
        try:
            found = sql_tokens(SQL)
        except MemoryError:
            failed += 1
        else:
            testcapi.remove_mem_hooks()
            assert found == whole
        finally:
            testcapi.remove_mem_hooks()
    assert failed > 10


def test_nothing_is_leaked() -> None:
    sql_tokens(SQL)
    before = sys.getallocatedblocks()
    for _ in range(200):
        sql_tokens(SQL)
    assert sys.getallocatedblocks() - before < 50
