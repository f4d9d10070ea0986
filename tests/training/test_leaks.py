"""What keeps a run honest and steady, each shown to matter: without it the test fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ai_for_sudan.datasets import Picked
from ai_for_sudan.disturbances import perturbed
from ai_for_sudan.errors import UserError
from ai_for_sudan.lungs import LungFinder
from ai_for_sudan.models import Architecture, CheckpointState, create, logits
from ai_for_sudan.training import LabelledFilms, Recipe
from ai_for_sudan.training.examples import check_sites
from ai_for_sudan.training.fit import Run
from ai_for_sudan.training.history import merit
from ai_for_sudan.training.loss import loss, targets
from ai_for_sudan.training.optimisation import LONGEST_GRADIENT, Optimisation
from ai_for_sudan.training.processes import Processes
from ai_for_sudan.training.validation import Validation


def network() -> Architecture:
    torch.manual_seed(0)
    return create("custom_cnn", ["normal", "pneumonia"])


def films(count: int = 12) -> LabelledFilms:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 64, 64), np.uint8)
    return LabelledFilms(pixels, np.arange(count, dtype=np.int64) % 2, np.arange(count))


def drawn_low_on_the_left(count: int) -> np.ndarray:
    lungs = np.zeros((count, 112, 112), np.uint8)
    lungs[:, 70:105, 8:50] = 255
    return lungs


def gradient(model: Architecture) -> float:
    squares = [p.grad.square().sum() for p in model.parameters() if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt())


def test_a_gradient_that_is_too_long_is_clipped() -> None:
    model = network()
    step = Optimisation(model, Recipe(), batches=1)
    step.step(model(torch.rand(4, 1, 64, 64)).square().sum() * 1e6)
    assert gradient(model) == pytest.approx(LONGEST_GRADIENT, rel=1e-3)


def test_weight_decay_shrinks_matrices_and_leaves_biases_and_normalisation() -> None:
    model = network()
    torch.nn.init.ones_(model.classifier[-1].bias)
    before = {name: value.clone() for name, value in model.named_parameters()}
    step = Optimisation(model, Recipe(weight_decay=0.5, learning_rate=0.1), batches=1)
    step.step(0.0 * sum(p.sum() for p in model.parameters()))  # no gradient: only the decay moves a weight
    for name, value in model.named_parameters():
        if value.ndim > 1:
            assert torch.allclose(value, before[name] * 0.95), name
        else:
            assert torch.equal(value, before[name]), name


def test_labels_are_smoothed_in_training_and_not_in_validation(tmp_path: Path) -> None:
    recipe = Recipe(label_smoothing=0.2, augmentation=0.0, batch_size=4)
    run = Run(recipe, network(), films(), films(), tmp_path, CheckpointState(), Processes(), quiet=True)
    batch, labels, lungs = films().batch(torch.arange(4), torch.device("cpu"))
    _, target, _ = run.examples(batch, labels, lungs, 1, torch.Generator().manual_seed(0))
    assert target.tolist() == [pytest.approx([0.9, 0.1]), pytest.approx([0.1, 0.9])] * 2


def test_weights_are_chosen_by_clean_and_by_perturbed_films_alike() -> None:
    model, held_out, weights = network().eval(), films(), torch.ones(2)
    row = Validation(held_out, model.spec, weights, seed=3).measure(model)
    truth = targets(torch.from_numpy(held_out.labels), 2, 0.0)
    each = [
        float(loss(logits(model, pixels, mixed_precision=True), truth, weights, "exclusive"))
        for pixels in (held_out.pixels, perturbed(held_out.pixels, 3))
    ]
    assert abs(each[0] - each[1]) > 1e-4
    assert [row["val_loss"], row["perturbed_loss"]] == pytest.approx(each, abs=1e-6)
    timid = {"val_auroc": 0.98, "perturbed_auroc": 0.97, "val_loss": 0.1, "perturbed_loss": 0.1}
    for side in ("val", "perturbed"):
        bold = timid | {f"{side}_auroc": 0.99, f"{side}_loss": 0.5}
        assert merit(bold, "auroc") > merit(timid, "auroc") and merit(bold, "loss") < merit(timid, "loss")
        better = timid | {f"{side}_loss": 0.05}
        assert merit(better, "auroc") > merit(timid, "auroc") and merit(better, "loss") > merit(timid, "loss")
        of_one_class = {f"{side}_auroc": float("nan")}
        assert merit(better | of_one_class, "auroc") > merit(timid | of_one_class, "auroc")


def test_a_mixed_film_is_as_much_of_each_class_as_of_each_film(tmp_path: Path) -> None:
    levels = np.array([10, 60, 110, 200], np.uint8)
    four = LabelledFilms(np.repeat(levels, 32 * 32).reshape(4, 32, 32), np.arange(4), np.arange(4))
    model = create("custom_cnn", list("abcd"))
    recipe = Recipe(mixup=1.0, augmentation=0.0, batch_size=4)
    run = Run(recipe, model, four, four, tmp_path, CheckpointState(), Processes(), quiet=True)
    batch, labels, lungs = four.batch(torch.arange(4), torch.device("cpu"))
    mixed, target, _ = run.examples(batch, labels, lungs, 1, torch.Generator().manual_seed(3))
    assert float(target[target < 1].max()) > 0.55, "a film and its partner must count differently"
    torch.testing.assert_close(mixed.mean(dim=(1, 2, 3)), target @ torch.from_numpy(levels / 255).float())


class Watched(np.ndarray):
    """An array that notes how many films are copied out of it at once."""

    most = 0

    def __getitem__(self, index):
        found = super().__getitem__(index)
        if isinstance(index, np.ndarray):
            Watched.most = max(Watched.most, len(found))
        return found


def test_the_films_of_a_batch_are_read_when_they_are_needed() -> None:
    pixels = films(40).pixels.view(Watched)
    train = LabelledFilms(pixels, np.arange(40) % 2, np.arange(40)).take(np.arange(0, 40, 2)).take(np.arange(10))
    assert len(train) == 10 and Watched.most == 0
    batch, labels, _ = train.batch(torch.tensor([3, 1]), torch.device("cpu"))
    assert Watched.most == 2
    np.testing.assert_allclose(batch[:, 0].numpy() * 255, np.asarray(pixels)[[2, 6]], atol=1e-4)
    assert labels.tolist() == [0, 0]
    assert np.array_equal(np.asarray(Picked(np.asarray(pixels), [5, 2])), np.asarray(pixels)[[5, 2]])


def test_at_each_site_the_classes_have_the_same_shares() -> None:
    """Two hospitals, one with mostly positive films: an epoch must not let the site tell the class."""
    labels = np.r_[np.ones(70), np.zeros(30), np.ones(10), np.zeros(90)].astype(np.int64)
    sites = np.array(["a"] * 100 + ["b"] * 100)
    mixed = LabelledFilms(np.zeros((200, 1, 1), np.uint8), labels, np.arange(200), sites)
    order = mixed.order(1, [0, 1])
    assert len(order) == 200 and not np.array_equal(order, mixed.order(1, [0, 2]))
    assert np.array_equal(order, mixed.order(1, [0, 1]))
    for site in "ab":
        here = order[sites[order] == site]
        assert len(here) == 100 and labels[here].mean() == pytest.approx(0.5)
    assert set(np.flatnonzero(labels == 0)[:30]) <= set(
        order
    )  # none is left out where more are asked for than there are
    alone = LabelledFilms(mixed.pixels, labels, np.arange(200))
    assert sorted(alone.order(1, [0, 1])) == list(range(200))


def test_a_site_of_one_class_is_refused() -> None:
    labels = np.array([0, 1, 1, 1])
    with pytest.raises(UserError, match="site 'b' lacks films"):
        check_sites(
            LabelledFilms(np.zeros((4, 1, 1), np.uint8), labels, np.arange(4), np.array(["a", "a", "b", "b"])), 1
        )


def test_where_people_drew_the_lungs_the_network_sees_them_in_training_and_validation(tmp_path: Path) -> None:
    """A finder that was never fitted would show it something else."""
    torch.manual_seed(0)
    model = create("custom_cnn", ["normal", "pneumonia"], finder=LungFinder())
    drawn = LabelledFilms(films().pixels, films().labels, np.arange(12), lungs=drawn_low_on_the_left(12))
    recipe = Recipe(augmentation=0.0, swap=0.0, restyle=0.0, batch_size=4)
    run = Run(
        recipe, model, drawn.take(range(8)), drawn.take(range(8, 12)), tmp_path, CheckpointState(), Processes(), True
    )
    batch, labels, lungs = run.train.batch(torch.arange(4), torch.device("cpu"))
    seen, _, _ = run.examples(batch, labels, lungs, 1, torch.Generator().manual_seed(0))
    assert seen.shape[1] == 2 and float(seen[:, 1].mean()) > 0.6, "a box around the drawn lung is mostly lung"
    assert float(run.examples(batch, labels, None, 1, torch.Generator().manual_seed(0))[0][:, 1].mean()) < 0.6

    found, given = (logits(model, drawn.pixels, lungs=one) for one in (None, drawn.lungs))
    assert not torch.allclose(found, given, atol=1e-4)
    one_and_other = [Validation(some, model.spec, torch.ones(2), 0).measure(model) for some in (drawn, films())]
    assert one_and_other[0]["val_loss"] != one_and_other[1]["val_loss"]
    assert one_and_other[0]["perturbed_loss"] != one_and_other[1]["perturbed_loss"]
    truth = targets(torch.from_numpy(drawn.labels), 2, 0.0)
    given = logits(model, drawn.pixels, lungs=drawn.lungs, mixed_precision=True)
    assert one_and_other[0]["val_loss"] == pytest.approx(
        float(loss(given, truth, torch.ones(2), "exclusive")), abs=1e-6
    )
