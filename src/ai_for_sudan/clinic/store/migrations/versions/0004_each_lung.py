"""What a reading says of each lung, and its lower cut-off, have columns, filled from its line where that has them."""

from alembic import op

revision, down_revision = "0004", "0003"

COLUMNS = {"side": "VARCHAR", **dict.fromkeys(("right_lung", "left_lung", "abnormal", "not_seen_below"), "DOUBLE")}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.execute(f"ALTER TABLE readings ADD COLUMN {name} {kind}")
    filled = ", ".join(f"{name} = json_extract(line, '$.{name}')" for name in COLUMNS)
    op.execute(f"UPDATE readings SET {filled}")
