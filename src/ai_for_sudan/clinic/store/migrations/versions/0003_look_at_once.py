"""Films of which one side is white stand before all others, also those that were read before."""

from alembic import op

revision, down_revision = "0003", "0002"


def upgrade() -> None:
    newest = "SELECT max(id) FROM readings GROUP BY film_id"
    codes = "codes LIKE '%\"white_side\"%' OR codes LIKE '%\"one_lung\"%'"
    op.execute(
        f"UPDATE films SET urgency = -1 WHERE id IN (SELECT film_id FROM readings WHERE id IN ({newest}) AND ({codes}))"
    )
