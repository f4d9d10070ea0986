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
from scipy.special import expit, logsumexp, softmax
from sklearn.model_selection import StratifiedGroupKFold

#: How far the head may move: the standard deviation of its log-odds before any film is seen.
PRIOR_STDS = (2.0, 4.0, 8.0, 16.0)
#: How many directions of the embeddings are kept, those in which films differ most: the others are noise, and time.
DIRECTIONS = 200
#: Of the patients that a prior is chosen on, and that a threshold of the refitted head is.
FOLDS = 4
#: A weak prior that holds the scale of the log-odds near the shipped one, where films are few.
_SCALE_PRIOR = 1.0


@dataclass(frozen=True)
class Space:
    """The directions in which the embeddings of a site vary most: a penalised fit never leaves them.

    Found from all films of the site, whatever their labels.

    Attributes:
        mean, std: of the embeddings, ``(D,)``.
        basis: orthonormal columns, ``(D, R)``, at most :data:`DIRECTIONS` of them.
    """

    mean: np.ndarray
    std: np.ndarray
    basis: np.ndarray

    @classmethod
    def of(cls, embeddings: np.ndarray) -> Space:
        """Find the space of embeddings ``(N, D)``."""
        mean, std = embeddings.mean(0), embeddings.std(0)
        std = np.where(std > 1e-8, std, 1.0)
        _, lengths, directions = np.linalg.svd((embeddings - mean) / std, full_matrices=False)
        return cls(mean, std, directions[lengths > 1e-8 * max(lengths.max(initial=0), 1e-12)][:DIRECTIONS].T)

    def features(self, embeddings: np.ndarray) -> np.ndarray:
        """``(N, D)`` -> ``(N, R)``."""
        return (embeddings - self.mean) / self.std @ self.basis


@dataclass(frozen=True)
class Rows:
    """Films as the head sees them.

    Attributes:
        logits: calibrated as shipped, ``(N, C)``.
        features: embeddings in the :class:`Space` of the site, ``(N, R)``.
        labels: 0 or 1, ``(N,)``.
        patients: ``(N,)``.
        weights: how much each film counts, ``(N,)``.
        positive: index of the reported class.
        exclusive: whether the classes exclude each other (softmax) or not (sigmoid).
    """

    logits: np.ndarray
    features: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    weights: np.ndarray
    positive: int
    exclusive: bool

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> Rows:
        """Return some of the rows, in the order of ``index``."""
        return replace(
            self,
            logits=self.logits[index],
            features=self.features[index],
            labels=self.labels[index],
            patients=self.patients[index],
            weights=self.weights[index],
        )

    def joined(self, other: Rows) -> Rows:
        """These films and others of other patients, which count for as much as these, all together."""
        scale = self.weights.sum() / other.weights.sum()
        return replace(
            self,
            logits=np.concatenate([self.logits, other.logits]),
            features=np.concatenate([self.features, other.features]),
            labels=np.concatenate([self.labels, other.labels]),
            patients=np.concatenate([self.patients, other.patients + self.patients.max() + 1]),
            weights=np.concatenate([self.weights, scale * other.weights]),
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
        direction: in the site's space, ``(R,)``.
        prior_std: of ``PRIOR_STDS``, or 0 for a recalibration.
    """

    scale: float
    shift: float
    direction: np.ndarray
    prior_std: float

    def scores(self, rows: Rows) -> np.ndarray:
        """Log-odds of the reported class, ``(N,)``."""
        return _log_odds(rows, self.scale, rows.features @ self.direction + self.shift)

    def in_embedding(self, space: Space) -> tuple[np.ndarray, float]:
        """Direction ``(D,)`` and shift that do the same to embeddings as they come out of the reader."""
        direction = space.basis @ self.direction / space.std
        return direction, self.shift - float(space.mean @ direction)


def fit_head(rows: Rows, prior_std: float) -> Head:
    """Penalised maximum likelihood; with ``prior_std`` 0 a recalibration."""
    features = rows.features if prior_std else rows.features[:, :0]
    # With this penalty the prior standard deviation of the log-odds that the head adds is `prior_std`.
    penalty = (features**2).sum(1).mean() / prior_std**2 if prior_std else 0.0
    weights = rows.weights / rows.weights.mean()
    others = np.delete(rows.logits, rows.positive, axis=1)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        scale, shift, direction = np.exp(parameters[0]), parameters[1], parameters[2:]
        scores = _log_odds(rows, scale, features @ direction + shift)
        residual = weights * (expit(scores) - rows.labels)
        by_scale = rows.logits[:, rows.positive].copy()
        if rows.exclusive:
            by_scale -= (softmax(scale * others, axis=1) * others).sum(1) if others.shape[1] > 1 else others[:, 0]
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
    # exp(-4): a reader that knows nothing here is nearly silenced, but its sign is never reversed.
    bounds = [(-4.0, 4.0), (None, None)] + [(None, None)] * features.shape[1]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    direction = np.zeros(rows.features.shape[1])
    direction[: features.shape[1]] = found[2:]
    return Head(float(np.exp(found[0])), float(found[1]), direction, prior_std)


def fit_chosen_head(rows: Rows, *, repeats: int = 3, seed: int = 0, prior_stds: Sequence[float] = PRIOR_STDS) -> Head:
    """Fit with the prior that predicts held-out patients best (log loss, over ``repeats`` divisions into folds)."""
    losses = np.zeros(len(prior_stds))
    divisions = [division for repeat in range(repeats) for division in patient_folds(rows, FOLDS, seed + repeat)]
    for inside, outside in divisions:
        held_out = rows.take(outside)
        for number, prior_std in enumerate(prior_stds):
            scores = fit_head(rows.take(inside), prior_std).scores(held_out)
            losses[number] += (held_out.weights * (np.logaddexp(0, scores) - held_out.labels * scores)).sum()
    return fit_head(rows, prior_stds[int(np.argmin(losses))])


def held_out_scores(rows: Rows, prior_std: float, *, seed: int = 0) -> np.ndarray:
    """Log-odds of each film by a head that was fitted without its patient, ``(N,)``."""
    scores = np.empty(len(rows))
    for inside, outside in patient_folds(rows, FOLDS, seed):
        scores[outside] = fit_head(rows.take(inside), prior_std).scores(rows.take(outside))
    return scores


def patient_folds(rows: Rows, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds by patient, stratified; fewer where a class has fewer patients."""
    fewest = min(len(np.unique(rows.patients[rows.labels == label])) for label in (0, 1))
    splitter = StratifiedGroupKFold(max(2, min(folds, fewest)), shuffle=True, random_state=seed)
    return list(splitter.split(rows.features, rows.labels, rows.patients))


def _log_odds(rows: Rows, scale: float, added: np.ndarray) -> np.ndarray:
    reported = scale * rows.logits[:, rows.positive] + added
    if not rows.exclusive:
        return reported
    others = scale * np.delete(rows.logits, rows.positive, axis=1)
    return reported - (logsumexp(others, axis=1) if others.shape[1] > 1 else others[:, 0])
