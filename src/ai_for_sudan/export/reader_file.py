"""A checkpoint and validation films in, a reader file out."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from ai_for_sudan.contract.card import (
    SCHEMA,
    Abstention,
    Card,
    DataIdentity,
    Gate,
    Heatmap,
    Input,
    OperatingPoint,
    Population,
    Provenance,
    SelfTest,
    Training,
)
from ai_for_sudan.contract.provenance import films_sha256, project_commit, weights_sha256
from ai_for_sudan.contract.reference import build as build_reference
from ai_for_sudan.datasets import Pixels
from ai_for_sudan.disturbances import perturbed
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.metrics import measure
from ai_for_sudan.export import choices, graph, int8
from ai_for_sudan.export.gate import FittedGate, fit_gate
from ai_for_sudan.export.inputs import Films, GatePictures
from ai_for_sudan.export.network import Calibration, ManyFilms, OneFilm, ReaderNetwork
from ai_for_sudan.export.shortcuts import knowledge_without_lungs
from ai_for_sudan.models import Architecture, CheckpointState, as_batch, folded
from ai_for_sudan.models import logits as predict
from ai_for_sudan.statistics import Predictions, positive_truth
from ai_for_sudan.version import __version__

INTENDED_USE = (
    "Helps a clinician to decide which frontal chest X-rays of children of 1 to 5 years to look at first for "
    "pneumonia, where there is no radiologist. It does not replace reading the film. Not made for adults, infants "
    "under one year, lateral films, CT, or any other finding. At a new hospital, measure it before using it."
)
POPULATION = Population(age_years=(1.0, 5.0), text="children of 1 to 5 years, one hospital in Guangzhou, China")
SELF_TEST_SIDE = 64


@dataclass(frozen=True)
class ExportOptions:
    """What is wanted of a reader file.

    Attributes:
        name: of the reader.
        training: what the card says of the training data.
        error_rate: of the abstention band, for each class.
        operating_point: which one a reading uses unless another is given.
        int8: quantise; refused where the loss is too large.
        float_convolutions: how many of the first stay float; the fewest that do no harm if not given.
        bulk: also write ``<output>.bulk.onnx`` for films at network size, many at once.
        torchscript, pt2: also write the same graph for PyTorch.
        force: write the reader though it knows the label without the lungs.
        seed: of all that is drawn.
        command: what was typed.
    """

    name: str
    training: dict[str, Any] = field(default_factory=dict)
    error_rate: float = 0.02
    operating_point: str = "balanced"
    int8: bool = False
    float_convolutions: int | None = None
    bulk: bool = False
    torchscript: Path | None = None
    pt2: Path | None = None
    force: bool = False
    seed: int = 0
    command: str = ""


def export_reader(
    model: Architecture,
    state: CheckpointState,
    train: Films,
    validation: Films,
    output: Path,
    options: ExportOptions,
    *,
    pictures: GatePictures | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Write the reader file (and on demand its companions) and return its card.

    Everything is chosen on ``validation``, films of other patients than those that were trained on, as they are and
    perturbed. Each file is checked against the network it was made from before it is put in place.

    Args:
        state: of the checkpoint.
        pictures: what the gate is fitted on besides.

    Raises:
        UserError: the model knows the label without the lungs, int8 outside its limits, or a file that does not agree
            with the network.
    """
    pictures = pictures or GatePictures()
    weights = weights_sha256({name: value.detach().cpu().numpy() for name, value in model.state_dict().items()})
    model = folded(model.cpu())
    spec, positive = model.spec, model.spec.positive_index
    seed = options.seed
    without_lungs = knowledge_without_lungs(model, validation, options.force, say)
    copies = perturbed(validation.pixels, seed + 1)
    say("predicting validation films, as they are and perturbed")
    both = torch.cat([predict(model, validation.pixels), predict(model, copies)])
    twice = Films(
        np.concatenate([np.asarray(validation.pixels), copies]),
        np.concatenate([validation.labels] * 2),
        np.concatenate([validation.patients] * 2),
    )
    calibration = choices.calibrate(both, twice.labels, spec.task)
    with torch.inference_mode():
        probability = calibration(both).numpy()
    unseen = choices.cross_calibrated(both, twice.labels, twice.patients, spec.task)
    count = len(validation)
    on_clean, on_perturbed = (
        _predictions(validation.labels, probability[:count], positive),
        _predictions(validation.labels, probability[count:], positive),
    )
    points = choices.operating_points(on_clean, on_perturbed)
    fitted = _gate(model, calibration, train, validation, pictures, seed, say)
    network = ReaderNetwork(model, calibration, fitted.gate, fitted.familiarity).eval()
    one = OneFilm(network).eval()
    say("writing the graph")
    side = {0: torch.export.Dim("height", min=64, max=8192), 1: torch.export.Dim("width", min=64, max=8192)}
    example = torch.from_numpy(np.ascontiguousarray(validation.pixels[0]))
    onnx_model = graph.export_graph(one, _example(example), side)
    _check(onnx_model, one, validation.pixels)
    rows: list[dict[str, Any]] = []
    if options.int8:
        threshold = points[options.operating_point]["threshold"]
        onnx_model, rows = _int8(onnx_model, train, twice, positive, threshold, options.float_convolutions, say)
    card = Card(
        schema=SCHEMA,
        name=options.name,
        version=__version__,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        commit=project_commit(),
        architecture=spec.name,
        task=spec.task,
        classes=tuple(spec.classes),
        positive=spec.positive,
        input=Input(size=spec.input_size, resize="squash, antialiased bilinear", view=spec.view_size or None),
        precision="int8" if options.int8 else "float32",
        training=Training.from_facts({**options.training, **_of_the_run(state)}),
        provenance=_provenance(weights, state, train, validation, pictures, options),
        intended_use=INTENDED_USE,
        population=POPULATION,
        calibration=choices.calibration_facts(
            calibration,
            _predictions(validation.labels, unseen[:count], positive),
            _predictions(validation.labels, unseen[count:], positive),
        ),
        operating_points={name: OperatingPoint.from_facts(point, name) for name, point in points.items()},
        default_operating_point=options.operating_point,
        abstention=Abstention.from_facts(choices.abstention(on_clean, on_perturbed, options.error_rate)),
        gate_rules=Gate.from_facts(fitted.facts),
        heatmap=Heatmap(
            method="Grad-CAM (Selvaraju 2017)",
            layer=model.target_layer,
            reference=_full_colour(network, validation.pixels, positive),
            text="logit units; the same scale for every film, not stretched",
        ),
        metrics=_metrics(validation, unseen, spec, points[options.operating_point]["threshold"], seed),
        shortcuts=without_lungs,
        compression=tuple(rows),
        self_test=_self_test(onnx_model, positive),
        reference=_reference(network, validation, positive, seed),
        adaptations=(),
    )
    card = graph.write(output, onnx_model, card)
    say(f"{output}: {output.stat().st_size:,} bytes")
    if options.bulk:
        many = ManyFilms(network).eval()
        batch = torch.from_numpy(np.ascontiguousarray(validation.pixels[:2]))
        bulk_model = graph.export_graph(many, batch, {0: torch.export.Dim("films", min=1, max=4096)})
        _check_bulk(bulk_model, many, validation.pixels[:3])
        graph.write(output.with_suffix(".bulk.onnx"), bulk_model, card)
        say(f"{output.with_suffix('.bulk.onnx')}: for many films at network size")
    _for_pytorch(one, example, options.torchscript, options.pt2, say)
    return card.facts


def _provenance(
    weights: str,
    state: CheckpointState,
    train: Films,
    validation: Films,
    pictures: GatePictures,
    options: ExportOptions,
) -> Provenance:
    """Where the reader comes from: weights, films and commands."""
    name = str(options.training.get("data", ""))
    sets = [("training", name, train.pixels), ("validation", name, validation.pixels)]
    for role, given in (("gate: good films of another site", pictures.other_chest), ("gate", pictures.not_chest)):
        if given is not None:
            sets.append((role, "pictures that only the gate learned from", given.pixels))
    return Provenance(
        weights_sha256=weights,
        initial_weights_sha256=state.initial_weights.get("sha256"),
        data=tuple(_identity(*one) for one in sets),
        commands=tuple(command for command in (state.command, options.command) if command),
        commit=project_commit(),
    )


def _identity(role: str, name: str, pixels: Pixels) -> DataIdentity:
    identity = films_sha256(np.asarray(pixels[index]) for index in range(len(pixels)))
    return DataIdentity(role=role, name=name, identity=identity, films=len(pixels))


def _of_the_run(state: CheckpointState) -> dict[str, Any]:
    """What the card says of the training run."""
    return {
        "recipe": state.recipe,
        "split": {key: value for key, value in asdict(state.split).items() if value is not None},
        **({"initial_weights": state.initial_weights["name"]} if state.initial_weights else {}),
        **({"selection": state.selection} if state.selection else {}),
        **({"software": ", ".join(f"{n} {v}" for n, v in state.software.items())} if state.software else {}),
    }


def _predictions(labels: np.ndarray, probability: np.ndarray, positive: int) -> Predictions:
    return Predictions.of(positive_truth(labels, positive), probability[:, positive])


def _gate(
    model: Architecture,
    calibration: Calibration,
    train: Films,
    validation: Films,
    pictures: GatePictures,
    seed: int,
    say: Callable[[str], None],
) -> FittedGate:
    bare = ReaderNetwork(model, calibration)
    if pictures.not_chest is None:
        say("no other pictures were given (--not_chest): the gate knows blank, rotated and inverted films only")
    return fit_gate(bare, train, validation, pictures, seed=seed, say=say)


def _example(film: Tensor) -> Tensor:
    """Two different sides, neither that of the network, so that the export fixes none of them."""
    return film.repeat(2, 2)[: film.shape[0] + 37, : film.shape[1] + 76].contiguous()


def _check(model: onnx.ModelProto, one: OneFilm, films: Pixels) -> None:
    """Compare the file with the network on real films of several sizes.

    Raises:
        UserError: they differ.
    """
    opened = graph.session(model)
    random = np.random.default_rng(0)
    sizes = [films[0], films[1][:150, :201], random.integers(0, 256, (64, 97), np.uint8)]
    sizes.append(np.repeat(np.repeat(films[2], 3, 0), 4, 1))
    for pixels in sizes:
        pixels = np.ascontiguousarray(pixels)
        with torch.inference_mode():
            expected = one(torch.from_numpy(pixels))
        _agree(graph.agreement(graph.run(opened, pixels), expected), f"of {pixels.shape}")


def _check_bulk(model: onnx.ModelProto, many: ManyFilms, films: np.ndarray) -> None:
    films = np.ascontiguousarray(films)
    with torch.inference_mode():
        expected = many(torch.from_numpy(films))
    _agree(graph.agreement(graph.run(graph.session(model), films), expected), "in bulk")


def _agree(difference: float, what: str) -> None:
    if not difference <= graph.AGREEMENT:
        raise UserError(
            f"the exported file does not agree with the network on a film {what}: off by {difference:.2g}, at most "
            f"{graph.AGREEMENT} is allowed; nothing was written"
        )


def _int8(
    model: onnx.ModelProto,
    train: Films,
    validation: Films,
    positive: int,
    threshold: float,
    float_convolutions: int | None,
    say: Callable[[str], None],
) -> tuple[onnx.ModelProto, list[dict[str, Any]]]:
    chosen = np.random.default_rng(0).permutation(len(train))[:200]
    truth = positive_truth(validation.labels, positive)
    known = ~np.isnan(truth)
    dynamic = int8.dynamic(model)
    # As few float convolutions as the limits allow, unless the caller chose.
    for count in (float_convolutions,) if float_convolutions is not None else int8.FLOAT_CONVOLUTIONS:
        say(f"quantising to int8, the first {count} convolutions in float")
        small = int8.quantise_convolutions(model, train.pixels[np.sort(chosen)], count)
        comparison = int8.compare(
            {"float32": model, "int8": small, "dynamic": dynamic},
            validation.pixels[known],
            truth[known].astype(int),
            positive,
            threshold,
        )
        say(int8.table(comparison.rows))
        if comparison.within:
            break
    int8.refuse(comparison)
    return small, comparison.rows


def _full_colour(network: ReaderNetwork, films: Pixels, positive: int) -> float:
    """The 99th percentile of attribution over validation films: what is drawn at full colour."""
    maps = []
    with torch.inference_mode():
        for start in range(0, len(films), 64):
            maps.append(network(as_batch(films[start : start + 64])).heatmap[:, positive].flatten())
    return max(float(np.quantile(torch.cat(maps).numpy(), 0.99)), 1e-3)


def _self_test(model: onnx.ModelProto, positive: int) -> SelfTest:
    """A drawn chest-like film (no patient's) and what the file computes of it here."""
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
        heatmap_sum=float(found["heatmap"][positive].sum()),
        # int8 kernels round differently from machine to machine; a broken one is off by far more.
        tolerance=0.02,
    )


def _reference(network: ReaderNetwork, films: Films, positive: int, seed: int) -> dict[str, Any]:
    first = np.unique(films.patients, return_index=True)[1]  # one film a patient
    embeddings, scores = [], []
    with torch.inference_mode():
        for start in range(0, len(first), 64):
            found = network(as_batch(films.pixels[first[start : start + 64]]))
            embeddings.append(found.embedding.numpy())
            scores.append(found.probability[:, positive].numpy())
    return build_reference(np.concatenate(embeddings), np.concatenate(scores), seed, films.pixels[first])


def _metrics(validation: Films, probability: np.ndarray, spec: Any, threshold: float, seed: int) -> dict[str, Any]:
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


def _for_pytorch(
    one: OneFilm,
    example: Tensor,
    torchscript: Path | None,
    pt2: Path | None,
    say: Callable[[str], None],
) -> None:
    """The same graph as TorchScript and as an exported program, each loaded again and compared."""
    with torch.inference_mode():
        expected = one(example)
    if torchscript is not None:
        torchscript.parent.mkdir(parents=True, exist_ok=True)
        torch.jit.trace(one, _example(example), check_trace=False).save(str(torchscript))
        with torch.inference_mode():
            found = torch.jit.load(str(torchscript))(example)
        _agree(_difference(found, expected), "as TorchScript")
        say(f"{torchscript}: agrees with the network")
    if pt2 is not None:
        pt2.parent.mkdir(parents=True, exist_ok=True)
        sides = {0: torch.export.Dim("height", min=64, max=8192), 1: torch.export.Dim("width", min=64, max=8192)}
        program = torch.export.export(one, (_example(example),), dynamic_shapes={"pixels": sides})
        torch.export.save(program, pt2)
        with torch.inference_mode():
            found = torch.export.load(pt2).module()(example)
        _agree(_difference(found, expected), "as a .pt2 file")
        say(f"{pt2}: agrees with the network")


def _difference(found: Any, expected: tuple[Tensor, ...]) -> float:
    return max(
        float((a - b).abs().max()) / max(1.0, float(b.abs().max())) if b.numel() else 0.0
        for a, b in zip(found, expected, strict=True)
    )
