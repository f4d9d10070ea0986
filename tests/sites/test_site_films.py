"""What is read of a site: a reader that says what a file's name asks for, so that every outcome is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ai_for_sudan.contract import Card
from ai_for_sudan.contract.reference import picture_statistics
from ai_for_sudan.errors import UserError
from ai_for_sudan.sites import ReaderFile, read_site, site_manifest
from ai_for_sudan.sites.site_films import Unread


class Named:
    """Reads a file by its name: ``failed_``, ``refused_`` or ``endless_`` at its beginning, else as a grey film.

    Its gate doubts ``doubted_``, and to it the lungs of ``abnormal_`` do not look normal.
    """

    card = SimpleNamespace(
        gate=(SimpleNamespace(limit=0.5), SimpleNamespace(limit=0.9)), abnormal=SimpleNamespace(limit=0.7)
    )

    def read(self, source: str) -> Any:
        name = Path(source).stem
        status, _, _ = name.partition("_")
        if status == "failed":
            return SimpleNamespace(status="failed", reasons=("it is damaged", "try another"), codes=("damaged",))
        if status == "refused":
            return SimpleNamespace(status="refused", reasons=("it is blank",), codes=("blank", "negative"))
        number = float(name.partition("_")[2] or 0)
        return SimpleNamespace(
            status="uncertain",
            reasons=(),
            codes=(),
            probability=np.nan if status == "nan" else 0.5,
            embedding=np.array([np.inf if status == "endless" else number, 1.0], np.float32),
            pixels=np.full((300, 448), int(number) % 256, np.uint8),
            gate=np.array([0.6 if status == "doubted" else 0.5, 0.8]),
            abnormal=0.7 if status == "abnormal" else 0.6,
        )


@pytest.fixture
def card(tiny_file: ReaderFile) -> Card:
    return tiny_file.card


def table(folder: Path, *lines: str, header: str = "file,label,patient,view") -> Path:
    """A CSV; each film that it names is there, with its own name in it unless it says which other's bytes it has."""
    path = folder / "films.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    for line in lines:
        name = line.split(",")[0]
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    return path


def read(path: Path, card: Card) -> Any:
    return read_site(Named(), site_manifest(path, card), threads=2)  # type: ignore[arg-type]


def test_every_film_comes_with_what_is_known_of_it(tmp_path: Path, card: Card) -> None:
    path = table(
        tmp_path,
        "film_51.png,pneumonia,p1,AP",
        "failed_1.png,normal,p1,AP",
        "film_102.png,normal,p2,PA",
        "refused_1.png,pneumonia,p3,",
        "nan_1.png,normal,p4,",
        "endless_1.png,normal,p4,",
        "film_204.png,,p1,",
    )
    films = read(path, card)
    assert films.files == ["film_51.png", "film_102.png", "film_204.png"] and len(films) == 3
    assert films.index.tolist() == [0, 2, 6]
    np.testing.assert_array_equal(films.labels, [1, 0, np.nan])
    assert films.patients[0] == films.patients[2] != films.patients[1]
    assert [facts.get("view", "") for facts in films.facts] == ["AP", "PA", ""]
    assert films.embeddings.dtype == np.float64 and films.embeddings.tolist() == [[51, 1], [102, 1], [204, 1]]
    for number, grey in enumerate((51, 102, 204)):
        np.testing.assert_allclose(films.pictures[number], picture_statistics(np.full((224, 224), grey, np.uint8)))
    p1, p3, p4 = films.patients[0], films.refused[0].patient, films.excluded[1].patient
    assert films.refused == [Unread("refused_1.png", 1.0, p3, ("blank", "negative"))] and p3 != p1
    not_a_number = "the reader's probability is not a number"
    assert films.excluded == [
        Unread("failed_1.png", 0.0, p1, reason="it is damaged; try another"),
        Unread("nan_1.png", 0.0, p4, reason=not_a_number),
        Unread("endless_1.png", 0.0, p4, reason=not_a_number),
    ]
    assert films.patients_known is True


def test_one_film_with_two_labels_takes_no_part_and_a_copy_with_one_is_of_the_same_patient(
    tmp_path: Path, card: Card
) -> None:
    path = table(
        tmp_path,
        *("film_1.png,pneumonia,", "film_2.png,normal,", "film_3.png,normal,", "film_4.png,normal,p", "film_5.png,,"),
        header="file,label,patient",
    )
    (tmp_path / "film_2.png").write_text("film_1.png")
    (tmp_path / "film_4.png").write_text("film_3.png")
    (tmp_path / "film_5.png").write_text("film_3.png")
    films = read(path, card)
    reason = "the same film is also listed with another label"
    assert [(film.file, film.reason) for film in films.excluded] == [("film_1.png", reason), ("film_2.png", reason)]
    assert films.files == ["film_3.png", "film_4.png", "film_5.png"] and len(set(films.patients)) == 1
    assert films.patients_known is False, "one is named, and two are not"


def test_what_a_film_may_be_said_to_be_whatever_its_probability_is(tmp_path: Path, card: Card) -> None:
    films = read(table(tmp_path, "film_1.png,normal,1,", "doubted_2.png,normal,2,", "abnormal_3.png,normal,3,"), card)
    assert films.doubted.tolist() == [False, True, False] and films.abnormal.tolist() == [False, False, True]


def test_findings_are_the_reader_s_own_column(tmp_path: Path, card: Card) -> None:
    path = table(tmp_path, "film_1.png,1,0", "film_2.png,0,1", "film_3.png,0,", header="file,edema,pneumonia")
    manifest = site_manifest(path, card, label_columns=["edema", "pneumonia"])
    films = read_site(Named(), manifest, threads=1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(films.labels, [0, 1, np.nan])


def test_patients_are_told_by_the_rule(tmp_path: Path, card: Card) -> None:
    path = table(tmp_path, "film_11.png,normal", "film_12.png,normal", "film_21.png,pneumonia", header="file,label")
    manifest = site_manifest(path, card, patient_rule=r"regex:film_(\d)")
    assert [film.patient for film in manifest.films] == ["1", "1", "2"]
    assert manifest.classes == card.classes and manifest.positive == card.positive


def test_films_are_named_from_where_the_data_lies(tmp_path: Path, card: Card) -> None:
    inside, outside = tmp_path / "data", tmp_path / "elsewhere.png"
    inside.mkdir()
    outside.write_text("x")
    films = read(table(inside, "deep/film_1.png,normal,1,", f"{outside},normal,2,"), card)
    assert films.files == ["deep/film_1.png", str(outside)]
    assert read(inside / "deep", card).files == ["film_1.png"], "a folder of films without labels"


def test_a_site_of_which_nothing_can_be_read_says_why(tmp_path: Path, card: Card) -> None:
    path = table(tmp_path, "refused_1.png,normal,1,", "failed_1.png,normal,2,", "refused_2.png,normal,2,")
    with pytest.raises(UserError) as raised:
        read(path, card)
    assert str(raised.value) == (
        f"{path}: none of 3 films could be read (2 were refused); failed_1.png: it is damaged; try another"
    )
    with pytest.raises(UserError) as raised:
        read(table(tmp_path, "refused_1.png,normal,1,"), card)
    assert str(raised.value).endswith("none of 1 films could be read (1 were refused); refused_1.png: refused (blank)")
