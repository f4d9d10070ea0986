"""Films that arrived: registered once, whatever way and however often they come."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store import identities, jobs
from ai_for_sudan.clinic.store.identities import NOBODY, Identity
from ai_for_sudan.clinic.store.reviews import review_of
from ai_for_sudan.clinic.store.tables import Film, FilmReading, Study, Verdict, now
from ai_for_sudan.reading.words import URGENCY

#: waiting films stand behind those that were read: nothing is known of them yet
URGENCY_OF = {status: rank for rank, status in enumerate(URGENCY)} | {"waiting": len(URGENCY)}
#: refused for these, a film is not a chest film at all: it is kept, but stays out of the worklist
NO_CHEST_FILM = {
    *("header_modality", "header_body_part", "header_view", "no_pixels", "multi_frame"),
    *("not_chest", "lateral", "no_lungs"),
}


#: with these, a person must look at once, whatever the probability: one side may be full of fluid or pus, or collapsed
LOOK_AT_ONCE = ("white_side", "one_lung")
AT_ONCE = -1


@dataclass(frozen=True)
class Arrival:
    """What is known of a film before it is read: the columns of :class:`Film` and :class:`Study`, and whose it is.

    Attributes:
        file, content: see :class:`Film`.
        film, study: columns by name.
        identity: as it came; empty where nobody was named.
    """

    file: str
    content: str
    film: dict[str, object]
    study: dict[str, object]
    identity: Identity = NOBODY


def register(session: Session, arrival: Arrival) -> tuple[Film, bool]:
    """Add a film that arrived, its study and its patient, and the job of reading it.

    Args:
        session: one that writes; the file must be on the disk.

    Returns:
        the film, and whether it is new: one that came before is found again, and nothing is done twice.
    """
    sop_uid = str(arrival.film["sop_uid"])
    same_uid = list(session.scalars(select(Film).where(Film.sop_uid == sop_uid).order_by(Film.id)))
    for film in same_uid:
        if film.content == arrival.content:
            if film.deleted_at is not None:  # sent again after its file was deleted
                film.deleted_at, film.file = None, arrival.file
            return film, False
    film = Film(
        file=arrival.file,
        content=arrival.content,
        conflict_id=same_uid[0].id if same_uid else None,
        urgency=URGENCY_OF["waiting"],
        **arrival.film,
    )
    identities.place(session, film, arrival.identity, arrival.study)
    identities.touch(session, film)
    jobs.add(session, "read", film.id)
    return film, True


def twin(session: Session, film: Film, pixels: str) -> Film | None:
    """An earlier film under the same UID, of the same person and pixels: the same one in another transfer syntax.

    Args:
        pixels: see :class:`FilmReading`; empty where the film could not be decoded.
    """
    if film.conflict_id is None or not pixels:
        return None
    same = select(Film).join(FilmReading).where(Film.sop_uid == film.sop_uid, Film.id < film.id)
    found = session.scalars(same.where(FilmReading.pixels == pixels).order_by(Film.id))
    return next((other for other in found if other.came_as == film.came_as), None)


def join(session: Session, film: Film, earlier: Film) -> str:
    """Forget a film that has come before as its :func:`twin`.

    Returns:
        the SHA-256 of the file that nobody needs any more.
    """
    spare = film.file
    if earlier.deleted_at is not None:  # sent again after its file was deleted
        earlier.deleted_at, earlier.file, earlier.content, spare = None, film.file, film.content, earlier.file
    identities.touch(session, earlier)
    session.execute(update(Film).where(Film.conflict_id == film.id).values(conflict_id=earlier.id))
    session.delete(film)
    session.flush()
    return spare


def same_reading(session: Session, film: Film, reader_file: str, operating_point: str) -> FilmReading | None:
    """A reading of the same content by the same reader at the same operating point, of this film or of another."""
    return session.scalar(
        select(FilmReading)
        .join(Film)
        .where(
            Film.content == film.content,
            FilmReading.reader_file == reader_file,
            FilmReading.operating_point == operating_point,
        )
        .order_by(FilmReading.film_id != film.id)
        .limit(1)
    )


def keep_reading(session: Session, film: Film, reading: FilmReading) -> FilmReading:
    """Add what a reader said; the same reader's word at the same operating point is kept once."""
    kept = session.scalar(
        select(FilmReading).where(
            FilmReading.film_id == film.id,
            FilmReading.reader_file == reading.reader_file,
            FilmReading.operating_point == reading.operating_point,
        )
    )
    if kept is None:
        reading.film_id = film.id
        session.add(reading)
        session.flush()
        kept = reading
    film.status, film.probability = kept.status, kept.probability
    film.urgency = AT_ONCE if set(LOOK_AT_ONCE) & set(kept.codes) else URGENCY_OF[kept.status]
    film.on_worklist = not _is_no_chest_film(kept)
    identities.touch(session, film)
    return kept


def _is_no_chest_film(reading: FilmReading) -> bool:
    return reading.status in ("refused", "failed") and bool(NO_CHEST_FILM & set(reading.codes))


def answers_the_pacs(film: Film, reading: FilmReading) -> bool:
    """Whether a reading goes to the PACS: it has a study there, is of a chest film, and of nobody in doubt."""
    return (
        film.kind == "dicom"
        and film.conflict_id is None
        and film.identity != "contradicted"
        and reading.status != "failed"
        and not _is_no_chest_film(reading)
    )


def copy_of(reading: FilmReading) -> FilmReading:
    """A new row with what a reader said before of the same content."""
    columns = [column.key for column in FilmReading.__mapper__.column_attrs if column.key not in ("id", "film_id")]
    return FilmReading(**{name: getattr(reading, name) for name in columns})


def newest_reading(session: Session, film: int) -> FilmReading | None:
    return session.scalar(
        select(FilmReading).where(FilmReading.film_id == film).order_by(FilmReading.id.desc()).limit(1)
    )


def current_verdicts(session: Session, film: int) -> list[Verdict]:
    """The verdicts that stand: those that none amends."""
    amended = select(Verdict.amends_id).where(Verdict.film_id == film, Verdict.amends_id.is_not(None))
    return list(
        session.scalars(select(Verdict).where(Verdict.film_id == film, Verdict.id.not_in(amended)).order_by(Verdict.id))
    )


def sign(session: Session, verdict: Verdict) -> Verdict:
    """Add a signed verdict; it amends the one that its user signed before, if there is one.

    The trail is the caller's: it knows who asked, and from where.
    """
    before = [v for v in current_verdicts(session, verdict.film_id) if v.user_id == verdict.user_id]
    verdict.amends_id = before[-1].id if before else None
    verdict.signed_at = now()
    session.add(verdict)
    session.flush()
    film = session.get_one(Film, verdict.film_id)
    film.review = review_of(current_verdicts(session, film.id), film.status == "suspected")
    identities.touch(session, film)
    jobs.add(session, "results", f"{verdict.reading_id}/verdict:{verdict.id}")
    return verdict


def prior_films(session: Session, film: Film) -> list[Film]:
    """Earlier films of the same patient, newest first; none where the patient is unknown."""
    study = session.get_one(Study, film.study_id)
    if study.patient_id is None:
        return []
    return list(
        session.scalars(
            select(Film)
            .join(Study)
            .where(
                Study.patient_id == study.patient_id, Film.id != film.id, Film.on_worklist, Film.deleted_at.is_(None)
            )
            .order_by(Study.date.desc(), Film.arrived_at.desc())
        )
    )


def counts(session: Session) -> dict[str, int]:
    """Status -> number of films."""
    return {
        status: number for status, number in session.execute(select(Film.status, func.count()).group_by(Film.status))
    }
