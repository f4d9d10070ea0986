"""Training on at a site: what the network sees, what it starts from, and what it is judged on. Nothing is trained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.contract import Card
from ai_for_sudan.errors import UserError
from ai_for_sudan.sites import ReaderFile, SiteFilms, site_manifest
from ai_for_sudan.sites.finetuning import FineTuning
from ai_for_sudan.sites.head import Rows

torch = pytest.importorskip("torch")


def rows_of(labels: np.ndarray) -> Rows:
    n = len(labels)
    return Rows(np.zeros((n, 2)), np.zeros((n, 1)), labels, np.arange(n) // 2, np.ones(n), 1, True)


def prepared(folder: Path, pixels: np.ndarray, truth: np.ndarray, *, positive: int = 1, exclusive: bool = True) -> Any:
    recipe: Any = SimpleNamespace(seed=0)
    from ai_for_sudan.training import LabelledFilms

    films = LabelledFilms(pixels, truth, np.arange(len(truth)) // 2)
    return FineTuning(folder / "start.pth", films, recipe, folder, positive, exclusive)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """Instead of training: who was trained on what. A network's logits are made of the first two pixels of a film."""
    from ai_for_sudan import models, training

    runs: list[SimpleNamespace] = []

    def fit(recipe: Any, model: Any, inner: Any, held: Any, folder: Path, *, quiet: bool) -> Any:
        run = SimpleNamespace(recipe=recipe, start=model, inner=inner, held=held, folder=folder, quiet=quiet)
        run.model, run.checkpoint = f"of {folder.name}", folder / "best.pth"
        runs.append(run)
        return run

    def logits(model: str, pixels: np.ndarray) -> Any:
        return torch.as_tensor(pixels[:][:, 0].astype(np.float32))

    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(models, "logits", logits)
    monkeypatch.setattr(models, "load_checkpoint", lambda path: (f"loaded {path.name}", None))
    return runs


def test_each_fold_is_scored_by_a_network_that_never_saw_it(tmp_path: Path, trained: list[SimpleNamespace]) -> None:
    labels = (np.arange(60) // 2 % 2).astype(float)
    # Class 1 has 4 + its pixel; positive films 20 and more, negative ones at most 12.
    pixels = np.zeros((60, 1, 3), np.uint8)
    pixels[:, 0, 0] = np.arange(60) % 2
    pixels[:, 0, 1] = np.where(labels == 1, 20, 12) + np.arange(60) % 3
    pixels[:, 0, 2] = 3
    divisions = [(np.arange(20, 60), np.arange(20)), (np.arange(40), np.arange(40, 60))]
    scores = prepared(tmp_path, pixels, labels.astype(int)).held_out(rows_of(labels), divisions)
    values = pixels[:, 0].astype(float)
    expected = values[:, 1] - np.log(np.exp(values[:, 0]) + np.exp(3))
    known = np.r_[0:20, 40:60]
    np.testing.assert_allclose(scores[known], expected[known], rtol=1e-6)
    assert [run.folder for run in trained] == [tmp_path / "fold_1", tmp_path / "fold_2"]
    for run, (inside, outside) in zip(trained, divisions, strict=True):
        assert run.start == "loaded start.pth" and run.quiet is True and run.recipe.seed == 0
        # A fifth of the patients stop the training; each film is with its own label.
        assert len(run.inner.pixels) == 32 and len(run.held.pixels) == 8
        for films in (run.inner, run.held):
            np.testing.assert_array_equal(films.pixels[:][:, 0, 1] >= 20, films.labels == 1)
        assert len(inside) == 40 and len(outside) == 20


def test_a_finding_s_log_odds_are_its_own_logit(tmp_path: Path, trained: list[SimpleNamespace]) -> None:
    labels = (np.arange(40) // 2 % 2).astype(float)
    pixels = np.zeros((40, 1, 2), np.uint8)
    pixels[:, 0, 0], pixels[:, 0, 1] = 2 + labels, 9
    tuning = prepared(tmp_path, pixels, labels.astype(int), positive=0, exclusive=False)
    scores = tuning.held_out(rows_of(labels), [(np.arange(20), np.arange(20, 40))])
    np.testing.assert_array_equal(scores[20:], 2 + labels[20:])


def test_the_last_network_is_trained_on_all_films(tmp_path: Path, trained: list[SimpleNamespace]) -> None:
    labels = (np.arange(40) // 2 % 2).astype(float)
    pixels = np.arange(40, dtype=np.uint8)[:, None, None]
    assert prepared(tmp_path, pixels, labels).on_all(rows_of(labels)) == tmp_path / "final" / "best.pth"
    (run,) = trained
    assert sorted([*run.inner.pixels[:].ravel(), *run.held.pixels[:].ravel()]) == list(range(40))
    assert len(run.held.pixels) == 8


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ai_for_sudan.models import create, save_checkpoint

    path = tmp_path_factory.mktemp("start") / "start.pth"
    save_checkpoint(path, create("custom_cnn", ["normal", "pneumonia"], positive="pneumonia", task="exclusive"))
    return path


def test_labelled_films_are_prepared_at_the_size_of_the_network(
    checkpoint: Path, tiny_file: ReaderFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_films: Any
) -> None:
    monkeypatch.setenv("AI_FOR_SUDAN_CACHE", str(tmp_path / "cache"))
    for number in range(4):
        Image.new("L", (150, 140), 50 * number + 20).save(tmp_path / f"{number}.png")
    (tmp_path / "films.csv").write_text("file,label\n0.png,normal\n1.png,\n2.png,pneumonia\n3.png,pneumonia\n")
    card = tiny_file.card
    manifest = site_manifest(tmp_path / "films.csv", card)
    # Film 3 was refused; film 1 has no label.
    films: SiteFilms = make_films(np.zeros((3, 2)), np.array([0, np.nan, 1]))
    found = FineTuning.of(checkpoint, manifest, films, card, tmp_path / "runs", epochs=7, seed=5)
    assert found.films.pixels.shape == (2, 224, 224) and found.films.pixels.dtype == np.uint8
    np.testing.assert_allclose(found.films.pixels[:].mean((1, 2)), [20, 120], atol=1)
    assert found.films.labels.tolist() == [0, 1]
    recipe = found.recipe
    assert (recipe.model_type, recipe.epochs, recipe.seed) == ("custom_cnn", 7, 5)
    assert (recipe.batch_size, recipe.learning_rate, recipe.schedule) == (16, 3e-4, "onecycle")
    assert (found.checkpoint, found.folder, found.positive, found.exclusive) == (checkpoint, tmp_path / "runs", 1, True)


@pytest.mark.parametrize(
    "other",
    [
        {"classes": ["normal", "tuberculosis"], "positive": "tuberculosis"},
        {"positive": "normal"},
        {"task": "multilabel"},
    ],
)
def test_a_checkpoint_of_another_reader_is_refused(
    checkpoint: Path, tiny_file: ReaderFile, tmp_path: Path, make_films: Any, other: dict[str, Any]
) -> None:
    import json

    card = Card.from_json(json.dumps(tiny_file.card.facts | other))
    with pytest.raises(UserError) as raised:
        FineTuning.of(checkpoint, SimpleNamespace(), None, card, tmp_path, epochs=1, seed=0)  # type: ignore[arg-type]
    assert str(raised.value) == (
        f"{checkpoint} reports pneumonia of normal, pneumonia, the reader tiny {card.positive} of "
        f"{', '.join(card.classes)}; give the checkpoint that the reader was exported from"
    )
