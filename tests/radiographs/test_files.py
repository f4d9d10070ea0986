"""Which files of a folder are films: none is lost, none is made up."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from ai_for_sudan.cli.inputs import save_png
from ai_for_sudan.radiographs import Skipped, find_films

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
GREY = Image.fromarray(np.zeros((9, 9), np.uint8))


def names(*given: object) -> tuple[list[str], Skipped]:
    skipped = Skipped()
    return [path.name for path in find_films([str(g) for g in given], skipped)], skipped


def test_files_folders_and_patterns(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/b/2.JPG", "a/b/no_suffix", "a/notes.txt", "a/.hidden.png", "a/DICOMDIR"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found, skipped = names(tmp_path)
    assert found == ["1.png", "2.JPG", "no_suffix"]
    assert dict(skipped.counts) == {
        "hidden files": 1,
        "DICOM directories": 1,
        "files without a film's content": 1,
    }
    assert str(skipped).startswith("skipped: hidden files: 1 (the first: ") and str(Skipped()) == ""
    assert "files without a film's content: 1 (the first: " in str(skipped)
    assert names(tmp_path / "a" / "*.png")[0] == ["1.png"]
    assert names(tmp_path / "**" / "*.JPG")[0] == ["2.JPG"]
    assert names(tmp_path / "a" / "notes.txt")[0] == ["notes.txt"]
    assert names(tmp_path / "missing.png", tmp_path / "*.bmp")[0] == ["missing.png", "*.bmp"]


def test_dicom_is_known_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    content = (TEST_FILES / "CT_small.dcm").read_bytes()
    given = ["1.2.840.113619.2.1.1", "CR.1.2.276.0.7230010.3.1.4", "IM0001.0", "film.txt", "film.xyz", "IM000001"]
    for name in given:
        (tmp_path / name).write_bytes(content)
    (tmp_path / "without_preamble.old").write_bytes((TEST_FILES / "ExplVR_LitEndNoMeta.dcm").read_bytes())
    (tmp_path / "photo.jfif").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    (tmp_path / "table.csv").write_text("film,label\n")
    (tmp_path / "index.bin").write_bytes((TEST_FILES / "dicomdirtests" / "DICOMDIR").read_bytes())
    found, skipped = names(tmp_path)
    assert sorted(found) == sorted([*given, "without_preamble.old", "photo.jfif"])
    assert dict(skipped.counts) == {"DICOM directories": 1, "files without a film's content": 1}


def test_pictures_that_the_program_made_are_no_films_however_their_folder_is_spelt(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    GREY.save(tmp_path / "films" / "1.png")
    (tmp_path / "films" / "overlays").mkdir()
    save_png(GREY, tmp_path / "films" / "overlays" / "1.png.overlay.png")
    (tmp_path / "link").symlink_to(tmp_path / "films")
    for spelt in ("films", "films/../films", "link", "films/**/*.png"):
        found, skipped = names(f"{tmp_path}/{spelt}")
        assert found == ["1.png"] and skipped.counts["pictures that this program made"] == 1, spelt
    # one that is named is read: it was asked for
    assert len(names(tmp_path / "films" / "overlays" / "1.png.overlay.png")[0]) == 1


def test_a_linked_folder_and_a_pattern_that_matches_a_folder_are_reported(tmp_path: Path) -> None:
    (tmp_path / "films" / "sub.png").mkdir(parents=True)
    (tmp_path / "films" / "linked").symlink_to(tmp_path)
    found, skipped = names(tmp_path / "films")
    assert found == [] and dict(skipped.counts) == {"links to folders": 1}
    assert names(tmp_path / "films" / "*.png")[1].counts["folders that a pattern matched"] == 1


@pytest.mark.skipif(os.name != "posix", reason="folders are closed otherwise on this system")
def test_a_folder_that_cannot_be_opened_is_named() -> None:
    code = (
        "import os, sys; from ai_for_sudan.radiographs import find_films, picture, plain, read_radiograph\n"
        "read_radiograph(sys.argv[2])\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "for path in find_films([sys.argv[1], sys.argv[1] + '/listed/2.png', sys.argv[1] + '/listed/*.png']):\n"
        "    try: read_radiograph(path); print(path.name, 'film')\n"
        "    except Exception as error: print(path.name, error.code, error.reason)\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir(mode=0o755)
        GREY.save(folder / "closed" / "2.png")
        GREY.save(folder / "open.png")
        (folder / "listed").mkdir(mode=0o755)
        GREY.save(folder / "listed" / "2.png")
        (folder / "closed").chmod(0)
        (folder / "listed").chmod(0o444)
        try:
            done = subprocess.run(
                [sys.executable, "-c", code, folder, folder / "open.png"],
                capture_output=True,
                text=True,
                check=True,
            )
        finally:
            (folder / "closed").chmod(0o755)
            (folder / "listed").chmod(0o755)
    assert sorted(done.stdout.splitlines()) == [
        *["2.png unreadable the file cannot be read: Permission denied"] * 3,
        "closed unreadable the file cannot be read: Permission denied",
        "open.png film",
    ]


def test_a_list_of_films_is_found_in_constant_memory(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number:02}.jpg").touch()
    films = find_films([tmp_path])
    assert next(films).name == "00.jpg"
    (tmp_path / "extra").mkdir()
    assert len(list(films)) == 49
