"""What waits, and for whom, in plain words: for `health`, the doctor and the pages."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store import deliveries, identities
from ai_for_sudan.clinic.store.tables import DELIVERY_STATES, Destination, Film, Job


def standing(session: Session) -> list[dict[str, str]]:
    """What waits, and for whom: of destinations, jobs and identities, ``{"code", "words", "advice"}`` each.

    Nothing of the clinic stops without one of these.
    """
    found: list[dict[str, str]] = []

    def problem(code: str, words: str, advice: str) -> None:
        found.append({"code": code, "words": words, "advice": advice})

    counts = deliveries.counts(session)
    for there in session.scalars(select(Destination).where(Destination.active).order_by(Destination.name)):
        number = {state: counts.get((there.name, state), 0) for state in DELIVERY_STATES}
        if there.error:
            problem("delivery", there.error, "see the page of deliveries, or: clinic doctor")
        if there.unconfirmed and number["sent"]:
            problem(
                "unconfirmed",
                f"{number['sent']} results were accepted, but not confirmed: {there.unconfirmed}",
                f"allow it there, or set confirm of '{there.name}' to query, commitment or status",
            )
        if number["refused"]:
            words = f"{there.name} refused {number['refused']} results"
            problem("refused", words, "see the page of deliveries for the reasons, then send them again")
        if number["lost"]:
            problem(
                "lost",
                f"{number['lost']} results for {there.name} are lost: their files and films are missing",
                "send these films to the clinic again",
            )
    for state, code in (("failed", "jobs_failed"), ("waiting", "jobs_stuck")):
        stuck = (Job.state == state) & (Job.error != "")
        number_of, last = session.execute(select(func.count(), func.max(Job.error)).where(stuck)).one()
        if number_of:
            what = "were given up" if state == "failed" else "went wrong and are tried again"
            problem(code, f"{number_of} jobs {what}: {last}", "see the log; films can be sent again")
    if open_ones := identities.open_contradictions(session):
        held = session.scalar(select(func.count()).select_from(Film).where(Film.identity == "contradicted"))
        problem(
            "identity",
            f"{len(open_ones)} contradictions about whose film it is wait for a decision; results of {held} films "
            "are not sent until then",
            "a clinician decides on the pages: keep apart, merge or correct",
        )
    return found
