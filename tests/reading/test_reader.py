from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import onnx
import pytest
from dicom_film import as_bytes, dicom
from PIL import Image

from ai_for_sudan.contract.colours import OUTLINE
from ai_for_sudan.contract.names import READING_KEYS
from ai_for_sudan.errors import UserError
from ai_for_sudan.radiographs import read_radiograph
from ai_for_sudan.reading import Card, Reader, judge
from ai_for_sudan.reading import reader as reader_module
from ai_for_sudan.reading.overlay import Enlarged, outline


def test_a_path_its_bytes_its_array_and_the_film_read_alike(reader: Reader, film: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    Image.fromarray(film).save(path)
    readings = [reader.read(source) for source in (path, str(path), path.read_bytes(), film, read_radiograph(path))]
    assert len({reading.probability for reading in readings}) == 1
    assert {reading.status for reading in readings} <= {"suspected", "not_seen"}
    assert readings[0].file == str(path)
    raw = reader.outputs(film)
    assert readings[0].probability == pytest.approx(float(raw["probability"][1]))
    np.testing.assert_array_equal(readings[0].heatmap, raw["heatmap"][1])
    np.testing.assert_array_equal(readings[0].logits, raw["logits"])


def test_the_json_line_has_exactly_its_keys(reader: Reader, film: np.ndarray) -> None:
    line = json.loads(json.dumps(reader.read(film).to_dict()))
    assert tuple(line) == READING_KEYS
    assert line["operating_point"] == "balanced" and line["suspected_from"] == 0.5 and line["reader"] == "tiny 0.1"
    log = reader.read(film).to_dict(log=True, site="Port Sudan")
    assert log["site"] == "Port Sudan" and len(log["embedding"]) == 4 and len(log["gate"]) == 3


def test_a_log_has_the_date_and_the_site_of_the_header_where_nobody_names_one(reader: Reader, film: np.ndarray) -> None:
    from ai_for_sudan.radiographs import Header, Radiograph

    header = Header(study_date="2026-03-04", institution="Kassala")
    line = reader.read(Radiograph(film, header)).to_dict(log=True)
    assert (line["date"], line["site"]) == ("2026-03-04", "Kassala")
    assert reader.read(Radiograph(film, header)).to_dict(log=True, site="Here")["site"] == "Here"
    today = date.today().isoformat()
    for source in (film, Radiograph(film, Header()), b"no film"):
        line = reader.read(source).to_dict(log=True)
        assert line["date"] >= today and line["site"] is None
    assert line["logits"] is None and line["embedding"] is None


def test_the_operating_point_decides_the_status(reader: Reader, film: np.ndarray) -> None:
    probability = reader.read(film).probability
    assert probability is not None
    for name, point in reader.card.operating_points.items():
        reading = reader.read(film, operating_point=name)
        assert (reading.not_seen_below, reading.suspected_from) == (point.not_seen_below, point.suspected_from)
        assert reading.status == point.status(probability)
    with pytest.raises(UserError, match=r"no operating point 'best'.*screening, balanced, rule-in"):
        reader.read(film, operating_point="best")


def test_judge_asks_header_size_and_gate_first_then_the_cut_offs(reader: Reader) -> None:
    card, point = reader.card, reader.card.operating_point()
    good = [0.0, 0.0, 0.0]
    size = (128, 128)
    assert judge(card, 0.49, good, size, point).status == "uncertain"
    assert judge(card, 0.5, good, size, point).status == "suspected"
    assert judge(card, 0.479, good, size, point).status == "not_seen"
    assert judge(card, 0.9, good, (127, 500), point).codes == ("too_small",)
    assert judge(card, 0.9, [0.5, 0.0, 0.0], size, point).status == "suspected"  # at the limit is not above it
    refused = judge(card, 0.5, [0.5, 0.0, 0.9], (10, 10), point, [("header_view", "lateral")])
    assert refused.status == "refused"
    assert refused.codes == ("header_view", "too_small", "negative")
    assert len(refused.reasons) == 3
    assert judge(card, 0.5, [0.51, 0.0, 0.9], size, point).codes == ("blank",)  # of nothing, nothing else is said


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (63, 64), (127, 300), (9000, 70)])
def test_films_of_any_size_get_a_probability_and_small_ones_are_refused(reader: Reader, shape: tuple[int, int]) -> None:
    film = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    reading = reader.read(film)
    assert reading.probability is not None and 0 <= reading.probability <= 1
    assert ("too_small" in reading.codes) == (min(shape) < 128)


def test_films_that_only_lie_wrongly_are_called_readable(reader: Reader, film: np.ndarray) -> None:
    assert reader.read(film).status != "refused"
    for other, code, words in (
        (film[::-1, ::-1], "upside_down", "(rotated, it would be read)"),
        (255 - film, "negative", "(inverted, it would be read)"),
    ):
        reading = reader.read(np.ascontiguousarray(other))
        assert reading.status == "refused" and reading.probability is not None
        assert words in dict(zip(reading.codes, reading.reasons, strict=True))[code]
    blank = reader.read(np.full((200, 200), 7, np.uint8))
    assert blank.codes == ("blank",) and "would be read" not in " ".join(blank.reasons)


def test_what_only_leaves_a_film_to_a_person_does_not_keep_it_from_being_read(
    build_tiny: Callable[..., Path], film: np.ndarray
) -> None:
    doubtful = {"code": "unfamiliar", "limit": 0.0, "status": "uncertain"}  # of every film
    scores = [{"code": "blank", "limit": 0.5}, {"code": "upside_down", "limit": 0.5}, doubtful]
    reader = Reader.open(build_tiny(gate={"scores": scores}))
    assert reader.read(film).codes == ("unfamiliar",)
    upside_down = reader.read(np.ascontiguousarray(film[::-1, ::-1]))
    assert upside_down.codes == ("upside_down",) and "(rotated, it would be read)" in upside_down.reasons[0]


def test_a_file_that_is_no_film_fails_with_its_reason(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "film.jpg"
    path.write_bytes(b"no film")
    reading = reader.read(path)
    assert (reading.status, reading.probability, reading.label) == ("failed", None, None)
    assert reading.codes == ("not_a_picture",) and reading.reasons[0]
    with pytest.raises(UserError, match="not decoded"):
        reading.overlay()


def test_the_header_refuses_a_knee_even_if_its_pixels_cannot_be_decoded(
    reader: Reader, film: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "knee.dcm"
    path.write_bytes(as_bytes(dicom(film, BodyPartExamined="KNEE")))
    reading = reader.read(path)
    assert reading.codes == ("header_body_part",) and reading.probability is not None
    path.write_bytes(path.read_bytes()[:-5000])
    reading = reader.read(path)
    assert (reading.status, reading.codes, reading.probability) == ("refused", ("header_body_part",), None)


@pytest.mark.parametrize(
    ("age", "warned"), [("003Y", False), ("005Y", False), ("006Y", True), ("011M", True), ("045Y", True), ("", False)]
)
def test_an_age_that_the_reader_does_not_know_is_a_loud_warning(
    reader: Reader, film: np.ndarray, tmp_path: Path, age: str, warned: bool
) -> None:
    reading = reader.read(as_bytes(dicom(film, PatientAge=age, StudyDate="20260102")))
    # The film has fewer than 224 pixels a side.
    assert [code for code, _ in reading.warnings] == ["age_outside"] * warned + ["low_resolution"]
    assert reading.status != "refused"
    assert reading.to_dict(log=True)["date"] == "2026-01-02"
    if warned:
        assert reading.to_dict()["warning_codes"][0] == "age_outside"
        assert "1 to 5 years" in reading.to_dict()["warnings"][0]


def test_the_overlay_is_not_stretched_and_clear_where_cold(reader: Reader, film: np.ndarray) -> None:
    from ai_for_sudan.reading.overlay import overlay

    heatmap = np.zeros((4, 4), np.float32)
    grey = np.repeat(film[..., None], 3, -1)
    np.testing.assert_array_equal(np.asarray(overlay(film, heatmap, 4.0)), grey)
    heatmap[3, 3] = 4.0
    strong = np.asarray(overlay(film, heatmap, 4.0)).astype(int) - grey
    weak = np.asarray(overlay(film, heatmap / 10, 4.0)).astype(int) - grey
    assert np.abs(strong[:50, :50]).max() == 0
    assert np.abs(weak).sum() < 0.4 * np.abs(strong).sum()
    reading = reader.read(film)
    assert reading.overlay().size == (160, 200)
    assert reading.overlay(legend=True).height > 200


def test_several_threads_read_what_one_reads(reader: Reader, samples: Path) -> None:
    films = sorted(samples.glob("*.png"))[:8] * 3
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(reader.read, films))
    assert [r.probability for r in together] == [reader.read(f).probability for f in films]


def test_what_is_not_a_reader_is_refused_with_a_reason(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no reader 'nothing'"):
        Reader.open("nothing")
    path = tmp_path / "x.onnx"
    path.write_bytes(b"not onnx")
    with pytest.raises(UserError, match="not an ONNX file"):
        Reader.open(path)
    model = onnx.load(tiny)
    del model.metadata_props[:]
    onnx.save(model, path)
    with pytest.raises(UserError, match="ONNX file but not a reader"):
        Reader.open(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 4}, "schema 4.*supports 3.*newer version of this program"),
        ({"schema": None}, "cannot be read"),
        ({"positive": "covid"}, "positive.*one of the classes"),
        (
            {"operating_points": {"balanced": {"not_seen_below": 0.5, "suspected_from": 1.5}}},
            "balanced.suspected_from, which is 1.5; expected at most 1",
        ),
        ({"default_operating_point": "best"}, "default_operating_point"),
        ({"heatmap": {"reference": 0}}, "heatmap.reference"),
        ({"gate": {"scores": [{"code": "blank"}]}}, "limit"),
        ({"selftest": None}, "selftest"),
        ({"gate": {"scores": []}}, "selftest.gate, which is 3; expected 0 values"),
        ({"classes": ["normal", "pneumonia", "covid"]}, "selftest.probability, which is 2; expected 3 values"),
    ],
)
def test_a_wrong_card_is_refused(build_tiny: Callable[..., Path], changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Reader.open(build_tiny(**changes))


@pytest.mark.parametrize("wrong", [{"probability": [0.9, 0.1]}, {"gate": [0.0, 0.0, 0.9]}, {"heatmap_sum": 1e6}])
def test_a_reader_that_computes_something_else_here_is_not_used(
    build_tiny: Callable[..., Path], tiny: Path, wrong: dict[str, object]
) -> None:
    right = Reader.open(tiny).card.facts["selftest"]
    path = build_tiny(selftest=right | wrong)
    with pytest.raises(UserError, match="self-test"):
        Reader.open(path)
    assert Reader.open(path, self_test=False).card.name == "tiny"


def test_a_damaged_reader_is_one_line(tiny: Path, tmp_path: Path, film: np.ndarray) -> None:
    random, content = np.random.default_rng(0), tiny.read_bytes()
    path = tmp_path / "damaged.onnx"
    messages = []
    for _ in range(150):
        damaged = bytearray(content)
        for place in random.integers(len(content), size=3):
            damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            Reader.open(path).read(film)
        except UserError as error:
            messages.append(str(error))
    assert len(messages) > 75 and all(str(path) in text or "card" in text for text in messages)


def test_the_card_keeps_all_that_was_written(tiny: Path) -> None:
    card = Reader.open(tiny).card
    again = Card.from_json(card.to_json())
    assert again.facts == card.facts
    assert again.self_test.film.shape == (64, 64)
    pixels = base64.b64decode(card.facts["selftest"]["pixels"])
    assert again.self_test.film.tobytes() == pixels


def test_card_and_selftest_commands(tiny: Path, build_tiny: Callable[..., Path]) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        code = "import sys; from ai_for_sudan.cli import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    shown = run("card", tiny)
    assert shown.returncode == 0 and "screening" in shown.stdout and "a clinician decides" in shown.stdout
    assert json.loads(run("card", tiny, "--json").stdout)["name"] == "tiny"
    assert run("selftest", tiny).returncode == 0
    right = Reader.open(tiny).card.facts["selftest"]
    broken = build_tiny(selftest=right | {"probability": [0.9, 0.1]})
    failed = run("selftest", broken)
    assert failed.returncode != 0 and "self-test failed" in failed.stderr and "Traceback" not in failed.stderr
    assert run("read", tiny, "--reader", broken).returncode == 2


def test_a_graph_that_never_ends_is_given_up(
    build_tiny: Callable[..., Path], film: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a limit this test would not end either."""
    path = build_tiny(endless=True)
    monkeypatch.setattr(reader_module, "LONGEST_RUN", 1.0)
    with pytest.raises(UserError, match="took longer than 1 seconds"):
        Reader.open(path)
    reading = Reader.open(path, self_test=False).read(film)  # nor does a film that only this graph finds endless
    assert (reading.status, reading.codes) == ("failed", ("not_read",)) and "longer than" in reading.reasons[0]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts running threads by /proc")
def test_what_was_given_up_does_not_go_on_in_secret(
    build_tiny: Callable[..., Path], film: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = Reader.open(build_tiny(endless=True), self_test=False)
    monkeypatch.setattr(reader_module, "LONGEST_RUN", 0.5)
    before = set(threading.enumerate())
    with pytest.raises(TimeoutError):
        endless.outputs(film)
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


def test_the_lungs_are_outlined_where_a_reader_finds_them(
    build_tiny: Callable[..., Path], reader: Reader, film: np.ndarray
) -> None:
    newer = Reader.open(build_tiny(lungs=True)).read(film)
    assert newer.lungs is not None and newer.lungs.shape == (112, 112)
    assert newer.box is not None and newer.box.shape == (4,)
    older = reader.read(film)
    assert older.lungs is None and older.box is None and older.probability == newer.probability
    with_lungs, without = (np.asarray(reading.overlay()) for reading in (newer, older))
    line = (with_lungs == OUTLINE).all(-1)
    np.testing.assert_array_equal(with_lungs[~line], without[~line])
    # A line a pixel wide around each lung, in the film's own frame (200 x 160), and nothing inside.
    assert 100 < line.sum() < 800 and not (without == OUTLINE).all(-1).any()
    assert line[:, :79].any() and line[:, 81:].any() and not line[100, 30:60].any()
    assert newer.overlay(legend=True).height >= older.overlay(legend=True).height


@pytest.mark.parametrize("size", [(112, 112), (1000, 130), (37, 900)])
def test_a_map_is_made_larger_as_pillow_does_it_and_in_parts_as_in_one(size: tuple[int, int]) -> None:
    values = np.random.default_rng(3).random((14, 9), dtype=np.float32)
    whole = Enlarged(values, *size)
    expected = Image.fromarray(values).resize(size[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_allclose(whole[:], expected, atol=1e-5)
    parts = [slice(top, top + 30) for top in range(0, size[0], 30)]
    np.testing.assert_array_equal(np.concatenate([whole[rows] for rows in parts]), whole[:])
    np.testing.assert_array_equal(np.concatenate([outline(whole, rows) for rows in parts]), outline(whole))


@pytest.fixture(scope="module")
def two_lungs(build_tiny: Callable[..., Path]) -> Reader:
    return Reader.open(build_tiny(sides=True))


def test_a_reading_names_the_lung_that_it_speaks_of(two_lungs: Reader, reader: Reader, film: np.ndarray) -> None:
    """The patient's right lung lies on the left of the picture."""
    bright = film.copy()
    bright[:, 80:] = bright[:, 80:] * 0.5
    one = two_lungs.read(bright)
    assert one.right_lung is not None and one.left_lung is not None and one.right_lung > 0.7 > one.left_lung
    assert (one.status, one.side) == ("suspected", "right")
    other = two_lungs.read(np.ascontiguousarray(bright[:, ::-1]))
    assert other.side == "left" and other.left_lung == pytest.approx(one.right_lung, abs=0.02)
    line = json.loads(json.dumps(one.to_dict()))
    assert (line["side"], line["right_lung"]) == ("right", round(one.right_lung, 6))
    assert reader.read(bright).to_dict()["side"] is None, "of a reader that does not tell the lungs apart"


def test_lungs_that_are_sick_in_another_way_are_not_called_clean(two_lungs: Reader, film: np.ndarray) -> None:
    """A dark film with one very bright place: no pneumonia, and not normal."""
    spot = (film * 0.35).astype(np.uint8)
    assert two_lungs.read(spot).status == "not_seen"
    spot[130:160, 60:90] = 255
    found = two_lungs.read(spot)
    assert found.abnormal is not None and found.abnormal >= 0.95
    assert (found.status, found.codes) == ("uncertain", ("other_abnormality",))
    assert found.reasons[0].endswith("think of tuberculosis") and found.to_dict()["abnormal"] == round(
        found.abnormal, 6
    )


def test_a_card_that_judges_by_an_output_that_is_not_there_is_no_reader(build_tiny: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="does not match its graph"):
        Reader.open(build_tiny(abnormal={"limit": 0.5}))


def test_the_self_test_looks_at_each_lung(build_tiny: Callable[..., Path], two_lungs: Reader) -> None:
    facts = two_lungs.card.facts["selftest"] | {"lungs_probability": [0.0, 0.0]}
    with pytest.raises(UserError, match="self-test failed"):
        Reader.open(build_tiny(sides=True, selftest=facts))
