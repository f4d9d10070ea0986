"""The last step of a reader, refitted to a site: calibration alone, or the head too, held near the shipped one.

The reported class's log-odds become ``a * shipped + direction . embedding + b``. With ``direction = 0`` that is a
recalibration (Platt 1999) and cannot change which of two films is the more suspicious; otherwise it is a logistic
regression on frozen embeddings with the shipped reader as its prior mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from sklearn.model_selection import StratifiedGroupKFold

#: How far the head may move, as the standard deviation of its log-odds before any film is seen; 0: not at all.
FREEDOMS = (0.0, 0.25, 0.5, 1.0, 2.0)
#: A weak prior that holds the scale of the log-odds near the shipped one, where films are few.
_SCALE_PRIOR = 1.0


@dataclass(frozen=True)
class Rows:
    """Films as the head sees them.

    Attributes:
        logits: calibrated as shipped, ``(N, C)``.
        embeddings: ``(N, D)``.
        labels: 0 or 1, ``(N,)``.
        patients: ``(N,)``.
        weights: how much each film counts, ``(N,)``.
        positive: index of the reported class.
        exclusive: whether the classes exclude each other (softmax) or not (sigmoid).
    """

    logits: np.ndarray
    embeddings: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    weights: np.ndarray
    positive: int
    exclusive: bool

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> Rows:
        return replace(
            self,
            logits=self.logits[index],
            embeddings=self.embeddings[index],
            labels=self.labels[index],
            patients=self.patients[index],
            weights=self.weights[index],
        )

    @property
    def scores(self) -> np.ndarray:
        """Log-odds of the reported class as shipped, ``(N,)``."""
        return _log_odds(self, 1.0, np.zeros(len(self)))


@dataclass(frozen=True)
class Head:
    """What is changed.

    Attributes:
        scale: ``a`` above, positive.
        shift: ``b``.
        direction: ``(D,)``, in units of the embedding.
        freedom: of ``FREEDOMS``.
    """

    scale: float
    shift: float
    direction: np.ndarray
    freedom: float

    def scores(self, rows: Rows) -> np.ndarray:
        """Log-odds of the reported class, ``(N,)``."""
        return _log_odds(rows, self.scale, rows.embeddings @ self.direction + self.shift)


def fit(rows: Rows, freedom: float) -> Head:
    """Penalised maximum likelihood; with ``freedom`` 0 a recalibration."""
    dimensions = rows.embeddings.shape[1]
    basis, mean, std = _basis(rows.embeddings) if freedom else (np.zeros((dimensions, 0)), 0.0, np.ones(dimensions))
    features = ((rows.embeddings - mean) / std) @ basis
    # Standardised embeddings have a squared length of about D, so this penalty gives the head's log-odds a prior
    # standard deviation of `freedom`.
    penalty = dimensions / freedom**2 if freedom else 0.0
    weights = rows.weights / rows.weights.mean()
    others = np.delete(rows.logits, rows.positive, axis=1)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        scale, shift, direction = np.exp(parameters[0]), parameters[1], parameters[2:]
        scores = _log_odds(rows, scale, features @ direction + shift)
        residual = weights * (expit(scores) - rows.labels)
        by_scale = rows.logits[:, rows.positive].copy()
        if rows.exclusive:
            share = np.exp(scale * others - logsumexp(scale * others, axis=1, keepdims=True))
            by_scale -= (share * others).sum(1)
        value = (weights * (np.logaddexp(0, scores) - rows.labels * scores)).sum()
        value += 0.5 * penalty * direction @ direction + 0.5 * _SCALE_PRIOR * parameters[0] ** 2
        gradient = np.concatenate(
            [
                [scale * (residual @ by_scale) + _SCALE_PRIOR * parameters[0], residual.sum()],
                features.T @ residual + penalty * direction,
            ]
        )
        return float(value), gradient

    start = np.zeros(2 + features.shape[1])
    # exp(-4): a reader that knows nothing here is nearly silenced, but never turned round.
    bounds = [(-4.0, 4.0), (None, None)] + [(None, None)] * features.shape[1]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    direction = (basis @ found[2:]) / std
    return Head(float(np.exp(found[0])), float(found[1] - np.sum(mean * direction)), direction, freedom)


def fit_chosen(rows: Rows, *, folds: int = 4, seed: int = 0, freedoms: Sequence[float] = FREEDOMS) -> Head:
    """Fit with the freedom that predicts held-out patients best (log loss)."""
    losses = np.zeros(len(freedoms))
    for inside, outside in parts(rows, folds, seed):
        held_out = rows.take(outside)
        for number, freedom in enumerate(freedoms):
            scores = fit(rows.take(inside), freedom).scores(held_out)
            losses[number] += (held_out.weights * (np.logaddexp(0, scores) - held_out.labels * scores)).sum()
    return fit(rows, freedoms[int(np.argmin(losses))])


def held_out_scores(rows: Rows, freedom: float, *, folds: int = 4, seed: int = 0) -> np.ndarray:
    """Log-odds of each film by a head that was fitted without its patient, ``(N,)``."""
    scores = np.empty(len(rows))
    for inside, outside in parts(rows, folds, seed):
        scores[outside] = fit(rows.take(inside), freedom).scores(rows.take(outside))
    return scores


def parts(rows: Rows, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds by patient, stratified; fewer where a class has fewer patients."""
    fewest = min(len(np.unique(rows.patients[rows.labels == label])) for label in (0, 1))
    splitter = StratifiedGroupKFold(max(2, min(folds, fewest)), shuffle=True, random_state=seed)
    return list(splitter.split(rows.embeddings, rows.labels, rows.patients))


def _log_odds(rows: Rows, scale: float, added: np.ndarray) -> np.ndarray:
    reported = scale * rows.logits[:, rows.positive] + added
    if not rows.exclusive:
        return reported
    return reported - logsumexp(scale * np.delete(rows.logits, rows.positive, axis=1), axis=1)


def _basis(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The directions ``(D, r)`` in which these embeddings vary at all: a penalised fit stays among them."""
    mean, std = embeddings.mean(0), embeddings.std(0)
    std = np.where(std > 1e-8, std, 1.0)
    _, lengths, directions = np.linalg.svd((embeddings - mean) / std, full_matrices=False)
    return directions[lengths > 1e-8 * max(lengths.max(initial=0), 1e-12)].T, mean, std
