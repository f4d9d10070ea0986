"""A header is read in the server's own process: a deflated file must not grow there, wherever it says that it is."""

from __future__ import annotations

from pathlib import Path

import crafted_films
import pytest

from ai_for_sudan.clinic.header import facts_of, header_of
from ai_for_sudan.errors import UnreadableFilm


def crafted(name: str, file: Path) -> Path:
    file.write_bytes(crafted_films.FILMS[name]())
    return file


@pytest.mark.parametrize("name", ["deflated, wrong group length", "deflated, identifier beyond 4 kB", "deflated twice"])
def test_it_is_refused_before_it_grows(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFilm) as caught:
        header_of(crafted(name, tmp_path / "film"))
    assert caught.value.code in ("too_large", "damaged")


@pytest.mark.parametrize("name", ["character set", "institution", "implicit, modality"])
def test_a_value_of_a_hundred_megabytes_is_passed_over(name: str, tmp_path: Path) -> None:
    header = header_of(crafted(f"100 MB of backslashes, {name}", tmp_path / "film"))
    assert sum(len(str(element.value)) for element in header) < 10_000
    assert facts_of(header).film["kind"] == "dicom"


def test_one_of_the_usual_size_is_read(tmp_path: Path) -> None:
    import pydicom

    film = Path(pydicom.__file__).parent / "data" / "test_files" / "image_dfl.dcm"
    header = header_of(film)
    assert header.Rows == 512
    assert facts_of(header).film["transfer_syntax"] == "1.2.840.10008.1.2.1.99"
