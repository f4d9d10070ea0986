"""`train`: the command as people type it, on a few drawn films; what it refuses before it has trained."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.cli import main
from ai_for_sudan.models import load_checkpoint
from ai_for_sudan.training.fit import _Run

RULE = "regex:([np][0-9]+)_"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_FOR_SUDAN_CACHE", str(tmp_path / "cache"))


def train(data: Path, output: Path, *more: object) -> int:
    few = ["--epochs", "1", "--batch_size", "8", "--augmentation", "0"]
    return main(["train", "--data_dir", str(data), "--output_dir", str(output), *few, *map(str, more)])


def test_without_val_it_splits_by_patient_goes_on_and_can_be_evaluated(dataset, tmp_path, capsys) -> None:
    (dataset / "val").rename(dataset / "Train")
    (dataset / "Train/normal").rename(dataset / "Train/NORMAL")
    out = tmp_path / "outputs"
    assert train(dataset, out, "--patient_rule", RULE, "--validation", "0.3") == 0
    told = capsys.readouterr().out
    assert "split by patient" in told and "dynamic int8" in told and "a clinician decides" in told
    split = json.loads((out / "split.json").read_text())
    _, state = load_checkpoint(out / "checkpoints/best_model.pth", expect="custom_cnn")
    assert state.split.identity == split["identity"] and split["grouped_by"] == "patient"
    assert json.loads((out / "recipe.json").read_text())["batch_size"] == 8
    assert (out / "checkpoints/quantized_model.pth").is_file() and (out / "curves.png").is_file()

    again = ("--patient_rule", RULE, "--validation", "0.3", "--resume", "--epochs", "2")
    assert train(dataset, out, *again) == 0
    assert "resumed after epoch 1" in capsys.readouterr().out
    with (out / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]

    command = ["evaluate", "--data_dir", str(dataset), "--checkpoint", str(out / "checkpoints/best_model.pth")]
    assert main([*command, "--model_type", "custom_cnn", "--patient_rule", RULE, "--rounds", "100"]) == 0
    assert "the validation side of split.json" in capsys.readouterr().out


def test_a_medmnist_file_without_patients(tmp_path, capsys) -> None:
    images = np.random.default_rng(0).integers(0, 256, (24, 28, 28), np.uint8)
    np.savez(tmp_path / "films.npz", train_images=images, train_labels=(np.arange(24) % 2)[:, None])
    assert train(tmp_path / "films.npz", tmp_path / "out") == 0
    assert "the split is by image" in capsys.readouterr().out


def test_what_cannot_be_trained_is_told_in_one_line_and_leaves_nothing(dataset, tmp_path, capsys) -> None:
    out = tmp_path / "out"

    def refused(*words: str) -> None:
        error = capsys.readouterr().err.strip()
        assert error.startswith("ai-for-sudan train: ") and error.count("\n") == 0
        assert all(word in error for word in words), error
        assert not list(out.rglob("*.pth")) and not list(tmp_path.rglob("*.part"))

    assert train(tmp_path / "nothing", out) == 2
    refused("there is no dataset")
    assert train(dataset, out) == 2
    refused("none to train on")
    assert train(dataset, out, "--recipe", tmp_path / "none.toml") == 2
    refused("no recipe")
    assert train(dataset, out, "--pretrained") == 2
    refused("leave out --pretrained")
    assert train(dataset, out, "--model_type", "mobilenet_v2", "--pretrained", tmp_path / "none.pth") == 2
    refused("none.pth")
    assert not out.exists() and not (tmp_path / "cache").exists()


def test_missing_imagenet_weights_are_told_before_any_film_is_read(dataset, tmp_path, monkeypatch, capsys) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    (dataset / "val/normal/n0_0.png").write_bytes(b"")
    assert train(dataset, tmp_path / "out", "--model_type", "mobilenet_v2", "--pretrained") == 2
    error = capsys.readouterr().err
    assert str(tmp_path / "torch/hub/checkpoints/mobilenet_v2-") in error and "https://" in error
    assert "--pretrained PATH" in error and error.strip().count("\n") == 0


def test_films_on_no_side_are_not_left_out_silently(dataset, tmp_path, capsys) -> None:
    table = tmp_path / "films.csv"
    films = sorted((dataset / "val").rglob("*.png"))
    sides = [("train", "val", "")[number % 3] for number in range(len(films))]
    rows = [f"{film},{film.parent.name},{side}" for film, side in zip(films, sides, strict=True)]
    table.write_text("\n".join(["file,label,split", *rows]))
    assert train(table, tmp_path / "out") == 2
    assert f"{sides.count('')} films have no split" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_costs_no_training(dataset, tmp_path, monkeypatch, capsys) -> None:
    for number, name in enumerate(("normal", "pneumonia")):
        (dataset / "train" / name).mkdir(parents=True)
        for n in range(4):
            grey = np.random.default_rng([number, n]).integers(0, 256, (64, 64), np.uint8)
            Image.fromarray(grey).save(dataset / "train" / name / f"{name[0]}9{n}_0.png")

    def trained(*_: object) -> None:
        raise AssertionError("an epoch was trained")

    monkeypatch.setattr(_Run, "_epoch", trained)
    (tmp_path / "taken").write_text("a file")
    assert train(dataset, tmp_path / "taken") == 2
    assert "cannot write" in capsys.readouterr().err
    assert (tmp_path / "taken").read_text() == "a file"
