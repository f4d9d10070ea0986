"""The tables of the clinic: one class a table, one sentence a column where its name does not say it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, ClassVar

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

#: ways in
ORIGINS = ("dicom", "stow", "folder", "upload", "phone", "recovered")
ROLES = ("administrator", "clinician", "viewer")
AGREEMENTS = ("agree", "disagree", "unsure")
JOB_STATES = ("waiting", "running", "done", "failed")
DELIVERY_STATES = ("waiting", "sent", "confirmed", "accepted", "refused", "lost", "cancelled")
#: ways to know that a destination kept a result
CONFIRMATIONS = ("query", "commitment", "status")
#: how sure it is whose film it is: nobody was named; as the film came; it contradicts another film, and a person must
#: decide; a person signed it
IDENTITIES = ("unknown", "sent", "contradicted", "signed")
#: two people under one number; one examination of two people; one film under two identities
CONTRADICTIONS = ("number", "study", "instance")
DECISIONS = ("", "apart", "merge", "correct")


def now() -> datetime:
    """This moment, in UTC: the one clock of the store."""
    return datetime.now(timezone.utc)


class Utc(TypeDecorator[datetime]):
    """A moment, kept as ISO 8601 text in UTC, which sorts as it reads; naive times are refused."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; the store keeps times in UTC")
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:
        return None if value is None else datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%f%z")


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=f"{column}_known")


class Table(DeclarativeBase):
    """All tables; every time is in UTC."""

    type_annotation_map: ClassVar = {datetime: Utc, dict[str, Any]: JSON, list[str]: JSON, list[list[str]]: JSON}


class Patient(Table):
    """What a PACS and a worklist need to know one patient again; a pseudonym where the clinic asked for it.

    Two people may have come under one number: then there are two rows, and a :class:`Contradiction` names them.
    """

    __tablename__ = "patients"
    __table_args__ = (Index("patients_number", "identifier", "issuer"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: (0010,0020) Patient ID and (0010,0021) Issuer of Patient ID
    identifier: Mapped[str]
    issuer: Mapped[str] = mapped_column(default="")
    #: (0010,0010), as DICOM writes it: FAMILY^GIVEN
    name: Mapped[str] = mapped_column(default="")
    #: YYYY-MM-DD or empty
    birth_date: Mapped[str] = mapped_column(default="")
    sex: Mapped[str] = mapped_column(default="")

    studies: Mapped[list[Study]] = relationship(back_populates="patient")


class Study(Table):
    """One examination of one patient: films are grouped here after they arrived, whenever that is.

    A UID that was used for two people has a row for each.
    """

    __tablename__ = "studies"
    __table_args__ = (UniqueConstraint("uid", "patient_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str]
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"), index=True)
    accession_number: Mapped[str] = mapped_column(default="", index=True)
    study_id: Mapped[str] = mapped_column(default="")
    #: YYYY-MM-DD and HH:MM:SS of the header, in the device's own time, or empty
    date: Mapped[str] = mapped_column(default="", index=True)
    time: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    arrived_at: Mapped[datetime] = mapped_column(default=now)

    patient: Mapped[Patient | None] = relationship(back_populates="studies")
    films: Mapped[list[Film]] = relationship(back_populates="study")


class Film(Table):
    """One instance that arrived, and where it stands."""

    __tablename__ = "films"
    __table_args__ = (
        UniqueConstraint("sop_uid", "content"),
        _one_of("origin", ORIGINS),
        _one_of("identity", IDENTITIES),
        Index("films_worklist", "on_worklist", "urgency", "arrived_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    #: SHA-256 of the file as it lies in the folder of films
    file: Mapped[str] = mapped_column(index=True)
    #: SHA-256 of what was sent: of a DICOM file the data set without preamble and meta header, which differ with the
    #: way it came; of other files all bytes
    content: Mapped[str] = mapped_column(index=True)
    #: bytes of the file
    size: Mapped[int]
    #: ``dicom``, or the kind of picture: ``png``, ``jpeg`` ...
    kind: Mapped[str]
    origin: Mapped[str]
    #: AE title, name of the folder's file, device: who sent it, without a patient's name
    source: Mapped[str] = mapped_column(default="")
    #: the name of the file that a person added, which often names the patient: shown on pages, never exported
    file_name: Mapped[str] = mapped_column(default="")
    #: whom it was of when it came: ``identifier``, ``issuer``, ``name``, ``birth_date``, ``sex``; never changed
    came_as: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: see :data:`IDENTITIES`
    identity: Mapped[str] = mapped_column(default="unknown", index=True)
    #: of pictures derived from their content
    sop_uid: Mapped[str] = mapped_column(index=True)
    sop_class: Mapped[str] = mapped_column(default="")
    series_uid: Mapped[str] = mapped_column(default="", index=True)
    transfer_syntax: Mapped[str] = mapped_column(default="")
    modality: Mapped[str] = mapped_column(default="")
    view: Mapped[str] = mapped_column(default="")
    age_years: Mapped[float | None]
    sex: Mapped[str] = mapped_column(default="")
    #: another film that came under the same SOP Instance UID with other content; neither replaces the other
    conflict_id: Mapped[int | None] = mapped_column(ForeignKey("films.id"))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    arrived_at: Mapped[datetime] = mapped_column(default=now, index=True)
    #: the file was deleted by retention or by a person; the row, its readings and verdicts stay
    deleted_at: Mapped[datetime | None]
    #: the last change of the film, its readings, verdicts or identity; no two films have the same, and it only grows
    updated_at: Mapped[datetime] = mapped_column(default=now, index=True)

    # What the worklist sorts and filters by, copied from the newest reading and verdicts in the same transaction.
    on_worklist: Mapped[bool] = mapped_column(default=True)
    #: ``waiting`` until it was read, then the status of its newest reading
    status: Mapped[str] = mapped_column(default="waiting", index=True)
    #: rank of the status, most urgent first; below 0 where a person must look at once
    urgency: Mapped[int] = mapped_column(default=0)
    probability: Mapped[float | None]
    #: ``open``, ``agree``, ``disagree``, ``unsure``, or ``split`` where two users disagree
    review: Mapped[str] = mapped_column(default="open", index=True)

    study: Mapped[Study] = relationship(back_populates="films")
    readings: Mapped[list[FilmReading]] = relationship(back_populates="film", order_by="FilmReading.id")
    verdicts: Mapped[list[Verdict]] = relationship(back_populates="film", order_by="Verdict.id")


class Contradiction(Table):
    """Two films that cannot both be what they say: shown until a clinician decides."""

    __tablename__ = "contradictions"
    __table_args__ = (_one_of("kind", CONTRADICTIONS), _one_of("decision", DECISIONS))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    #: the film that came later, and one of those that it contradicts
    film_id: Mapped[int] = mapped_column(ForeignKey("films.id"), index=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("films.id"), index=True)
    found_at: Mapped[datetime] = mapped_column(default=now)
    #: ``apart``, ``merge`` or ``correct``; empty while it is open
    decision: Mapped[str] = mapped_column(default="", index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    note: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None]

    film: Mapped[Film] = relationship(foreign_keys=film_id)
    other: Mapped[Film] = relationship(foreign_keys=other_id)


class Correction(Table):
    """Whose film it is, as a person signed it: the newest row of a film stands."""

    __tablename__ = "corrections"

    id: Mapped[int] = mapped_column(primary_key=True)
    film_id: Mapped[int] = mapped_column(ForeignKey("films.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    #: identities, with the keys of :attr:`Film.came_as`
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    note: Mapped[str] = mapped_column(default="")
    signed_at: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship()


class FilmReading(Table):
    """What one reader said of one film at one operating point."""

    __tablename__ = "readings"
    __table_args__ = (UniqueConstraint("film_id", "reader_file", "operating_point"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    film_id: Mapped[int] = mapped_column(ForeignKey("films.id"), index=True)
    #: name and version
    reader: Mapped[str]
    #: SHA-256 of the reader file: which reader it was in truth
    reader_file: Mapped[str]
    operating_point: Mapped[str]
    #: the upper cut-off: ``suspected`` from here on
    threshold: Mapped[float]
    #: the lower one; ``None`` in readings of before it was kept
    not_seen_below: Mapped[float | None]
    status: Mapped[str]
    probability: Mapped[float | None]
    #: ``right``, ``left`` or ``both``, and what each lung and abnormal ones have, see
    #: :class:`ai_for_sudan.reading.Reading`; ``None`` of a reader that does not tell
    side: Mapped[str | None]
    right_lung: Mapped[float | None]
    left_lung: Mapped[float | None]
    abnormal: Mapped[float | None]
    codes: Mapped[list[str]]
    reasons: Mapped[list[str]]
    #: ``[[code, text], ...]``
    warnings: Mapped[list[list[str]]]
    #: the line that ``read --log`` writes, for `monitor` and `adapt`: date, logits, gate scores and embedding
    line: Mapped[dict[str, Any]]
    #: SHA-256 of the decoded grey values, which are the same in every lossless coding; empty where not decoded
    pixels: Mapped[str] = mapped_column(default="", index=True)
    height: Mapped[int | None]
    width: Mapped[int | None]
    #: ``.npy`` bytes, float16 ``(h, w)`` in logit units, in the frame of the film
    heatmap: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    heatmap_reference: Mapped[float] = mapped_column(default=1.0)
    #: ``.npy`` bytes, uint8 ``(h, w)``, 255 = surely lung; ``None`` where the reader does not find lungs
    lungs: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    elapsed_ms: Mapped[float]
    read_at: Mapped[datetime] = mapped_column(default=now)

    film: Mapped[Film] = relationship(back_populates="readings")
    results: Mapped[list[Result]] = relationship(back_populates="reading")


class Job(Table):
    """Work to be done: it survives the process that began it."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("kind", "key"),
        _one_of("state", JOB_STATES),
        Index("jobs_due", "state", "kind", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: ``read``, ``results``, ``retain``, ``backup``
    kind: Mapped[str]
    #: what it is about, such as a film's number: the same job twice is one
    key: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=now)
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]
    #: the last error, in plain words
    error: Mapped[str] = mapped_column(default="")


class Result(Table):
    """A DICOM object that was made of a reading: ``sr`` or ``sc``.

    Made again for an occasion, it follows the one before and does not replace it: a PACS keeps both.
    """

    __tablename__ = "results"
    __table_args__ = (UniqueConstraint("reading_id", "kind", "occasion"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("readings.id"), index=True)
    kind: Mapped[str]
    #: empty for the reading itself; ``verdict:17`` or ``identity:3`` for what a person signed after it
    occasion: Mapped[str] = mapped_column(default="")
    sop_uid: Mapped[str] = mapped_column(unique=True)
    sop_class: Mapped[str]
    series_uid: Mapped[str] = mapped_column(index=True)
    #: SHA-256 of the file, as it lies in the folder of results
    file: Mapped[str]
    size: Mapped[int]
    made_at: Mapped[datetime] = mapped_column(default=now)

    reading: Mapped[FilmReading] = relationship(back_populates="results")
    deliveries: Mapped[list[Delivery]] = relationship(back_populates="result")


class Destination(Table):
    """A PACS that gets the results; its address and password stay in the configuration file."""

    __tablename__ = "destinations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    #: of results that it takes: ``sr``, ``sc``
    kinds: Mapped[list[str]]
    #: how it is known that it kept something, see :data:`CONFIRMATIONS`
    confirmation: Mapped[str] = mapped_column(default="query")
    #: why it cannot be asked what it kept; what is not sent yet goes on all the same
    unconfirmed: Mapped[str] = mapped_column(default="")
    #: still in the configuration
    active: Mapped[bool] = mapped_column(default=True)
    #: the last time that it took and kept something, and the last thing that went wrong since
    reached_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")
    failed_at: Mapped[datetime | None]
    #: failures in a row: how long the next try waits
    failures: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=now)


class Delivery(Table):
    """One result on its way to one destination.

    ``waiting`` -> ``sent`` (it said yes) -> ``confirmed`` (it was asked, and has it). ``accepted``: it said yes, and
    this destination is not asked. ``refused``: it said that it will never take it; a person decides. ``lost``: the
    result's file is gone and cannot be made again. ``cancelled`` by a person, or because a later result took its place.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("destination_id", "result_id"),
        _one_of("state", DELIVERY_STATES),
        Index("deliveries_due", "destination_id", "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    destination_id: Mapped[int] = mapped_column(ForeignKey("destinations.id"))
    result_id: Mapped[int] = mapped_column(ForeignKey("results.id"), index=True)
    state: Mapped[str] = mapped_column(default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=now)
    #: why it waits, in plain words
    error: Mapped[str] = mapped_column(default="")
    #: whether an answer was lost after it may have been taken: it is asked for before it is sent again
    uncertain: Mapped[bool] = mapped_column(default=False)
    #: how often it was asked for since it was sent
    asked: Mapped[int] = mapped_column(default=0)
    #: UID of the storage commitment that was asked for (PS3.4 J), without an answer yet
    commitment: Mapped[str] = mapped_column(default="", index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    sent_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]

    destination: Mapped[Destination] = relationship()
    result: Mapped[Result] = relationship(back_populates="deliveries")


class User(Table):
    """A person with an account. Accounts are closed, never deleted: their verdicts stay signed."""

    __tablename__ = "users"
    __table_args__ = (_one_of("role", ROLES),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: casefolded, what is typed to log in
    name: Mapped[str] = mapped_column(unique=True)
    #: how it signs
    full_name: Mapped[str] = mapped_column(default="")
    role: Mapped[str]
    #: argon2id
    password: Mapped[str]
    language: Mapped[str] = mapped_column(default="en")
    #: the password is a one-time code, and good until ``code_expires_at``
    must_change_password: Mapped[bool] = mapped_column(default=True)
    code_expires_at: Mapped[datetime | None]
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    closed_at: Mapped[datetime | None]


class Stranger(Table):
    """A name that somebody tried to log in with and that has no account."""

    __tablename__ = "strangers"

    #: SHA-256: what was typed may be a password
    name: Mapped[str] = mapped_column(primary_key=True)
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    tried_at: Mapped[datetime] = mapped_column(default=now)


class Login(Table):
    """A session of a user in a browser."""

    __tablename__ = "logins"

    id: Mapped[int] = mapped_column(primary_key=True)
    #: SHA-256 of the cookie: the database alone opens no session
    token: Mapped[str] = mapped_column(unique=True)
    csrf: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    address: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]

    user: Mapped[User] = relationship()


class Pairing(Table):
    """An open invitation to a phone, shown as a QR code; used once."""

    __tablename__ = "pairings"

    id: Mapped[int] = mapped_column(primary_key=True)
    #: SHA-256 of the code
    code: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Device(Table):
    """A paired phone."""

    __tablename__ = "devices"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    #: SHA-256 of its token
    token: Mapped[str] = mapped_column(unique=True)
    #: who paired it
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    paired_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Verdict(Table):
    """What a person says of a reading. Never changed or deleted (triggers see to it): an amendment is a new row."""

    __tablename__ = "verdicts"
    __table_args__ = (_one_of("agreement", AGREEMENTS),)

    id: Mapped[int] = mapped_column(primary_key=True)
    film_id: Mapped[int] = mapped_column(ForeignKey("films.id"), index=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("readings.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    agreement: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    #: the final diagnosis, once it is known: ``positive``, ``negative`` or empty, and in words
    diagnosis: Mapped[str] = mapped_column(default="")
    diagnosis_words: Mapped[str] = mapped_column(default="")
    amends_id: Mapped[int | None] = mapped_column(ForeignKey("verdicts.id"), unique=True)
    signed_at: Mapped[datetime] = mapped_column(default=now)

    film: Mapped[Film] = relationship(back_populates="verdicts")
    user: Mapped[User] = relationship()


class TrailRow(Table):
    """Who did what and when, chained by hash; triggers forbid every change."""

    __tablename__ = "trail"

    id: Mapped[int] = mapped_column(primary_key=True)
    #: UTC, and the clinic's own time with its offset, both as they were written
    at: Mapped[str] = mapped_column(index=True)
    at_local: Mapped[str]
    #: ``user:amina``, ``device:3``, ``node:CR1``, ``system``
    actor: Mapped[str] = mapped_column(index=True)
    #: a verb and its object: ``film.seen``, ``verdict.signed``, ``export.csv``, ``access.refused`` ...
    act: Mapped[str] = mapped_column(index=True)
    #: what it was done to: ``film:17``
    subject: Mapped[str] = mapped_column(default="", index=True)
    #: JSON text, sorted keys, no patient's name
    detail: Mapped[str] = mapped_column(default="{}")
    #: of the row before; 64 zeros for the first
    previous: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)


class Setting(Table):
    """A named value that the program itself keeps, such as the moment of the last heartbeat."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
