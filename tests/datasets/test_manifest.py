"""Which films there are, and what their names and columns tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ai_for_sudan.datasets import labels, load_manifest, patients
from ai_for_sudan.errors import UserError


def film(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"never opened here")


def csv(folder: Path, text: str, *files: str) -> Path:
    for name in files:
        film(folder / name)
    path = folder / "films.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_folders_in_any_letter_case(tmp_path: Path) -> None:
    for place in (
        "Train/NORMAL/a.png",
        "Train/Pneumonia/b.JPG",
        "VAL/normal/c.dcm",
        "VAL/pneumonia/d",
        "test/Normal/e.bmp",
    ):
        film(tmp_path / place)
    manifest = load_manifest(tmp_path)
    assert manifest.classes == ("normal", "pneumonia")
    assert manifest.positive == "pneumonia"
    found = {(Path(f.file).name, f.split, f.label) for f in manifest.films}
    expected = {
        ("a.png", "train", 0),
        ("b.JPG", "train", 1),
        ("c.dcm", "val", 0),
        ("d", "val", 1),
        ("e.bmp", "test", 0),
    }
    assert found == expected


def test_bare_class_folders_have_no_split_and_system_files_are_not_films(tmp_path: Path) -> None:
    for place in (
        "pneumonia/1.png",
        "normal/2.png",
        "normal/.DS_Store",
        "normal/Thumbs.db",
        "__MACOSX/x.png",
        "README.md",
    ):
        film(tmp_path / place)
    manifest = load_manifest(tmp_path)
    assert [f.split for f in manifest.films] == [None, None]
    assert manifest.classes == ("normal", "pneumonia")
    assert manifest.positive == "pneumonia"


def test_the_positive_class_of_two_comes_last(tmp_path: Path) -> None:
    film(tmp_path / "a/1.png")
    film(tmp_path / "b/1.png")
    manifest = load_manifest(tmp_path, positive="A")
    assert (manifest.classes, manifest.positive) == (("b", "a"), "a")


def test_more_than_two_classes(tmp_path: Path) -> None:
    for name in ("viral", "normal", "bacterial"):
        film(tmp_path / name / "1.png")
    manifest = load_manifest(tmp_path, positive="bacterial")
    assert set(manifest.classes) == {"viral", "normal", "bacterial"}
    assert {manifest.classes[f.label] for f in manifest.films} == {Path(f.file).parent.name for f in manifest.films}


@pytest.mark.parametrize(
    ("places", "complaint"),
    [
        ([], "contains no class folders"),
        (["a.png"], "contains no class folders (found: a.png)"),
        (["chest/train/normal/a.png", "chest/train/pneumonia/b.png"], "nested"),
        (["normal/p1/a.png", "pneumonia/p2/b.png"], "nested"),
        (["normal/a.png", "normal/p1/b.png", "pneumonia/c.png"], "nested"),
        (
            ["train/normal/a.png", "train/pneumonia/b.png", "extra/c.png"],
            "both split folders (train) and others (extra)",
        ),
        (["normal/a.png"], "only one class (normal)"),
    ],
)
def test_wrong_folders_are_reported_with_what_was_found(tmp_path: Path, places: list[str], complaint: str) -> None:
    for place in places:
        film(tmp_path / place)
    with pytest.raises(UserError) as error:
        load_manifest(tmp_path)
    assert complaint in str(error.value)


def test_an_empty_class_folder(tmp_path: Path) -> None:
    film(tmp_path / "normal/a.png")
    (tmp_path / "pneumonia").mkdir()
    with pytest.raises(UserError, match="pneumonia contains no films"):
        load_manifest(tmp_path)


def test_a_missing_folder_and_a_wrong_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no dataset"):
        load_manifest(tmp_path / "absent")
    film(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"not a folder, a \.csv"):
        load_manifest(tmp_path / "a.png")


def test_csv_columns(tmp_path: Path) -> None:
    text = "File;Label;Patient;Split;Sex;View\n x/a.png ;Pneumonia;p1;train;F;AP\nb.png;normal;p2;VAL;;PA\n"
    manifest = load_manifest(csv(tmp_path, text, "x/a.png", "b.png"))
    first, second = manifest.films
    assert first.file == str(tmp_path / "x/a.png")
    assert (first.label, first.patient, first.split, first.facts) == (1, "p1", "train", {"sex": "F", "view": "AP"})
    assert (second.label, second.split, second.facts) == (0, "val", {"view": "PA"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,kind\na.png,normal\n", "no column 'label'; its columns are: file, kind"),
        ("file,label\n", "names no films"),
        ("", "no column"),
        ("file,label\na.png,\n", "line 2: no label for a.png"),
        ("file,label\n,normal\n", "line 2: no file is named"),
        ("file,label,split\na.png,normal,holdout\n", "split 'holdout'"),
        ("file,label\na.png,normal\na.png,pneumonia\n", "more than once"),
        ("file,label\na.png,normal,AP\n", "line 2: 3 values for the 2 columns"),
        ("file,label,label\na.png,normal,x\n", "'label' twice"),
        ("file,label\na.png,normal\nb.png,normal\n", "only one class"),
        ("file,label\na.png,normal\nb\0.png,pneumonia\n", "NUL"),
    ],
)
def test_wrong_tables_are_reported_with_the_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UserError) as error:
        load_manifest(csv(tmp_path, text))
    assert complaint in str(error.value)


def test_a_table_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_bytes(b"file,label\n\xff\xfe.png,normal\n")
    with pytest.raises(UserError, match="UTF-8"):
        load_manifest(path)


def test_labels_outside_the_given_classes(tmp_path: Path) -> None:
    path = csv(tmp_path, "file,label\na.png,normal\nb.png,covid\n")
    with pytest.raises(UserError, match=r"'covid' of .*b.png is not one of the classes normal, pneumonia"):
        load_manifest(path, classes=["normal", "pneumonia"])


def test_films_without_a_label_where_they_are_allowed(tmp_path: Path) -> None:
    path = csv(tmp_path, "file,label\na.png,normal\nb.png,\nc.png,pneumonia\n")
    assert labels(load_manifest(path, unlabelled=True)).tolist() == [0, -1, 1]


def test_findings_with_a_column_each(tmp_path: Path) -> None:
    path = csv(tmp_path, "file,Pneumonia,edema\na.png,1,0\nb.png,,1\nc.png,-1,nan\n")
    manifest = load_manifest(path, label_columns=["Pneumonia", "edema"])
    assert (manifest.task, manifest.classes, manifest.positive) == ("multilabel", ("pneumonia", "edema"), "pneumonia")
    np.testing.assert_array_equal(labels(manifest), np.array([[1, 0], [np.nan, 1], [np.nan, np.nan]], np.float32))
    assert labels(manifest).dtype == np.float32


def test_findings_listed_in_one_column(tmp_path: Path) -> None:
    path = csv(tmp_path, "file,finding\na.png,Edema|Pneumonia\nb.png,No Finding\nc.png,Edema\n")
    manifest = load_manifest(path, label_columns=["finding"])
    assert manifest.classes == ("edema", "pneumonia")
    assert labels(manifest).tolist() == [[1, 1], [0, 0], [1, 0]]


def test_a_finding_that_is_neither_yes_nor_no(tmp_path: Path) -> None:
    path = csv(tmp_path, "file,pneumonia,edema\na.png,1,0\nb.png,maybe,1\n")
    with pytest.raises(UserError, match="line 3: pneumonia is 'maybe'"):
        load_manifest(path, label_columns=["pneumonia", "edema"])


@pytest.mark.parametrize(
    ("name", "patient", "finding"),
    [
        ("IM-0115-0001.jpeg", "im-0115", "normal"),
        ("IM-0187-0001-0002.jpeg", "im-0187", "normal"),
        ("NORMAL2-IM-0115-0001.jpeg", "normal2-im-0115", "normal"),
        ("person115_bacteria_538.jpeg", "person115", "bacterial"),
        ("person115_virus_1_2.jpeg", "person115", "viral"),
    ],
)
def test_kermany_names(tmp_path: Path, name: str, patient: str, finding: str) -> None:
    path = csv(tmp_path, f"file,label\n{name},a\nperson9_virus_9.jpeg,b\n")
    film_ = load_manifest(path, positive="b", patient_rule="kermany").films[0]
    assert (film_.patient, film_.facts["finding"]) == (patient, finding)


@pytest.mark.parametrize("name", ["scan7.png", "person_virus_1.jpeg", "IM-0115.jpeg", "person1_virus_6 copy.jpeg"])
def test_a_name_that_the_rule_does_not_match_is_named(tmp_path: Path, name: str) -> None:
    path = csv(tmp_path, f"file,label\n{name},a\nb.png,b\n")
    with pytest.raises(UserError, match=name):
        load_manifest(path, positive="b", patient_rule="kermany")


def test_patients_by_a_regular_expression(tmp_path: Path) -> None:
    path = csv(tmp_path, "file,label\n07_a.png,a\n12_b.png,b\n")
    assert patients(load_manifest(path, positive="b", patient_rule=r"regex:^(\d+)_")).tolist() == ["07", "12"]
    for rule, complaint in (
        (r"regex:^\d+", "exactly one group"),
        ("regex:(", "not a regular expression"),
        ("x", "no patient rule"),
    ):
        with pytest.raises(UserError, match=complaint):
            load_manifest(path, positive="b", patient_rule=rule)


def test_without_patients_each_film_is_its_own(tmp_path: Path) -> None:
    path = csv(tmp_path, "file,label\na.png,a\nb.png,b\n")
    assert len(set(patients(load_manifest(path, positive="b")))) == 2


def test_medmnist(tmp_path: Path) -> None:
    path = tmp_path / "pneumoniamnist.npz"
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    np.savez(path, train_images=images[:3], train_labels=[[0], [1], [1]], val_images=images[3:], val_labels=[[1], [0]])
    manifest = load_manifest(path)
    assert manifest.classes == ("normal", "pneumonia")
    assert [(f.split, f.label) for f in manifest.films] == [
        ("train", 0), ("train", 1), ("train", 1), ("val", 1), ("val", 0)
    ]  # fmt: skip
    np.testing.assert_array_equal(manifest.films[4].pixels(), images[4])


def test_numbers_of_another_data_set_are_not_given_names(tmp_path: Path) -> None:
    """Of BreastMNIST 1 is the healthy class."""
    images = np.zeros((4, 28, 28), np.uint8)
    np.savez(tmp_path / "breastmnist.npz", train_images=images, train_labels=[[0], [1], [1], [0]])
    with pytest.raises(UserError, match="classes 0, 1"):
        load_manifest(tmp_path / "breastmnist.npz")
    manifest = load_manifest(tmp_path / "breastmnist.npz", positive="1")
    assert manifest.classes == ("0", "1") and manifest.positive == "1"


def test_a_name_tells_a_patient_only_where_a_rule_was_asked_for(tmp_path: Path) -> None:
    path = csv(tmp_path, "file,label\nperson1_virus_6.png,pneumonia\nIM-0115-0001.png,normal\n")
    assert [film.patient for film in load_manifest(path).films] == [None, None]
    assert [film.patient for film in load_manifest(path, patient_rule="kermany").films] == ["person1", "im-0115"]


def test_npz_files_that_are_not_medmnist(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(UserError, match="cannot be read as a MedMNIST file"):
        load_manifest(path)
    np.savez(path, pictures=np.zeros(3))
    with pytest.raises(UserError, match="no train_labels"):
        load_manifest(path)
    np.savez(path, train_labels=np.array([[0], [1]]))
    with pytest.raises(UserError, match="train_images"):
        load_manifest(path)
    np.savez(path, train_labels=np.array([[0], [1]]), train_images=np.zeros((3, 28, 28), np.uint8))
    with pytest.raises(UserError, match="different numbers of images and labels in train"):
        load_manifest(path)
    images = np.zeros((2, 28, 28), np.uint8)
    for labels_, images_ in (
        (np.array([[0.0], [np.nan]]), images),
        (np.array([["a"], ["b"]]), images),
        (np.array(1), images),
        (np.array([[0], [1]]), np.zeros(2, np.uint8)),
    ):
        np.savez(path, train_labels=labels_, train_images=images_)
        with pytest.raises(UserError, match="expected class numbers"):
            load_manifest(path)


def test_the_kermany_films(kermany: Path) -> None:
    manifest = load_manifest(kermany, patient_rule="kermany")
    assert np.bincount(labels(manifest)).tolist() == [1341, 3875]
    people = set(patients(manifest))
    assert sum(p.startswith("person") for p in people) == 1635
    assert sum(not p.startswith("person") for p in people) == 1211
    three = load_manifest(kermany, positive="bacterial", label_rule="kermany3")
    assert dict(zip(three.classes, np.bincount(labels(three)).tolist(), strict=True)) == {
        "normal": 1341, "bacterial": 2530, "viral": 1345
    }  # fmt: skip


def test_the_adult_site(adult_site: Path) -> None:
    manifest = load_manifest(adult_site / "labels.csv")
    assert np.bincount(labels(manifest)).tolist() == [150, 145]
    assert len(set(patients(manifest))) == 236
    assert {f.facts["view"] for f in manifest.films} == {"AP", "PA"}


@pytest.mark.parametrize("classes", [("diseased", "healthy"), ("abnormal", "clear")])
def test_the_reported_class_is_not_guessed(tmp_path: Path, classes: tuple[str, str]) -> None:
    path = csv(tmp_path, f"file,label\na.png,{classes[0]}\nb.png,{classes[1]}\n")
    with pytest.raises(UserError, match=f"{classes[0]}, {classes[1]}: .*--positive"):
        load_manifest(path)
    manifest = load_manifest(path, positive=classes[0].upper())
    assert manifest.positive == classes[0] == manifest.classes[-1]
