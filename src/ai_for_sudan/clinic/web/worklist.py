"""The worklist: what waits for a person, most urgent first."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy import Select, case, func, or_, select
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store.tables import Film, Patient, Study, User, Verdict
from ai_for_sudan.clinic.web import accounts
from ai_for_sudan.clinic.web.access import Anybody
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.values import Body, gives, text

router = APIRouter()
PAGE = 50
#: which films a view holds
VIEWS: dict[str, Any] = {
    # An unsure verdict, or two that differ, leave the film to the next person.
    "open": (Film.on_worklist, Film.review.in_(("open", "unsure", "split"))),
    "second": (Film.on_worklist, Film.review == "split"),
    "done": (Film.on_worklist, Film.review.in_(("agree", "disagree"))),
    "aside": (~Film.on_worklist,),
    "all": (),
}


class Chosen(Body):
    """Which films of the worklist."""

    view: Literal["open", "second", "done", "aside", "all"]
    status: Literal["", "waiting", "suspected", "uncertain", "not_seen", "refused", "failed"] = ""
    search: Annotated[str, text(100)] = ""
    page: Annotated[int, Field(ge=0, le=100_000)] = 0


# Not GET: what is searched for names a patient, and addresses end up in histories and logs.
@router.post("/api/worklist")
def worklist(call: Anybody, body: Chosen) -> dict[str, Any]:
    """Give one page of the worklist, with how many films each view and status holds."""
    view, status, page = body.view, body.status, body.page
    words = body.search.split()
    with call.desk.store.reading() as session:
        chosen = _searched(select(Film.id).where(*VIEWS[view]), words)
        statuses = dict(
            session.execute(select(Film.status, func.count()).where(Film.id.in_(chosen)).group_by(Film.status)).all()
        )
        if status:
            chosen = chosen.where(Film.status == status)
        films = list(
            session.scalars(
                select(Film).where(Film.id.in_(chosen)).order_by(*_order(view)).offset(page * PAGE).limit(PAGE)
            )
        )
        return {
            "rows": rows(session, films, call.desk.hub),
            "page": page,
            "pages": -(-(statuses.get(status, 0) if status else sum(statuses.values())) // PAGE),
            "statuses": statuses,
            "views": _views(session),
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
            found["second"] += count if review == "split" else 0
    return found


def _order(view: str) -> tuple[Any, ...]:
    if view in ("done", "all", "aside"):
        return (Film.arrived_at.desc(), Film.id.desc())
    # Most urgent status first, and with it what two people disagree about; then the surest; then who waits longest.
    return (
        case((Film.review == "split", 0), else_=Film.urgency),
        case((Film.review == "split", 0), else_=1),
        func.coalesce(Film.probability, 0).desc(),
        Film.arrived_at,
        Film.id,
    )


def _searched(films: Select[Any], words: list[str]) -> Select[Any]:
    """Films in which every word is found, in the patient, the numbers of the examination, or where it came from."""
    if not words:
        return films
    films = films.join(Study, Film.study_id == Study.id).outerjoin(Patient, Study.patient_id == Patient.id)
    for word in words:
        films = films.where(
            or_(
                *(
                    column.contains(word, autoescape=True)
                    for column in (
                        Patient.identifier, Patient.name, Study.accession_number, Study.date, Film.source, Film.origin,
                        Film.file_name,
                    )
                )
            )
        )  # fmt: skip
    return films


def rows(session: Session, films: list[Film], hub: Any) -> list[dict[str, Any]]:
    """What a worklist shows of films."""
    ids = [film.id for film in films]
    studies = {
        study.id: (study, patient)
        for study, patient in session.execute(
            select(Study, Patient)
            .outerjoin(Patient, Study.patient_id == Patient.id)
            .where(Study.id.in_({film.study_id for film in films}))
        )
    }
    verdicts: dict[int, dict[int, tuple[str, str]]] = defaultdict(dict)
    for film, user, name, full_name, agreement in session.execute(
        select(Verdict.film_id, Verdict.user_id, User.name, User.full_name, Verdict.agreement)
        .join(User)
        .where(Verdict.film_id.in_(ids))
        .order_by(Verdict.id)
    ):
        verdicts[film][user] = (full_name or name, agreement)  # the newest of each user stands
    return [
        {
            "id": film.id,
            "status": film.status,
            "probability": film.probability,
            "review": film.review,
            "on_worklist": film.on_worklist,
            "age_years": film.age_years,
            "sex": film.sex,
            "patient": patient.identifier if patient else "",
            "identity": film.identity,
            "file_name": film.file_name,
            "date": study.date,
            "view": film.view,
            "origin": film.origin,
            "arrived_at": film.arrived_at.isoformat(),
            "conflict": film.conflict_id is not None,
            "looking": hub.names(film.id),
            "verdicts": [{"by": by, "agreement": agreement} for by, agreement in verdicts[film.id].values()],
        }
        for film in films
        for study, patient in [studies[film.study_id]]
    ]


@router.get("/api/events", **gives("text/event-stream"))
async def events(call: Anybody, film: Annotated[int | None, Query(ge=1, le=2**53)] = None) -> StreamingResponse:
    """Send server-sent events: 'changed' when the worklist should be fetched again."""
    hub = call.desk.hub
    if hub.full:
        raise Refusal(503, "busy", "too many pages are open")
    token = call.request.cookies.get(call.desk.cookie, "")
    stream = hub.stream(film, call.who.name, lambda: accounts.session_of(call.desk.store, token) is not None)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
