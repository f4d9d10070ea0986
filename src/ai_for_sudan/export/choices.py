"""What is chosen on the validation films, for the card: calibration and operating points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.model_selection import GroupKFold
from torch import Tensor

from ai_for_sudan import statistics
from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.export.network import Calibration
from ai_for_sudan.statistics import Predictions, as_json, ece, ece_bias, status_table

#: where calibration and cut-offs are chosen
CHOSEN_ON = "validation patients, their films as they are and a perturbed copy of each"
#: of healthy films, at most this share is left to a person because their lungs do not look normal
SENT_ON = 0.03
#: of the patients, each measured by what was chosen on the others
PARTS = 5


def calibrate(logits: Tensor, labels: np.ndarray, task: str) -> Calibration:
    """Scale and shift of the logits with the highest likelihood (Platt 1999; Guo 2017 with a bias).

    Exclusive classes share one scale, the inverse of the temperature, so that their order can only change by the
    class biases; each finding has its own scale.

    Args:
        logits: ``(N, C)`` of films that were not trained on.
        labels: class numbers ``(N,)``, or findings ``(N, C)`` in 0, 1, NaN.
    """
    classes = logits.shape[1]
    logits = logits.double()
    target = torch.from_numpy(np.asarray(labels))
    log_scale = torch.zeros(1 if task == "exclusive" else classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_scale, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        calibrated = logits * log_scale.exp() + bias
        if task == "exclusive":
            value = F.cross_entropy(calibrated, target)
        else:
            known = ~target.isnan()
            value = F.binary_cross_entropy_with_logits(calibrated[known], target[known].double())
        # A weak pull to no change: without it a perfectly separated class would run to infinity.
        value = value + 1e-4 * (log_scale.square().sum() + bias.square().sum())
        value.backward()
        return value

    optimizer.step(closure)
    scale = log_scale.detach().exp().expand(classes).float().clone()
    centred = bias.detach() - bias.detach().mean() if task == "exclusive" else bias.detach()
    return Calibration(scale, centred.float().clone(), task)


def cross_calibrated(logits: Tensor, labels: np.ndarray, patients: np.ndarray, task: str) -> np.ndarray:
    """Probabilities ``(N, C)``, each calibrated on the films of other patients only (five parts in turn).

    For the figures of the card: the shipped calibration, fitted on all of these films, would look too good here.

    Args:
        logits, labels: as :func:`calibrate` takes them.
        patients: ``(N,)``.
    """
    found = torch.empty(logits.shape)
    for fitted, others in GroupKFold(PARTS).split(labels, groups=patients):
        calibration = calibrate(logits[fitted], labels[fitted], task)
        with torch.inference_mode():
            found[others] = calibration(logits[others])
    return found.numpy()


def operating_points(sets: Mapping[str, Predictions], unseen: Mapping[str, Predictions]) -> dict[str, OperatingPoint]:
    """Choose ``screening``, ``balanced`` and ``rule-in``, and measure what each gives on films of other patients.

    Args:
        sets: name -> validation films, with their patients: one set a hospital, films as they are and perturbed apart.
        unseen: the same films by :func:`cross_calibrated`.
    """
    statuses = _statuses_apart(unseen)
    return {
        name: replace(
            point,
            chosen_on=f"{CHOSEN_ON}; measured in five parts, each with cut-offs of the other patients",
            measured={
                key: as_json(status_table(one.labels, statuses[name][key], one.patients)) for key, one in unseen.items()
            },
        )
        for name, point in statistics.operating_points(list(sets.values())).items()
    }


def abnormal_limit(healthy: Mapping[str, np.ndarray], share: float = SENT_ON) -> float:
    """Choose the limit above which lungs do not look normal.

    Args:
        healthy: name -> probabilities that lungs are abnormal, of healthy films that were not trained on.
        share: of the films of any set, at most so many exceed the limit.
    """
    return max(float(np.quantile(values, 1 - share)) for values in healthy.values())


def _statuses_apart(sets: Mapping[str, Predictions]) -> dict[str, dict[str, np.ndarray]]:
    """Point -> set -> status of each film, by cut-offs that were chosen without its patient (five parts in turn)."""
    people = np.unique(np.concatenate([_patients(one) for one in sets.values()]))
    part_of = dict(zip(people.tolist(), np.random.default_rng(0).permutation(len(people)) % PARTS, strict=True))
    parts = {key: np.array([part_of[person] for person in _patients(one).tolist()]) for key, one in sets.items()}
    found: dict[str, dict[str, np.ndarray]] = {}
    for part in range(PARTS):
        points = statistics.operating_points([one.take(parts[key] != part) for key, one in sets.items()])
        for name, point in points.items():
            for key, one in sets.items():
                statuses = found.setdefault(name, {}).setdefault(key, np.empty(len(one), object))
                here = parts[key] == part
                statuses[here] = point.statuses(one.probabilities[here])
    return found


def _patients(predictions: Predictions) -> np.ndarray:
    if predictions.patients is None:
        raise ValueError("films to choose cut-offs on need their patients")
    return predictions.patients


def calibration_facts(calibration: Calibration, clean: Predictions, perturbed: Predictions) -> dict[str, Any]:
    """What the card says of the calibration.

    Args:
        clean, perturbed: by :func:`cross_calibrated`.
    """
    return {
        "method": "scale and bias of the logits (Platt 1999)",
        "scale": calibration.scale.tolist(),
        "bias": calibration.bias.tolist(),
        "fitted_on": CHOSEN_ON,
        "prevalence": float(clean.labels.mean()),
        "ece_measured_on": "the same films, each calibrated on those of other patients",
        "ece": {
            name: {
                "value": ece(one.labels, one.probabilities),
                "of_a_calibrated_reader": ece_bias(one.probabilities),
            }
            for name, one in (("clean", clean), ("perturbed", perturbed))
        },
    }
