"""Groups that are served worse are found, groups that are alike are not, and confounding is shown."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.cli import main
from ai_for_sudan.evaluation.audit import audit, groups_of
from ai_for_sudan.statistics import quick_auroc


def test_ages_fall_into_bands() -> None:
    found = groups_of("age", ["3", "0.5", "058Y", "17", "80", "old", "-4"])
    assert found.tolist() == ["1 to 5 years", "under 1", "40 to 64 years", "6 to 17 years", "65 years and over", "", ""]
    assert groups_of("sex", ["F", ""]).tolist() == ["F", ""]


def test_a_group_served_worse_is_found_and_one_alike_is_not() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(800) % 2
    device, sex = np.where(np.arange(800) < 400, "old", "new"), random.choice(["F", "M"], 800)
    signal = np.where(device == "old", 0.0, 3.0) * (labels - 0.5)
    probability = 1 / (1 + np.exp(-(signal + random.normal(size=800))))
    found = audit(labels, probability, 0.5, {"device": device, "sex": sex})
    corrected = {(d.column, d.group, d.figure): d.p_corrected for d in found.differences}
    assert corrected["device", "old", "auroc"] < 0.001 and corrected["device", "old", "sensitivity"] < 0.001
    assert all(p > 0.05 for (column, *_), p in corrected.items() if column == "sex")
    assert all(d.p_corrected >= d.p for d in found.differences)
    row = next(row for row in found.groups if row.group == "old")
    assert row.films == 400 and row.auroc.value == pytest.approx(quick_auroc(labels[:400], probability[:400]))


def test_confounding_is_shown_and_not_averaged_away() -> None:
    """A reader that sees the view alone looks good over all and is a coin within each view."""
    random = np.random.default_rng(1)
    labels = np.arange(600) % 2
    view = np.where(random.random(600) < np.where(labels == 1, 0.85, 0.15), "AP", "PA")
    probability = np.clip(np.where(view == "AP", 0.7, 0.3) + random.normal(0, 0.1, 600), 0, 1)
    (found,) = audit(labels, probability, 0.5, {"view": view}).confounding
    assert found.confounds and found.cramers_v > 0.6
    assert found.auroc_overall > 0.75 and found.auroc_within_groups == pytest.approx(0.5, abs=0.08)
    assert sum(g["with"] + g["without"] for g in found.groups) == 600


def test_a_small_group_says_so_and_unknown_films_are_in_no_group() -> None:
    labels = np.arange(100) % 2
    site = np.array(["here"] * 85 + ["there"] * 10 + [""] * 5)
    found = audit(labels, np.linspace(0, 1, 100), 0.5, {"site": site})
    rows = {row.group: row for row in found.groups}
    assert set(rows) == {"here", "there"} and "cannot be told" in rows["there"].note
    assert rows["here"].note == "" and not any(d.figure == "auroc" for d in found.differences)


def test_kinds_of_the_disease_are_measured_against_all_healthy_films() -> None:
    labels = np.repeat([0, 1, 1, 1], 50)
    kinds = np.repeat(["normal", "bacterial", "viral", "bacterial|viral"], 50)
    probability = np.repeat([0.2, 0.9, 0.4, 0.9], 50) + np.linspace(0, 0.05, 200)
    found = audit(labels, probability, 0.5, {"finding": kinds}, np.arange(200) // 2)
    rows = {row.group: row for row in found.groups}
    assert {d.against for d in found.differences} == {"the other positive films"}
    assert set(rows) == {"bacterial", "viral"} and rows["viral"].films == 150 and rows["viral"].positive == 100
    assert rows["bacterial"].sensitivity.value == 1 and rows["viral"].sensitivity.value == 0.5
    assert rows["bacterial"].brier.low < rows["bacterial"].brier.value < rows["bacterial"].brier.high
    assert {d.figure for d in found.differences} == {"sensitivity"} and not found.confounding


@pytest.mark.parametrize("films", [1, 4, 8])
def test_groups_that_are_alike_are_told_apart_in_few_audits(films: int) -> None:
    """Children with several films each, alike in all columns: at most one audit in twenty may mark a difference."""
    marked = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        child = np.repeat(np.arange(120), films)
        labels = (random.random(120) < 0.5).astype(int)[child]
        score = 2.2 * (labels - 0.5) + 0.9 * random.normal(size=120)[child] + 0.4 * random.normal(size=len(child))
        columns = {
            "sex": random.choice(["F", "M"], 120)[child],
            "site": random.choice(["Wau", "Juba", "Bor"], 120)[child],
            "view": random.choice(["AP", "PA"], len(child)),
        }
        found = audit(labels, 1 / (1 + np.exp(-score)), 0.5, columns, child)
        marked += any(difference.p_corrected < 0.05 for difference in found.differences)
    assert marked <= 3  # of 30, where at most 1.5 are expected: P(more than 3) = 0.06 at 5 %


def test_a_comparison_counts_once_however_often_it_stands_there() -> None:
    random = np.random.default_rng(0)
    labels, view = np.arange(400) % 2, np.where(np.arange(400) < 200, "AP", "PA")
    probability = random.random(400)
    alone = audit(labels, probability, 0.5, {"view": view}).differences
    assert [(d.group, d.against, d.figure) for d in alone] == [
        ("PA", "AP", figure) for figure in ("auroc", "sensitivity", "specificity")
    ]
    # A device that is the same as the view is named again, and tested no second time.
    twice = audit(labels, probability, 0.5, {"view": view, "device": np.where(view == "AP", "old", "new")}).differences
    assert len(twice) == 6 and [d.p_corrected for d in twice[:3]] == [d.p_corrected for d in alone]
    assert sorted(d.p_corrected for d in twice[3:]) == sorted(d.p_corrected for d in alone)


def test_a_group_of_few_patients_has_no_certainty() -> None:
    """Forty films of one child, all right: they prove no more than one film does."""
    labels = np.r_[np.arange(100) % 2, np.ones(40, int)]
    child = np.r_[np.arange(100), np.full(40, 100)]
    site = np.repeat(["here", "there"], [100, 40])
    found = audit(labels, np.where(labels, 0.9, 0.1), 0.5, {"site": site}, child)
    there = next(row for row in found.groups if row.group == "there")
    assert there.sensitivity.value == 1 and there.sensitivity.low < 0.3 and not found.differences
    assert np.isnan(there.brier.low) and np.isnan(there.auroc.value) and "cannot be told" in there.note
    assert there.patients == 1 and found.all.auroc.low < 1 == found.all.auroc.value


def test_the_command_names_what_it_left_out(
    tmp_path: Path, build_tiny: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    reader = build_tiny()
    random = np.random.default_rng(0)
    rows = []
    for i in range(12):
        brightness = 70 if i % 2 == 0 else 190
        brightness = {9: 130, 11: 60}.get(i, brightness)
        pixels = (brightness + random.integers(-60, 60, (160, 160))).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"f{i}.png")
        rows.append((f"f{i}.png", "pneumonia" if i % 2 else "normal", "FM"[i // 6]))
    (tmp_path / "f4.png").write_bytes(b"no film")
    table = tmp_path / "films.csv"
    with table.open("w", newline="") as opened:
        csv.writer(opened).writerows([("file", "label", "sex"), *rows])
    out = tmp_path / "out"
    command = ["audit", "--data_dir", str(table), "--reader", str(reader), "--output_dir", str(out)]
    assert main(command) == 0
    found = json.loads((out / "audit.json").read_text())
    assert found["all"]["films"] == 11 and len(found["excluded"]) == 1 and "f4.png" in found["excluded"][0]
    assert [Path(m["file"]).name for m in found["mistakes"]] == ["f11.png"] and found["mistakes"][0]["kind"] == "missed"
    page = (out / "audit.html").read_text()
    assert "f4.png was left out" in page and "cannot be told" in page
    capsys.readouterr()
    assert main([*command, "--columns", "planet"]) == 2
    assert "none of the columns planet" in capsys.readouterr().err
    assert main([*command, "--operating_point", "rule-in"]) == 0
    stricter = json.loads((out / "audit.json").read_text())
    suspected = [one["statuses"]["positive"]["shares"]["suspected"][0] for one in (found, stricter)]
    assert stricter["threshold"] == 0.8 and suspected[1] < suspected[0], "the statuses are of the point that was asked"
    capsys.readouterr()
    assert main([*command, "--against", str(reader)]) == 0
    assert "+0.0000" in capsys.readouterr().out
    assert json.loads((out / "audit.json").read_text())["comparison"]["calls_p"] == 1
    (tmp_path / "copy.png").write_bytes((tmp_path / "f3.png").read_bytes())
    with table.open("a", newline="") as opened:
        csv.writer(opened).writerow(("copy.png", "normal", "F"))
    assert main(command) == 0
    found = json.loads((out / "audit.json").read_text())
    two_labels = [text for text in found["excluded"] if "is also listed with another label" in text]
    assert found["all"]["films"] == 10 and len(two_labels) == 2 and "copy.png" in two_labels[1]
    readable = [line for line in table.read_text().splitlines() if "f4.png" not in line]
    table.write_text("\n".join(readable).replace("f2.png,normal", "f2.png,tuberculosis"))
    for name in ("audit", "stress"):  # a film of an unknown class is not a negative film
        assert main([name, *command[1:], *(["--kinds", "blur"] if name == "stress" else [])]) == 2
        assert "tuberculosis" in capsys.readouterr().err


def test_boxes_and_lungs_show_where_the_evidence_comes_from(
    tmp_path: Path, build_tiny: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny reader calls bright films, wherever they are bright; positive ones are so outside of the lungs."""
    reader = build_tiny()
    random = np.random.default_rng(0)
    (tmp_path / "masks").mkdir()
    rows = []
    for i in range(56):
        pixels = random.integers(50, 110, (128, 128))
        lungs = np.zeros((128, 128), bool)
        lungs[40:90, 20:108] = True
        pixels[~lungs] += 110 * (i % 2)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / f"f{i}.png")
        if i < 54:
            Image.fromarray(lungs.astype(np.uint8) * 255).save(tmp_path / "masks" / f"f{i}.png")
        box = "0.2 0.4 0.2 0.2;0.6 0.4 0.1 0.1" if i % 2 else ""
        rows.append((f"f{i}.png", "pneumonia" if i % 2 else "normal", f"p{i}", ("Wau", "Juba")[i // 50], box))
    table = tmp_path / "films.csv"
    with table.open("w", newline="") as opened:
        csv.writer(opened).writerows([("file", "label", "patient", "site", "boxes"), *rows])
    out = tmp_path / "out"
    command = ["audit", "--data_dir", str(table), "--reader", str(reader), "--output_dir", str(out)]
    assert main([*command, "--lungs", str(tmp_path / "masks"), "--cache_dir", str(tmp_path / "cache")]) == 0
    found, output = json.loads((out / "audit.json").read_text())["evidence"], capsys.readouterr().out
    assert found["boxes"]["films"] == 28 and found["boxes"]["pointing_constant"][0] == 1
    assert found["films_without_mask"] == 2 and found["lungs"]["films"] == 54
    assert found["lungs"]["outside_only"][1] > 0.65 and found["lungs"]["knows_without_lungs"]
    assert found["lungs"]["framing_only"][0] == pytest.approx(0.5) and list(found["lungs"]["sites"]) == ["Wau"]
    assert "WARNING: with the lungs painted over" in output and "best constant map 1.00" in output
    assert "still predicts the label" in (out / "audit.html").read_text()
    table.write_text(table.read_text().replace("0.2 0.4 0.2 0.2", "20 40 20 20"))
    assert main(command) == 2
    assert "lies outside the film" in capsys.readouterr().err
