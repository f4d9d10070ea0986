"""The first tables."""

from alembic import op

revision, down_revision = "0001", None

TABLES = """
CREATE TABLE patients (
  id INTEGER NOT NULL, identifier VARCHAR NOT NULL, issuer VARCHAR NOT NULL, name VARCHAR NOT NULL,
  birth_date VARCHAR NOT NULL, sex VARCHAR NOT NULL, PRIMARY KEY (id), UNIQUE (identifier, issuer)
);
CREATE TABLE studies (
  id INTEGER NOT NULL, uid VARCHAR NOT NULL, patient_id INTEGER, accession_number VARCHAR NOT NULL,
  study_id VARCHAR NOT NULL, date VARCHAR NOT NULL, time VARCHAR NOT NULL, description VARCHAR NOT NULL,
  arrived_at VARCHAR(27) NOT NULL, PRIMARY KEY (id), FOREIGN KEY (patient_id) REFERENCES patients (id), UNIQUE (uid)
);
CREATE TABLE films (
  id INTEGER NOT NULL, study_id INTEGER NOT NULL, file VARCHAR NOT NULL, content VARCHAR NOT NULL,
  size INTEGER NOT NULL, kind VARCHAR NOT NULL, origin VARCHAR NOT NULL, source VARCHAR NOT NULL,
  sop_uid VARCHAR NOT NULL, sop_class VARCHAR NOT NULL, series_uid VARCHAR NOT NULL,
  transfer_syntax VARCHAR NOT NULL, modality VARCHAR NOT NULL, view VARCHAR NOT NULL, age_years DOUBLE,
  sex VARCHAR NOT NULL, conflict_id INTEGER, device_id INTEGER, user_id INTEGER, arrived_at VARCHAR(27) NOT NULL,
  deleted_at VARCHAR(27), on_worklist BOOLEAN NOT NULL, status VARCHAR NOT NULL, urgency INTEGER NOT NULL,
  probability DOUBLE, review VARCHAR NOT NULL, PRIMARY KEY (id),
  CONSTRAINT origin_known CHECK (origin IN ('dicom', 'stow', 'folder', 'upload', 'phone', 'recovered')),
  FOREIGN KEY (conflict_id) REFERENCES films (id), FOREIGN KEY (device_id) REFERENCES devices (id),
  FOREIGN KEY (study_id) REFERENCES studies (id), FOREIGN KEY (user_id) REFERENCES users (id),
  UNIQUE (sop_uid, content)
);
CREATE TABLE readings (
  id INTEGER NOT NULL, film_id INTEGER NOT NULL, reader VARCHAR NOT NULL, reader_file VARCHAR NOT NULL,
  operating_point VARCHAR NOT NULL, threshold DOUBLE NOT NULL, status VARCHAR NOT NULL, probability DOUBLE,
  codes JSON NOT NULL, reasons JSON NOT NULL, warnings JSON NOT NULL, line JSON NOT NULL, pixels VARCHAR NOT NULL,
  height INTEGER, width INTEGER, heatmap BLOB, heatmap_reference DOUBLE NOT NULL, lungs BLOB,
  elapsed_ms DOUBLE NOT NULL, read_at VARCHAR(27) NOT NULL, PRIMARY KEY (id),
  FOREIGN KEY (film_id) REFERENCES films (id), UNIQUE (film_id, reader_file, operating_point)
);
CREATE TABLE results (
  id INTEGER NOT NULL, reading_id INTEGER NOT NULL, kind VARCHAR NOT NULL, sop_uid VARCHAR NOT NULL,
  sop_class VARCHAR NOT NULL, series_uid VARCHAR NOT NULL, file VARCHAR NOT NULL, size INTEGER NOT NULL,
  made_at VARCHAR(27) NOT NULL, PRIMARY KEY (id), FOREIGN KEY (reading_id) REFERENCES readings (id),
  UNIQUE (reading_id, kind), UNIQUE (sop_uid)
);
CREATE TABLE destinations (
  id INTEGER NOT NULL, name VARCHAR NOT NULL, kinds JSON NOT NULL, active BOOLEAN NOT NULL, reached_at VARCHAR(27),
  error VARCHAR NOT NULL, failed_at VARCHAR(27), failures INTEGER NOT NULL, due_at VARCHAR(27) NOT NULL,
  PRIMARY KEY (id), UNIQUE (name)
);
CREATE TABLE deliveries (
  id INTEGER NOT NULL, destination_id INTEGER NOT NULL, result_id INTEGER NOT NULL, state VARCHAR NOT NULL,
  attempts INTEGER NOT NULL, due_at VARCHAR(27) NOT NULL, error VARCHAR NOT NULL, created_at VARCHAR(27) NOT NULL,
  sent_at VARCHAR(27), confirmed_at VARCHAR(27), PRIMARY KEY (id),
  CONSTRAINT state_known CHECK (state IN ('waiting', 'sent', 'confirmed', 'refused', 'cancelled')),
  FOREIGN KEY (destination_id) REFERENCES destinations (id), FOREIGN KEY (result_id) REFERENCES results (id),
  UNIQUE (destination_id, result_id)
);
CREATE TABLE jobs (
  id INTEGER NOT NULL, kind VARCHAR NOT NULL, key VARCHAR NOT NULL, state VARCHAR NOT NULL,
  attempts INTEGER NOT NULL, due_at VARCHAR(27) NOT NULL, created_at VARCHAR(27) NOT NULL, ended_at VARCHAR(27),
  error VARCHAR NOT NULL, PRIMARY KEY (id),
  CONSTRAINT state_known CHECK (state IN ('waiting', 'running', 'done', 'failed')), UNIQUE (kind, key)
);
CREATE TABLE users (
  id INTEGER NOT NULL, name VARCHAR NOT NULL, full_name VARCHAR NOT NULL, role VARCHAR NOT NULL,
  password VARCHAR NOT NULL, language VARCHAR NOT NULL, must_change_password BOOLEAN NOT NULL,
  code_expires_at VARCHAR(27), failed_logins INTEGER NOT NULL, locked_until VARCHAR(27),
  created_at VARCHAR(27) NOT NULL, closed_at VARCHAR(27), PRIMARY KEY (id),
  CONSTRAINT role_known CHECK (role IN ('administrator', 'clinician', 'viewer')), UNIQUE (name)
);
CREATE TABLE logins (
  id INTEGER NOT NULL, token VARCHAR NOT NULL, csrf VARCHAR NOT NULL, user_id INTEGER NOT NULL,
  address VARCHAR NOT NULL, created_at VARCHAR(27) NOT NULL, seen_at VARCHAR(27) NOT NULL,
  expires_at VARCHAR(27) NOT NULL, PRIMARY KEY (id), FOREIGN KEY (user_id) REFERENCES users (id), UNIQUE (token)
);
CREATE TABLE pairings (
  id INTEGER NOT NULL, code VARCHAR NOT NULL, user_id INTEGER NOT NULL, created_at VARCHAR(27) NOT NULL,
  expires_at VARCHAR(27) NOT NULL, used_at VARCHAR(27), PRIMARY KEY (id),
  FOREIGN KEY (user_id) REFERENCES users (id), UNIQUE (code)
);
CREATE TABLE devices (
  id INTEGER NOT NULL, name VARCHAR NOT NULL, token VARCHAR NOT NULL, user_id INTEGER NOT NULL,
  paired_at VARCHAR(27) NOT NULL, seen_at VARCHAR(27), revoked_at VARCHAR(27), PRIMARY KEY (id),
  FOREIGN KEY (user_id) REFERENCES users (id), UNIQUE (token)
);
CREATE TABLE verdicts (
  id INTEGER NOT NULL, film_id INTEGER NOT NULL, reading_id INTEGER NOT NULL, user_id INTEGER NOT NULL,
  agreement VARCHAR NOT NULL, note VARCHAR NOT NULL, diagnosis VARCHAR NOT NULL, diagnosis_words VARCHAR NOT NULL,
  amends_id INTEGER, signed_at VARCHAR(27) NOT NULL, PRIMARY KEY (id),
  CONSTRAINT agreement_known CHECK (agreement IN ('agree', 'disagree', 'unsure')),
  FOREIGN KEY (amends_id) REFERENCES verdicts (id), FOREIGN KEY (film_id) REFERENCES films (id),
  FOREIGN KEY (reading_id) REFERENCES readings (id), FOREIGN KEY (user_id) REFERENCES users (id), UNIQUE (amends_id)
);
CREATE TABLE trail (
  id INTEGER NOT NULL, at VARCHAR NOT NULL, at_local VARCHAR NOT NULL, actor VARCHAR NOT NULL, act VARCHAR NOT NULL,
  subject VARCHAR NOT NULL, detail VARCHAR NOT NULL, previous VARCHAR NOT NULL, hash VARCHAR NOT NULL,
  PRIMARY KEY (id), UNIQUE (hash)
);
CREATE TABLE settings (
  key VARCHAR NOT NULL, value JSON NOT NULL, PRIMARY KEY (key)
);
CREATE INDEX deliveries_due ON deliveries (destination_id, state, due_at);
CREATE INDEX films_worklist ON films (on_worklist, urgency, arrived_at);
CREATE INDEX jobs_due ON jobs (state, kind, due_at)
"""
#: table -> columns with an index each
INDEXES = {
    "deliveries": "result_id",
    "films": "arrived_at content file review series_uid sop_uid status study_id",
    "logins": "user_id",
    "readings": "film_id pixels",
    "results": "reading_id series_uid",
    "studies": "accession_number date patient_id",
    "trail": "act actor at subject",
    "verdicts": "film_id reading_id user_id",
}


def upgrade() -> None:
    for statement in TABLES.split(";"):
        op.execute(statement)
    for table, columns in INDEXES.items():
        for column in columns.split():
            op.create_index(f"ix_{table}_{column}", table, [column])
    for table in ("trail", "verdicts"):
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or deleted'); END"
            )
