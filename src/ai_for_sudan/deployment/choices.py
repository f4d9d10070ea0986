"""What is chosen on the validation films: calibration, operating points, abstention."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.model_selection import GroupKFold
from torch import Tensor

from ai_for_sudan.deployment.network import Calibration
from ai_for_sudan.evaluation.statistics import ece, ece_bias, sensitivity, specificity
from ai_for_sudan.training.threshold import choose_threshold

#: where thresholds and the band are chosen
CHOSEN_ON = "validation patients, their films as they are and a disturbed copy of each"


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

    For the figures of the card: the shipped calibration, fitted on all of these films, would flatter itself here.

    Args:
        logits, labels: as :func:`calibrate` takes them.
        patients: ``(N,)``.
    """
    found = torch.empty(logits.shape)
    for fitted, asked in GroupKFold(5).split(labels, groups=patients):
        calibration = calibrate(logits[fitted], labels[fitted], task)
        with torch.inference_mode():
            found[asked] = calibration(logits[asked])
    return found.numpy()


def operating_points(
    clean: tuple[np.ndarray, np.ndarray], shifted: tuple[np.ndarray, np.ndarray]
) -> dict[str, dict[str, Any]]:
    """``screening``, ``balanced`` and ``rule-in``, with their reasons and what they cost.

    Args:
        clean, shifted: labels 0 or 1 and calibrated probabilities, ``(N,)`` each.
    """
    labels, probabilities = (np.concatenate(pair) for pair in zip(clean, shifted, strict=True))
    sick = np.sort(shifted[1][shifted[0] == 1])
    well = np.sort(shifted[1][shifted[0] == 0])
    own = choose_threshold(clean, shifted)
    balanced = own["threshold"]
    # More than 0.95, and on the disturbed films alone: the next hospital is not kinder than they are.
    screening = min(_share_above(sick, 0.98), balanced)
    rule_in = max(_share_below(well, 0.98), balanced)
    chosen = {
        "screening": (screening, "misses few: sensitivity at least 0.95, here 0.98 on the disturbed films alone"),
        "balanced": (balanced, own["reason"]),
        "rule-in": (rule_in, "few false alarms: specificity at least 0.95, here 0.98 on the disturbed films alone"),
    }
    return {
        name: {
            "threshold": float(threshold),
            "reason": reason,
            "chosen_on": CHOSEN_ON,
            "sensitivity": sensitivity(labels, probabilities >= threshold).to_list(),
            "specificity": specificity(labels, probabilities >= threshold).to_list(),
            "clean": _both(*clean, threshold),
            "shifted": _both(*shifted, threshold),
        }
        for name, (threshold, reason) in chosen.items()
    }


def _share_above(values: np.ndarray, share: float) -> float:
    """The highest threshold that at least ``share`` of the sorted values reach."""
    return float(values[int(np.floor((1 - share) * len(values)))])


def _share_below(values: np.ndarray, share: float) -> float:
    """The lowest threshold that at least ``share`` of the sorted values stay below."""
    place = min(int(np.ceil(share * len(values))), len(values) - 1)
    return float(np.nextafter(values[place], 2))


def _both(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> dict[str, Any]:
    called = probabilities >= threshold
    return {"sensitivity": sensitivity(labels, called).to_list(), "specificity": specificity(labels, called).to_list()}


def abstention(
    clean: tuple[np.ndarray, np.ndarray], shifted: tuple[np.ndarray, np.ndarray], error_rate: float
) -> dict[str, Any]:
    """The band of probabilities that is left to a person, by class-conditional split conformal prediction (Vovk 2012).

    Of future films like these, at most ``error_rate`` of the sick ones lie below the band and at most ``error_rate``
    of the healthy ones above it, over repeated draws of validation sets, whatever the network is.
    """
    labels, probabilities = (np.concatenate(pair) for pair in zip(clean, shifted, strict=True))
    sick, well = np.sort(probabilities[labels == 1]), np.sort(probabilities[labels == 0])
    # The finite-sample ranks of split conformal prediction: floor(alpha (n + 1)).
    below = int(np.floor(error_rate * (len(sick) + 1)))
    above = int(np.floor(error_rate * (len(well) + 1)))
    at_least = sick[below - 1] if below >= 1 else 0.0
    at_most = well[len(well) - above] if above >= 1 else 1.0
    lower, upper = float(min(at_least, at_most)), float(max(at_least, at_most))

    def left(pair: tuple[np.ndarray, np.ndarray]) -> float:
        return float(((pair[1] > lower) & (pair[1] < upper)).mean())

    return {
        "lower": lower,
        "upper": upper,
        "error_rate": error_rate,
        "method": (
            f"class-conditional split conformal prediction: at most {error_rate:.0%} of the films of each class lie on "
            "the wrong side of the band, for films like those it was fitted on"
        ),
        "fitted_on": CHOSEN_ON,
        "share": {"clean": left(clean), "shifted": left(shifted)},
    }


def calibration_facts(
    calibration: Calibration, clean: tuple[np.ndarray, np.ndarray], shifted: tuple[np.ndarray, np.ndarray]
) -> dict[str, Any]:
    """What the card says of the calibration.

    Args:
        clean, shifted: labels 0 or 1 and probabilities of :func:`cross_calibrated`, ``(N,)`` each.
    """
    return {
        "method": "scale and bias of the logits (Platt 1999)",
        "scale": calibration.scale.tolist(),
        "bias": calibration.bias.tolist(),
        "fitted_on": CHOSEN_ON,
        "prevalence": float(clean[0].mean()),
        "ece_measured_on": "the same films, each calibrated on those of other patients",
        "ece": {
            name: {"value": ece(*pair), "of_a_calibrated_reader": ece_bias(pair[1])}
            for name, pair in (("clean", clean), ("shifted", shifted))
        },
    }
