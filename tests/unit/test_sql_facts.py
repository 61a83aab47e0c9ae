"""sql_facts(): what goes in and what comes out; the facts have tests of their own."""

from __future__ import annotations

import pytest

from ibutsu_migrate._core import sql_facts, sql_tokens


def test_all_the_facts() -> None:
    assert sql_facts("-- ä\nCREATE INDEX CONCURRENTLY i ON s.t (a);") == {
        "statements": 1,
        "unsure": False,
        "returns_rows": False,
        "transaction_control": False,
        "own_transaction": True,
        "changes_text_settings": False,
        "deferrable": False,
        "verb": "CREATE",
        "main_verb": "CREATE",
        "object": "INDEX",
        "concurrently": True,
        "verb_offset": 6,
        "name_offset": 32,
        "name_len": 1,
    }


def test_text_and_bytes_are_the_same() -> None:
    sql = "DROP TABLE täble"
    assert (
        sql_facts(sql) == sql_facts(sql.encode()) == sql_facts(bytearray(sql.encode()))
    )
    assert sql_facts(sql)["name_len"] == 6


def test_a_script_may_be_cut_at_any_byte() -> None:
    assert sql_facts(b"DROP TABLE t\xc3")["statements"] == 1
    assert sql_facts(b"DROP TABLE a\0; DROP TABLE b")["unsure"]


def test_standard_conforming_strings_is_the_sessions() -> None:
    sql = r"NOTIFY a, '\'; NOTIFY b, '"
    assert sql_facts(sql)["unsure"]
    assert sql_facts(sql, standard_conforming_strings=False)["statements"] == 1


@pytest.mark.parametrize(
    ("sql", "error"),
    [(None, TypeError), (1, TypeError), ("\ud800", UnicodeEncodeError)],
)
def test_other_things_are_refused(sql: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        sql_facts(sql)


def test_tokens() -> None:
    sql = "SELECT \"a b\".é, $1, 'x' -- nothing\n;"
    raw = sql.encode()
    tokens = sql_tokens(sql)
    assert tokens == sql_tokens(raw) == sql_tokens(bytearray(raw))
    assert [(kind, raw[begin:end].decode()) for kind, begin, end in tokens] == [
        *(("WORD", "SELECT"), ("QUOTED", '"a b"'), ("SYMBOL", "."), ("WORD", "é")),
        *(("SYMBOL", ","), ("PARAM", "$1"), ("SYMBOL", ","), ("STRING", "'x'")),
        ("SYMBOL", ";"),
    ]
    assert sql_tokens("") == []
    assert sql_tokens("'a\\'b'", False) == [("STRING", 0, 6)]
    assert sql_tokens("1 'open")[-1][0] == "BAD"
    with pytest.raises(TypeError):
        sql_tokens(1)  # type: ignore[arg-type]
