"""What a reader's own films looked like to it: a summary in the card, so that a site can see how different it is.

Pure NumPy: the export builds it, `adapt` and `monitor` read it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Numbers that stand for an embedding in the card and in permutation tests.
SKETCH = 32
_SAMPLE = 256
#: What is measured of a picture, each on the film squashed to network size.
PICTURE = ("mean grey", "contrast", "darkest 5 %", "brightest 5 %", "sharpness", "dark border")


@dataclass(frozen=True)
class Reference:
    """The summary, as it is used.

    Attributes:
        mean, std: of the embedding, float64 ``(D,)``.
        sketches: of a sample of the reader's own films, float64 ``(n, 32)``.
        scores: the log-odds of the positive class of the same films, ``(n,)``.
        pictures: mean and standard deviation of each of ``PICTURE``, ``(6, 2)``; None where it was not recorded.
        scores_of: the reader that these are the scores of, where it is another than the card's: a refitted head
            scores films otherwise, so its scores must not be compared with them. Empty where they are its own.
    """

    mean: np.ndarray
    std: np.ndarray
    sketches: np.ndarray
    scores: np.ndarray
    pictures: np.ndarray | None
    scores_of: str = ""

    @classmethod
    def from_card(cls, facts: dict[str, Any]) -> Reference | None:
        """The summary in a card; None where there is none."""
        recorded = facts.get("reference")
        if not recorded:
            return None
        sample = recorded["sample"]
        packed = np.frombuffer(base64.b64decode(sample["sketches"]), "<f2").astype(np.float64)
        return cls(
            np.array(recorded["embedding_mean"], np.float64),
            np.array(recorded["embedding_std"], np.float64),
            packed.reshape(-1, recorded["dims"]),
            np.array(sample["scores"], np.float64),
            np.array(recorded["pictures"], np.float64) if recorded.get("pictures") else None,
            str(recorded.get("scores_of") or ""),
        )


def build(
    embeddings: np.ndarray, probabilities: np.ndarray, seed: int = 0, pixels: np.ndarray | None = None
) -> dict[str, Any]:
    """The field ``reference`` of a card, from films that the reader was validated on: one a patient, so that they
    are independent.

    Args:
        embeddings: ``(N, D)``.
        probabilities: of the positive class, calibrated, ``(N,)``.
        pixels: uint8 ``(N, S, S)``, the same films at network size.
    """
    embeddings, scores = np.asarray(embeddings, np.float64), log_odds(probabilities)
    mean, std = embeddings.mean(0), embeddings.std(0)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(scores))[:_SAMPLE])
    sketches = sketch(standardised(embeddings[chosen], mean, std))
    facts: dict[str, Any] = {
        "n": len(scores),
        "dims": sketches.shape[1],
        "embedding_mean": np.round(mean, 5).tolist(),
        "embedding_std": np.round(std, 5).tolist(),
        "score_quantiles": np.round(np.quantile(scores, np.linspace(0, 1, 101)), 4).tolist(),
        "sample": {
            "n": len(chosen),
            "sketches": base64.b64encode(sketches.astype("<f2").tobytes()).decode(),
            "scores": np.round(scores[chosen], 4).tolist(),
        },
    }
    if pixels is not None:
        values = np.array([picture_statistics(film) for film in pixels])
        facts["pictures"] = np.round(np.stack([values.mean(0), values.std(0)], axis=1), 5).tolist()
    return facts


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Of probabilities, which are first brought into 1e-6 to 1 - 1e-6: a float32 knows no more."""
    inside = np.clip(np.asarray(probabilities, np.float64), 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside))


def standardised(embeddings: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Embeddings ``(N, D)`` in units of the reader's own films; channels that never varied there count as 0."""
    return np.where(std > 1e-8, (embeddings - mean) / np.maximum(std, 1e-8), 0.0)


def sketch(values: np.ndarray) -> np.ndarray:
    """``(N, D)`` -> ``(N, 32)``: sums of neighbouring channels over the root of their number.

    The order of channels means nothing, so this is a random projection that needs no random matrix: every program
    computes the same.
    """
    parts = np.array_split(values, min(SKETCH, values.shape[1]), axis=1)
    return np.stack([part.sum(1) / np.sqrt(part.shape[1]) for part in parts], axis=1)


def picture_statistics(pixels: np.ndarray) -> np.ndarray:
    """``PICTURE`` of a film uint8 ``(S, S)`` at network size: greys in 0..1, float64 ``(6,)``."""
    grey = pixels.astype(np.float64) / 255
    inner = grey[1:-1, 1:-1]
    laplacian = 4 * inner - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    border = np.concatenate([grey[:4].ravel(), grey[-4:].ravel(), grey[:, :4].ravel(), grey[:, -4:].ravel()])
    low, high = np.quantile(grey, [0.05, 0.95])
    return np.array([grey.mean(), grey.std(), low, high, np.abs(laplacian).mean(), (border < 0.05).mean()])
