"""The worklist: what waits for a person, most urgent first."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, Field
from sqlalchemy import Select, case, func, or_, select
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store.films import LOOK_AT_ONCE
from ai_for_sudan.clinic.store.tables import Contradiction, Film, FilmReading, Patient, Study, User, Verdict
from ai_for_sudan.clinic.web import accounts
from ai_for_sudan.clinic.web.access import Anybody
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.values import Body, Number, gives, text

router = APIRouter()
PAGE = 50
#: where nobody has settled a film yet
UNSETTLED = ("open", "unsure", "split")
#: which films a view holds
VIEWS: dict[str, Any] = {
    # An unsure verdict, or two that differ, leave the film to the next person.
    "open": (Film.on_worklist, Film.review.in_(UNSETTLED)),
    "disputed": (Film.on_worklist, Film.review == "split"),
    "done": (Film.on_worklist, Film.review.in_(("agree", "disagree"))),
    "aside": (~Film.on_worklist,),
    "all": (),
}
#: Arabic, Persian and Latin digits are one
LATIN = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
Moment = Annotated[AwareDatetime, Field(strict=False)]


class Chosen(Body):
    """Which films of the worklist.

    Attributes:
        since, until: arrived in this time.
        films: only these, by number.
        shift: the moment since which the summary counts.
    """

    view: Literal["open", "disputed", "done", "aside", "all"]
    status: Literal["", "waiting", "suspected", "uncertain", "not_seen", "refused", "failed"] = ""
    search: Annotated[str, text(100)] = ""
    since: Moment | None = None
    until: Moment | None = None
    films: Annotated[tuple[Number, ...], Field(max_length=200, strict=False)] = ()
    shift: Moment | None = None
    page: Annotated[int, Field(ge=0, le=100_000)] = 0


# Not GET: what is searched for names a patient, and addresses end up in histories and logs.
@router.post("/api/worklist")
def worklist(call: Anybody, body: Chosen) -> dict[str, Any]:
    """Give one page of the worklist, with how many films each view and status holds."""
    chosen = _searched(select(Film.id).where(*VIEWS[body.view]), body.search.split())
    if body.since:
        chosen = chosen.where(Film.arrived_at >= body.since)
    if body.until:
        chosen = chosen.where(Film.arrived_at < body.until)
    if body.films:
        chosen = chosen.where(Film.id.in_(body.films))
    with call.desk.store.reading() as session:
        statuses = dict(
            session.execute(select(Film.status, func.count()).where(Film.id.in_(chosen)).group_by(Film.status)).all()
        )
        if body.status:
            chosen = chosen.where(Film.status == body.status)
        page = select(Film).where(Film.id.in_(chosen)).order_by(*_order(body.view))
        films = list(session.scalars(page.offset(body.page * PAGE).limit(PAGE)))
        count = statuses.get(body.status, 0) if body.status else sum(statuses.values())
        return {
            "rows": rows(session, films, call.desk.hub),
            "page": body.page,
            "pages": -(-count // PAGE),
            "statuses": statuses,
            "views": _views(session),
            "shift": _shift(session, body.shift) if body.shift else None,
            "contradictions": session.scalar(select(func.count()).where(Contradiction.decision == "")),
            "version": call.desk.hub.version,
        }


def _views(session: Session) -> dict[str, int]:
    counts = session.execute(
        select(Film.on_worklist, Film.review, func.count()).group_by(Film.on_worklist, Film.review)
    ).all()
    found = dict.fromkeys(VIEWS, 0)
    for on_worklist, review, count in counts:
        found["all"] += count
        if not on_worklist:
            found["aside"] += count
        elif review in ("agree", "disagree"):
            found["done"] += count
        else:
            found["open"] += count
            found["disputed"] += count if review == "split" else 0
    return found


def _shift(session: Session, since: datetime) -> dict[str, int]:
    """Count what arrived since a moment and is not settled."""
    disputed, urgent = (func.count().filter(wanted) for wanted in (Film.review == "split", Film.urgency < 0))
    found = select(func.count(), disputed, urgent).where(
        Film.arrived_at >= since, Film.on_worklist, Film.review.in_(UNSETTLED)
    )
    return dict(zip(("unread", "disputed", "at_once"), session.execute(found).one(), strict=True))


def _order(view: str) -> tuple[Any, ...]:
    if view in ("done", "all", "aside"):
        return (Film.arrived_at.desc(), Film.id.desc())
    # Danger first, then what is suspected, then what is disputed; of each the surest first, then who waits longest.
    return (
        case((Film.urgency < 1, Film.urgency), (Film.review == "split", 0.5), else_=Film.urgency),
        func.coalesce(Film.probability, 0).desc(),
        Film.arrived_at,
        Film.id,
    )


def _searched(films: Select[Any], words: list[str]) -> Select[Any]:
    """Films in which every word is found, in the patient, the numbers of the examination, or where it came from."""
    if not words:
        return films
    films = films.join(Study, Film.study_id == Study.id).outerjoin(Patient, Study.patient_id == Patient.id)
    columns = (
        Patient.identifier, Patient.name, Study.accession_number, Study.date, Film.source, Film.origin, Film.file_name,
    )  # fmt: skip
    for word in words:
        spellings = {word, word.translate(LATIN), word.translate(LATIN).translate(ARABIC)}
        films = films.where(
            or_(*(column.contains(one, autoescape=True) for column in columns for one in sorted(spellings)))
        )
    return films


def rows(session: Session, films: list[Film], hub: Any) -> list[dict[str, Any]]:
    """Give what a list shows of films."""
    ids = [film.id for film in films]
    studies = {
        study.id: (study, patient)
        for study, patient in session.execute(
            select(Study, Patient)
            .outerjoin(Patient, Study.patient_id == Patient.id)
            .where(Study.id.in_({film.study_id for film in films}))
        )
    }
    newest = select(func.max(FilmReading.id)).where(FilmReading.film_id.in_(ids)).group_by(FilmReading.film_id)
    said = select(FilmReading.film_id, FilmReading.codes, FilmReading.side).where(FilmReading.id.in_(newest))
    read = {of: (codes, side) for of, codes, side in session.execute(said)}
    verdicts: dict[int, dict[int, tuple[str, str]]] = defaultdict(dict)
    for of, user, name, full_name, agreement in session.execute(
        select(Verdict.film_id, Verdict.user_id, User.name, User.full_name, Verdict.agreement)
        .join(User)
        .where(Verdict.film_id.in_(ids))
        .order_by(Verdict.id)
    ):
        verdicts[of][user] = (full_name or name, agreement)  # the newest of each user stands
    made = _made(session, {patient.id for _, patient in studies.values() if patient})
    found = []
    for film in films:
        study, patient = studies[film.study_id]
        codes, side = read.get(film.id, ([], None))
        mine = (study.date, study.time, film.arrived_at, film.id)
        theirs = made[patient.id] if patient else []
        found.append(
            {
                "id": film.id,
                "status": film.status,
                "probability": film.probability,
                "side": side,
                "codes": codes,
                "at_once": [code for code in codes if code in LOOK_AT_ONCE],
                "review": film.review,
                "on_worklist": film.on_worklist,
                "available": film.deleted_at is None,
                "age_years": film.age_years,
                "sex": film.sex or (patient.sex if patient else ""),
                "patient": patient.identifier if patient else "",
                "name": patient.name if patient else "",
                "birth_date": patient.birth_date if patient else "",
                "identity": film.identity,
                "file_name": film.file_name,
                "date": study.date,
                "time": study.time,
                "accession_number": study.accession_number,
                "earlier": any(other < mine for other in theirs),
                "later": any(other > mine for other in theirs),
                "view": film.view,
                "origin": film.origin,
                "arrived_at": film.arrived_at.isoformat(),
                "conflict": film.conflict_id is not None,
                "looking": hub.names(film.id),
                "verdicts": [{"by": by, "agreement": agreement} for by, agreement in verdicts[film.id].values()],
            }
        )
    return found


def _made(session: Session, patients: set[int]) -> dict[int, list[tuple[Any, ...]]]:
    """When the films of some patients were made: date, time, arrival and number, by patient."""
    made: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for patient, *moment in session.execute(
        select(Study.patient_id, Study.date, Study.time, Film.arrived_at, Film.id)
        .join(Film, Film.study_id == Study.id)
        .where(Study.patient_id.in_(patients), Film.on_worklist)
    ):
        made[patient or 0].append(tuple(moment))
    return made


@router.get("/api/events", **gives("text/event-stream"))
async def events(call: Anybody, film: Annotated[int | None, Query(ge=1, le=2**53)] = None) -> StreamingResponse:
    """Send server-sent events: 'changed' when the worklist should be fetched again."""
    hub = call.desk.hub
    if hub.full:
        raise Refusal(503, "busy", "too many pages are open")
    token = call.request.cookies.get(call.desk.cookie, "")
    stream = hub.stream(film, call.who.name, lambda: accounts.session_of(call.desk.store, token) is not None)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
