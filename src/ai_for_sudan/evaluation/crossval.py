"""Cross-validation by patient: every film is answered once, by a model that never saw its patient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ai_for_sudan.evaluation.metrics import measure
from ai_for_sudan.files import replacing
from ai_for_sudan.models import Architecture
from ai_for_sudan.training import LabelledFilms, Recipe, fit, logits, probabilities
from ai_for_sudan.training.precision import autocast, device


def cross_validate(
    recipe: Recipe,
    make_model: Callable[[], Architecture],
    films: LabelledFilms,
    parts: list[list[int]],
    patients: np.ndarray,
    folder: Path,
    *,
    frozen: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train once for each fold and pool the answers.

    A fold that is finished is kept in ``folder`` and not trained again, so that a stopped run goes on where it was.
    Inside each training side one further part of the patients validates (the next fold), so that the fold's own films
    choose nothing.

    Args:
        make_model: a fresh model, the same each time.
        parts: test films of each fold.
        frozen: compute the backbone's features once and fit a logistic head on them in each fold: an estimate in
            seconds, not the figure of the trained network.

    Returns:
        ``folds`` (figures of each), ``mean`` and ``spread`` of them, and ``pooled``
        (:func:`ai_for_sudan.evaluation.metrics.measure` on all out-of-fold answers).
    """
    torch.manual_seed(recipe.seed)
    model = make_model()
    spec = model.spec
    answers = np.full((len(films), len(spec.classes)), np.nan)
    embeddings = _embeddings(model, films.pixels) if frozen else None
    for number, test in enumerate(parts):
        kept = folder / f"fold_{number + 1}.npz"
        if kept.exists():
            with np.load(kept) as saved:
                answers[test] = saved["probabilities"]
            say(f"fold {number + 1}: kept from before")
            continue
        others = [i for other, part in enumerate(parts) if other != number for i in part]
        if embeddings is not None:
            answers[test] = _head(embeddings[others], films.labels[others], embeddings[test], recipe.seed)
        else:
            answers[test] = _trained(recipe, make_model, films, parts, number, folder)
        with replacing(kept) as temporary, temporary.open("wb") as file:
            np.savez(file, probabilities=answers[test], films=np.array(test))
        say(f"fold {number + 1} of {len(parts)}: {len(test)} films of patients that it never saw")
    taken = np.array(sorted(i for part in parts for i in part))

    def figures(rows: np.ndarray, rounds: int) -> dict[str, Any]:
        return measure(
            films.labels[rows],
            answers[rows],
            patients[rows],
            spec.classes,
            spec.positive,
            spec.task,
            threshold=0.5,
            rounds=rounds,
            seed=recipe.seed,
        )

    each = [figures(np.array(part), 200) for part in parts]
    table = {
        name: [fold["operating_points"]["0.5"][name][0] for fold in each]
        for name in ("auroc", "accuracy", "recall", "specificity", "f1", "brier", "ece")
    }
    return {
        "folds": each,
        "mean": {name: float(np.mean(values)) for name, values in table.items()},
        "spread": {name: float(np.std(values, ddof=1)) for name, values in table.items()},
        "pooled": figures(taken, 1000),
        "frozen": frozen,
        "recipe": recipe.to_dict(),
    }


def _trained(
    recipe: Recipe,
    make_model: Callable[[], Architecture],
    films: LabelledFilms,
    parts: list[list[int]],
    number: int,
    folder: Path,
) -> np.ndarray:
    inner = parts[(number + 1) % len(parts)]
    train = [i for other, part in enumerate(parts) if other != number and part is not inner for i in part]
    torch.manual_seed(recipe.seed)
    fitted = fit(
        recipe,
        make_model(),
        LabelledFilms(films.pixels[np.sort(train)], films.labels[np.sort(train)]),
        LabelledFilms(films.pixels[np.sort(inner)], films.labels[np.sort(inner)]),
        folder / f"fold_{number + 1}",
        resume=True,
    )
    found = logits(fitted.model, films.pixels[parts[number]], mixed_precision=True)
    return probabilities(found, fitted.model.spec.task).numpy()


def _embeddings(model: Architecture, pixels: np.ndarray) -> np.ndarray:
    """What the last layer would see, ``(N, D)``."""
    from tqdm import tqdm

    model = model.to(device()).to(memory_format=torch.channels_last).eval()
    found = []
    with torch.inference_mode(), autocast(device()):
        for start in tqdm(range(0, len(pixels), 64), desc="features", leave=False, disable=None):
            films = torch.from_numpy(np.array(pixels[start : start + 64])).to(device()).unsqueeze(1).float() / 255
            films = films.contiguous(memory_format=torch.channels_last)
            found.append(model.embedding(model.feature_map(films)).float().cpu().numpy())
    return np.concatenate(found)


def _head(train: np.ndarray, labels: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300, random_state=seed))
    return head.fit(train, labels).predict_proba(test)
