"""Wide header, as formatters leave it

Revision ID: a
Revises: b
"""

from collections.abc import Sequence

revision: str = "a"
down_revision: str | None = (
    # the trunk
    "b"
)
branch_labels: str | Sequence[str] | None = (
    "feature-one",
    "feature-" "two",
)
depends_on: str | Sequence[str] | None = {
    "c",
    "d",
}


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
