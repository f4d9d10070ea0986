"""Where a reader takes its evidence from: standing checks of attribution maps and of films without lungs.

Plain functions over arrays. Maps are float ``(N, h, w)`` in the frame of the film, more is more evidence for the class;
regions (lungs, or a radiologist's boxes) are bool ``(N, S, S)`` in the same frame, squashed to a square.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ai_for_sudan.errors import UserError
from ai_for_sudan.statistics import Estimate, auroc_delong, bootstrap_by_patient

#: side of the grid on which regions are drawn
GRID = 224
#: AUROC of a reader that sees no lungs, above which it knows the label by something else
OUTSIDE_LIMIT = 0.65
#: least share of a film that lungs fill, for its lungs to count as found
FOUND = 0.05
#: around the lungs, painted over with them, in shares of the film's side
RIM = 1 / 28

Predict = Callable[[np.ndarray], np.ndarray]


# --- regions ---------------------------------------------------------------------------------------------------------


def covered(region: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the share of each place of a map that lies in a region, float64 ``shape``."""
    picture = Image.fromarray(region.astype(np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BOX), np.float64)


def at_side(region: np.ndarray, side: int) -> np.ndarray:
    """Redraw a region or a map ``(h, w)`` on a square of another side, ``(side, side)``."""
    down, across = (np.arange(side) * cells // side for cells in region.shape)
    grown: np.ndarray = region[down[:, None], across]
    return grown


# --- attribution against regions -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inside:
    """Attribution against a region, film by film.

    Attributes:
        share: of a film's positive attribution inside the region ``(N,)``; NaN for a blank map.
        hit: 1 where the hottest place lies inside (pointing game, Zhang 2016), else 0; so is a blank map ``(N,)``.
        area: of the region, in shares of the film: what a map without meaning reaches ``(N,)``.
    """

    share: np.ndarray
    hit: np.ndarray
    area: np.ndarray

    @property
    def blank(self) -> int:
        """Count the maps that are blank."""
        return int(np.isnan(self.share).sum())


def inside(maps: np.ndarray, regions: np.ndarray) -> Inside:
    """Compare each map with its own region."""
    share, hit = np.full(len(maps), np.nan), np.zeros(len(maps))
    for number, (one, region) in enumerate(zip(maps, regions, strict=True)):
        positive = np.clip(np.asarray(one, np.float64), 0, None)
        if positive.sum() > 0:
            share[number] = (positive * covered(region, positive.shape)).sum() / positive.sum()
            hit[number] = _at(region, _peak(positive))
    return Inside(share, hit, regions.mean((1, 2)))


def constant_map(regions: np.ndarray, patients: np.ndarray, *, folds: int = 5) -> Inside:
    """Measure the best map that is the same for every film: it knows where findings are, and sees no film.

    It is cross-fitted: for each film it is the mean of the regions of other patients.

    Raises:
        UserError: all films are of one patient.
    """
    share, hit = np.full(len(regions), np.nan), np.zeros(len(regions))
    count = min(folds, len(np.unique(patients)))
    if count < 2:
        raise UserError("all films with a region are of one patient; the constant map needs more")
    for others, own in GroupKFold(count).split(regions, groups=patients):
        usual = regions[others].mean(0)
        place = _peak(usual)
        share[own] = (regions[own] * usual).sum((1, 2)) / usual.sum()
        hit[own] = [_at(region, place) for region in regions[own]]
    return Inside(share, hit, regions.mean((1, 2)))


def against_regions(maps: np.ndarray, regions: np.ndarray, patients: np.ndarray, *, seed: int = 0) -> dict[str, Any]:
    """Measure pointing game and share of attribution inside, for the map and the constant map, by patient.

    Returns:
        plain JSON: ``films``, ``blank``, ``area``, and ``pointing``, ``share``, ``pointing_constant``,
        ``share_constant``, ``pointing_gain`` (the map less the constant one), each ``[value, low, high]``.
    """
    own, constant = inside(maps, regions), constant_map(regions, patients)

    def figures(rows: np.ndarray) -> dict[str, float]:
        return {
            "pointing": float(own.hit[rows].mean()),
            # A blank map has no share inside: it counts as none, not as a film less.
            "share": float(np.nan_to_num(own.share[rows]).mean()),
            "pointing_constant": float(constant.hit[rows].mean()),
            "share_constant": float(constant.share[rows].mean()),
            "pointing_gain": float((own.hit - constant.hit)[rows].mean()),
        }

    found = bootstrap_by_patient(figures, patients, seed=seed)
    return {
        "films": len(maps),
        "blank": own.blank,
        "area": float(own.area.mean()),
        **{name: estimate.to_list() for name, estimate in found.items()},
    }


def _peak(positive: np.ndarray) -> tuple[float, float]:
    """Centre of the hottest place, in shares of height and width; of several equal ones the middle one."""
    best = np.flatnonzero(positive.ravel() >= positive.max())
    row, column = np.unravel_index(best[len(best) // 2], positive.shape)
    return (int(row) + 0.5) / positive.shape[0], (int(column) + 0.5) / positive.shape[1]


def _at(region: np.ndarray, place: tuple[float, float]) -> bool:
    return bool(region[int(place[0] * region.shape[0]), int(place[1] * region.shape[1])])


# --- what a reader says of films that were changed -------------------------------------------------------------------


def without_lungs(pixels: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    """Paint over the lungs bool ``(N, h, w)`` of films uint8 ``(N, S, S)``, with a rim around them.

    The paint is the median grey of the rest of the film. The rim is a twenty-eighth of the film's side: it hides the
    outline of the lungs too.
    """
    rim = max(1, round(lungs.shape[-1] * RIM))
    hidden = binary_dilation(lungs, np.ones((1, 2 * rim + 1, 2 * rim + 1), bool))
    rows, columns = (
        np.arange(side) * cells // side for side, cells in zip(pixels.shape[1:], lungs.shape[1:], strict=True)
    )
    painted = np.array(pixels)
    for film, region in zip(painted, hidden[:, rows[:, None], columns], strict=True):
        rest = film[~region]
        # The lower of the two middle ones: a grey level that the film has.
        film[region] = np.partition(rest, (len(rest) - 1) // 2)[(len(rest) - 1) // 2] if len(rest) else 128
    return painted


def outside_only(
    predict: Predict, pixels: np.ndarray, lungs: np.ndarray, labels: np.ndarray, patients: np.ndarray
) -> Estimate:
    """Measure the AUROC of a reader on films whose lungs were painted over. Above 0.5 it uses something else.

    Args:
        predict: films uint8 ``(N, S, S)`` -> probability ``(N,)``.
        lungs: bool ``(N, h, w)``.
        labels: 0 or 1 ``(N,)``.
    """
    return auroc_delong(labels, predict(without_lungs(pixels, lungs)), patients)


def boxes_around(regions: np.ndarray) -> np.ndarray:
    """Return the box around each region, float64 ``(N, 4)``: x0, y0, x1, y1 in shares of the film.

    Raises:
        UserError: a region is empty.
    """
    boxes = []
    for region in regions:
        rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
        if not len(rows):
            raise UserError("a film's lungs are empty; leave the film out")
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return np.array(boxes, np.float64).reshape(-1, 4) / regions.shape[1]


def framing(boxes: np.ndarray) -> np.ndarray:
    """Describe where the lungs' box ``(N, 4)`` lies, with the log of its width by height: float64 ``(N, 5)``."""
    left, top, right, bottom = np.asarray(boxes, np.float64).T
    return np.column_stack([boxes, np.log((right - left + 1e-6) / (bottom - top + 1e-6))])


def framing_only(frames: np.ndarray, labels: np.ndarray, patients: np.ndarray, *, seed: int = 0) -> Estimate:
    """Measure the AUROC of a logistic regression on :func:`framing`, fitted for each film without its patient.

    A reader that sees no pixel of a lung can reach as much.

    Raises:
        UserError: a class has fewer than two patients.
    """
    fewest = min(len(np.unique(patients[labels == value])) for value in (0, 1))
    if fewest < 2:
        raise UserError("framing needs at least two patients of each class")
    cut = StratifiedGroupKFold(min(5, fewest), shuffle=True, random_state=seed)
    # Balanced: a fold's share of positives in the intercept would make the pooled scores worse than chance.
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    scores = cross_val_predict(model, frames, labels, groups=patients, cv=cut, method="decision_function")
    return auroc_delong(labels, scores, patients)


def deletion_insertion(
    predict: Predict,
    pixels: np.ndarray,
    maps: np.ndarray,
    regions: np.ndarray,
    patients: np.ndarray,
    *,
    steps: int = 10,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure deletion and insertion inside a region of each film (RISE, Petsiuk 2018,
    https://arxiv.org/abs/1806.07421).

    A map that points at the evidence lowers the score more, when its hottest places go first, than places in random
    order do; and it raises the score more when only they are shown. What is not shown is the region's mean grey.

    Args:
        predict: films uint8 ``(N, S, S)`` -> probability ``(N,)``.
        pixels: films that the reader calls, uint8 ``(N, S, S)``.
        maps: float ``(N, h, w)`` in the frame of the film.
        regions: the lungs, or all of the film: bool ``(N, S, S)``.

    Returns:
        plain JSON: for ``deletion`` and ``insertion`` the mean probability over the steps by the ``map`` and by places
        in ``random`` order, their ``difference`` with an interval by patient, and ``curves``: at each of ``shares`` of
        the region the mean probability of both.
    """
    random = np.random.default_rng(seed)
    side = pixels.shape[1]
    blank = np.stack([_smoothed(film, region) for film, region in zip(pixels, regions, strict=True)])
    own_order, random_order = [], []
    for one, region in zip(maps, regions, strict=True):
        attribution = np.asarray(
            Image.fromarray(np.asarray(one, np.float32)).resize((side, side), Image.Resampling.BILINEAR)
        )
        # Blocks, not single pixels: noise between deleted pixels would be a new texture.
        block = np.repeat(np.repeat(random.random((-(-side // 16),) * 2), 16, 0), 16, 1)[:side, :side]
        own_order.append(_ranks(attribution, region))
        random_order.append(_ranks(block, region))
    shares = np.linspace(0, 1, steps + 1)
    found: dict[str, Any] = {}
    for kind, start, end in (("deletion", pixels, blank), ("insertion", blank, pixels)):
        own, other = (
            np.stack([predict(np.where(np.stack(order) < share, end, start).astype(np.uint8)) for share in shares])
            for order in (own_order, random_order)
        )
        found[kind] = {
            **_gap(own.mean(0), other.mean(0), patients, seed),
            "curves": {"shares": shares.tolist(), "map": own.mean(1).tolist(), "random": other.mean(1).tolist()},
        }
    return found


def _ranks(values: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The order in which the places of a region change, in 0..1 with the highest value first; never outside of it."""
    rank = np.full(values.shape, np.inf)
    rank[region] = np.argsort(np.argsort(-values[region], kind="stable")) / max(1, region.sum())
    return rank


def _gap(own: np.ndarray, other: np.ndarray, patients: np.ndarray, seed: int) -> dict[str, Any]:
    def difference(rows: np.ndarray) -> dict[str, float]:
        return {"difference": float((own - other)[rows].mean())}

    gap = bootstrap_by_patient(difference, patients, seed=seed)["difference"]
    return {"map": float(own.mean()), "random": float(other.mean()), "difference": gap.to_list()}


def _smoothed(film: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The film with the mean grey of a region in place of it, uint8."""
    result = np.array(film)
    if region.any():
        result[region] = round(float(film[region].mean()))
    return result


def by_site(sites: np.ndarray, check: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    """Run a check for each site on the numbers of its films ``(M,)``: name of the site -> what it found."""
    return {str(site): check(np.flatnonzero(sites == site)) for site in np.unique(sites) if site}
