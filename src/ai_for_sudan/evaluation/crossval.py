"""Cross-validation by patient: every film is answered once, by a model that never saw its patient."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.metrics import measure
from ai_for_sudan.files import replacing, write_json
from ai_for_sudan.models import Architecture, ModelSpec, as_batch, autocast, device, logits, probabilities
from ai_for_sudan.statistics import Calls, compare, positive_truth
from ai_for_sudan.training import LabelledFilms, Recipe, fit

#: figures whose mean and spread over the folds are told
FIGURES = ("auroc", "accuracy", "recall", "specificity", "f1", "brier", "ece")


def same_run(folder: Path, facts: dict[str, Any], labels: np.ndarray) -> None:
    """Keep what decides the answers beside the folds, so that folds of another run are never taken for these.

    Args:
        facts: plain JSON: the recipe and all else that the folds depend on.

    Raises:
        UserError: the folder holds folds of another run.
    """
    facts = {**facts, "labels": hashlib.sha256(np.ascontiguousarray(labels).tobytes()).hexdigest()}
    path = folder / "run.json"
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{path} is no JSON ({error}); give another --output_dir") from error
        if differs := [key for key, value in facts.items() if before.get(key) != value]:
            raise UserError(
                f"{folder} holds folds of a run with another {', '.join(differs)}; give another --output_dir"
            )
    write_json(path, facts)


def answer_folds(
    recipe: Recipe,
    make_model: Callable[[], Architecture],
    films: LabelledFilms,
    parts: list[list[int]],
    folder: Path,
    *,
    frozen: bool = False,
    only: Iterable[int] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Train once for each fold and keep its answers in ``folder``; a fold that is kept there is not trained again.

    Inside each training side one further part of the patients validates (the next fold), so that the fold's own films
    choose nothing.

    Args:
        make_model: a fresh model, the same each time.
        parts: test films of each fold.
        frozen: compute the backbone's features once and fit a logistic head on them in each fold: an estimate in
            seconds, not the figure of the trained network.
        only: numbers of the folds to answer, from 0 (default: all).
    """
    embeddings = None
    for number in range(len(parts)) if only is None else only:
        kept, test = _kept(folder, number), parts[number]
        if kept.exists():
            say(f"fold {number + 1}: kept from before")
            continue
        if frozen:
            if embeddings is None:
                torch.manual_seed(recipe.seed)
                embeddings = _embeddings(make_model(), films.pixels)
            others = [i for other, part in enumerate(parts) if other != number for i in part]
            answers = _heads(embeddings[others], films.labels[others], embeddings[test], recipe.seed)
        else:
            answers = _trained(recipe, make_model, films, parts, number, folder)
        with replacing(kept) as temporary, temporary.open("wb") as file:
            np.savez(file, probabilities=answers, films=np.array(test))
        say(f"fold {number + 1} of {len(parts)}: {len(test)} films of patients that it never saw")


def kept_answers(folder: Path, parts: list[list[int]], classes: int) -> np.ndarray:
    """Probabilities ``(N, C)`` of the folds in a folder, N up to the last film that is in a fold; NaN elsewhere.

    Raises:
        UserError: a fold is missing, or of other films.
    """
    answers = np.full((max(i for part in parts for i in part) + 1, classes), np.nan)
    for number, test in enumerate(parts):
        try:
            with np.load(_kept(folder, number)) as saved:
                found, of = saved["probabilities"], saved["films"]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{_kept(folder, number)} holds no answers of a fold ({error})") from error
        if of.tolist() != test or found.shape != (len(test), classes):
            raise UserError(f"{_kept(folder, number)} is of other films, folds or classes; the same are needed")
        answers[test] = found
    return answers


def pooled(
    recipe: Recipe,
    spec: ModelSpec,
    labels: np.ndarray,
    patients: np.ndarray,
    parts: list[list[int]],
    folder: Path,
    *,
    against: Path | None = None,
) -> dict[str, Any]:
    """What the answers of all folds are worth.

    Args:
        against: the folder of another cross-validation of the same folds, to compare with.

    Returns:
        ``folds`` (figures of each), ``mean`` and ``spread`` of them (None where no fold has the figure), ``pooled``
        (:func:`ai_for_sudan.evaluation.metrics.measure` on all out-of-fold answers), and with ``against``
        ``comparison`` (:func:`ai_for_sudan.statistics.compare`).
    """
    answers = kept_answers(folder, parts, len(spec.classes))
    taken = np.array(sorted(i for part in parts for i in part))

    def figures(rows: np.ndarray, rounds: int, column: slice = slice(None)) -> dict[str, Any]:
        return measure(
            labels[rows, column] if labels.ndim == 2 else labels[rows],
            answers[rows, column],
            patients[rows],
            spec.classes[column],
            spec.positive,
            spec.task,
            threshold=0.5,
            rounds=rounds,
            seed=recipe.seed,
        )

    # Of findings the folds tell the reported one: a rare other one may have no film in a fold.
    column = slice(spec.positive_index, spec.positive_index + 1) if spec.task == "multilabel" else slice(None)
    each = [figures(np.array(part), 200, column) for part in parts]
    found = {
        name: [v for fold in each if (v := fold["operating_points"]["0.5"][name][0]) is not None] for name in FIGURES
    }
    result = {
        "folds": each,
        "mean": {name: float(np.mean(values)) if values else None for name, values in found.items()},
        "spread": {name: float(np.std(values, ddof=1)) if len(values) > 1 else None for name, values in found.items()},
        "pooled": figures(taken, 1000),
    }
    if against is not None:
        index = spec.positive_index
        truth = positive_truth(labels, index)
        both = taken[~np.isnan(truth[taken])]
        other = kept_answers(against, parts, len(spec.classes))
        result["comparison"] = compare(truth[both], Calls(answers[both, index], 0.5), Calls(other[both, index], 0.5))
    return result


def _kept(folder: Path, number: int) -> Path:
    return folder / f"fold_{number + 1}.npz"


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
            films = as_batch(pixels[start : start + 64], device()).contiguous(memory_format=torch.channels_last)
            found.append(model.embedding(model.feature_map(films)).float().cpu().numpy())
    return np.concatenate(found)


def _heads(train: np.ndarray, labels: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Probabilities ``(M, C)`` of a head over exclusive classes, or of one for each finding on the films it has."""
    if labels.ndim == 1:
        return _head(train, labels, test, seed)
    columns = []
    for finding in labels.T:
        known = ~np.isnan(finding)
        present = np.unique(finding[known])
        if len(present) < 2:  # nothing to learn: the share that there is
            columns.append(np.full(len(test), present[0] if len(present) else 0.5))
        else:
            columns.append(_head(train[known], finding[known].astype(int), test, seed)[:, 1])
    return np.stack(columns, axis=1)


def _head(train: np.ndarray, labels: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300, random_state=seed))
    return head.fit(train, labels).predict_proba(test)
