"""How different is a site, before any label is used?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from scipy import stats
from scipy.spatial.distance import cdist
from scipy.special import expit

from ai_for_sudan.contract.reference import PICTURE, Reference, log_odds, sketch, standardised
from ai_for_sudan.sites.site_films import SiteFilms
from ai_for_sudan.statistics import wilson

#: Below this p-value a difference is called one.
ALPHA = 0.01
_LARGEST = 512


def drift(films: SiteFilms, scores: np.ndarray, reference: Reference | None, *, seed: int = 0) -> dict[str, Any]:
    """Compare a site with the reader's own films; one film a patient, so that the tests hold.

    Args:
        scores: log-odds of the positive class, calibrated, ``(N,)``.

    Returns:
        ``refusals`` (count, share with Wilson's interval, codes), and with a reference ``embedding`` and ``score``
        (statistic, p; None where the card holds scores of another reader) and ``pictures`` (difference in standard
        deviations of the reader's own films).
    """
    total = len(films) + len(films.refused)
    codes = Counter(code for each in films.refused for code in each.codes)
    found: dict[str, Any] = {
        "films": total,
        "refusals": {
            "count": len(films.refused),
            "share": wilson(len(films.refused), total).to_list(),
            "codes": dict(codes.most_common()),
        },
        "embedding": None,
        "score": None,
        "pictures": None,
    }
    found["words"] = "The reader's card holds no summary of its own films, so only refusals are compared."
    if reference is None:
        return found
    one = np.unique(films.patients, return_index=True)[1]
    local = sketch(standardised(films.embeddings[one], reference.mean, reference.std))
    distance, p = energy_test(reference.sketches, local, seed=seed)
    found["embedding"] = {"energy_distance": distance, "p": p, "test": "permutation of the energy distance"}
    if not reference.scores_of:
        here = log_odds(expit(scores[one]))
        ks = stats.ks_2samp(reference.scores, here)
        found["score"] = {
            "statistic": float(ks.statistic),
            "p": float(ks.pvalue),
            "test": "Kolmogorov-Smirnov, two samples",
            "median_there": float(np.median(reference.scores)),
            "median_here": float(np.median(here)),
        }
    if reference.pictures is not None:
        means, (mean, std) = films.pictures.mean(0), reference.pictures.T
        found["pictures"] = {
            name: {"there": mean[i], "here": means[i], "difference_in_sd": (means[i] - mean[i]) / max(std[i], 1e-9)}
            for i, name in enumerate(PICTURE)
        }
    tested = [(name, found[key]) for name, key in (("embeddings", "embedding"), ("scores", "score")) if found[key]]
    differs = [name for name, one_test in tested if one_test["p"] < ALPHA]
    found["words"] = (
        f"The site differs from the reader's own films in its {' and '.join(differs)} (p < {ALPHA}): figures measured "
        "elsewhere do not hold here. Scores also differ where the share of positive patients differs."
        if differs
        else f"No difference from the reader's own films was found (p >= {ALPHA}); with few films this proves little."
    )
    return found


def energy_test(a: np.ndarray, b: np.ndarray, *, permutations: int = 999, seed: int = 0) -> tuple[float, float]:
    """Do two samples come from one distribution? Energy distance (Szekely & Rizzo 2013) with a permutation test.

    Args:
        a, b: ``(n, d)`` and ``(m, d)``; more than 512 rows are sampled.

    Returns:
        the energy distance, and the p-value: at least ``1 / (permutations + 1)``.
    """
    rng = np.random.default_rng(seed)
    a, b = (x if len(x) <= _LARGEST else x[rng.permutation(len(x))[:_LARGEST]] for x in (a, b))
    both = np.concatenate([a, b])
    distances = cdist(both, both)
    n, total = len(a), len(both)
    # Each column says which rows count as sample a: the first as they are, the others shuffled.
    sides = np.zeros((total, permutations + 1))
    sides[:n, 0] = 1
    for column in range(1, permutations + 1):
        sides[rng.permutation(total)[:n], column] = 1
    toward_a = distances @ sides
    within_a = (sides * toward_a).sum(0)
    across = ((1 - sides) * toward_a).sum(0)
    within_b = distances.sum() - within_a - 2 * across
    m = total - n
    values = 2 * across / (n * m) - within_a / n**2 - within_b / m**2
    return float(values[0]), float((values[1:] >= values[0] - 1e-12).sum() + 1) / (permutations + 1)
