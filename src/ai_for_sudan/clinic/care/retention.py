"""Old films are deleted by age and by share of the disk; their readings, verdicts and the trail stay."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta

from sqlalchemy import ColumnElement, String, cast, func, select
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.care import clock
from ai_for_sudan.clinic.config import Config
from ai_for_sudan.clinic.store import Store, trail
from ai_for_sudan.clinic.store.tables import Delivery, Film, FilmReading, Job, Result, now

LOG = logging.getLogger(__name__)
#: films in one transaction
BATCH = 50


def retain(config: Config, store: Store) -> int:
    """Delete what the configuration no longer keeps; the number of films.

    Nothing is deleted while the clock is not to be trusted, and never a film that waits to be read or whose results
    are still on their way.
    """
    if clock.suspect(store):
        return 0
    count = 0
    if config.storage.keep_days:
        limit = now() - timedelta(days=config.storage.keep_days)
        while deleted := _delete(store, Film.arrived_at < limit, f"older than {config.storage.keep_days} days"):
            count += deleted
    if config.storage.keep_share:
        most = config.storage.keep_share * shutil.disk_usage(store.folder).total
        while filled(store) > most and (deleted := _delete(store, Film.id > 0, "the films' share of the disk", most)):
            count += deleted
    if count:
        LOG.info("films deleted", extra={"count": count})
    return count


def filled(store: Store) -> int:
    """Bytes that films fill."""
    with store.reading() as session:
        return _filled(session)


def _filled(session: Session) -> int:
    return session.scalar(select(func.sum(Film.size)).where(Film.deleted_at.is_(None))) or 0


def _delete(store: Store, which: ColumnElement[bool], why: str, most: float | None = None) -> int:
    on_its_way = select(FilmReading.film_id).join(Result).join(Delivery).where(Delivery.state.in_(("waiting", "sent")))
    being_made = (
        select(FilmReading.film_id)
        .join(Job, (Job.key == cast(FilmReading.id, String)) | Job.key.startswith(cast(FilmReading.id, String) + "/"))
        .where(Job.kind == "results", Job.state.in_(("waiting", "running")))
    )
    films: set[str] = set()
    results: set[str] = set()
    count = 0
    with store.writing() as session:
        total = _filled(session)
        rows = session.scalars(
            select(Film)
            .where(
                which,
                Film.deleted_at.is_(None),
                Film.status != "waiting",
                Film.identity != "contradicted",
                Film.id.not_in(on_its_way),
                Film.id.not_in(being_made),
            )
            .order_by(Film.arrived_at, Film.id)
            .limit(BATCH)
        ).all()
        for film in rows:
            if most is not None and total <= most:
                break
            film.deleted_at = now()
            total -= film.size
            films.add(film.file)
            results.update(session.scalars(select(Result.file).join(FilmReading).where(FilmReading.film_id == film.id)))
            trail.record(session, "system", "film.deleted", f"film:{film.id}", why=why)
            count += 1
        session.flush()
        # The same file may have come as two films.
        films -= set(session.scalars(select(Film.file).where(Film.file.in_(films), Film.deleted_at.is_(None))))
    for digest in films:
        store.films.delete(digest)
    for digest in results:
        store.results.delete(digest)
    return count
