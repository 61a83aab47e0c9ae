"""The data that revisions 5 and 6 of ``alembic/`` change."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import sqlalchemy as sa
from alembic.util import CommandError
from server.models import db
from server_database import (
    CASCADE,
    MOVE,
    NOW,
    PERCENT,
    SOURCE,
    TARGET,
    Server,
    ids,
    without_index_names,
)
from server_schema import expected_catalogue
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Database

SHAPES = {
    "object": {"a": 1},
    "empty": {},
    "json-null": sa.JSON.NULL,
    "sql-null": sa.null(),
    "array": [1, 2],
    "text": "plain",
}


def with_projects(server: Server, *projects: str) -> None:
    server.upgrade(CASCADE)
    for project in projects:
        server.insert("projects", {"id": project, "name": project})


def fill_source(server: Server) -> None:
    """One run per shape, and one of everything else, in the source project."""
    both, mine = ids(2)
    for number, shape in zip(ids(len(SHAPES)), SHAPES.values(), strict=True):
        run = {"id": number, "project_id": SOURCE, "created": NOW, "start_time": NOW}
        with server.begin() as connection:
            statement = db.metadata.tables["runs"].insert()
            connection.execute(statement.values(**run, data=shape))
    one = {"id": both, "project_id": SOURCE}
    server.insert("results", {**one, "start_time": NOW, "data": {"a": 1}})
    server.insert("dashboards", {**one, "title": "d"})
    server.insert("widget_configs", {**one, "params": {"b": 2}})
    for number in (both, mine):
        user = {"id": number, "email": number, "is_active": True}
        server.insert("users", {**user, "is_superadmin": False})
        server.insert("users_projects", {"user_id": number, "project_id": SOURCE})
    server.insert("users_projects", {"user_id": both, "project_id": TARGET})


def runs_of(server: Server) -> dict[str, tuple[Any, ...]]:
    """Project and data of each run."""
    return {
        row[0]: row[1:] for row in server.select("runs", "id", "project_id", "data")
    }


def test_everything_moves_and_is_marked(server: Server) -> None:
    with_projects(server, SOURCE, TARGET)
    fill_source(server)
    before = dict(server.select("runs", "id", "data"))
    server.upgrade(MOVE)
    mark = {"moved_from": SOURCE}
    runs = runs_of(server)
    wanted = [{"a": 1, **mark}, mark, mark, mark, [1, 2], "plain"]
    assert [runs[number] for number in ids(6)] == [(TARGET, data) for data in wanted]
    results = server.select("results", "project_id", "data")
    assert results == [(TARGET, {"a": 1, **mark})]
    widgets = server.select("widget_configs", "project_id", "params")
    assert widgets == [(TARGET, {"b": 2, **mark})]
    assert server.select("dashboards", "project_id") == [(TARGET,)]
    members = server.select("users_projects", "user_id", "project_id")
    assert sorted(members) == [(number, TARGET) for number in ids(2)]

    server.downgrade(CASCADE)
    runs = runs_of(server)
    marked = [(SOURCE, before[number] or {}) for number in ids(4)]
    kept = [(TARGET, before[number]) for number in ids(6)[4:]]
    assert [runs[number] for number in ids(6)] == marked + kept
    assert server.select("results", "project_id", "data") == [(SOURCE, {"a": 1})]
    assert server.select("dashboards", "project_id") == [(TARGET,)]


def test_without_the_source_nothing_moves(server: Server) -> None:
    with_projects(server, TARGET)
    run = {"id": ids(1)[0], "created": NOW, "start_time": NOW, "data": {"a": 1}}
    server.insert("runs", {**run, "project_id": TARGET})
    server.upgrade(MOVE)
    assert server.version() == [MOVE]
    assert server.select("runs", "project_id", "data") == [(TARGET, {"a": 1})]


def test_without_the_target_it_fails(server: Server) -> None:
    with_projects(server, SOURCE)
    with pytest.raises(CommandError, match=f"to project {TARGET}, which is not in"):
        server.upgrade(MOVE)
    assert server.version() == [CASCADE]


def test_other_projects_are_named_on_the_command_line(server: Server) -> None:
    source, target = ids(2)
    with_projects(server, source, target)
    server.insert("dashboards", {"id": source, "project_id": source})
    server.upgrade(MOVE, f"source={source}", f"target={target}")
    assert server.select("dashboards", "project_id") == [(target,)]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (["source=no-uuid"], "-x source=no-uuid is not the UUID of a project"),
        ([f"source={SOURCE}", f"target={SOURCE}"], "are the same project"),
    ],
)
def test_projects_that_cannot_be_meant(
    server: Server, x: list[str], message: str
) -> None:
    server.upgrade(CASCADE)
    with pytest.raises(CommandError, match=message):
        server.upgrade(MOVE, *x)
    assert server.version() == [CASCADE]


def test_moving_refuses_to_be_a_script(server: Server) -> None:
    with pytest.raises(CommandError, match="cannot be written as a script"):
        server.script(f"{CASCADE}:{MOVE}")


# A summary as one of the reporters sent it, and the share of its tests that passed.
SUMMARIES: list[tuple[Any, int | None]] = [
    ({"tests": 3, "passes": 2}, 66),
    ({"tests": 3, "passes": 3}, 100),
    ({"tests": 200, "passes": 199}, 99),
    ({"tests": 29, "passes": 29}, 100),
    ({"tests": "8", "passes": " 4 "}, 50),
    ({"total": 4, "passed": 1}, 25),
    ({"tests": 10, "failures": 1, "errors": 2, "skips": 3}, 40),
    ({"tests": 10, "failed": 1, "skipped": 1, "xfailures": 1, "xpasses": 1}, 60),
    ({"tests": 10, "passes": 40}, 100),
    ({"tests": 10, "failures": 40}, 0),
    ({"tests": 10, "passes": -1}, 0),
    ({"tests": 0, "passes": 5}, 0),
    ({"tests": -4, "passes": 5}, 0),
    ({"tests": 7.0, "passes": 3.5}, 50),
    ({"tests": "many", "total": 2, "passes": 1}, 50),
    ({"tests": True, "passes": True}, 0),
    ({"tests": {"all": 3}}, 0),
    ({"tests": 2, "passes": 1, "pass_percent": "12.5"}, 50),
    ({"tests": 2, "passes": 1, "pass_percent": 50, "kept": [1]}, 50),
    ({}, 0),
    (sa.JSON.NULL, 0),
    (sa.null(), 0),
    ([], None),
    ("broken", None),
]


def test_pass_percent_of_every_shape(server: Server) -> None:
    server.upgrade(MOVE)
    statement = db.metadata.tables["runs"].insert()
    numbers = ids(len(SUMMARIES))
    with server.begin() as connection:
        for number, (summary, _) in zip(numbers, SUMMARIES, strict=True):
            run = {"id": number, "created": NOW, "start_time": NOW}
            connection.execute(statement.values(**run, summary=summary))
    before = dict(server.select("runs", "id", "summary"))
    server.upgrade()
    after = dict(server.select("runs", "id", "summary"))
    for number, (_, percent) in zip(numbers, SUMMARIES, strict=True):
        if percent is None:
            assert after[number] == before[number]
        else:
            assert after[number] == {**(before[number] or {}), "pass_percent": percent}
    server.downgrade(MOVE)
    for number, summary in server.select("runs", "id", "summary"):
        if isinstance(after[number], dict):
            assert summary == without_percent(after[number])
        else:
            assert summary == before[number]


def without_percent(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key != "pass_percent"}


def many_runs(server: Server, count: int) -> None:
    run = {"created": NOW, "start_time": NOW, "summary": {"tests": 4, "passes": 3}}
    server.insert("runs", *({**run, "id": number} for number in ids(count)))


def test_batches(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.upgrade(MOVE)
    many_runs(server, 10_001)
    with caplog.at_level(logging.INFO, "alembic.ibutsu"):
        server.upgrade()
    assert len(progress(caplog)) == 3
    found = server.select("runs", "summary")
    assert found == [({"tests": 4, "passes": 3, "pass_percent": 75},)] * 10_001


def progress(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.getMessage().startswith("pass_percent:")
    ]


def test_a_lock_waited_for_in_vain_names_its_holder_and_keeps_what_is_done(
    on_postgresql: Server, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    server = on_postgresql
    server.upgrade(MOVE)
    many_runs(server, 5_001)
    holder = psycopg2.connect(database.dsn, application_name="the-scheduler")
    try:
        with holder.cursor() as cursor:
            last = ids(5_001)[-1]
            cursor.execute("SELECT 1 FROM runs WHERE id = %s FOR UPDATE", (last,))
        with pytest.raises(DBAPIError, match="lock timeout"):
            server.upgrade()
        pid = holder.info.backend_pid
    finally:
        holder.close()
    warned = [text for text in caplog.messages if text.startswith("may be blocking")]
    assert len(warned) == 1
    assert f"pid {pid} " in warned[0]
    assert "the-scheduler" in warned[0]
    assert "RowShareLock" in warned[0]
    assert server.version() == [MOVE]
    done = [row for row in server.select("runs", "summary") if "pass_percent" in row[0]]
    assert len(done) == 5_000

    caplog.clear()
    server.upgrade()
    assert progress(caplog)[-1].endswith("5001 runs looked at, 1 changed")
    assert server.version() == [PERCENT]


def test_an_invalid_index_of_an_earlier_run_is_built_again(
    on_postgresql: Server, database: Database
) -> None:
    server = on_postgresql
    server.upgrade(MOVE)
    with server.begin() as connection:
        connection.exec_driver_sql("CREATE INDEX ixpg_runs_pass_percent ON runs (id)")
        connection.exec_driver_sql(
            "UPDATE pg_index SET indisvalid = false "
            "WHERE indexrelid = 'ixpg_runs_pass_percent'::regclass"
        )
    server.upgrade()
    assert without_index_names(server.catalogue()) == expected_catalogue()
