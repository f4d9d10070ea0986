"""The one way in: whatever brings a film, it is on the disk and in the database when :func:`receive` returns."""

from __future__ import annotations

import hashlib
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage
from sqlalchemy import select

from ai_for_sudan.clinic import uids
from ai_for_sudan.clinic.config import Arrivals
from ai_for_sudan.clinic.header import Facts, data_set_start, facts_of, header_of, plain
from ai_for_sudan.clinic.pseudonyms import Pseudonyms
from ai_for_sudan.clinic.store import Store, films, trail
from ai_for_sudan.clinic.store.identities import NOBODY, Identity
from ai_for_sudan.clinic.store.tables import Film, Result
from ai_for_sudan.contract.limits import LARGEST_FILE
from ai_for_sudan.errors import UnreadableFilm

LOG = logging.getLogger(__name__)
#: SOP classes of what this clinic makes
RESULTS = {Comprehensive3DSRStorage, SecondaryCaptureImageStorage}
#: pictures that Pillow opens and the reader decodes
PICTURES = ("PNG", "JPEG", "MPO", "TIFF", "BMP", "WEBP", "GIF")


class OwnResult(Exception):
    """A PACS sent back what this clinic made: there is nothing to read, and nothing to keep twice."""


@dataclass(frozen=True)
class Received:
    """What became of a film that was brought.

    Attributes:
        film: its number in the store.
        sop_uid: as the store has it.
        new: whether it was not here before.
        conflict: whether another film with other content came under the same SOP Instance UID before.
    """

    film: int
    sop_uid: str
    new: bool
    conflict: bool


def receive(
    store: Store,
    file: Path,
    *,
    origin: str,
    source: str = "",
    pseudonyms: Pseudonyms | None = None,
    actor: str = "",
    user_id: int | None = None,
    device_id: int | None = None,
    named: Identity = NOBODY,
    age_years: float | None = None,
    date: str = "",
    file_name: str = "",
    announced: tuple[str, str] | None = None,
    seen: Look | None = None,
    rule: Arrivals | None = None,
) -> Received:
    """Take a whole file over: it moves among the films, is registered, and will be read.

    Args:
        file: below ``store.films.incoming``; it is gone afterwards, also when this raises.
        origin: one of :data:`ai_for_sudan.clinic.store.tables.ORIGINS`.
        source: who sent it.
        pseudonyms: to take identifiers away first.
        actor: who brought it, for the trail; without one, who sent it is on the film alone.
        user_id, device_id: the same as the store numbers them.
        named, age_years, date: what a person said of a film whose header does not say it.
        file_name: of the file that a person added; it often names the patient.
        announced: SOP class and instance that the film must be (PS3.7 9.1.1.1).
        seen: what :func:`look` said of the file, where it was looked at already.
        rule: what is refused whichever way it comes.

    Raises:
        UnreadableFilm: it is neither DICOM nor a picture, too large, or not what was announced.
        DiskFull: there is no space.
        OwnResult: it is one of the clinic's own results.
    """
    try:
        store.films.check_room()
        seen = seen or look(file, announced)
        if rule is not None and (
            seen.facts.film.get("modality") in rule.refuse or seen.facts.film.get("sop_class") in rule.refuse_classes
        ):
            raise UnreadableFilm("header_modality", "this clinic takes radiographs, and not this kind of image")
        if pseudonyms is not None and seen.facts.film["kind"] == "dicom":
            pseudonyms.apply(file)
            seen = look(file)
        facts = seen.facts
        if facts.film.get("sop_class") in RESULTS and known_result(store, str(facts.film["sop_uid"])):
            raise OwnResult(str(facts.film["sop_uid"]))
        store.films.adopt(file, seen.digest)
    finally:
        file.unlink(missing_ok=True)
    film = facts.film | {"origin": origin, "source": plain(source, 64), "size": seen.size}
    film |= {"user_id": user_id, "device_id": device_id}
    identity, examination = facts.identity, facts.study
    if pseudonyms is None:
        film["file_name"] = plain(file_name, 200)
    else:
        number = pseudonyms.of("patient", named.identifier)[:16] if named.identifier else ""
        named = Identity(number, sex=named.sex)
    if film.get("age_years") is None:
        film["age_years"] = age_years
    if not identity.known:
        identity = named
        film["sex"] = film.get("sex") or named.sex
    if date and not examination.get("date"):
        examination = examination | {"date": date}
    with store.writing() as session:
        row, new = films.register(session, films.Arrival(seen.digest, seen.content, film, examination, identity))
        if actor:
            trail.record(session, actor, "film.received", f"film:{row.id}", origin=origin, new=new)
        # The same film under another preamble is another file, which nobody would ever delete.
        spare = not session.scalar(select(Film.id).where(Film.file == seen.digest).limit(1))
    if spare:
        store.films.delete(seen.digest)
    return Received(row.id, row.sop_uid, new, row.conflict_id is not None)


def known_result(store: Store, sop_uid: str) -> bool:
    """Whether a SOP Instance UID is one of the clinic's own results."""
    with store.reading() as session:
        return session.scalar(select(Result.id).where(Result.sop_uid == sop_uid)) is not None


def adopt_orphans(store: Store, pseudonyms: Pseudonyms | None = None) -> int:
    """Register films whose file reached the disk while its row did not; nobody was told that they had arrived.

    Returns:
        their number.
    """
    with store.reading() as session:
        known = set(session.scalars(select(Film.file)))
    count = 0
    for file in store.films.all():
        if file.name in known:
            continue
        moved = store.films.incoming / f"{file.name}.part"
        file.replace(moved)
        try:
            received = receive(store, moved, origin="recovered", pseudonyms=pseudonyms)
            count += received.new
        except UnreadableFilm:
            LOG.warning("a file among the films was not a film", extra={"file": file.name})
    return count


@dataclass(frozen=True)
class Look:
    """A whole file, looked at once.

    Attributes:
        digest, content: see :class:`Film`.
        size: bytes.
    """

    digest: str
    content: str
    size: int
    facts: Facts


def look(file: Path, announced: tuple[str, str] | None = None) -> Look:
    """Hash a file and read its header, each once.

    Args:
        announced: SOP class and instance that the film must be (PS3.7 9.1.1.1).

    Raises:
        UnreadableFilm: it is neither DICOM nor a picture, too large, or not what was announced.
    """
    size = file.stat().st_size
    if size > LARGEST_FILE:
        raise UnreadableFilm("too_large", f"the file has {size / 1e6:.0f} MB; at most 300 MB are accepted")
    start = data_set_start(file)
    whole, content = hashlib.sha256(), hashlib.sha256()
    with file.open("rb") as opened:
        whole.update(opened.read(start))
        while piece := opened.read(1 << 20):
            whole.update(piece)
            content.update(piece)
    facts = _facts(file, content.hexdigest(), announced)
    return Look(whole.hexdigest(), content.hexdigest(), size, facts)


def _facts(file: Path, content: str, announced: tuple[str, str] | None = None) -> Facts:
    with file.open("rb") as opened:
        start = opened.read(132)
    if start[128:] == b"DICM" or start[:2] in (b"\x02\x00", b"\x08\x00"):
        header = header_of(file)
        if announced and (str(header.get("SOPClassUID", "")), str(header.get("SOPInstanceUID", ""))) != announced:
            raise UnreadableFilm("mismatch", "the film is not the one that was announced")
        return facts_of(header, content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=PICTURES) as picture:
                kind = str(picture.format).lower()
    except Exception as error:  # Pillow raises whatever it likes for damaged bytes
        raise UnreadableFilm("not_a_film", "the file is neither DICOM nor a picture; send the film itself") from error
    film: dict[str, object] = {"kind": kind, "sop_uid": uids.derived("picture", content)}
    return Facts(film, {"uid": uids.derived("study", content)})
