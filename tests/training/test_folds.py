"""No fold learns from its own test side: a model that has memorised patients would show it as an AUROC of 1."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ai_for_sudan.errors import UserError
from ai_for_sudan.lungs import load_finder
from ai_for_sudan.models import create
from ai_for_sudan.training import LabelledFilms, Recipe
from ai_for_sudan.training import folds as module
from ai_for_sudan.training.folds import Fold, folds_of_parts, folds_of_sites, kept_predictions, predict_folds

PATIENTS = 60


def films() -> tuple[LabelledFilms, np.ndarray]:
    """Two films a patient, whose grey level is the patient's number; the label is a coin thrown for each patient."""
    patients = np.repeat(np.arange(PATIENTS), 2)
    labels = np.random.default_rng(0).permutation(np.arange(PATIENTS) % 2)[patients]
    pixels = np.broadcast_to(patients[:, None, None], (len(patients), 8, 8)).astype(np.uint8)
    return LabelledFilms(pixels, labels, patients), patients


def parts(patients: np.ndarray, count: int = 4) -> list[list[int]]:
    return [np.flatnonzero(patients % count == number).tolist() for number in range(count)]


class Memory:
    """In place of a network: the label of every patient that it was shown, a half of all others."""

    spec = SimpleNamespace(task="exclusive")

    def __init__(self, known: dict[int, int]) -> None:
        self.known = known

    def logits(self, pixels: np.ndarray, **_: Any) -> torch.Tensor:
        predictions = [self.known.get(int(film[0, 0])) for film in pixels]
        return torch.tensor([[0.0, 0.0] if a is None else [0.0, 20.0 * (2 * a - 1)] for a in predictions])


def memorise(_: Any, __: Any, train: LabelledFilms, validation: LabelledFilms, *args: Any, **more: Any) -> Any:
    known = {}
    for side in (train, validation):
        known |= {int(film[0, 0]): int(label) for film, label in zip(side.pixels, side.labels, strict=True)}
    return SimpleNamespace(model=Memory(known))


def auroc(folder: Path, sides: list[Fold], labels: np.ndarray) -> float:
    return float(roc_auc_score(labels, kept_predictions(folder, sides, 2)[:, 1]))


def test_a_trained_fold_never_saw_its_patients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "fit", memorise)
    monkeypatch.setattr(module, "logits", lambda model, pixels, **more: model.logits(pixels, **more))
    data, patients = films()
    sides = folds_of_parts(parts(patients))
    predict_folds(Recipe(), lambda: None, data, sides, tmp_path, say=lambda _: None)  # type: ignore[arg-type, return-value]
    assert auroc(tmp_path, sides, data.labels) == 0.5
    # The same with a leak, so that this test can fail: validated on the test side.
    leaky = [Fold(fold.train, fold.test, fold.test) for fold in sides]
    predict_folds(Recipe(), lambda: None, data, leaky, tmp_path / "leak", say=lambda _: None)  # type: ignore[arg-type, return-value]
    assert auroc(tmp_path / "leak", leaky, data.labels) == 1


def test_a_head_on_a_frozen_backbone_never_saw_its_patients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "backbone_embeddings", lambda model, pixels: np.eye(PATIENTS)[pixels[:, 0, 0]])
    data, patients = films()
    sides = folds_of_parts(parts(patients))
    predict_folds(Recipe(), lambda: None, data, sides, tmp_path, frozen=True, say=lambda _: None)  # type: ignore[arg-type, return-value]
    assert auroc(tmp_path, sides, data.labels) < 0.7
    leaky = [Fold(np.concatenate([fold.train, fold.test]), fold.validation, fold.test) for fold in sides]
    predict_folds(Recipe(), lambda: None, data, leaky, tmp_path / "leak", frozen=True, say=lambda _: None)  # type: ignore[arg-type, return-value]
    assert auroc(tmp_path / "leak", leaky, data.labels) == 1


def test_each_side_has_its_own_films() -> None:
    given = [[0, 5], [1, 6], [2, 7], [3, 8], [4, 9]]
    found = folds_of_parts(given)
    assert [fold.test.tolist() for fold in found] == given
    for fold in found:
        assert sorted([*fold.train, *fold.validation, *fold.test]) == list(range(10))
    assert found[4].validation.tolist() == [0, 5] and found[4].train.tolist() == [1, 2, 3, 6, 7, 8]
    assert folds_of_parts([[0], [1]])[0].train.tolist() == []


def test_a_site_is_left_out_whole_and_chooses_nothing() -> None:
    random = np.random.default_rng(1)
    sites = np.repeat(["Kassala", "Juba", "Wau"], [40, 60, 20])
    groups, labels = np.arange(120) // 2, np.arange(120) % 4 // 2
    rows = random.permutation(120)[:110]
    found = folds_of_sites(sites, rows.tolist(), groups, labels, seed=0)
    assert list(found) == ["Juba", "Kassala", "Wau"]
    for name, fold in found.items():
        assert set(sites[fold.test]) == {name} and name not in set(sites[fold.train]) | set(sites[fold.validation])
        assert sorted([*fold.train, *fold.validation, *fold.test]) == sorted(rows.tolist())
        assert not set(groups[fold.train]) & set(groups[fold.validation])
        assert set(labels[fold.validation]) == {0, 1} and 0.1 < len(fold.validation) / len(fold.train) < 0.4


def test_sites_that_cannot_be_left_out_are_reported() -> None:
    ones = np.zeros(4, int)
    with pytest.raises(UserError, match="1 of 4 films have no site"):
        folds_of_sites(np.array(["a", "b", "", "b"]), range(4), np.arange(4), ones, 0)
    with pytest.raises(UserError, match="all 4 films are of the site 'a'"):
        folds_of_sites(np.array(["a"] * 4), range(4), np.arange(4), ones, 0)
    with pytest.raises(UserError, match="sites a and b"):
        folds_of_sites(np.array(["a", "b", "a", "b"]), range(4), np.array([0, 0, 1, 2]), ones, 0)


def test_folds_of_other_films_are_refused(tmp_path: Path) -> None:
    sides = folds_of_parts([[0, 1], [2, 3], [4, 5]])
    for number, fold in enumerate(sides):
        # As version 0.1.0 kept them: films in the order in which they were drawn.
        np.savez(tmp_path / f"fold_{number + 1}.npz", probabilities=np.array([[0.1, 0.9], [0.2, 0.8]]) + number,
                 films=fold.test[::-1])  # fmt: skip
    assert kept_predictions(tmp_path, sides, 2)[:2, 0].tolist() == [0.2, 0.1]
    with pytest.raises(UserError, match="is of other films"):
        kept_predictions(tmp_path, folds_of_parts([[0, 2], [1, 3], [4, 5]]), 2)
    with pytest.raises(UserError, match="is of other films"):
        kept_predictions(tmp_path, sides, 3)
    (tmp_path / "fold_2.npz").unlink()
    with pytest.raises(UserError, match="contains no predictions"):
        kept_predictions(tmp_path, sides, 2)


@pytest.mark.parametrize("behind_the_lungs", [False, True])
def test_frozen_features_are_the_backbone_s_alone(behind_the_lungs: bool) -> None:
    """A layer that was never trained would only mix them up."""
    finder = load_finder() if behind_the_lungs else None
    torch.manual_seed(0)
    model = create("mobilenet_v2", ["normal", "pneumonia"], finder=finder)
    films = np.random.default_rng(0).integers(0, 256, (3, 224, 224)).astype(np.uint8)
    before = module.backbone_embeddings(model, films)
    assert before.shape == (3, 1280 * (2 if behind_the_lungs else 1)) and np.isfinite(before).all()
    for part in (model.classifier, model.neck):
        for weights in part.parameters() if part is not None else ():
            torch.nn.init.normal_(weights)
    np.testing.assert_array_equal(module.backbone_embeddings(model, films), before)
