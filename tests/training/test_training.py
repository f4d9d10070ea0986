"""Real training of the small network on drawn films: bright on the left or on the right."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ai_for_sudan.disturbances import perturbed
from ai_for_sudan.errors import UserError
from ai_for_sudan.models import (
    CheckpointState,
    SplitRecord,
    create,
    load_checkpoint,
    logits,
    probabilities,
    save_checkpoint,
)
from ai_for_sudan.training import LabelledFilms, Recipe, fit
from ai_for_sudan.training.fit import Run
from ai_for_sudan.training.history import merit
from ai_for_sudan.training.loss import class_weights, imitation, loss, targets
from ai_for_sudan.training.lung_finder import LungRecipe
from ai_for_sudan.training.recipe import SELECTIONS
from ai_for_sudan.training.scores import score

RECIPE = Recipe(epochs=3, batch_size=16, augmentation=0.0, learning_rate=2e-3, patience=3)


def drawn_films(count: int, seed: int, size: int = 64) -> LabelledFilms:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    pixels = random.integers(0, 120, (count, size, size))
    for film, label in zip(pixels, labels, strict=True):
        film[:, : size // 2] += 100 * (1 - label)
        film[:, size // 2 :] += 100 * label
    return LabelledFilms(pixels.astype(np.uint8), labels.astype(np.int64), np.arange(count))


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return create("custom_cnn", ["normal", "pneumonia"])


def run(folder: Path, recipe: Recipe = RECIPE, **options: bool):
    return fit(recipe, network(), drawn_films(96, 0), drawn_films(40, 1), folder, quiet=True, **options)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory):
    return run(tmp_path_factory.mktemp("run"))


def test_it_learns_and_keeps_what_it_says(fitted) -> None:
    films = drawn_films(64, 7)
    probability = probabilities(logits(fitted.model, films.pixels), "exclusive")[:, 1].numpy()
    assert score(films.labels, np.stack([1 - probability, probability], 1), 1)["auroc"] > 0.99
    model, state = load_checkpoint(fitted.checkpoint, expect="custom_cnn")
    assert state.recipe == RECIPE.to_dict()
    assert 0 < state.point.not_seen_below <= state.point.suspected_from < 1
    assert torch.equal(logits(model, films.pixels), logits(fitted.model, films.pixels))


def test_every_epoch_is_recorded_and_drawn(fitted) -> None:
    folder = fitted.checkpoint.parent.parent
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {f"{side}_{name}" for side in ("train", "val", "perturbed") for name in ("loss", "f1", "auroc")} <= set(
        rows[0]
    )
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert fitted.state.selection.startswith("the epoch with the lowest validation loss")
    kept = min(fitted.history, key=lambda row: row["val_loss"] + row["perturbed_loss"])
    assert fitted.state.metrics["epoch"] == kept["epoch"]


def test_a_resumed_run_equals_one_that_was_never_stopped(tmp_path: Path, fitted) -> None:
    run(tmp_path, Recipe(**{**RECIPE.to_dict(), "epochs": 2}))
    resumed = run(tmp_path, resume=True)
    assert [row["val_loss"] for row in resumed.history] == pytest.approx([row["val_loss"] for row in fitted.history])


def test_a_run_of_another_recipe_is_not_resumed(tmp_path: Path) -> None:
    run(tmp_path, Recipe(**{**RECIPE.to_dict(), "epochs": 1}))
    with pytest.raises(UserError, match="learning_rate of the recipe differ"):
        run(tmp_path, Recipe(**{**RECIPE.to_dict(), "learning_rate": 0.01}), resume=True)


@pytest.mark.parametrize("schedule", ["plateau", "onecycle"])
def test_more_epochs_are_added_only_where_the_schedule_allows_it(tmp_path: Path, schedule: str) -> None:
    recipe = Recipe(**{**RECIPE.to_dict(), "epochs": 1, "schedule": schedule})
    run(tmp_path, recipe)
    longer = Recipe(**{**recipe.to_dict(), "epochs": 2})
    if schedule == "plateau":
        assert len(run(tmp_path, longer, resume=True).history) == 2
    else:
        with pytest.raises(UserError, match="epochs of the recipe differ"):
            run(tmp_path, longer, resume=True)


def test_a_run_of_other_classes_or_films_is_not_resumed(tmp_path: Path) -> None:
    recipe = Recipe(**{**RECIPE.to_dict(), "epochs": 1})
    films = drawn_films(32, 0)
    fit(recipe, network(), films, films, tmp_path, state=CheckpointState(split=SplitRecord(identity="a")), quiet=True)
    other = create("custom_cnn", ["pneumonia", "normal"])
    for model, split, complaint in (
        (network(), "b", "the films or their split differ"),
        (other, "a", "the model or its classes differ"),
    ):
        state = CheckpointState(split=SplitRecord(identity=split))
        with pytest.raises(UserError, match=complaint):
            fit(recipe, model, films, films, tmp_path, state=state, resume=True, quiet=True)
    torch.save({"x": 1}, tmp_path / "checkpoints/last.pth")
    with pytest.raises(UserError, match="delete it to start again"):
        run(tmp_path, recipe, resume=True)


def test_a_teacher_of_other_classes_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "teacher.pth", create("custom_cnn", ["a", "b", "c"]))
    with pytest.raises(UserError, match="has the classes a, b, c"):
        run(tmp_path, Recipe(teacher=str(tmp_path / "teacher.pth")))


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of file sizes are not known to this system")
    recipe = Recipe(**{**RECIPE.to_dict(), "epochs": 1})
    before = run(tmp_path, recipe).checkpoint.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"best_model\.pth: .*the previous file is unchanged"):
            run(tmp_path, recipe)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "checkpoints/best_model.pth").read_bytes() == before
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupt_in_the_first_epoch_leaves_an_earlier_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "one_epoch", interrupted)
    films, best = drawn_films(16, 0), tmp_path / "checkpoints/best_model.pth"
    for words in ("holds the weights of an unfinished epoch", "is of an earlier run"):
        with pytest.raises(KeyboardInterrupt):
            fit(RECIPE, network(), films, films, tmp_path)
        assert words in capsys.readouterr().out
        load_checkpoint(best)
        best.touch()


def test_the_average_of_weights_and_other_options_train(tmp_path: Path, fitted) -> None:
    recipe = Recipe(
        epochs=4,
        batch_size=16,
        schedule="onecycle",
        learning_rate=4e-3,
        augmentation=0.3,
        mixup=0.5,
        label_smoothing=0.05,
        average=0.8,
        small_size=48,
        small_epochs=2,
        frozen_layers=1,
        teacher=str(fitted.checkpoint),
    )
    before = network().features[0][0].weight.detach().clone()
    result = run(tmp_path, recipe)
    assert torch.equal(result.model.features[0][0].weight, before)
    films = drawn_films(64, 7)
    assert (logits(result.model, films.pixels).argmax(1).numpy() == films.labels).mean() > 0.9


@pytest.mark.parametrize("select", list(SELECTIONS))
def test_training_stops_when_validation_no_longer_gets_better(tmp_path: Path, select: str) -> None:
    noise = drawn_films(32, 1)
    shuffled = replace(noise, labels=np.random.default_rng(0).permutation(noise.labels))
    recipe = Recipe(
        **{
            **RECIPE.to_dict(),
            "epochs": 30,
            "patience": 2,
            "learning_rate": 5e-3,
            "schedule": "plateau",
            "select": select,
        }
    )
    result = fit(recipe, network(), drawn_films(96, 0), shuffled, tmp_path / "whole", quiet=True)
    assert 3 <= len(result.history) < 30
    best = max(result.history, key=lambda row: merit(row, select))["epoch"]
    assert len(result.history) - best == 2
    assert SELECTIONS[select] in result.state.selection
    # Stopped one epoch earlier and resumed, it still knows that it has waited for one.
    shorter = Recipe(**{**recipe.to_dict(), "epochs": len(result.history) - 1})
    for part, resume in ((shorter, False), (recipe, True)):
        again = fit(part, network(), drawn_films(96, 0), shuffled, tmp_path / "parts", resume=resume, quiet=True)
    assert [row["epoch"] for row in again.history] == [row["epoch"] for row in result.history]


def test_findings_with_missing_labels_are_learned(tmp_path: Path) -> None:
    films = drawn_films(96, 0)
    table = np.stack([films.labels, 1 - films.labels], 1).astype(np.float32)
    table[::5, 0] = np.nan
    table[::7, 1] = np.nan
    torch.manual_seed(0)
    model = create("custom_cnn", ["right", "left"], task="multilabel")
    result = fit(RECIPE, model, replace(films, labels=table), replace(films, labels=table), tmp_path, quiet=True)
    probability = probabilities(logits(result.model, films.pixels), "multilabel").numpy()
    assert score(np.stack([films.labels, 1 - films.labels], 1).astype(float), probability, 0)["auroc"] > 0.99


def test_two_processes_match_one(tmp_path: Path, fitted) -> None:
    """The command of torchrun, on the CPU (gloo): trains, saves once, ends where one process ends.

    Each process has a folder of its own, as on two machines that share no disk.
    """
    script = tmp_path / "two.py"
    script.write_text(
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "import torch; torch.set_num_threads(1)\n"
        "from test_training import RECIPE, drawn_films, network\n"
        "from ai_for_sudan.training import fit\n"
        "from ai_for_sudan.training.processes import processes\n"
        "with processes() as group:\n"
        "    assert group.count == 2\n"
        "    films, few = drawn_films(96, 0), drawn_films(32, 1)\n"
        "    fit(RECIPE, network(), films, few, Path(sys.argv[2]) / f'machine{group.rank}', group=group, quiet=True)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    subprocess.run(
        [*command, str(Path(__file__).parent), str(tmp_path / "out")],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=300,
    )
    assert not (tmp_path / "out/machine1").exists()
    with (tmp_path / "out/machine0/history.csv").open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    assert len(losses) == RECIPE.epochs
    model, _ = load_checkpoint(tmp_path / "out/machine0/checkpoints/best_model.pth")
    films = drawn_films(64, 7)
    # BatchNorm sees half a batch in each process, so the weights differ a little and the predictions hardly.
    assert (logits(model, films.pixels).argmax(1).numpy() == films.labels).mean() > 0.97
    assert losses[-1] == pytest.approx(fitted.history[-1]["val_loss"], abs=0.25)


def test_an_interrupt_leaves_a_usable_checkpoint(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    script = tmp_path / "long.py"
    script.write_text(
        "import sys, os, signal, threading, time; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from test_training import drawn_films, network\n"
        "from ai_for_sudan.training import fit, Recipe\n"
        "def interrupt():\n"
        "    while not (Path(sys.argv[2]) / 'recipe.json').exists(): time.sleep(0.01)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=interrupt, daemon=True).start()\n"
        "films = drawn_films(96, 0)\n"
        "fit(Recipe(epochs=100000, patience=100000), network(), films, films, Path(sys.argv[2]), quiet=True)\n"
    )
    running = start([sys.executable, script, Path(__file__).parent, tmp_path / "out"], stderr=subprocess.PIPE)
    assert "KeyboardInterrupt" in running.communicate(timeout=300)[1]
    load_checkpoint(tmp_path / "out" / "checkpoints" / "best_model.pth", expect="custom_cnn")
    assert not list((tmp_path / "out").rglob("*.part"))


def test_recipes_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('model_type = "mobilenet_v2"\nepochs = 4\nlearning_rate = 1\n')
    assert Recipe.load(path).learning_rate == 1.0
    for text, message in (
        ("epochz = 3", "'epochz' is not known; known are: version, model_type"),
        ('epochs = "3"', "'epochs' must be a whole number, not '3'"),
        ("epochs = 0", "at least 1"),
        ('schedule = "steps"', "schedule must be one of"),
        ("learning_rate = nan", "learning_rate must be above 0"),
        ("augmentation = -0.5", "augmentation must be 0 or more"),
        ('lungs = "nowhere"', "lungs must be auto, whole, or a folder or table of masks; there is none at 'nowhere'"),
        ("frozen_layers = -1", "frozen_layers must be 0 or more"),
        ("epochs = ", "not a valid TOML file"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            Recipe.load(path)
    with pytest.raises(UserError, match="cannot read"):
        Recipe.load(tmp_path / "none.toml")
    with pytest.raises(UserError, match="cannot read"):
        Recipe.load(tmp_path)


def test_the_shipped_recipes_are_valid(root: Path) -> None:
    LungRecipe.load(root / "recipes" / "lungs.toml")
    recipes = [path for path in sorted((root / "recipes").glob("*.toml")) if path.name != "lungs.toml"]
    assert {Recipe.load(path).model_type for path in recipes} == {"custom_cnn", "mobilenet_v2"}


def test_the_loss_is_the_library_loss() -> None:
    torch.manual_seed(0)
    predictions, labels = torch.randn(16, 3), torch.randint(3, (16,))
    weights = torch.tensor([0.5, 1.0, 2.0])
    ours = loss(predictions, targets(labels, 3, 0.0), weights, "exclusive")
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(predictions, labels, weight=weights))
    smooth = loss(predictions, targets(labels, 3, 0.1), torch.ones(3), "exclusive")
    torch.testing.assert_close(smooth, torch.nn.functional.cross_entropy(predictions, labels, label_smoothing=0.1))
    table = torch.randint(2, (16, 3)).float()
    table[0] = torch.nan
    masked = loss(predictions, targets(table, 3, 0.0), torch.ones(3), "multilabel")
    torch.testing.assert_close(masked, torch.nn.functional.binary_cross_entropy_with_logits(predictions[1:], table[1:]))


def test_class_weights_make_the_classes_count_the_same() -> None:
    weights = class_weights(np.array([0] * 10 + [1] * 30), 2, 1.0)
    assert float(weights[0] * 10) == pytest.approx(float(weights[1] * 30))
    assert float(weights[0] * 10 + weights[1] * 30) == pytest.approx(40)
    assert torch.equal(class_weights(np.array([0, 1, 1]), 2, 0.0), torch.ones(2))


def test_imitation_is_zero_for_the_teacher_itself() -> None:
    predictions = torch.randn(4, 2)
    assert float(imitation(predictions, predictions, "exclusive")) == pytest.approx(0, abs=1e-6)
    assert float(imitation(predictions, -predictions, "exclusive")) > 0.1


def test_the_perturbed_copy_is_the_same_each_time_and_not_the_original() -> None:
    films = drawn_films(8, 0).pixels
    assert np.array_equal(perturbed(films, 5), perturbed(films, 5))
    assert all((a != b).mean() > 0.2 for a, b in zip(perturbed(films, 5), films, strict=True))
