"""`evaluate`: which films it measures, what it writes, what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ai_for_sudan.cli import main
from ai_for_sudan.contract.provenance import films_sha256
from ai_for_sudan.datasets import load_manifest, load_pixels, split_manifest

RULE = "regex:([np][0-9]+)_"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_FOR_SUDAN_CACHE", str(tmp_path / "cache"))


def evaluate(data: Path, checkpoint: Path, *more: str) -> int:
    return main(["evaluate", "--data_dir", str(data), "--checkpoint", str(checkpoint), "--rounds", "100", *more])


def test_every_figure_and_the_page(dataset, checkpoint, tmp_path, capsys) -> None:
    path = checkpoint()
    assert evaluate(dataset, path, "--model_type", "custom_cnn", "--patient_rule", RULE) == 0
    metrics = json.loads((tmp_path / "run/evaluation/metrics.json").read_text())
    assert metrics["films"] == 20 and metrics["patients"] == 10
    assert metrics["side"] == "the data's val films" and metrics["warnings"] == []
    own = metrics["operating_points"]["own"]
    assert own["threshold"] == 0.6
    assert own["confusion"] == {"true_positive": 9, "false_positive": 1, "false_negative": 1, "true_negative": 9}
    names = ("accuracy", "precision", "recall", "specificity", "f1", "auroc", "average_precision", "brier", "ece")
    for figures in metrics["operating_points"].values():
        for name in names:
            value, low, high = figures[name]
            assert 0 <= low <= value <= high <= 1, name
    assert own["accuracy"][0] == own["recall"][0] == own["specificity"][0] == 0.9
    assert metrics["loss"][0] > 0
    page = (tmp_path / "run/evaluation/report.html").read_text()
    assert "<svg" in page and page.count("data:image/jpeg;base64,") == 4  # two mistakes, film and heatmap
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert "a clinician decides" in page and "a clinician decides" in capsys.readouterr().out


def test_every_film_is_in_the_table_of_predictions(dataset, checkpoint, tmp_path, capsys) -> None:
    path = checkpoint(operating_point={"not_seen_below": 0.3, "suspected_from": 0.99999999, "reason": "by hand"})
    assert evaluate(dataset, path, "--patient_rule", RULE) == 0
    with (tmp_path / "run/evaluation/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["film", "patient", "label", "probability", "status", "reasons"]
    assert len(rows) == 20 and {row["film"] for row in rows} >= {"val/normal/n0_0.png"}
    assert {row["patient"] for row in rows} == {f"{kind}{n}" for kind in "np" for n in range(5)}
    for row in rows:
        probability = float(row["probability"])
        assert row["status"] == ("not_seen" if probability < 0.3 else "uncertain"), row
    statuses = json.loads((tmp_path / "run/evaluation/metrics.json").read_text())["statuses"]
    assert statuses["positive"]["counts"] == {"suspected": 0, "uncertain": 9, "not_seen": 1, "refused": 0}
    assert "not seen" in (out := capsys.readouterr().out) and out.index("left to a person") < out.index("auroc")


def test_films_that_a_reader_refuses_stay_in_the_denominator(dataset, reader_file, tmp_path, capsys) -> None:
    """The films have 64 pixels a side, fewer than any reader reads."""
    assert evaluate(dataset, reader_file, "--json", "--output_dir", str(tmp_path / "out")) == 0
    statuses = json.loads(capsys.readouterr().out)["statuses"]
    assert statuses["all"]["counts"] == {"suspected": 0, "uncertain": 0, "not_seen": 0, "refused": 20}
    with (tmp_path / "out/predictions.csv").open() as file:
        assert all(row["status"] == "refused" and "at least 128" in row["reasons"] for row in csv.DictReader(file))


def test_a_reader_that_was_chosen_on_these_very_films_says_so(dataset, build_tiny, tmp_path, capsys) -> None:
    manifest = load_manifest(dataset)
    identity = films_sha256(load_pixels(manifest, size=64))
    for role, said in (("validation", "Epoch, calibration and cut-offs"), ("training", "was trained on")):
        provenance = {
            "weights_sha256": "1" * 64, "commands": [], "commit": "",
            "data": [{"role": role, "name": "here", "identity": identity, "films": 20}],
        }  # fmt: skip
        reader = build_tiny(provenance=provenance)
        assert evaluate(dataset, reader, "--json", "--output_dir", str(tmp_path / role)) == 0
        assert said in json.loads(capsys.readouterr().out)["warnings"][0]


def test_where_no_patient_is_known_it_says_so(dataset, checkpoint, tmp_path, capsys) -> None:
    assert evaluate(dataset, checkpoint()) == 0
    output, page = capsys.readouterr().out, (tmp_path / "run/evaluation/report.html").read_text()
    for text in (output, page):
        assert "20 films, whose patients are unknown" in text and "intervals are too narrow" in text
        assert "20 patients" not in text
    assert json.loads((tmp_path / "run/evaluation/metrics.json").read_text())["films_without_patient"] == 20
    assert evaluate(dataset, checkpoint(), "--patient_rule", RULE) == 0
    assert "20 films of 10 patients" in capsys.readouterr().out


def test_the_same_command_gives_the_same_file(dataset, checkpoint, tmp_path) -> None:
    path = checkpoint()
    evaluate(dataset, path, "--output_dir", str(tmp_path / "a"))
    evaluate(dataset, path, "--output_dir", str(tmp_path / "b"))
    assert (tmp_path / "a/metrics.json").read_bytes() == (tmp_path / "b/metrics.json").read_bytes()


def test_the_validation_side_of_the_run_is_measured(dataset, checkpoint, tmp_path, capsys) -> None:
    (dataset / "val").rename(tmp_path / "flat")
    manifest = load_manifest(tmp_path / "flat", patient_rule=RULE)
    split = split_manifest(manifest, fraction=0.4, seed=3, path=tmp_path / "run/split.json")
    path = checkpoint(split={"identity": split.identity, "path": "split.json"})
    assert evaluate(tmp_path / "flat", path, "--json") == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["films"] == len(split.validation) < 20
    assert metrics["side"] == "the validation side of split.json"
    assert metrics["warnings"] == ["Epoch and cut-offs of this model were chosen on these very films: the figures are "
                                   "slightly too good."]  # fmt: skip
    assert evaluate(tmp_path / "flat", path, "--json", "--split", "train") == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["films"] == len(split.train) and "trained on" in metrics["warnings"][0]
    assert evaluate(tmp_path / "flat", path, "--split", "test") == 2
    assert "no 'test' films" in capsys.readouterr().err


def test_other_films_than_the_run_are_measured_with_a_warning(dataset, checkpoint, tmp_path, capsys) -> None:
    split = split_manifest(load_manifest(dataset), fraction=0.4, seed=3, path=tmp_path / "run/split.json")
    path = checkpoint(split={"identity": split.identity, "path": "split.json"})
    (dataset / "val").rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/normal/n4_9.png").unlink()
    assert evaluate(tmp_path / "elsewhere", path) == 0
    assert "WARNING" in (out := capsys.readouterr().out) and "19 films" in out


def test_quantised_and_reader_files_are_measured_too(dataset, checkpoint, reader_file, tmp_path, capsys) -> None:
    from ai_for_sudan.models import load_checkpoint
    from ai_for_sudan.models.quantised import quantise, save_quantised

    original = checkpoint()
    model, state = load_checkpoint(original)
    quantised = original.with_name("quantized_model.pth")
    save_quantised(quantised, quantise(model), state)
    assert evaluate(dataset, quantised, "--model_type", "custom_cnn", "--json") == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["operating_points"]["own"]["accuracy"][0] == 0.9  # the two mistakes are drawn with heatmaps
    assert evaluate(dataset, reader_file, "--json", "--output_dir", str(tmp_path / "reader")) == 0
    assert json.loads(capsys.readouterr().out)["operating_points"]["own"]["threshold"] == 0.5


def test_three_classes(dataset, checkpoint, capsys) -> None:
    (dataset / "val/viral").mkdir()
    for film in sorted((dataset / "val/pneumonia").iterdir())[:5]:
        film.rename(dataset / "val/viral" / film.name)
    path = checkpoint(classes=("normal", "pneumonia", "viral"))
    assert evaluate(dataset, path, "--json") == 0
    metrics = json.loads(capsys.readouterr().out)
    matrix = np.array(metrics["confusion_matrix"])
    assert matrix.shape == (3, 3) and matrix.sum() == 20 and matrix.sum(1).tolist() == [10, 5, 5]
    assert metrics["accuracy"][0] == pytest.approx(np.trace(matrix) / 20)
    assert set(metrics["classes"]) == {"normal", "pneumonia", "viral"}
    mean = np.mean([figures["auroc"][0] for figures in metrics["classes"].values()])
    assert metrics["macro"]["auroc"][0] == pytest.approx(mean)


def test_findings_with_missing_labels(dataset, checkpoint, tmp_path, capsys) -> None:
    table = tmp_path / "labels.csv"
    films = sorted((dataset / "val").rglob("*.png"))
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "effusion", "pneumonia"])
        for number, film in enumerate(films):
            rows.writerow([film, "" if number < 4 else number % 2, int(film.parent.name == "pneumonia")])
    path = checkpoint(classes=("effusion", "pneumonia"), task="multilabel")
    assert evaluate(table, path, "--split", "all", "--json") == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["findings"]["effusion"]["films"] == 16
    assert metrics["findings"]["effusion"]["left_out_without_label"] == 4
    assert metrics["findings"]["pneumonia"]["recall"][0] == 0.9
    assert metrics["loss"][0] > 0 and "macro" in metrics


def test_findings_are_trained_measured_exported_and_read(samples, tmp_path, capsys) -> None:
    """No film of the validation side has an effusion: its figures are left out, and everything else is said."""
    table = tmp_path / "films.csv"
    films = sorted(samples.glob("*0[1-8].png"))
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "edema", "effusion", "pneumonia", "patient"])
        for number, film in enumerate(films):
            effusion = "" if number == 0 else int(number == 2)
            rows.writerow([film, number // 2 % 2, effusion, int(number >= 8), f"child{number}"])
    checkpoint, reader = tmp_path / "run/checkpoints/best_model.pth", tmp_path / "findings.onnx"
    data = ["--data_dir", str(table), "--label_columns", "edema", "effusion", "pneumonia"]
    assert main(["train", *data, "--output_dir", str(tmp_path / "run"), "--epochs", "1", "--batch_size", "8",
                 "--augmentation", "0", "--validation", "0.4", "--lungs", "whole"]) == 0  # fmt: skip
    assert evaluate(table, checkpoint) == 0
    said, page = capsys.readouterr().out, (tmp_path / "run/evaluation/report.html").read_text()
    for text in (said, page):
        assert "Not measured, because these films are not of both classes: effusion." in text
    measured = json.loads((tmp_path / "run/evaluation/metrics.json").read_text())
    assert set(measured["findings"]) == {"edema", "pneumonia"} and measured["left_out"] == ["effusion"]
    assert main(["export", *data, "--checkpoint", str(checkpoint), "--output", str(reader), "--force"]) == 0
    assert evaluate(table, reader, "--output_dir", str(tmp_path / "of_reader")) == 0
    capsys.readouterr()
    assert main(["read", str(films[0]), "--reader", str(reader), "--json"]) == 0
    assert "edema" in capsys.readouterr().out


def one_line(capsys: pytest.CaptureFixture[str], *words: str) -> None:
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0 and "Traceback" not in error and error.startswith("ai-for-sudan ")
    for word in words:
        assert word in error


def test_a_wrong_model_type_is_refused(dataset, checkpoint, reader_file, capsys) -> None:
    path = checkpoint()
    assert evaluate(dataset, path, "--model_type", "mobilenet_v2") == 2
    one_line(capsys, "holds a custom_cnn, not a mobilenet_v2")
    assert evaluate(dataset, reader_file, "--model_type", "mobilenet_v2") == 2
    one_line(capsys, "holds a tiny, not a mobilenet_v2")
    assert not (path.parent.parent / "evaluation").exists()


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"", "empty.pth"), (b"no model" * 99, "other.pth"), (b"no model" * 99, "x.safetensors"), (b"onnx", "x.onnx")],
)
def test_what_is_no_model_is_refused(dataset, tmp_path, capsys, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert evaluate(dataset, tmp_path / name) == 2
    one_line(capsys, name)


def test_a_cut_checkpoint_is_refused(dataset, checkpoint, capsys) -> None:
    path = checkpoint()
    path.write_bytes(path.read_bytes()[:-2000])
    assert evaluate(dataset, path) == 2
    one_line(capsys, "not a checkpoint")


def test_what_cannot_be_measured_is_refused(dataset, checkpoint, tmp_path, capsys) -> None:
    path = checkpoint()
    assert evaluate(tmp_path / "nothing", path) == 2
    one_line(capsys, "no dataset")
    assert evaluate(dataset, path.with_name("none.pth")) == 2
    one_line(capsys, "no checkpoint")
    assert evaluate(dataset, path, "--rounds", "5") == 2
    one_line(capsys, "--rounds")
    assert evaluate(dataset, checkpoint("other.pth", classes=("normal", "tumour"), positive="tumour")) == 2
    one_line(capsys, "no class 'tumour'", "normal, pneumonia")
    assert evaluate(dataset, checkpoint("nan.pth", gain=float("nan"))) == 2
    one_line(capsys, "NaN")
    (tmp_path / "taken").write_text("a file")
    assert evaluate(dataset, path, "--output_dir", str(tmp_path / "taken")) == 2
    one_line(capsys, "taken")
    (dataset / "val/normal/n0_0.png").write_bytes(b"")
    assert evaluate(dataset, path) == 2
    error = capsys.readouterr().err
    assert "n0_0.png" in error and "Traceback" not in error
    assert not (path.parent.parent / "evaluation").exists()
