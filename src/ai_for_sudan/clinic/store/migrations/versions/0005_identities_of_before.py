"""Films that came before identities were kept have that of their patient: it is all that the database knows."""

from alembic import op

revision, down_revision = "0005", "0004"


def upgrade() -> None:
    known = ", ".join(f"'{name}', patients.{name}" for name in ("identifier", "issuer", "name", "birth_date", "sex"))
    op.execute(
        f"UPDATE films SET came_as = (SELECT json_object({known}) FROM studies JOIN patients "
        "ON patient_id = patients.id WHERE studies.id = films.study_id) WHERE came_as IS NULL"
    )
