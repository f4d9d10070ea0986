"""Whose film it is: a film keeps the identity that it came with, and a contradiction waits for a person.

A number alone makes nobody one person: hospitals begin again at 1, and typists err. Two films are of one patient where
number and issuer are the same and name, birth date and sex do not contradict each other. What does is a row of
:class:`Contradiction`, until a clinician keeps the two apart, merges them or corrects one. Each decision is signed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store import jobs
from ai_for_sudan.clinic.store.tables import (
    Contradiction,
    Correction,
    Delivery,
    Film,
    FilmReading,
    Patient,
    Result,
    Study,
    now,
)


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as a header or a person says it; empty where that is not known.

    Attributes:
        identifier, issuer: (0010,0020) Patient ID and (0010,0021) Issuer of Patient ID.
        name: as DICOM writes it, FAMILY^GIVEN, in any script.
        birth_date: YYYY-MM-DD.
        sex: ``M``, ``F`` or ``O``.
    """

    identifier: str = ""
    issuer: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""

    @property
    def known(self) -> bool:
        """Whether anybody is named at all."""
        return bool(self.identifier or self.name)


NOBODY = Identity()


def identity_of(patient: Patient | None) -> Identity:
    """The identity that a patient's row holds; an empty one for nobody."""
    if patient is None:
        return NOBODY
    return Identity(patient.identifier, patient.issuer, patient.name, patient.birth_date, patient.sex)


def agree(one: Identity, other: Identity) -> bool:
    """Whether two identities under one number can be the same person.

    Names agree in any order, spelling of vowels and script. Where only one side has a name, the birth dates must be
    known and equal. Birth date and sex never differ.
    """
    dates = {one.birth_date, other.birth_date} - {""}
    sexes = {one.sex, other.sex} & {"M", "F"}
    if len(dates) > 1 or len(sexes) > 1:
        return False
    names = _parts(one.name), _parts(other.name)
    if all(names):
        shorter, longer = sorted(names, key=len)
        return shorter <= longer
    return not any(names) or bool(one.birth_date and one.birth_date == other.birth_date)


#: Latin letters for what is one sound, or written as one; vowels, half vowels and h, which each typist writes
#: otherwise, are left out
_SOUNDS = str.maketrans(
    {
        **dict.fromkeys("aeiouwyhءاأإآٱعهةحوؤىيئ"),
        **{
            letter: sound
            for sound, letters in {
                "b": "بپp", "t": "تثط", "j": "جچ", "k": "خكقغگqgc", "d": "دذض", "r": "ر", "z": "زظ", "s": "سشص",
                "f": "فڤv", "l": "ل", "m": "م", "n": "ن",
            }.items()
            for letter in letters
        },
    }
)  # fmt: skip


def _parts(name: str) -> frozenset[str]:
    """The parts of a name as consonants in Latin letters: محمد, Mohammed and MOHAMAD are the same."""
    parts = set()
    for group in name.split("="):  # PS3.5 6.2.1: the same name in another script
        for word in re.split(r"[\^\s]+", unicodedata.normalize("NFKD", group).casefold()):
            plain = "".join(letter for letter in word if unicodedata.category(letter)[0] == "L")
            plain = re.sub(r"^(ال|al|el)(?=..)", "", plain)
            sounds = re.sub(r"(.)\1+", r"\1", plain.replace("x", "ks").translate(_SOUNDS))
            if plain:
                parts.add(sounds or "a")
        if parts:
            break
    return frozenset(parts)


def place(session: Session, film: Film, said: Identity, study: dict[str, object]) -> None:
    """Put a film that arrived under its patient and examination, and note what it contradicts.

    Args:
        session: one that writes.
        film: not yet, or already, in the session; ``sop_uid`` and ``conflict_id`` are set.
        said: the identity that it came with.
        study: columns of :class:`Study`, by name.
    """
    film.came_as = asdict(said)
    film.identity = "sent" if said.known else "unknown"
    kind, other = _put(session, film, said, study)
    before = session.get(Film, film.conflict_id) if film.conflict_id else None
    if before is not None and not _same(before, said):
        kind, other = "instance", before
    session.add(film)
    session.flush()
    if other is not None:
        session.add(Contradiction(kind=kind, film_id=film.id, other_id=other.id))
        session.flush()
    _mark(session, [film])


def _same(before: Film, said: Identity) -> bool:
    known = Identity(**(before.came_as or asdict(identity_of(before.study.patient))))
    return (known.identifier, known.issuer) == (said.identifier, said.issuer) and agree(known, said)


def _put(session: Session, film: Film, said: Identity, study: dict[str, object]) -> tuple[str, Film | None]:
    """Find or make patient and examination; the kind of contradiction, and a film on its other side."""
    uid = str(study["uid"])
    there = list(session.execute(select(Study, Patient).outerjoin(Patient).where(Study.uid == uid).order_by(Study.id)))
    if said.identifier:
        numbered = list(
            session.scalars(
                select(Patient)
                .where(Patient.identifier == said.identifier, Patient.issuer == said.issuer)
                .order_by(Patient.id)
            )
        )
    else:  # without a number, only a film of the same examination can be of the same person
        numbered = [patient for _, patient in there if patient is not None and not patient.identifier]
    patient = next((one for one in numbered if said.known and agree(identity_of(one), said)), None)
    kind, other = "", None
    if patient is None and said.known:
        patient = Patient(**asdict(said))
        session.add(patient)
        if said.identifier and numbered:
            kind, other = "number", _film_of(session, numbered)
    elif patient is not None:  # what was not known of them yet
        for column, value in asdict(said).items():
            setattr(patient, column, getattr(patient, column) or value)
    session.flush()
    mine = next((row for row, owner in there if owner is patient), None)
    if other is None and mine is None:
        strangers = [owner for _, owner in there]
        kind, other = "study", _film_of(session, strangers, uid)
    film.study = mine or Study(**study, patient=patient)
    return (kind, other) if other is not None else ("", None)


def _film_of(session: Session, patients: Sequence[Patient | None], uid: str = "") -> Film | None:
    """The first film of some patients, of one examination where its UID is given."""
    ids = [patient.id if patient else None for patient in patients]
    owned = or_(Study.patient_id.in_([i for i in ids if i is not None]), Study.patient_id.is_(None) & (None in ids))
    query = select(Film).join(Study).where(owned, Study.uid == uid if uid else Film.id > 0)
    return session.scalar(query.order_by(Film.id).limit(1))


def _mark(session: Session, films: Iterable[Film]) -> None:
    """Bring ``identity`` of films in line with the contradictions that are open about their patients."""
    for film in films:
        if film.identity == "signed":
            continue
        patient = film.study.patient_id
        suspicious = select(Contradiction.id).where(Contradiction.decision == "", Contradiction.film_id == film.id)
        by_patient = (
            select(Contradiction.id)
            .join(Film, Contradiction.film_id == Film.id)
            .join(Study)
            .where(Contradiction.decision == "", Study.patient_id == patient)
        )
        found = session.scalar(suspicious) or (session.scalar(by_patient) if patient else None)
        named = Identity(**film.came_as).known if film.came_as else patient is not None
        film.identity = "contradicted" if found else "sent" if named else "unknown"


def open_contradictions(session: Session, film: int | None = None) -> list[Contradiction]:
    """What waits for a clinician's decision, oldest first: ``film``, ``other`` and their patients tell it apart.

    Args:
        film: only those that concern this film's patient, on either side.
    """
    query = select(Contradiction).where(Contradiction.decision == "").order_by(Contradiction.id)
    if film is not None:
        study = session.get_one(Study, session.get_one(Film, film).study_id)
        same = select(Film.id).where(Film.id == film)
        if study.patient_id is not None:
            same = select(Film.id).join(Study).where(Study.patient_id == study.patient_id)
        query = query.where(or_(Contradiction.film_id.in_(same), Contradiction.other_id.in_(same)))
    return list(session.scalars(query))


def corrections(session: Session, film: int) -> list[Correction]:
    """What people signed about whose film it is, oldest first; the last one stands."""
    return list(session.scalars(select(Correction).where(Correction.film_id == film).order_by(Correction.id)))


def keep_apart(session: Session, contradiction: Contradiction, user: int, note: str = "") -> list[Film]:
    """Decide that both films are right: two people, each with their own films and results.

    The trail is the caller's. Returns the films whose identity or results change.
    """
    _decide(contradiction, "apart", user, note)
    return _settle(session, contradiction.film)


def merge(
    session: Session, contradiction: Contradiction, user: int, note: str = "", *, into_later: bool = False
) -> list[Film]:
    """Decide that both sides are one person: all films go under one identity, and their results follow.

    Args:
        into_later: the identity of the film that came later is right, not that of the earlier one.

    Returns:
        the films that moved. The trail is the caller's.
    """
    kept, moved = contradiction.other, contradiction.film
    if into_later:
        kept, moved = moved, kept
    _decide(contradiction, "merge", user, note)
    right, wrong = kept.study.patient, moved.study.patient
    if right is wrong:
        return _settle(session, contradiction.film)
    films = [moved]
    if wrong is not None:
        films = list(session.scalars(select(Film).join(Study).where(Study.patient_id == wrong.id).order_by(Film.id)))
    after = identity_of(right)
    for film in films:
        _sign(session, film, after, right, user, note)
    _settle(session, contradiction.film)
    return films


def correct(
    session: Session, film: Film, right: Identity, user: int, note: str = "", *, age_years: float | None = None
) -> Correction:
    """Sign whose film it is: name, number, birth date and sex, for any film, also one of nobody known.

    Open contradictions about the film are closed by it. A number that is another person's makes a new one.

    Args:
        age_years: at the examination; the film keeps the age that it has where none is given.

    Returns:
        what was signed; the trail is the caller's.

    Raises:
        ValueError: neither number nor name is given.
    """
    if not right.known:
        raise ValueError("a number or a name is needed to say whose film it is")
    for contradiction in session.scalars(
        select(Contradiction).where(Contradiction.decision == "", Contradiction.film_id == film.id)
    ):
        _decide(contradiction, "correct", user, note)
    film.sex = right.sex or film.sex
    film.age_years = film.age_years if age_years is None else age_years
    before = identity_of(film.study.patient)
    old, columns = film.study, {key: getattr(film.study, key) for key in _STUDY}
    kind, other = _put(session, film, right, columns)
    session.flush()
    signed = _signed(session, film, before, right, user, note)
    if other is not None and kind == "number":
        session.add(Contradiction(kind=kind, film_id=film.id, other_id=other.id))
        film.identity = "contradicted"
        session.flush()
    _drop(session, old)
    _follow(session, film)
    return signed


_STUDY = ("uid", "accession_number", "study_id", "date", "time", "description", "arrived_at")


def _decide(contradiction: Contradiction, decision: str, user: int, note: str) -> None:
    if contradiction.kind == "instance":  # it is known now which film is whose: its results are no longer in doubt
        contradiction.film.conflict_id = None
    contradiction.decision, contradiction.user_id, contradiction.note = decision, user, note
    contradiction.decided_at = now()


def _sign(session: Session, film: Film, after: Identity, patient: Patient | None, user: int, note: str) -> None:
    """Move a film to another patient, in an examination of the same UID."""
    old = film.study
    before = identity_of(old.patient)
    there = session.scalar(
        select(Study).where(Study.uid == old.uid, Study.patient_id == (patient.id if patient else None))
    )
    film.study = there or Study(**{key: getattr(old, key) for key in _STUDY}, patient=patient)
    session.flush()
    _signed(session, film, before, after, user, note)
    _drop(session, old)
    _follow(session, film)


def _signed(session: Session, film: Film, before: Identity, after: Identity, user: int, note: str) -> Correction:
    row = Correction(film_id=film.id, user_id=user, before=asdict(before), after=asdict(after), note=note)
    session.add(row)
    film.identity = "signed"
    session.flush()
    return row


def _drop(session: Session, study: Study) -> None:
    """Delete an examination, and its patient, that no film is left of."""
    session.flush()
    if session.scalar(select(Film.id).where(Film.study_id == study.id).limit(1)) is not None:
        return
    patient = study.patient
    session.delete(study)
    session.flush()
    if patient is not None and session.scalar(select(Study.id).where(Study.patient_id == patient.id)) is None:
        session.delete(patient)
        session.flush()


def _settle(session: Session, film: Film) -> list[Film]:
    """After a decision, let the films that it held go on."""
    session.flush()
    patient = film.study.patient_id
    films = [film]
    if patient is not None:
        films = list(session.scalars(select(Film).join(Study).where(Study.patient_id == patient).order_by(Film.id)))
    held = [one for one in films if one.identity == "contradicted"]
    _mark(session, held)
    free = [one for one in held if one.identity != "contradicted"]
    for one in free:
        _follow(session, one)
    return free


def _follow(session: Session, film: Film) -> None:
    """Have results made under the identity that holds now, and stop those that have not left under another."""
    touch(session, film)
    reading = session.scalar(
        select(FilmReading.id).where(FilmReading.film_id == film.id).order_by(FilmReading.id.desc()).limit(1)
    )
    signed = corrections(session, film.id)
    if signed:
        made = select(Result.id).join(FilmReading).where(FilmReading.film_id == film.id)
        session.execute(
            update(Delivery)
            .where(Delivery.result_id.in_(made), Delivery.state.in_(("waiting", "refused")))
            .values(state="cancelled", error="the film's identity was corrected; another result takes its place")
        )
    if reading is None or film.identity == "contradicted":
        return
    jobs.add(session, "results", f"{reading}/identity:{signed[-1].id}" if signed else reading)


def touch(session: Session, film: Film) -> None:
    """Note that something about a film changed: its time of change is later than that of every other."""
    last = session.scalar(select(Film.updated_at).order_by(Film.updated_at.desc()).limit(1))
    moment = now()
    film.updated_at = moment if last is None or moment > last else last + timedelta(microseconds=1)
