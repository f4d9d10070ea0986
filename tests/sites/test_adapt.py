"""A reader at a site: drift, verdict, what is adopted and what is not, and the reader that comes of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ai_for_sudan.cli import main
from ai_for_sudan.contract import reference as references
from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import Reader
from ai_for_sudan.sites import ReaderFile, SiteFilms, adapt, read_site, site_manifest
from ai_for_sudan.sites.drift import drift, energy_test

Make = Callable[..., SiteFilms]


def site(make: Make, count: int = 240, seed: int = 0, *, sign: float = 1.0, noise: float = 0.35) -> SiteFilms:
    """Four channels; the tiny reader looks at the first (``16 * e0 - ...``), the truth is there times ``sign``."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 2).astype(float)
    embeddings = np.abs(rng.normal(0.3, 0.05, (count, 4)))
    embeddings[:, 0] = 0.05 + 0.08 * sign * (labels - 0.5) + rng.normal(0, 0.08 * noise, count)
    embeddings[:, 2] = 0.3 + 0.2 * (labels - 0.5) + rng.normal(0, 0.08, count)
    views = np.where(rng.random(count) < 0.5, "AP", "PA")
    return make(embeddings, labels, patients=np.arange(count) // 2 * 2 + labels.astype(int), view=views)


def test_a_reader_that_fails_here_is_reported_and_refitted(make_films: Make, tiny_file: ReaderFile) -> None:
    outcome = adapt(site(make_films, sign=-1), tiny_file, repeats=4)
    result = outcome.result
    assert result["measured"]["auroc"][2] < 0.5
    assert result["usable"] is False and "must not be used" in result["verdict"] and "chance" in result["verdict"]
    steps = {step["name"]: step for step in result["steps"]}
    assert steps["head"]["adopted"] and steps["head"]["after"]["auroc"][1] > 0.8
    assert steps["operating points"]["adopted"] and outcome.chosen and result["usable_after"] is not False
    assert list(outcome.scores) == ["as shipped", "adapted"]
    assert outcome.head is not None and outcome.head.prior_std > 0
    assert [point["labels"] for point in result["curve"]] == [40, 100]
    first, second = (point["auroc"]["all films"]["after"][0] for point in result["curve"])
    assert second > 0.8 and second >= first - 0.05


def test_a_reader_that_is_good_here_is_left_alone(make_films: Make, build_tiny: Callable[..., Path]) -> None:
    """Films for which the tiny reader is right and calibrated by construction, and its one cut-off decides them all:
    nothing can be better beyond noise.
    """
    point = {"not_seen_below": 0.5, "suspected_from": 0.5, "reason": "the middle", "chosen_on": "nothing"}
    tiny_file = ReaderFile.load(build_tiny(operating_points={"balanced": point}))
    rng = np.random.default_rng(1)
    count = 300
    embeddings = np.abs(rng.normal(0.3, 0.05, (count, 4)))
    embeddings[:, 0] = 0.04 + rng.normal(0, 0.25, count)
    logits = tiny_file.logits(embeddings)
    chance = 1 / (1 + np.exp(-(logits[:, 1] - logits[:, 0])))
    labels = (rng.random(count) < chance).astype(float)
    outcome = adapt(make_films(embeddings, labels), tiny_file, promise=0.3, repeats=2)
    assert outcome.result["usable"] is True and "The reader's cut-offs keep the promise" in outcome.result["rule"]
    assert "may be used" in outcome.result["verdict"]
    assert not outcome.changed


def test_a_gain_that_a_column_explains_is_not_adopted(make_films: Make, tiny_file: ReaderFile) -> None:
    """The label follows the view, and one channel shows the view: a head could learn that and nothing of the lungs."""
    rng = np.random.default_rng(2)
    count = 300
    labels = (np.arange(count) % 2).astype(float)
    views = np.where(rng.random(count) < np.where(labels == 1, 0.85, 0.15), "PA", "AP")
    embeddings = np.abs(rng.normal(0.3, 0.05, (count, 4)))
    embeddings[:, 3] = 0.3 + 0.3 * (views == "PA") + rng.normal(0, 0.03, count)
    outcome = adapt(make_films(embeddings, labels, view=views), tiny_file, repeats=2)
    head = next(step for step in outcome.result["steps"] if step["name"] == "head")
    assert not head["adopted"]
    assert abs(head["within"]["view"]["gain"][0]) < 0.1
    careless = head["careless"]
    assert careless["auroc"][1] > 0.7 and careless["within"]["view"][0] < 0.65
    assert any("'view' is linked with the label" in text for text in outcome.result["warnings"])


def test_a_label_that_acquisition_predicts_is_reported(make_films: Make, tiny_file: ReaderFile) -> None:
    from dataclasses import replace

    films = site(make_films, sign=-1)
    pictures = films.pictures.copy()
    pictures[:, 4] += 0.3 * films.labels  # the positive films are of another scanner, which is sharper
    result = adapt(replace(films, pictures=pictures), tiny_file, repeats=2).result
    assert any("without looking at the lungs" in text for text in result["warnings"])
    assert not any("looking at the lungs" in text for text in adapt(films, tiny_file, repeats=2).result["warnings"])


@pytest.mark.parametrize(
    ("count", "keep", "verdict"),
    [
        (10, None, "10 labelled films are too few; 20 are needed"),
        (60, 1.0, "none of the 30 labelled films is negative"),
        (60, 0.0, "none of the 30 labelled films is positive"),
    ],
)
def test_what_cannot_be_measured_is_said(
    make_films: Make, tiny_file: ReaderFile, count: int, keep: float | None, verdict: str
) -> None:
    from dataclasses import replace

    films = site(make_films, count)
    if keep is not None:
        films = replace(films, labels=np.where(films.labels == keep, films.labels, np.nan))
    outcome = adapt(films, tiny_file)
    assert verdict in outcome.result["verdict"]
    assert not outcome.changed and outcome.result["drift"]["films"] == count


def test_few_labels_choose_points_but_no_head(make_films: Make, tiny_file: ReaderFile) -> None:
    result = adapt(site(make_films, 60), tiny_file).result
    assert [step["name"] for step in result["steps"]] == ["calibration", "operating points"]
    assert any("head was not refitted: 60 labelled films" in note for note in result["notes"])
    result = adapt(site(make_films, 30), tiny_file).result
    assert result["steps"] == [] and any("Nothing was adapted: 30" in note for note in result["notes"])


def test_few_patients_are_few_whatever_the_films(make_films: Make, tiny_file: ReaderFile) -> None:
    from dataclasses import replace

    films = site(make_films, 200)
    films = replace(films, patients=(np.arange(200) % 2) + 2 * (np.arange(200) // 50))
    result = adapt(films, tiny_file).result
    assert "of 4 positive and 4 negative patients" in result["verdict"]


def test_constant_scores_are_reported(make_films: Make, tiny_file: ReaderFile) -> None:
    films = make_films(np.full((60, 4), 0.3), (np.arange(60) % 2).astype(float))
    outcome = adapt(films, tiny_file)
    assert any("same score" in note for note in outcome.result["notes"])
    assert outcome.result["measured"]["auroc"][0] == 0.5


def test_the_energy_test_holds_its_level_and_finds_a_shift() -> None:
    rng = np.random.default_rng(0)
    p = [
        energy_test(rng.normal(size=(40, 5)), rng.normal(size=(30, 5)), permutations=99, seed=i)[1] for i in range(150)
    ]
    assert np.mean(np.array(p) <= 0.05) < 0.1
    assert np.mean(np.array(p) <= 0.5) > 0.35
    assert energy_test(rng.normal(size=(40, 5)), rng.normal(0.8, 1, (30, 5)))[1] <= 0.01


def test_drift_against_the_reference_of_the_card(make_films: Make) -> None:
    rng = np.random.default_rng(0)
    source = rng.normal(1, 0.3, (400, 64))
    pixels = rng.integers(0, 256, (400, 32, 32)).astype(np.uint8)
    built = references.build(source, rng.random(400), 0, pixels)
    json.dumps(built, allow_nan=False)
    known = references.Reference.from_card({"reference": built})
    assert known is not None and known.sketches.shape == (256, 32) and known.pictures is not None
    assert references.Reference.from_card({}) is None
    scores = np.log(0.4 / 0.6) + rng.normal(size=120)
    same = drift(make_films(rng.normal(1, 0.3, (120, 64)), np.zeros(120)), scores, known)
    other = drift(make_films(rng.normal(1.3, 0.3, (120, 64)), np.zeros(120)), scores, known)
    assert same["embedding"]["p"] > 0.01 >= other["embedding"]["p"]
    assert "embeddings" in other["words"]
    assert set(other["pictures"]) == set(references.PICTURE)


# --- from files ------------------------------------------------------------------------------------------------------


def test_from_films_to_an_adapted_reader(
    tiny: Path, drawn_site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tiny.read_bytes()
    arguments = ["adapt", "--reader", str(tiny), "--data_dir", str(drawn_site), "--site", "Kassala <b>"]
    assert main([*arguments, "--output_dir", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "adapt.json").read_text())
    assert result["films"]["labelled"] == 130 and result["films"]["patients_known"]
    assert result["usable"] is False
    adapted = Path(result["adapted_reader"])
    assert adapted.name == "tiny_kassala_b.onnx" and tiny.read_bytes() == before
    page = (tmp_path / "adapt.html").read_text()
    assert (
        "Kassala &lt;b&gt;" in page
        and "<b>Kassala" not in page
        and "<svg" in page
        and "http" not in page.split("<svg")[0]
    )
    output = capsys.readouterr().out
    assert "The adapted reader may be used here" in output and "a clinician decides" in output
    assert "must not be used" in result["verdict"] and "adapted     missed" in output
    assert page.count("What the clinic experiences") == 1 and "With the adapted reader" in page

    reader = Reader.open(adapted)
    record = reader.card.facts["adaptations"][0]
    assert record["site"] == "Kassala <b>" and record["adopted"] and len(record["identity_of_films"]) == 64
    # Held-out figures of the report, and the reader itself on the same films: better than before.
    manifest = site_manifest(drawn_site, reader.card)
    files = [film.file for film in manifest.films]
    labels = np.array([film.label for film in manifest.films])
    new = np.array([reader.read(file).probability for file in files])
    assert (new[labels == 1].mean() - new[labels == 0].mean()) > 0.3
    assert 0 < reader.card.operating_point().suspected_from < 1


def test_every_film_that_takes_no_part_is_named(tiny: Path, drawn_site: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(drawn_site.open()))
    for row in rows:
        row["file"] = str(drawn_site.parent / row["file"])
    broken, blank, thumb = tmp_path / "broken.png", tmp_path / "blank.png", tmp_path / "copy.png"
    broken.write_bytes(b"\x89PNG nothing")
    from PIL import Image

    Image.new("L", (200, 200), 90).save(blank)
    thumb.write_bytes(Path(rows[0]["file"]).read_bytes())  # the same film again, with the other label
    rows += [
        {"file": "broken.png", "label": "normal", "patient": "x1", "view": "AP"},
        {"file": "absent.png", "label": "normal", "patient": "x2", "view": "AP"},
        {"file": "blank.png", "label": "", "patient": "x3", "view": ""},
        {"file": "copy.png", "label": "pneumonia", "patient": "x4", "view": "AP"},
    ]
    path = tmp_path / "films.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "label", "patient", "view"])
        writer.writeheader()
        writer.writerows(rows)
    reader = Reader.open(tiny)
    films = read_site(reader, site_manifest(path, reader.card))
    excluded = {each.file: each.reason for each in films.excluded}
    assert set(excluded) == {"broken.png", "absent.png", "copy.png", rows[0]["file"]}
    assert "no file" in excluded["absent.png"] and "another label" in excluded["copy.png"]
    assert [each.file for each in films.refused] == ["blank.png"]
    assert len(films) + len(films.excluded) + len(films.refused) == len(rows)


def test_labels_that_the_reader_does_not_know(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "films.csv").write_text("file,label\na.png,normal\nb.png,fracture\n")
    command = ["adapt", "--reader", str(tiny), "--data_dir", str(tmp_path / "films.csv"), "--site", "x"]
    assert main([*command, "--output_dir", str(tmp_path)]) == 2
    assert "'fracture'" in capsys.readouterr().err
    (tmp_path / "films.csv").write_text("name,label\na.png,normal\n")
    assert main([*command, "--output_dir", str(tmp_path)]) == 2
    assert "no column 'file'" in capsys.readouterr().err
    (tmp_path / "films.csv").write_text("file,label\na.png,normal\nb.png,pneumonia\n")
    assert main([*command, "--output_dir", str(tmp_path)]) == 2
    assert "none of 2 films could be read" in capsys.readouterr().err
    assert main([*command[:-1], "...", "--output_dir", str(tmp_path)]) == 2


def test_a_folder_without_labels_tells_the_drift_only(tiny: Path, drawn_site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.png").write_bytes((drawn_site.parent / f"f{number}.png").read_bytes())
    command = ["adapt", "--reader", str(tiny), "--data_dir", str(folder), "--site", "x", "--output_dir", str(tmp_path)]
    assert main(command) == 0
    result = json.loads((tmp_path / "adapt.json").read_text())
    assert "no film that could be read has a label" in result["verdict"] and result["adapted_reader"] is None
    assert result["drift"]["films"] == 12


def test_no_torch_is_needed() -> None:
    import subprocess
    import sys

    code = (
        "import sys, ai_for_sudan.cli.adapt, ai_for_sudan.cli.monitor, ai_for_sudan.sites.monitor\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_written_is_strict_json(make_films: Make, tiny_file: ReaderFile) -> None:
    """Some intervals cannot be computed (a level with one class only): they are null, never NaN."""
    from ai_for_sudan.files import plain_json

    films = site(make_films)
    for i, facts in enumerate(films.facts):
        facts["device"] = "positive only" if films.labels[i] and i < 100 else "all"
    result = adapt(films, tiny_file, repeats=2).result
    with pytest.raises(ValueError, match="not JSON compliant"):
        json.dumps(result, allow_nan=False, default=float)
    assert "NaN" not in json.dumps(plain_json(result), allow_nan=False)


def test_fine_tuning_is_judged_like_every_step(
    tiny: Path, drawn_site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_for_sudan.models import create, save_checkpoint

    monkeypatch.setenv("AI_FOR_SUDAN_CACHE", str(tmp_path / "cache"))
    start = tmp_path / "start.pth"
    save_checkpoint(start, create("custom_cnn", ["normal", "pneumonia"], positive="pneumonia", task="exclusive"))
    command = [
        "adapt",
        "--reader",
        str(tiny),
        "--data_dir",
        str(drawn_site),
        "--site",
        "x",
        "--output_dir",
        str(tmp_path),
    ]
    assert main([*command, "--finetune", str(start), "--finetune_epochs", "1"]) == 0
    step = json.loads((tmp_path / "adapt.json").read_text())["steps"][-1]
    assert step["name"] == "fine-tuning" and step["after"]["auroc"][0] is not None
    # One epoch from random weights is no better than the refitted head.
    assert not step["adopted"]
    assert len(list((tmp_path / "finetuning").glob("fold_*/checkpoints/best_model.pth"))) == 5
    other = tmp_path / "other.pth"
    save_checkpoint(other, create("custom_cnn", ["a", "b"], positive="b", task="exclusive"))
    capsys.readouterr()
    assert main([*command, "--finetune", str(other)]) == 2
    assert "give the checkpoint that the reader was exported from" in capsys.readouterr().err


def test_the_source_site_is_not_forgotten(make_films: Make, tiny_file: ReaderFile) -> None:
    """Other channels tell the positives at the two sites: with films of both, the head learns both."""
    films = site(make_films, sign=-1)
    rng = np.random.default_rng(9)
    labels = (np.arange(160) % 2).astype(float)
    own = np.abs(rng.normal(0.3, 0.05, (160, 4)))
    own[:, 0] = 0.05 + 0.3 * (labels - 0.5) + rng.normal(0, 0.05, 160)
    own[:, 3] = 0.9 + rng.normal(0, 0.02, 160)
    source = make_films(own, labels)
    result = adapt(films, tiny_file, source=source, repeats=2).result
    step = next(step for step in result["steps"] if step["name"] == "head")
    assert result["source"]["films"] == 80 and result["source"]["shipped"]["auroc"][0] > 0.95
    if step["adopted"]:
        assert result["source"]["adapted"]["auroc"][0] > result["source"]["shipped"]["auroc"][0] - 0.02
    else:
        assert any("worse at the source site" in text for text in result["warnings"])
    few = make_films(own[:10], labels[:10])
    with pytest.raises(UserError, match="source site cannot be used: 10 labelled films are too few"):
        adapt(films, tiny_file, source=few)


# --- leaks -----------------------------------------------------------------------------------------------------------


def memorisable(make: Make, patients: int = 80, seed: int = 0) -> SiteFilms:
    """Three films a patient, whose embedding tells the patient and nothing else; the label is a coin for each."""
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(patients), 3)
    labels = rng.permutation(np.arange(patients) % 2)[people].astype(float)
    own = np.concatenate([np.full((patients, 1), 0.05), rng.normal(0.3, 0.1, (patients, 3))], 1)
    return make(own[people], labels, patients=people)


def test_what_a_head_knows_of_its_own_patients_is_no_gain(make_films: Make, tiny_file: ReaderFile) -> None:
    """Held-out log-odds of every step are a coin: a fold that had seen its own patients would show more than that."""
    from ai_for_sudan.sites import steps
    from ai_for_sudan.sites.adapt import as_rows
    from ai_for_sudan.sites.head import Space
    from ai_for_sudan.sites.labelled import Judge
    from ai_for_sudan.statistics import Promise, quick_auroc

    films = memorisable(make_films)
    # A basis with a direction for each patient, so that a head could memorise all of them.
    eye = np.eye(80)[films.patients]
    space = Space.of(films.embeddings)
    rows = as_rows(films, tiny_file, np.arange(len(films)), space)
    rows = type(rows)(**{**rows.__dict__, "features": eye * 5})
    every, promise = np.arange(len(films)), Promise(0.1, 0.1)
    judge = Judge.of(films, every, rows, None, tiny_file.card, promise, (), 0, lambda _: None)
    held = steps.held_out(judge, refit=True)
    for name in ("calibration", "head"):
        assert 0.3 < quick_auroc(rows.labels, held.scores[name]) < 0.7, name
    from ai_for_sudan.sites.head import fit_head

    assert quick_auroc(rows.labels, fit_head(rows, 16.0).scores(rows)) > 0.99  # it can memorise them


def test_a_coin_for_a_reader_gets_no_cut_offs(make_films: Make, tiny_file: ReaderFile) -> None:
    """Cut-offs that are chosen on the films that they are used on would seem to keep any promise."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        embeddings = np.abs(rng.normal(0.3, 0.05, (60, 4)))
        embeddings[:, 0] = 0.05 + rng.normal(0, 0.05, 60)
        films = make_films(embeddings, np.arange(60.0) % 2, seed=seed)
        outcome = adapt(films, tiny_file, promise=0.1, repeats=1)
        assert not outcome.changed and outcome.result["usable"] is False


def test_a_head_that_is_worse_at_the_source_site_is_not_adopted(
    make_films: Make, tiny_file: ReaderFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_for_sudan.sites.labelled import Judge

    films = site(make_films, sign=-1)
    source = site(make_films, 240, seed=5)
    # Without replayed films the head forgets them: the case that the measurement is there for.
    monkeypatch.setattr(Judge, "with_source", lambda self, rows: rows)
    outcome = adapt(films, tiny_file, source=source, repeats=1)
    step = next(step for step in outcome.result["steps"] if step["name"] == "head")
    assert step["gain_at_source"][2] < 0 and step["gain"][1] > 0 and not step["adopted"]
    assert any("worse at the source site" in text for text in outcome.result["warnings"])
    assert outcome.head is None or outcome.head.prior_std == 0


# --- step 0 ----------------------------------------------------------------------------------------------------------


def at_prevalence(make: Make, file: ReaderFile, share: float, count: int = 300, seed: int = 0) -> SiteFilms:
    """Films for which the tiny reader is calibrated at a share of one half, drawn at another share."""
    rng = np.random.default_rng(seed)
    embeddings = np.abs(rng.normal(0.3, 0.05, (count * 6, 4)))
    embeddings[:, 0] = 0.04 + rng.normal(0, 0.15, count * 6)
    logits = file.logits(embeddings)
    labels = (rng.random(count * 6) < 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))).astype(float)
    prevalence = labels.mean()
    keep = rng.random(count * 6) < np.where(labels == 1, share / prevalence, (1 - share) / (1 - prevalence)) / 2.2
    return make(embeddings[keep][:count], labels[keep][:count])


@pytest.fixture
def calibrated(build_tiny: Callable[..., Path], tmp_path: Path) -> ReaderFile:
    return ReaderFile.load(build_tiny(calibration={"method": "by hand", "prevalence": 0.5}))


def test_the_share_of_positives_is_reported_without_a_label(make_films: Make, calibrated: ReaderFile) -> None:
    from dataclasses import replace

    films = at_prevalence(make_films, calibrated, 0.15)
    found = adapt(replace(films, labels=np.full(len(films), np.nan)), calibrated)
    shift = found.result["label_shift"]
    assert shift["prevalence"][1] < films.labels.mean() < shift["prevalence"][2] and shift["shift"] < -1
    assert not found.changed  # nothing without a check
    names = ("files", "labels", "patients", "embeddings", "index", "facts", "pictures", "doubted", "abnormal")
    few = replace(films, **{name: getattr(films, name)[:29] for name in names})
    assert adapt(few, calibrated).result["label_shift"] is None


def test_a_share_that_was_estimated_correctly_is_adopted_and_calls_the_same_films(
    make_films: Make, calibrated: ReaderFile
) -> None:
    from dataclasses import replace

    films = at_prevalence(make_films, calibrated, 0.12, count=400)
    # Labels of the first 150 films only: too few positive ones for more than calibration.
    films = replace(films, labels=np.where(np.arange(len(films)) < 150, films.labels, np.nan))
    outcome = adapt(films, calibrated, repeats=1)
    step = next(step for step in outcome.result["steps"] if step["name"] == "label shift")
    assert step["adopted"] and step["gain"][1] > 0
    assert step["after"]["table"] == outcome.result["measured"]["table"]
    assert step["after"]["brier"][0] < outcome.result["measured"]["brier"][0]


def test_a_share_that_is_no_other_is_not_adopted(make_films: Make, calibrated: ReaderFile) -> None:
    films = at_prevalence(make_films, calibrated, 0.5)
    result = adapt(films, calibrated, repeats=1).result
    assert not next(step for step in result["steps"] if step["name"] == "label shift")["adopted"]


def test_it_says_what_it_does(make_films: Make, tiny_file: ReaderFile) -> None:
    lines: list[str] = []
    adapt(site(make_films, 240), tiny_file, repeats=1, say=lines.append)
    assert sum(text.startswith("fold ") for text in lines) == 5
    assert any(text.startswith("drift") for text in lines) and any("learning curve" in text for text in lines)


def test_small_matrices_are_left_to_one_thread(
    make_films: Make, tiny_file: ReaderFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threadpoolctl import threadpool_info

    from ai_for_sudan.sites import steps

    threads: set[int] = set()
    original = steps.held_out

    def held_out(*args: object, **more: object) -> object:
        threads.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return original(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(steps, "held_out", held_out)
    adapt(site(make_films, 60), tiny_file, repeats=1)
    assert threads == {1}


def test_the_reader_file_is_read_once(
    tiny: Path, drawn_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: (reads.append(self), original(self))[1])
    arguments = ["adapt", "--reader", str(tiny), "--data_dir", str(drawn_site), "--site", "x", "--output_dir"]
    assert main([*arguments, str(tmp_path)]) == 0
    assert reads.count(tiny) == 1
