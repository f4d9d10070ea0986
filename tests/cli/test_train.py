"""`train`: the command as people type it, on a few drawn films; what it refuses before it has trained."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ai_for_sudan.cli import main
from ai_for_sudan.files import alone
from ai_for_sudan.lungs import load_finder
from ai_for_sudan.models import create, load_checkpoint, save_checkpoint
from ai_for_sudan.training.fit import Run

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
    output = capsys.readouterr().out
    assert "split by patient" in output and "quantized_model.pth  " in output and "a clinician decides" in output
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


def test_lungs_that_people_drew(dataset, tmp_path, capsys) -> None:
    masks = tmp_path / "masks"
    for film in (dataset / "val").rglob("*.png"):
        mask = np.zeros((64, 64), np.uint8)
        mask[10:50, 8:28] = mask[10:50, 36:56] = 255
        (masks / film.parent.name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(masks / film.parent.name / film.name)
    (dataset / "val").rename(dataset / "train")
    bad = sorted((masks / "normal").glob("*.png"))
    good = bad[0].read_bytes()
    bad[0].unlink()
    Image.fromarray(np.full((64, 32), 255, np.uint8)).save(bad[1])
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(bad[2])
    assert train(dataset, tmp_path / "out", "--lungs", masks) == 2
    output = capsys.readouterr().err
    assert "3 of 20" in output and all(path.name in output for path in bad[:3]) and bad[3].name not in output
    assert not (tmp_path / "out/checkpoints").exists()
    for path in bad[:3]:
        path.write_bytes(good)
    assert train(dataset, tmp_path / "out", "--lungs", masks) == 0
    assert "lungs as people drew them" in capsys.readouterr().out
    model, state = load_checkpoint(tmp_path / "out/checkpoints/best_model.pth")
    assert state.recipe["lungs"] == str(masks) and model.view is not None
    shipped = load_finder().state_dict()
    assert all(torch.equal(value, shipped[name]) for name, value in model.view.finder.state_dict().items())
    assert train(dataset, tmp_path / "other", "--lungs", "atuo") == 2
    assert (
        "lungs must be auto, whole, or a folder or table of masks; there is none at 'atuo'" in capsys.readouterr().err
    )


def test_a_few_real_films_with_real_masks(kermany, tmp_path, capsys) -> None:
    lungs = kermany.parent / "chest_xray_train_lungs"
    with (lungs / "films.csv").open() as file:
        films = [row["film"] for row in csv.DictReader(file)]
    few = [*films[:12], *films[-12:]]
    (tmp_path / "few.csv").write_text("\n".join(["file,label", *(f"{kermany / f},{f.split('/')[0]}" for f in few)]))
    outputs = []
    for masks in (lungs / "masks", lungs / "films.csv"):
        out = tmp_path / masks.stem
        rules = ("--patient_rule", "kermany", "--validation", "0.3", "--seed", "1")
        assert train(tmp_path / "few.csv", out, "--lungs", masks, *rules) == 0, capsys.readouterr().err
        outputs.append((out / "history.csv").read_text().split(",")[:-1])
    assert outputs[0] == outputs[1], "a folder and a table of the same masks"


def test_a_medmnist_file_without_patients(tmp_path, capsys) -> None:
    images = np.random.default_rng(0).integers(0, 256, (24, 28, 28), np.uint8)
    np.savez(tmp_path / "films.npz", train_images=images, train_labels=(np.arange(24) % 2)[:, None])
    assert train(tmp_path / "films.npz", tmp_path / "out", "--positive", "1") == 0
    assert "the split is by image" in capsys.readouterr().out


def test_what_cannot_be_trained_is_reported_in_one_line_and_leaves_nothing(dataset, tmp_path, capsys) -> None:
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
    refused("cannot read", "none.toml")
    assert train(dataset, out, "--pretrained") == 2
    refused("leave out --pretrained")
    assert train(dataset, out, "--model_type", "mobilenet_v2", "--pretrained", tmp_path / "none.pth") == 2
    refused("none.pth")
    assert not out.exists() and not (tmp_path / "cache").exists()


def test_missing_imagenet_weights_are_reported_before_any_film_is_read(dataset, tmp_path, monkeypatch, capsys) -> None:
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

    monkeypatch.setattr(Run, "one_epoch", trained)
    (tmp_path / "taken").write_text("a file")
    assert train(dataset, tmp_path / "taken") == 2
    assert "cannot write" in capsys.readouterr().err
    assert (tmp_path / "taken").read_text() == "a file"


def with_train(dataset: Path) -> Path:
    """``train/`` beside ``val/``: eight films of eight other patients."""
    for number, name in enumerate(("normal", "pneumonia")):
        (dataset / "train" / name).mkdir(parents=True, exist_ok=True)
        for n in range(4):
            grey = np.random.default_rng([number, n]).integers(0, 120, (64, 64)) + 120 * number
            Image.fromarray(grey.astype(np.uint8)).save(dataset / "train" / name / f"{name[0]}9{n}_0.png")
    return dataset


def test_the_readmes_commands_work_one_after_the_other(dataset, tmp_path, monkeypatch, capsys) -> None:
    """Two trainings share ``--output_dir``: the first model is kept, so that the commands after them find it."""
    from torchvision.models import mobilenet_v2

    monkeypatch.chdir(tmp_path)  # gradcam draws into outputs/ here
    data, out = with_train(dataset), tmp_path / "outputs"
    torch.save(mobilenet_v2(weights=None).state_dict(), tmp_path / "imagenet.pth")
    assert train(data, out, "--model_type", "custom_cnn") == 0
    first = (out / "checkpoints/best_model.pth").read_bytes()
    capsys.readouterr()
    assert train(data, out, "--model_type", "mobilenet_v2", "--pretrained", tmp_path / "imagenet.pth") == 0
    output = capsys.readouterr().out
    beside = out / "mobilenet_v2/checkpoints/best_model.pth"
    assert f"--checkpoint {beside} --model_type mobilenet_v2" in output
    assert (out / "checkpoints/best_model.pth").read_bytes() == first
    _, state = load_checkpoint(beside, expect="mobilenet_v2")
    assert state.initial_weights["name"] == "imagenet.pth" and len(state.initial_weights["sha256"]) == 64
    assert state.command.startswith("ai-for-sudan train --data_dir") and "PyTorch" in state.software
    checkpoint, film = str(out / "checkpoints/best_model.pth"), str(data / "val/pneumonia/p0_0.png")
    typed = ["--checkpoint", checkpoint, "--model_type", "custom_cnn"]
    assert main(["evaluate", "--data_dir", str(data), *typed, "--rounds", "100"]) == 0
    assert main(["inference", "--image", film, *typed, "--output", str(tmp_path / "cam.png")]) == 0
    assert main(["gradcam", "--image", film, "--checkpoint", checkpoint, "--layer", "features.4"]) == 0
    # Trained once more, each goes where it went before.
    assert train(data, out, "--model_type", "mobilenet_v2", "--resume", "--epochs", "2") in (0, 2)
    assert (out / "checkpoints/best_model.pth").read_bytes() == first


def test_a_checkpoint_of_other_classes_or_of_another_project_is_not_replaced(dataset, tmp_path, capsys) -> None:
    data, out = with_train(dataset), tmp_path / "outputs"
    there = out / "checkpoints/best_model.pth"
    save_checkpoint(there, create("custom_cnn", ["a", "b"]))
    before = there.read_bytes()
    assert train(data, out) == 2
    error = capsys.readouterr().err
    assert "reports b of a, b" in error and "another --output_dir" in error and error.strip().count("\n") == 0
    assert there.read_bytes() == before
    there.write_bytes(b"weights of another project")
    assert train(data, out) == 2
    assert "another --output_dir" in capsys.readouterr().err
    assert there.read_bytes() == b"weights of another project"


def test_a_second_training_in_the_same_folder_is_refused(dataset, tmp_path, capsys) -> None:
    data, out = with_train(dataset), tmp_path / "outputs"
    out.mkdir()
    with alone(out):
        assert train(data, out) == 2
    error = capsys.readouterr().err
    assert "in use by another run" in error and error.strip().count("\n") == 0
    assert not list(out.rglob("*.pth"))
    assert train(data, out) == 0


@pytest.mark.parametrize("damage", ["bytes", "missing", "history", "optimizer"])
def test_a_damaged_last_epoch_is_reported_in_one_line(dataset, tmp_path, capsys, damage) -> None:
    data, out = with_train(dataset), tmp_path / "outputs"
    assert train(data, out) == 0
    last = out / "checkpoints/last.pth"
    contents = torch.load(last, weights_only=True)
    if damage == "bytes":
        last.write_bytes(last.read_bytes()[:1000])
    elif damage == "missing":
        torch.save({"recipe": contents["recipe"]}, last)
    else:
        torch.save({**contents, damage: 7}, last)
    capsys.readouterr()
    assert train(data, out, "--resume") == 2
    error = capsys.readouterr().err
    assert "delete it to start again" in error and error.strip().count("\n") == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a program can answer")
def test_asked_to_end_it_leaves_a_usable_checkpoint(dataset, tmp_path) -> None:
    data, out = with_train(dataset), tmp_path / "outputs"
    command = [sys.executable, "-m", "ai_for_sudan", "train", "--data_dir", data, "--output_dir", out]
    with subprocess.Popen(
        [*map(str, command), "--epochs", "100000", "--patience", "100000", "--batch_size", "8"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch"):
                break
        process.send_signal(signal.SIGTERM)
        output, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    assert "holds the best weights so far" in output and "Traceback" not in error
    load_checkpoint(out / "checkpoints/best_model.pth", expect="custom_cnn")
    assert not list(out.rglob("*.part"))
