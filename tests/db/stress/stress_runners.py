"""Long forms of the lock's tests: ``make stress``, or with fewer ROUNDS by hand.

Ten runners on an empty database, and leaders killed at random moments. Prints the
figures; with ``IBUTSU_MIGRATE=off`` for the runners, what stock Alembic does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from safe_runs import EACH_ITS_OWN, EFFECT, OUTSIDE, SAFE, query, stock_env, write_env

if TYPE_CHECKING:
    from ibutsu_migrate.testing.cluster import Cluster, Database

    from ..conftest import Shop

ROUNDS = int(os.environ.get("ROUNDS", "100"))
RUNNERS = 10
HERD = Path(__file__).with_name("herd.py")


def prepare(shop: Shop, configure: str, effect: str) -> None:
    shop.environ.update(SAFE)
    shop.environ.update({k: v for k, v in os.environ.items() if k == "IBUTSU_MIGRATE"})
    write_env(shop.folder, stock_env(configure=configure))
    shop.add("a1", upgrade="op.create_table('effect', sa.Column('name', sa.Text))")
    shop.add("b2", "a1", effect.format(name="b2"))
    table = "op.create_table('item', sa.Column('id', sa.Integer))"
    shop.add("c3", "b2", table)
    shop.add("d4", "c3", effect.format(name="d4"))


def herd(shop: Shop, database: Database, *arguments: str) -> dict[str, Any]:
    urls = {"DATABASE": database.url("psycopg2"), "DSN": database.dsn}
    command = ("python", str(HERD), str(shop.folder), str(RUNNERS), *arguments)
    # On a machine that has other work, starting ten processes takes its time.
    result = shop.finish(shop.start(*command, **urls), timeout=600)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def state(database: Database) -> tuple[list[str], list[str]]:
    return (
        query(database, "SELECT name FROM effect ORDER BY 1"),
        query(database, "SELECT * FROM alembic_version"),
    )


@pytest.mark.parametrize("effect", [EFFECT, OUTSIDE], ids=["inside", "outside"])
@pytest.mark.parametrize("configure", ["", EACH_ITS_OWN], ids=["one", "each"])
def test_runners(
    configure: str, effect: str, shop: Shop, postgres_cluster: Cluster
) -> None:
    prepare(shop, configure, effect)
    codes: Counter[int] = Counter()
    wrong = 0
    for _ in range(ROUNDS):
        with postgres_cluster.create_database() as database:
            codes.update(herd(shop, database)["codes"])
            wrong += state(database) != (["b2", "d4"], ["d4"])
    print(
        f"\n{ROUNDS} rounds of {RUNNERS}: exit codes {dict(codes)}, {wrong} wrong ends"
    )
    sys.stdout.flush()
    assert (dict(codes), wrong) == ({0: ROUNDS * RUNNERS}, 0)


@pytest.mark.parametrize("configure", ["", EACH_ITS_OWN], ids=["one", "each"])
def test_killed_leaders(configure: str, shop: Shop, postgres_cluster: Cluster) -> None:
    prepare(shop, configure, EFFECT)
    pause = "op.execute('SELECT pg_sleep(0.2)')"
    shop.add("d4", "c3", f"{pause}\n    {EFFECT.format(name='d4')}\n    {pause}")
    killed: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    resumed, wrong, within = [], 0, ""
    for _ in range(ROUNDS + 1):
        with postgres_cluster.create_database() as database:
            found = herd(shop, database, *filter(None, [within]))
            codes.update(found["codes"])
            wrong += state(database) != (["b2", "d4"], ["d4"])
            if found["killed"] is not None:
                killed[found["killed"]] += 1
                resumed.append(found["resumed"])
            else:
                # The first round kills nobody: it shows how long the lock is held.
                within = str(found["held"])
    slowest, dead = max(resumed, default=0.0), killed.total()
    print(f"\n{dead} of {ROUNDS} leaders killed, {dict(sorted(killed.items()))}")
    print(f"exit codes {dict(codes)}, {wrong} wrong ends")
    print(f"another one held the lock after {slowest:.2f} s at the most")
    sys.stdout.flush()
    assert dead > ROUNDS / 2
    assert dict(codes) == {0: (ROUNDS + 1) * RUNNERS - dead, -signal.SIGKILL: dead}
    assert wrong == 0
    assert slowest < 2
