"""A film keeps the identity that it came with; results have occasions; a destination says how it confirms."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

#: constraints of the first tables have no names; these are given to them to drop them by
NAMES = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def upgrade() -> None:
    with op.batch_alter_table("patients", recreate="always", naming_convention=NAMES) as batch_op:
        batch_op.drop_constraint("uq_patients_identifier", type_="unique")
        batch_op.create_index("patients_number", ["identifier", "issuer"])
    with op.batch_alter_table("studies", recreate="always", naming_convention=NAMES) as batch_op:
        batch_op.drop_constraint("uq_studies_uid", type_="unique")
        batch_op.create_unique_constraint("uq_studies_uid_patient", ["uid", "patient_id"])
    with op.batch_alter_table("results", recreate="always", naming_convention=NAMES) as batch_op:
        batch_op.add_column(sa.Column("occasion", sa.String(), nullable=False, server_default=""))
        batch_op.drop_constraint("uq_results_reading_id", type_="unique")
        batch_op.create_unique_constraint("uq_results_occasion", ["reading_id", "kind", "occasion"])
    states = "'waiting', 'sent', 'confirmed', 'accepted', 'refused', 'lost', 'cancelled'"
    with op.batch_alter_table("deliveries", recreate="always") as batch_op:
        batch_op.add_column(sa.Column("uncertain", sa.Boolean(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("asked", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("commitment", sa.String(), nullable=False, server_default=""))
        batch_op.create_index("ix_deliveries_commitment", ["commitment"])
        batch_op.create_check_constraint("state_known", f"state IN ({states})")
    for column in ("confirmation VARCHAR NOT NULL DEFAULT 'query'", "unconfirmed VARCHAR NOT NULL DEFAULT ''"):
        op.execute(f"ALTER TABLE destinations ADD COLUMN {column}")
    known = "CONSTRAINT identity_known CHECK (identity IN ('unknown', 'sent', 'contradicted', 'signed'))"
    for column in (
        "file_name VARCHAR NOT NULL DEFAULT ''",
        "came_as JSON",
        f"identity VARCHAR NOT NULL DEFAULT 'unknown' {known}",
        "updated_at VARCHAR(27) NOT NULL DEFAULT '1970-01-01T00:00:00.000000Z'",
    ):
        op.execute(f"ALTER TABLE films ADD COLUMN {column}")
    op.create_index("ix_films_identity", "films", ["identity"])
    op.create_index("ix_films_updated_at", "films", ["updated_at"])
    op.execute(
        "UPDATE films SET identity = 'sent' WHERE study_id IN (SELECT id FROM studies WHERE patient_id IS NOT NULL)"
    )
    op.execute("UPDATE films SET file_name = source WHERE origin = 'upload'")
    _date_changes()
    op.create_table(
        "contradictions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("film_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("found_at", sa.String(27), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("decided_at", sa.String(27), nullable=True),
        sa.CheckConstraint("kind IN ('number', 'study', 'instance')", name="kind_known"),
        sa.CheckConstraint("decision IN ('', 'apart', 'merge', 'correct')", name="decision_known"),
        sa.ForeignKeyConstraint(["film_id"], ["films.id"]),
        sa.ForeignKeyConstraint(["other_id"], ["films.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("film_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("signed_at", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["film_id"], ["films.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "strangers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.String(27), nullable=True),
        sa.Column("tried_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    for table, columns in (("contradictions", ("film_id", "other_id", "decision")), ("corrections", ("film_id",))):
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def _date_changes() -> None:
    """Give every film the time of its last change; no two the same, so that whoever asks by it misses none."""
    connection = op.get_bind()
    last = datetime(1970, 1, 1)
    rows = connection.execute(
        sa.text(
            "SELECT id, max(arrived_at, coalesce((SELECT max(read_at) FROM readings WHERE film_id = films.id), ''), "
            "coalesce((SELECT max(signed_at) FROM verdicts WHERE film_id = films.id), '')) AS changed FROM films "
            "ORDER BY changed, id"
        )
    ).all()
    for number, changed in rows:
        last = max(datetime.strptime(changed, FORMAT), last + timedelta(microseconds=1))
        connection.execute(
            sa.text("UPDATE films SET updated_at = :at WHERE id = :id"), {"at": last.strftime(FORMAT), "id": number}
        )
