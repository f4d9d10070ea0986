"""Does a reader name the right lung? Checks of films with boxes, of films made of two films' lungs, and of shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ai_for_sudan.evaluation.attribution import at_side, boxes_around, covered
from ai_for_sudan.lungs.mosaics import mosaic
from ai_for_sudan.lungs.transplants import same_shapes
from ai_for_sudan.lungs.weighting import sides
from ai_for_sudan.statistics import auroc_delong, bootstrap_by_patient, share_by_patient

#: patients, with the fewest for which a check is made
SMALLEST = 20
#: films of each kind that are made, at most
MOST = 150
#: a finding lies in one lung where at least this share of its boxes does
ONE_LUNG = 0.95
#: places a side on which left and right are told apart, and on which a shape is described
PLACES, SHAPE = 56, 14


class Films(NamedTuple):
    """Films whose lungs were found.

    Attributes:
        pixels: uint8 ``(N, S, S)``.
        lungs: bool ``(N, S, S)``, of each film.
        labels: 0 or 1 ``(N,)``.
        patients: ``(N,)``.
        boxes: bool ``(N, S, S)``, of radiologists; nothing is marked in a film without.
    """

    pixels: np.ndarray
    lungs: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    boxes: np.ndarray

    def take(self, rows: np.ndarray) -> Films:
        """Keep the films with these numbers."""
        return Films(*(value[rows] for value in self))


def checks(films: Films, maps: np.ndarray, read: Callable[[np.ndarray], np.ndarray], seed: int = 0) -> dict[str, Any]:
    """Make every check for which there are films of :data:`SMALLEST` patients; plain JSON, ``None`` without.

    Args:
        maps: of the positive class, float ``(N, h, w)``.
        read: films uint8 ``(N, S, S)`` -> what is said of each, a status ``(N,)``.

    Returns:
        ``side``, ``half_films`` and ``shape``; see :func:`side`, :func:`half_films`, :func:`shape`.
    """
    of_box = _right_share(films.boxes, films.lungs)
    return {
        "side": side(maps, films, of_box),
        "half_films": half_films(films, of_box, read, np.random.default_rng(seed)),
        "shape": shape(films, np.random.default_rng(seed)),
    }


def _right_share(regions: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    """The share of each map or region ``(N, h, w)`` on the side of the right lung ``(N,)``; NaN of nothing."""
    mass = np.stack([covered(one, (PLACES, PLACES)) for one in lungs])
    right = sides(torch.from_numpy(mass).float()[:, None])[:, 0].numpy()
    value = np.stack([covered(np.clip(at_side(one, len(lungs[0])), 0, None), (PLACES, PLACES)) for one in regions])
    total = value.sum((1, 2))
    return np.divide((value * right).sum((1, 2)), total, out=np.full(len(value), np.nan), where=total > 0)


def side(maps: np.ndarray, films: Films, of_box: np.ndarray) -> dict[str, Any] | None:
    """Count the films with boxes in one lung only that have more attribution on that side; a coin reaches 0.5.

    A blank map counts as wrong.

    Args:
        of_box: the share of its boxes on the side of the patient's right lung ``(N,)``.
    """
    one = np.flatnonzero((of_box >= ONE_LUNG) | (of_box <= 1 - ONE_LUNG))
    if len(np.unique(films.patients[one])) < SMALLEST:
        return None
    of_map = np.nan_to_num(_right_share(maps[one], films.lungs[one]), nan=0.5)
    right = np.where(of_box[one] > 0.5, of_map > 0.5, of_map < 0.5)
    return {"films": len(one), "named": share_by_patient(right, films.patients[one]).to_list()}


def half_films(
    films: Films, of_box: np.ndarray, read: Callable[[np.ndarray], np.ndarray], random: np.random.Generator
) -> dict[str, Any] | None:
    """Join the lung with most of a film's boxes and another patient's healthy lung, and two healthy lungs.

    Returns:
        plain JSON: ``sick`` and ``healthy``, each with ``films``, ``suspected`` and ``uncertain``; and ``seam``: how
        much oftener two healthy halves are suspected than the healthy films that they are made of, so that a reader
        that answers to the seam shows. Films are used once of each kind; intervals are by patient.
    """
    ill, well = np.flatnonzero((films.labels == 1) & ~np.isnan(of_box)), np.flatnonzero(films.labels == 0)
    count, pairs = min(len(ill), len(well), MOST), min(len(well) // 2, MOST)
    ill, well = random.permutation(ill)[:count], random.permutation(well)
    first, second = well[:pairs], well[pairs : 2 * pairs]
    if min(len(np.unique(films.patients[rows])) for rows in (ill, first, second)) < SMALLEST:
        return None
    on_right = of_box[ill] > 0.5
    sick = _joined(films, np.where(on_right, ill, well[:count]), np.where(on_right, well[:count], ill), random)
    said = {"sick": read(sick), "healthy": read(_joined(films, first, second, random))}
    plain = read(films.pixels[well[: 2 * pairs]])
    whose = films.patients[well[: 2 * pairs]]
    halves = np.concatenate([said["healthy"]] * 2) == "suspected"  # a half-film counts for both of its patients

    def seam(rows: np.ndarray) -> dict[str, float]:
        return {"seam": float(halves[rows].mean() - (plain[rows] == "suspected").mean())}

    found: dict[str, Any] = {
        name: {
            "films": len(statuses),
            **{
                status: share_by_patient(statuses == status, films.patients[rows]).to_list()
                for status in ("suspected", "uncertain")
            },
        }
        for (name, statuses), rows in zip(said.items(), (ill, first), strict=True)
    }
    return {**found, "seam": bootstrap_by_patient(seam, whose)["seam"].to_list()}


def _joined(films: Films, right: np.ndarray, left: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Films uint8 ``(M, S, S)`` of the patient's right lung of some and the left lung of others.

    The others are stretched so that both pairs of lungs fill the same box.
    """
    ours, others = films.take(right), films.take(left)
    side_length = ours.pixels.shape[1]
    boxes = zip(boxes_around(ours.lungs) * side_length, boxes_around(others.lungs) * side_length, strict=True)
    moved = [
        [_stretched(one.astype(np.uint8), there, here) for one in (film, mask)]
        for film, mask, (here, there) in zip(others.pixels, others.lungs * 255, boxes, strict=True)
    ]
    pixels, masks = (np.stack(pictures) for pictures in zip(*moved, strict=True))
    first, second = (
        torch.from_numpy(np.stack([grey, lungs], 1).astype(np.float32) / 255)
        for grey, lungs in ((ours.pixels, ours.lungs * 255), (pixels, masks))
    )
    made = mosaic(first, second, torch.Generator().manual_seed(int(random.integers(2**31))))
    joined: np.ndarray = (made[:, 0].numpy() * 255).round().astype(np.uint8)
    return joined


def _stretched(picture: np.ndarray, there: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Move and stretch a square picture so that the box ``there`` lies at ``here`` (x0 y0 x1 y1 in pixels)."""
    scale = (there[2:] - there[:2]) / (here[2:] - here[:2])
    start = there[:2] - here[:2] * scale
    end = start + picture.shape[0] * scale
    image = Image.fromarray(picture)
    return np.asarray(image.transform(image.size, Image.Transform.EXTENT, (*start, *end), Image.Resampling.BILINEAR))


def shape(films: Films, random: np.random.Generator) -> dict[str, Any] | None:
    """Measure what the outline of the lungs alone tells, and whether equal shapes take that away.

    A logistic regression sees the lungs' mask and no grey level. Equal shapes are what films with transplanted lungs
    have: a sick film and a healthy one share the places that are lung in both.

    Returns:
        plain JSON: ``films``, ``alone`` and ``equal``, AUROCs with intervals by patient.
    """
    ill, well = (random.permutation(np.flatnonzero(films.labels == label)) for label in (1, 0))
    count = min(len(ill), len(well))
    rows = np.concatenate([ill[:count], well[:count]])
    labels, whose = films.labels[rows], films.patients[rows]
    if min(len(np.unique(whose[labels == label])) for label in (0, 1)) < SMALLEST:
        return None
    masks = np.stack([covered(one, (SHAPE, SHAPE)) for one in films.lungs[rows]])
    equal = same_shapes(torch.from_numpy(masks)[:, None])[:, 0].numpy()
    pairs = np.tile(np.arange(count), 2)  # a pair that was divided would be known by its partner
    return {
        "films": len(rows),
        **{
            name: auroc_delong(labels, _told(one, labels, groups), whose).to_list()
            for name, one, groups in (("alone", masks, whose), ("equal", equal, pairs))
        },
    }


def _told(masks: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000))
    cut = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    scores: np.ndarray = cross_val_predict(
        model, masks.reshape(len(masks), -1), labels, groups=groups, cv=cut, method="decision_function"
    )
    return scores
