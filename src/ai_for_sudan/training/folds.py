"""Cross-validation: every film is predicted once, by a model that never saw its patient, or its site."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ai_for_sudan.datasets import Picked, Pixels
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import replacing, write_json
from ai_for_sudan.models import Architecture, as_batch, autocast, device, logits, probabilities
from ai_for_sudan.training.examples import LabelledFilms
from ai_for_sudan.training.fit import fit
from ai_for_sudan.training.recipe import Recipe


@dataclass(frozen=True)
class Fold:
    """Film numbers, ascending int64; no patient is on two sides.

    Attributes:
        train: fitted on.
        validation: choose epoch and threshold.
        test: predicted; they choose nothing.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def folds_of_parts(parts: Sequence[Sequence[int]]) -> list[Fold]:
    """One fold a part: it is the test side, the part after it validates, the others train."""
    sides = [np.sort(np.asarray(part, np.int64)) for part in parts]
    count = len(sides)
    return [
        Fold(_joined([sides[i] for i in range(count) if i not in (n, (n + 1) % count)]), sides[(n + 1) % count], test)
        for n, test in enumerate(sides)
    ]


def folds_of_sites(
    sites: np.ndarray, taking_part: Sequence[int], groups: np.ndarray, strata: np.ndarray, seed: int
) -> dict[str, Fold]:
    """One fold a site: all its films are the test side; of the others a fifth of the patients validates.

    Args:
        sites: the site of each film, str ``(N,)``.
        taking_part: film numbers.
        groups: a number a patient ``(N,)``.
        strata: class numbers ``(N,)``; every site and class is on both sides, in the same shares.

    Raises:
        UserError: a film without a site, one site only, or a patient at two sites.
    """
    rows = np.sort(np.asarray(taking_part, np.int64))
    if without := [int(i) for i in rows if not sites[i]]:
        raise UserError(
            f"{len(without)} of {len(rows)} films have no site; leave-one-site-out needs one for every film"
        )
    names = np.unique(sites[rows])
    if len(names) < 2:
        raise UserError(f"all {len(rows)} films are of the site '{names[0]}'; leave-one-site-out needs two or more")
    for group in np.unique(groups[rows]):
        there = np.unique(sites[rows[groups[rows] == group]])
        if len(there) > 1:
            raise UserError(
                f"a patient (or the same film) is at the sites {' and '.join(there)}; give each site its own"
            )
    found = {}
    for name in names:
        others = rows[sites[rows] != name]
        both = np.char.add(np.char.add(sites[others].astype(str), "|"), strata[others].astype(str))
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        train, validation = next(splitter.split(others, both, groups[others]))
        found[str(name)] = Fold(others[train], others[validation], rows[sites[rows] == name])
    return found


def same_run(folder: Path, facts: dict[str, Any], labels: np.ndarray) -> None:
    """Keep what decides the predictions beside the folds, so that folds of another run are never taken for these.

    Args:
        facts: plain JSON: the recipe and all else that the folds depend on.

    Raises:
        UserError: the folder holds folds of another run.
    """
    facts = {**facts, "labels": hashlib.sha256(np.ascontiguousarray(labels).tobytes()).hexdigest()}
    path = folder / "run.json"
    if path.exists():
        try:
            before = {"by": "patient", **json.loads(path.read_text(encoding="utf-8"))}  # version 0.1.0 knew no other
        except (ValueError, TypeError) as error:
            raise UserError(f"{path} is not valid JSON ({error}); give another --output_dir") from error
        if differs := [key for key, value in facts.items() if before.get(key) != value]:
            raise UserError(
                f"{folder} holds folds of a run that differs in {', '.join(differs)}; give another --output_dir"
            )
    write_json(path, facts)


def predict_folds(
    recipe: Recipe,
    make_model: Callable[[], Architecture],
    films: LabelledFilms,
    folds: Sequence[Fold],
    folder: Path,
    *,
    frozen: bool = False,
    only: Iterable[int] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Train once for each fold and keep its predictions in ``folder``; a fold that is kept there is not trained again.

    Args:
        make_model: a fresh model, the same each time.
        frozen: compute the backbone's features once and fit a logistic head on them in each fold: an estimate in
            seconds, not the figure of the trained network.
        only: numbers of the folds to predict, from 0 (default: all).
    """
    embeddings = None
    for number in range(len(folds)) if only is None else only:
        kept, fold = _kept(folder, number), folds[number]
        if kept.exists():
            say(f"fold {number + 1}: kept from before")
            continue
        if frozen:
            if embeddings is None:
                torch.manual_seed(recipe.seed)
                embeddings = backbone_embeddings(make_model(), films.pixels)
            others = _joined([fold.train, fold.validation])
            predicted = _heads(embeddings[others], films.labels[others], embeddings[fold.test], recipe.seed)
        else:
            predicted = _trained(recipe, make_model, films, fold, folder / f"fold_{number + 1}")
        with replacing(kept) as temporary, temporary.open("wb") as file:
            np.savez(file, probabilities=predicted, films=fold.test)
        say(f"fold {number + 1} of {len(folds)}: {len(fold.test)} films predicted")


def kept_predictions(folder: Path, folds: Sequence[Fold], classes: int) -> np.ndarray:
    """Probabilities ``(N, C)`` of the folds in a folder, N up to the last film that is in a fold; NaN elsewhere.

    Raises:
        UserError: a fold is missing, or of other films.
    """
    found = np.full((max(int(fold.test.max()) for fold in folds) + 1, classes), np.nan)
    for number, fold in enumerate(folds):
        try:
            with np.load(_kept(folder, number)) as saved:
                predicted, films = saved["probabilities"], saved["films"]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{_kept(folder, number)} contains no predictions of a fold ({error})") from error
        # Folds kept by version 0.1.0 name their films in another order.
        order = np.argsort(films)
        if not np.array_equal(films[order], fold.test) or predicted.shape != (len(fold.test), classes):
            raise UserError(f"{_kept(folder, number)} is of other films, folds or classes; they must be the same")
        found[fold.test] = predicted[order]
    return found


def _joined(sides: Sequence[np.ndarray]) -> np.ndarray:
    return np.sort(np.concatenate(sides)) if sides else np.zeros(0, np.int64)


def _kept(folder: Path, number: int) -> Path:
    return folder / f"fold_{number + 1}.npz"


def _trained(
    recipe: Recipe, make_model: Callable[[], Architecture], films: LabelledFilms, fold: Fold, folder: Path
) -> np.ndarray:
    torch.manual_seed(recipe.seed)
    fitted = fit(recipe, make_model(), films.take(fold.train), films.take(fold.validation), folder, resume=True)
    found = logits(fitted.model, Picked(films.pixels, fold.test), mixed_precision=True)
    return probabilities(found, fitted.model.spec.task).numpy()


def backbone_embeddings(model: Architecture, pixels: Pixels) -> np.ndarray:
    """The backbone's last map, pooled over the film, ``(N, K)``, or over each lung, ``(N, 2 K)``.

    Nothing that stands between it and the last layer takes part: that has not been trained yet.
    """
    from tqdm import tqdm

    model = model.to(device()).to(memory_format=torch.channels_last).eval()
    found = []
    with torch.inference_mode(), autocast(device()):
        for start in tqdm(range(0, len(pixels), 64), desc="features", leave=False, disable=None):
            films = as_batch(pixels[start : start + 64], device()).contiguous(memory_format=torch.channels_last)
            seen = model.see(films)
            maps = model.features(model.prepare(seen[:, :1]))
            maps = maps if model.evidence is None else model.evidence(maps, seen[:, 1:])
            found.append(maps.mean(dim=(2, 3)).float().cpu().numpy())
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
