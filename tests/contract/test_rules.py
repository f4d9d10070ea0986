"""The rules that Python and the app share, by the vectors that both run."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.contract import ages, codes, colours, headers, polarity
from ai_for_sudan.contract.card import Card
from ai_for_sudan.contract.judge import edge_warning, judge, resolution_warning
from ai_for_sudan.contract.operating_point import OperatingPoint
from ai_for_sudan.pages import percent, share

VECTORS = Path(__file__).resolve().parent / "vectors"  # the app's tests read the same


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


JUDGE, POLARITY, AGES, COLOURS = (load(name) for name in ("judge", "polarity", "ages", "colours"))


def greys(text: str, height: int = 64, width: int = 64) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width)


@pytest.mark.parametrize("case", load("headers"))
def test_headers(case: dict[str, Any]) -> None:
    found = headers.refusals(*(headers.code_string(case[name]) for name in ("modality", "body_part", "view")))
    assert [remark.code for remark in found] == case["codes"]
    if "texts" in case:
        assert [remark.text for remark in found] == case["texts"]
    assert all(remark.text.isprintable() and "AMINA" not in remark.text.upper() for remark in found)


@pytest.mark.parametrize("case", AGES["years"])
def test_ages(case: dict[str, Any]) -> None:
    age, born, examined = (headers.code_string(case[name]) for name in ("age", "born", "examined"))
    assert ages.age_years(age, born, examined) == pytest.approx(case["years"], abs=1e-9)


def test_who_is_outside_and_what_is_said() -> None:
    for population, years, expected in AGES["outside"]:
        assert ages.outside(tuple(population) if population else None, years) == expected, (population, years)
    for population, years, expected in AGES["warnings"]:
        assert ages.warning(tuple(population), years) == ("age_outside", expected)


@pytest.mark.parametrize("case", JUDGE["edges"], ids=lambda case: case["name"])
def test_lungs_at_the_edge(case: dict[str, Any]) -> None:
    lungs = np.zeros(case["size"], np.float32)
    lungs.flat[case["at"]] = case["value"]
    found = edge_warning(lungs)
    assert [remark.code for remark in found] == (["lungs_at_edge"] if case["warned"] else [])


@pytest.mark.parametrize("case", JUDGE["sizes"])
def test_small_films(case: dict[str, Any]) -> None:
    found = [remark.code for remark in resolution_warning(tuple(case["size"]))]
    assert found == (["low_resolution"] if case["warned"] else [])


@pytest.mark.parametrize("case", JUDGE["cases"], ids=lambda case: case["name"])
def test_judge(case: dict[str, Any]) -> None:
    facts = load("cards")["base"]
    limit = case.get("abnormal_limit", JUDGE["abnormal_limit"])
    facts |= {"operating_points": {"balanced": case.get("point", JUDGE["point"])}}
    facts |= {"abnormal": None if limit is None else {"limit": limit}}
    facts |= {"gate": {"scores": JUDGE["gate"]}, "selftest": facts["selftest"] | {"gate": [0.0] * len(JUDGE["gate"])}}
    card = Card.from_json(json.dumps(facts))
    remarks = [codes.remark(code) for code in case.get("header", [])]
    gate = [float(score) for score in case["gate"]]
    size = tuple(case.get("size", [300, 300]))
    verdict = judge(
        card, float(case["probability"]), gate, size, card.operating_point(), remarks,
        lungs=[float(lung) for lung in case["lungs"]] if "lungs" in case else None,
        abnormal=float(case["abnormal"]) if "abnormal" in case else None,
    )  # type: ignore[arg-type]  # fmt: skip
    assert (verdict.status, list(verdict.codes)) == (case["status"], case["codes"])
    assert verdict.side == case.get("side")
    assert all(verdict.reasons)


def test_what_is_said_holds_the_numbers() -> None:
    card = Card.from_json(json.dumps(load("cards")["base"]))
    gate = [0.0] * len(card.gate)
    small = judge(card, 0.9, gate, (100, 120), card.operating_point(), [])
    assert small.reasons == (codes.remark("too_small", height=100, width=120, smallest=128).text,)
    assert "100" in small.reasons[0] and "120" in small.reasons[0] and "128" in small.reasons[0]
    doubtful = judge(card, 0.5, gate, (300, 300), OperatingPoint(not_seen_below=0.304, suspected_from=0.606), [])
    assert doubtful.codes == ("abstained",)
    assert doubtful.reasons == (codes.remark("abstained", lower="0.30", upper="0.61").text,)
    sick = judge(card, 0.1, gate, (300, 300), card.operating_point(), abnormal=0.9)
    assert sick.reasons == (
        "no pneumonia seen, but these lungs do not look normal: a person reads first; think of tuberculosis",
    )
    blank = judge(card, 0.9, [1.0, 0.0], (300, 300), card.operating_point(), [])
    assert (blank.status, blank.reasons) == ("refused", ("blank",))
    left = judge(card, 0.9, [0.0, 1.0], (300, 300), card.operating_point(), [])
    assert (left.status, left.reasons) == ("uncertain", ("one lung; a person reads it first",))


def test_polarity_by_the_thumbnails_of_shipped_films() -> None:
    assert len(POLARITY["films"]) >= 6
    for film in POLARITY["films"]:
        small = greys(film["thumbnail"])
        assert not polarity.looks_negative(small), film["name"]
        assert polarity.looks_negative(255 - small), film["name"]
        # A header that is right, and one that says MONOCHROME1 of what is bone white already.
        assert polarity.inverts("MONOCHROME2", small) == (False, ())
        assert polarity.inverts("MONOCHROME1", 255 - small) == (True, ())
        for header, stored in (("MONOCHROME1", small), ("MONOCHROME2", 255 - small)):
            inverts, (remark,) = polarity.inverts(header, stored)
            assert not inverts and remark.code == "header_contradicts_pixels" and header in remark.text
    assert not polarity.looks_negative(greys(POLARITY["flat"]))


def test_every_shipped_sample_keeps_its_polarity_under_both_headers(samples: Path) -> None:
    films = sorted(samples.glob("*.png"))
    assert len(films) >= 20
    for path in films:
        film = np.asarray(Image.open(path).convert("L"))
        assert polarity.inverts("MONOCHROME1", film)[0] is False, path.name
        assert polarity.inverts("MONOCHROME1", 255 - film) == (True, ()), path.name


def test_the_thumbnail_is_pillows() -> None:
    for case in POLARITY["resize"]:
        film = greys(case["pixels"], case["height"], case["width"])
        np.testing.assert_array_equal(polarity.thumbnail(film), greys(case["thumbnail"]))


@pytest.mark.parametrize("case", load("percent"), ids=str)
def test_percentages(case: tuple[float, float | None, str]) -> None:
    value, other, shown = case
    assert percent(value, other) == f"{shown} %"


def test_no_share_is_shown_as_surer_than_it_is() -> None:
    assert [share(value, 3) for value in (0, 0.0001, 0.9999, 1)] == ["0.000", "0.001", "0.999", "1.000"]
    assert [percent(value, places=3) for value in (0.0222, 0.9996)] == ["2.2 %", "99.9 %"]


def test_colours() -> None:
    for level, rgba in COLOURS["colours"]:
        np.testing.assert_allclose(colours.colours(np.array(level, np.float32)) * 255, rgba, atol=0.01)
    legend = colours.legend(11) * 255
    np.testing.assert_allclose(legend[0], COLOURS["legend"]["0"], atol=0.1)
    np.testing.assert_allclose(legend[-1], COLOURS["legend"]["1"], atol=0.1)


def test_every_code_that_a_program_gives_has_a_text(root: Path) -> None:
    known = {code for kind in codes.KINDS for code in codes.codes(kind)}
    given = set()
    for file in (root / "src" / "ai_for_sudan").rglob("*.py"):
        given |= set(re.findall(r'UnreadableFilm\(\s*"(\w+)"', file.read_text(encoding="utf-8")))
    for file in (root / "app" / "src" / "film").rglob("*.ts"):
        given |= set(re.findall(r"UnreadableFilm\(\s*'(\w+)'", file.read_text(encoding="utf-8")))
    assert len(given) > 12 and given <= known, given - known


def test_a_text_has_its_values_put_in() -> None:
    assert codes.remark("too_small", width=10, height=20, smallest=128).text == (
        "the film has 10 x 20 pixels, at least 128 per side are needed; send the original, not a thumbnail"
    )
    assert codes.kind_of("one_lung") == "uncertain" and codes.kind_of("of_another_reader") is None
    assert dataclasses.is_dataclass(Card)
