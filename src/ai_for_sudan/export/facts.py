"""Gather what the card says of a reader: where it comes from, how good it is, and how to test it on a machine."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from ai_for_sudan.contract.card import DataIdentity, Population, Provenance, SelfTest
from ai_for_sudan.contract.provenance import films_sha256, project_commit
from ai_for_sudan.contract.reference import build as build_reference
from ai_for_sudan.datasets import Pixels
from ai_for_sudan.evaluation.metrics import measure
from ai_for_sudan.export import graph
from ai_for_sudan.export.inputs import GatePictures
from ai_for_sudan.models import CheckpointState
from ai_for_sudan.training import LabelledFilms

SELF_TEST_SIDE = 64


def intended_use(positive: str, population: Population) -> str:
    """Say what a reader is for, and that its population is unknown where nobody said it."""
    ages = population.age_years
    years = f"of {ages[0]:.0f} to {ages[1]:.0f} years" if ages else "of an age that is not recorded"
    return (
        f"Helps a clinician to decide which frontal chest X-rays to look at first for {positive}, where there is no "
        f"radiologist. Made for {population.text or 'patients'} {years}. It does not replace reading the film. "
        "Not made for other ages, lateral films, CT, or other findings. Measure it at a new hospital before using it."
    )


def provenance(
    weights: str,
    state: CheckpointState,
    films: dict[str, LabelledFilms],
    pictures: GatePictures,
    name: str,
    command: str,
) -> Provenance:
    """Record where a reader comes from: weights, films and commands.

    Args:
        weights: SHA-256 of the weights.
        films: role -> films of the data set ``name``.
        command: what was typed to export.
    """
    sets = [(role, name, one.pixels) for role, one in films.items()]
    for role, given in (("gate: good films of another site", pictures.other_chest), ("gate", pictures.not_chest)):
        if given is not None:
            sets.append((role, "pictures that only the gate learned from", given.pixels))
    return Provenance(
        weights_sha256=weights,
        initial_weights_sha256=state.initial_weights.get("sha256"),
        data=tuple(_identity(*one) for one in sets),
        commands=tuple(one for one in (state.command, command) if one),
        commit=project_commit(),
    )


def _identity(role: str, name: str, pixels: Pixels) -> DataIdentity:
    identity = films_sha256(np.asarray(pixels[index]) for index in range(len(pixels)))
    return DataIdentity(role=role, name=name, identity=identity, films=len(pixels))


def of_the_run(state: CheckpointState) -> dict[str, Any]:
    """Gather what the card says of the training run."""
    return {
        "recipe": state.recipe,
        # A split that the data gave has no identity, and earlier checkpoints say so by null.
        "split": {key: value for key, value in state.split.to_facts().items() if value is not None},
        **({"initial_weights": state.initial_weights["name"]} if state.initial_weights else {}),
        **({"selection": state.selection} if state.selection else {}),
        **({"software": ", ".join(f"{n} {v}" for n, v in state.software.items())} if state.software else {}),
    }


def full_colour(heatmaps: np.ndarray) -> float:
    """Return the 99th percentile of attribution over films, in logit units: it is drawn at full colour."""
    return max(float(np.quantile(heatmaps, 0.99)), 1e-3)


def self_test(model: onnx.ModelProto, positive: int) -> SelfTest:
    """Draw a chest-like film (no patient's), and record what the file computes of it here."""
    y, x = np.mgrid[-1 : 1 : SELF_TEST_SIDE * 1j, -1 : 1 : SELF_TEST_SIDE * 1j]
    lungs = sum(np.exp(-(((x - c) / 0.3) ** 2 + ((y + 0.1) / 0.6) ** 2) * 2) for c in (-0.45, 0.45))
    ribs = 0.06 * np.sin(14 * y + 3 * np.abs(x))
    pixels = ((0.75 - 0.5 * lungs + ribs) * (1 - 0.5 * x**8) * 255).clip(0, 255).astype(np.uint8)
    found = graph.run(graph.session(model), pixels)
    return SelfTest(
        size=SELF_TEST_SIDE,
        pixels=base64.b64encode(pixels.tobytes()).decode(),
        probability=tuple(float(value) for value in found["probability"]),
        gate=tuple(float(value) for value in found["gate"]),
        lungs_probability=_values(found, "lungs_probability"),
        abnormal=_values(found, "abnormal"),
        heatmap_sum=float(found["heatmap"][positive].sum()),
        # int8 kernels round differently from machine to machine; a broken one is off by far more.
        tolerance=0.02,
    )


def reference(found: Mapping[str, np.ndarray], films: LabelledFilms, positive: int, seed: int) -> dict[str, Any]:
    """Summarise known films, one a patient, for the question whether those of a site are like them.

    Args:
        found: outputs of the file for these films, name -> ``(N, ...)``.
    """
    first = np.unique(films.patients, return_index=True)[1]  # one film a patient
    scores = found["probability"][first, positive]
    return build_reference(found["embedding"][first], scores, seed, films.pixels[first])


def metrics(
    validation: LabelledFilms, probability: np.ndarray, spec: Any, threshold: float, seed: int
) -> dict[str, Any]:
    """Measure validation films, as they are and perturbed, by their probabilities ``(2 N, C)``."""
    count = len(validation)
    result = {}
    for name, rows, side in (
        ("validation", probability[:count], "validation patients, films as they are"),
        (
            "validation_perturbed",
            probability[count:],
            "validation patients, each film perturbed twice at severity 1 to 4",
        ),
    ):
        found = measure(
            validation.labels, rows, validation.patients, spec.classes, spec.positive, spec.task,
            threshold=threshold, rounds=500, seed=seed,
        )  # fmt: skip
        result[name] = {"side": side, "command": "ai-for-sudan export", **found.to_dict()}
    return result


def _values(found: dict[str, np.ndarray], name: str) -> tuple[float, ...] | None:
    return tuple(found[name].tolist()) if name in found else None
