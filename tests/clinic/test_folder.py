"""The watched folder: whole files only, each once, whatever happens meanwhile."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from clinic_parts import SAMPLES, config, film, running, wait_for
from dicom_film import as_bytes
from sqlalchemy import select

from ai_for_sudan.clinic.clinic import Clinic
from ai_for_sudan.clinic.config import Folder
from ai_for_sudan.clinic.store.tables import Film


def count(clinic: Clinic) -> int:
    with clinic.store.reading() as session:
        return len(session.scalars(select(Film.id)).all())


def test_files_are_taken_once_they_are_whole_and_only_once(tmp_path: Path, reader_file: Path) -> None:
    inbox = tmp_path / "inbox"
    (inbox / "deeper").mkdir(parents=True)
    settings = config(tmp_path, reader_file, folder=Folder(str(inbox), quiet_seconds=1.5))
    (inbox / "1.2.840.113619").write_bytes(as_bytes(film(number=1)))
    (inbox / "deeper" / "x.png").write_bytes((SAMPLES / "normal_02.png").read_bytes())
    (inbox / "letter.txt").write_text("not a film")
    (inbox / "coming.dcm.part").write_bytes(as_bytes(film(number=2)))
    content = as_bytes(film(number=3))
    with running(settings) as clinic:
        with (inbox / "slow.dcm").open("wb") as slow:
            for start in range(0, len(content), len(content) // 5):
                slow.write(content[start : start + len(content) // 5])
                slow.flush()
                time.sleep(0.5)
                with clinic.store.reading() as session:
                    assert not session.scalars(select(Film.id).where(Film.sop_uid == film_uid(content))).all()
        assert wait_for(lambda: count(clinic) == 3)
    with running(settings) as clinic:
        time.sleep(4)
        assert count(clinic) == 3
        with clinic.store.reading() as session:
            assert all("x.png" not in source for source in session.scalars(select(Film.source)))


def film_uid(content: bytes) -> str:
    import io

    from pydicom import dcmread

    return str(dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID)


def test_files_are_deleted_there_when_it_is_asked_for_and_others_stay(tmp_path: Path, reader_file: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "one.dcm").write_bytes(as_bytes(film()))
    (inbox / "letter.txt").write_text("not a film")
    with running(config(tmp_path, reader_file, folder=Folder(str(inbox), 0.1, delete=True))) as clinic:
        assert wait_for(lambda: not (inbox / "one.dcm").exists())
        assert count(clinic) == 1 and (inbox / "letter.txt").exists()


def test_a_folder_that_goes_away_is_a_problem_that_is_shown_and_passes(tmp_path: Path, reader_file: Path) -> None:
    inbox = tmp_path / "inbox"
    with running(config(tmp_path, reader_file, folder=Folder(str(inbox), 0.1))) as clinic:
        assert wait_for(lambda: "No such file" in clinic.folder.problem)
        inbox.mkdir()
        (inbox / "one.dcm").write_bytes(as_bytes(film()))
        assert wait_for(lambda: count(clinic) == 1)
        assert wait_for(lambda: not clinic.folder.problem)


def test_a_full_disk_leaves_the_file_where_it_is_until_there_is_room(
    tmp_path: Path, reader_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    settings = config(tmp_path, reader_file, folder=Folder(str(inbox), 0.1, delete=True))
    with running(dataclasses.replace(settings)) as clinic:
        clinic.store.films.keep_free = 1 << 60
        (inbox / "one.dcm").write_bytes(as_bytes(film()))
        assert wait_for(lambda: "full" in clinic.folder.problem)
        assert (inbox / "one.dcm").exists() and count(clinic) == 0
        clinic.store.films.keep_free = 0
        assert wait_for(lambda: count(clinic) == 1)
