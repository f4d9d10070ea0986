"""What is chosen on the validation films, for the card: calibration, operating points, abstention."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.model_selection import GroupKFold
from torch import Tensor

from ai_for_sudan.export.network import Calibration
from ai_for_sudan.statistics import Predictions, abstention_band, choose, ece, ece_bias, sensitivity, specificity

#: where thresholds and the band are chosen
CHOSEN_ON = "validation patients, their films as they are and a perturbed copy of each"


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
    for fitted, others in GroupKFold(5).split(labels, groups=patients):
        calibration = calibrate(logits[fitted], labels[fitted], task)
        with torch.inference_mode():
            found[others] = calibration(logits[others])
    return found.numpy()


def operating_points(clean: Predictions, perturbed: Predictions) -> dict[str, dict[str, Any]]:
    """``screening``, ``balanced`` and ``rule-in``, with their reasons and what they cost, as the card tells them."""
    both = _together(clean, perturbed)
    return {
        name: {
            "threshold": choice.threshold,
            "reason": choice.reason,
            "chosen_on": CHOSEN_ON,
            **_rates(both, choice.threshold),
            "clean": _rates(clean, choice.threshold),
            "perturbed": _rates(perturbed, choice.threshold),
        }
        for name, choice in choose([clean, perturbed]).items()
    }


def _together(*sets: Predictions) -> Predictions:
    return Predictions(
        np.concatenate([one.labels for one in sets]), np.concatenate([one.probabilities for one in sets])
    )


def _rates(predictions: Predictions, threshold: float) -> dict[str, Any]:
    called = predictions.probabilities >= threshold
    return {
        "sensitivity": sensitivity(predictions.labels, called).to_list(),
        "specificity": specificity(predictions.labels, called).to_list(),
    }


def abstention(clean: Predictions, perturbed: Predictions, error_rate: float) -> dict[str, Any]:
    """The band of probabilities that is left to a person, as the card tells it."""
    band = abstention_band(_together(clean, perturbed), error_rate)
    return {
        "lower": band.lower,
        "upper": band.upper,
        "error_rate": error_rate,
        "method": (
            f"class-conditional split conformal prediction: at most {error_rate:.0%} of the films of each class lie on "
            "the wrong side of the band, for films like those it was fitted on"
        ),
        "fitted_on": CHOSEN_ON,
        "share": {
            "clean": float(band.holds(clean.probabilities).mean()),
            "perturbed": float(band.holds(perturbed.probabilities).mean()),
        },
    }


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
