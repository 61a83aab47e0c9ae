"""Generated revision histories of a given size and shape.

The files look like what Alembic's generic template writes, so that both sides read
what they would read in the field.
"""

from __future__ import annotations

from pathlib import Path

_FILE = '''"""Change number {number}

Revision ID: {revision}
Revises: {revises}
Create Date: 2026-01-01 00:00:00.000000

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = {revision!r}
down_revision: Union[str, Sequence[str], None] = {down!r}
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "t{number}",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("t{number}")
'''

_ENV = """\
from alembic import context

context.configure(dialect_name="postgresql")
"""


def identifier(number: int) -> str:
    """Twelve hexadecimal digits that do not sort by creation, as Alembic's do not.

    Args:
        number: Place in the history, from 0.
    """
    # A Weyl sequence with an odd step visits every value once: no two are equal.
    return f"{(number * 0x9E3779B97F4A7C15) % (1 << 48):012x}"


def parents(number: int, merge_every: int | None) -> tuple[str, ...]:
    """What revision ``number`` comes after.

    Args:
        number: Place in the history, from 0.
        merge_every: None for a straight line; otherwise every so many revisions the
            history forks in two and the next revision merges both.
    """
    if number == 0:
        return ()
    if merge_every is None:
        return (identifier(number - 1),)
    place = number % merge_every
    if place == merge_every - 1 and number >= 2:  # second arm of the fork
        return (identifier(number - 2),)
    if place == 0 and number >= merge_every:  # the merge
        return (identifier(number - 2), identifier(number - 1))
    return (identifier(number - 1),)


def write_history(folder: Path, count: int, merge_every: int | None = None) -> Path:
    """Write an Alembic environment with ``count`` revisions.

    Args:
        folder: Made if missing; holds ``alembic.ini`` and ``migrations/``.
        count: Number of revisions.
        merge_every: As in :func:`parents`.

    Returns:
        The path of ``alembic.ini``.
    """
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    for number in range(count):
        revision, down = identifier(number), parents(number, merge_every)
        text = _FILE.format(
            number=number,
            revision=revision,
            revises=", ".join(down),
            down=None if not down else down[0] if len(down) == 1 else down,
        )
        (versions / f"{revision}_change_number_{number}.py").write_text(text)
    (folder / "migrations" / "env.py").write_text(_ENV)
    ini = folder / "alembic.ini"
    ini.write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    return ini
