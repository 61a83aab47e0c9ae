"""Blocks around a statement, and its row count: who may act on them, waits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from queued_runs import FEW, MANY, MANY_TRIPS, Outcome, Scripts, same

pytest.importorskip(
    "ibutsu_migrate.engine.dbapi",
    reason="built without the PostgreSQL driver (IBUTSU_MIGRATE_WITHOUT_PQ)",
    exc_type=ImportError,
)

Both = Callable[..., tuple[Outcome, Outcome]]


def test_a_batch_is_queued(scripts: Scripts, both: Both) -> None:
    scripts.switch = "fast"
    batch = "with op.batch_alter_table('ta') as batch:\n    batch."
    columns = (f"{batch}add_column(sa.Column('c{n}', sa.Text))" for n in range(20))
    scripts.add("\n".join(("op.execute('CREATE TABLE ta (a int)')", *columns)))
    without, queued = both()
    same(without, queued)
    assert without.error is None
    assert queued.round_trips <= FEW
    assert without.round_trips > MANY_TRIPS
    scripts.add(f"{batch}drop_column('no')\nop.execute('DROP TABLE ta')")
    without, queued = both()
    same(without, queued)
    assert queued.error == "ProgrammingError"
    assert queued.line is not None


AROUND = """
import contextlib

@contextlib.contextmanager
def around(bind):
    helper(bind, "CREATE TABLE first (a int)")
    yield
    helper(bind, "CREATE TABLE last (a int)")

@contextlib.contextmanager
def careful(bind):
    try:
        yield
    except sa.exc.ProgrammingError as error:
        raise KeyError("mine") from error

@contextlib.contextmanager
def both(bind):
    yield from careful.__wrapped__(bind)

class Careful:
    def __init__(self, bind):
        pass
    def __enter__(self):
        pass
    def __exit__(self, kind, error, traceback):
        if error is not None:
            raise KeyError("mine") from error
"""


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_a_manager_that_lets_errors_through(scripts: Scripts, both: Both) -> None:
    scripts.switch = "fast"
    batch = "with around(op.get_bind()), op.batch_alter_table('base') as batch:\n"
    batch += "    batch.add_column(sa.Column('b', sa.Text))\n"
    scripts.add(
        f"op.execute('CREATE TABLE base (a int)')\n{batch}"
        "op.execute('DROP TABLE first')\nop.execute('DROP TABLE last')\n"
        f"with around(op.get_bind()):\n{indented(MANY)}",
        AROUND,
    )
    without, queued = both()
    same(without, queued)
    assert without.error is None
    assert queued.round_trips <= FEW
    scripts.add("op.execute('DROP TABLE last')\nop.execute('DROP TABLE first')")
    scripts.add(
        "with around(op.get_bind()):\n    op.execute('DROP TABLE nowhere')", AROUND
    )
    without, queued = both()
    same(without, queued)
    assert queued.error == "ProgrammingError"
    assert 'table "nowhere" does not exist' in str(queued.message)


@pytest.mark.parametrize(
    "block",
    [
        "with careful(op.get_bind()):",
        "with both(op.get_bind()):",
        "with Careful(op.get_bind()):",
        "with around(op.get_bind()), careful(op.get_bind()):",
        "around = careful\nwith around(op.get_bind()):",
        "with globals()['careful'](op.get_bind()):",
        "with contextlib.ExitStack() as stack:\n"
        "    stack.enter_context(careful(op.get_bind()))",
    ],
)
def test_a_manager_that_acts_on_errors(
    scripts: Scripts, both: Both, block: str
) -> None:
    scripts.add(f"{block}\n    op.execute('DROP TABLE nowhere')", AROUND)
    without, queued = both()
    same(without, queued)
    assert queued.error == "KeyError"


def test_an_error_that_leaves_a_block(scripts: Scripts, both: Both) -> None:
    manager = """
import contextlib

@contextlib.contextmanager
def around(bind):
    try:
        yield
    except ValueError:
        helper(bind, "DROP TABLE nowhere")
"""
    scripts.add(
        "try:\n    with around(op.get_bind()):\n        raise ValueError('no')\n"
        "except sa.exc.ProgrammingError as error:\n    raise KeyError('mine')",
        manager,
    )
    without, queued = both()
    same(without, queued)
    assert queued.error == "KeyError"


def test_a_manager_in_a_local_name(scripts: Scripts, both: Both) -> None:
    scripts.switch = "fast"
    scripts.add(f"mine = around\nwith mine(op.get_bind()):\n{indented(MANY)}", AROUND)
    without, queued = both()
    same(without, queued)
    assert without.error is None
    assert queued.round_trips <= FEW


QUIET = """
quiet = {value}
try:
{body}
finally:
    if quiet:
        raise KeyError("mine")
"""


@pytest.mark.parametrize("value", ["False", "None"])
def test_a_finally_that_does_nothing(scripts: Scripts, both: Both, value: str) -> None:
    scripts.switch = "fast"
    scripts.add(QUIET.format(value=value, body=indented(MANY)))
    without, queued = both()
    same(without, queued)
    assert without.error is None
    assert queued.round_trips <= FEW
    scripts.add(QUIET.format(value=value, body="    op.execute('DROP TABLE nowhere')"))
    without, queued = both()
    same(without, queued)
    assert queued.error == "ProgrammingError"


ENDS = """
{flag}
try:
    op.execute('DROP TABLE nowhere')
{rest}
"""
RAISE = "raise KeyError('mine')"


@pytest.mark.parametrize(
    ("flag", "rest"),
    [
        ("quiet = True", f"finally:\n    if quiet: {RAISE}"),
        ("quiet = [1]", f"finally:\n    if quiet: {RAISE}"),
        ("quiet = 1", f"    quiet = 0\nfinally:\n    if quiet: {RAISE}"),
        ("quiet = False", f"finally:\n    if not quiet: {RAISE}"),
        ("quiet = False", f"finally:\n    if quiet: pass\n    else: {RAISE}"),
        ("quiet = False", f"finally:\n    if quiet: pass\n    {RAISE}"),
        (
            "quiet = False",
            f"except Exception: {RAISE}\nfinally:\n    if quiet: pass",
        ),
    ],
)
def test_a_finally_that_does_something(
    scripts: Scripts, both: Both, flag: str, rest: str
) -> None:
    scripts.add(ENDS.format(flag=flag, rest=rest))
    without, queued = both()
    same(without, queued)
    assert queued.error == "KeyError"


def test_a_finally_whose_flag_is_set_in_between(scripts: Scripts, both: Both) -> None:
    scripts.switch = "fast"
    scripts.add(
        f"done = False\ntry:\n{indented(MANY)}    done = True\n"
        "finally:\n    if done:\n        op.execute('CREATE TABLE z (a int)')"
    )
    without, queued = both()
    same(without, queued)
    assert queued.error is None
    assert queued.round_trips > MANY_TRIPS


@pytest.mark.parametrize(("last", "waits"), [("pass", False), ("done = 1", True)])
def test_a_finally_whose_flag_is_a_parameter(
    scripts: Scripts, both: Both, last: str, waits: bool
) -> None:
    scripts.switch = "fast"
    body = indented(MANY.replace("op.execute(", "helper(op.get_bind(), "))
    end = f"        {last}\n    finally:\n        if done: print()\n"
    scripts.add("work()", f"def work(done=False):\n    try:\n{indented(body)}{end}")
    without, queued = both()
    same(without, queued)
    assert without.error is None
    assert (queued.round_trips > MANY_TRIPS) is waits


ITEMS = """
import sqlalchemy.orm

Base = sa.orm.declarative_base()


class Item(Base):
    __tablename__ = "item"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.Text)


def rename(session, name):
    return session.query(Item).update({"name": name})


seen = []


def listen(session):
    sa.event.listen(session, "after_bulk_update", lambda context: seen.append(context))
"""
MAKE = "op.execute('CREATE TABLE item (id int, name text)')\n"
FILL = "op.execute('INSERT INTO item SELECT n FROM generate_series(1, 3) n')\n"
SESSION = "session = sa.orm.Session(op.get_bind())\n"


@pytest.mark.parametrize(
    ("line", "waits"),
    [
        ("session.query(Item).update({'name': 'x@'})", False),
        ("session.query(Item).filter_by(id=@).delete()", False),
        ("count = session.query(Item).update({'name': 'x@'})\nassert count == 3", True),
        ("assert session.query(Item).update({'name': 'x@'}) == 3", True),
        ("rename(session, 'x@')", True),
        (
            "listen(session)\nsession.query(Item).update({'name': 'x@'})\n"
            "assert seen[-1].result.rowcount == 3",
            True,
        ),
    ],
)
def test_the_count_of_a_query(
    scripts: Scripts, both: Both, line: str, waits: bool
) -> None:
    scripts.switch = "fast"
    lines = [line.replace("@", str(number)) for number in range(20)]
    scripts.add("\n".join((MAKE, FILL, SESSION, *lines)), ITEMS)
    without, queued = both()
    same(without, queued)
    assert without.error is None
    assert without.round_trips > MANY_TRIPS
    assert (queued.round_trips > MANY_TRIPS) is waits
    gone = "op.execute('DROP TABLE item')\n"
    scripts.add(f"{gone}{SESSION}{lines[0]}\nop.execute('SELECT 1')", ITEMS)
    without, queued = both()
    same(without, queued)
    assert without.error is not None


@pytest.mark.parametrize(
    "line", ["session.query(Item).update({'id': 1 << 40})", "assert rename(session, 1)"]
)
def test_a_query_that_fails(scripts: Scripts, both: Both, line: str) -> None:
    check = "op.execute('ALTER TABLE item ADD CHECK (name <> $$1$$)')\n"
    scripts.add(f"{MAKE}{FILL}{check}{SESSION}{line}\nop.execute('SELECT 1')", ITEMS)
    without, queued = both()
    same(without, queued)
    assert queued.error in ("DataError", "IntegrityError")
    assert queued.line is not None
