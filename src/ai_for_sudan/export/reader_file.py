"""A checkpoint and validation films in, a reader file out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from scipy.special import logit
from torch import Tensor

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.contract.card import (
    SCHEMA,
    Abnormal,
    Card,
    Gate,
    Heatmap,
    Input,
    Population,
    Training,
)
from ai_for_sudan.contract.provenance import project_commit, weights_sha256
from ai_for_sudan.disturbances import perturbed
from ai_for_sudan.export import choices, facts, graph, int8
from ai_for_sudan.export.gate import fit_gate
from ai_for_sudan.export.inputs import GatePictures, Pictures
from ai_for_sudan.export.network import Calibration, ManyFilms, OneFilm, ReaderNetwork
from ai_for_sudan.export.pytorch_files import write_for_pytorch
from ai_for_sudan.export.shortcuts import knowledge_without_lungs
from ai_for_sudan.models import Architecture, CheckpointState, folded
from ai_for_sudan.statistics import Predictions, positive_truth
from ai_for_sudan.training import LabelledFilms
from ai_for_sudan.version import __version__


@dataclass(frozen=True)
class ExportOptions:
    """What is wanted of a reader file.

    Attributes:
        name: of the reader.
        training: what the card says of the training data.
        population: whom the reader is made for, as far as somebody said.
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
    population: Population = field(default_factory=Population)
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
    train: LabelledFilms,
    validation: LabelledFilms,
    output: Path,
    options: ExportOptions,
    *,
    pictures: GatePictures | None = None,
    healthy: Mapping[str, Pictures] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Write the reader file (and on demand its companions) and return its card.

    Everything is chosen on ``validation``, films of other patients than those that were trained on, as they are and
    perturbed. Each file is checked against the network it was made from before it is put in place.

    Args:
        state: of the checkpoint.
        pictures: what the gate is fitted on besides.
        healthy: hospital -> films of healthy people there, not trained on: few false alarms are promised there as well.

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
    twice = LabelledFilms(
        np.concatenate([np.asarray(validation.pixels), copies]),
        np.concatenate([validation.labels] * 2),
        np.concatenate([validation.patients] * 2),
    )
    if pictures.not_chest is None:
        say("no other pictures were given (--not_chest): the gate knows blank, rotated and inverted films only")
    start = _uncalibrated(len(spec.classes), spec.task)
    fitted = fit_gate(ReaderNetwork(model, start), train, validation, pictures, seed=seed, say=say)
    of_abnormal = _uncalibrated(1, "multilabel") if spec.abnormal else None
    network = ReaderNetwork(model, start, fitted.gate, fitted.familiarity, of_abnormal).eval()
    one = OneFilm(network).eval()
    say("writing the graph")
    side = {0: torch.export.Dim("height", min=64, max=8192), 1: torch.export.Dim("width", min=64, max=8192)}
    example = torch.from_numpy(np.ascontiguousarray(validation.pixels[0]))
    onnx_model = graph.export_graph(one, graph.example(example), side)
    graph.check(onnx_model, one, validation.pixels)
    say("reading validation films with the file, as they are and perturbed")
    chosen = _choose(onnx_model, network, validation, twice, healthy or {})
    rows: list[dict[str, Any]] = []
    if options.int8:
        cut = chosen.points[options.operating_point].suspected_from
        onnx_model, rows = int8.quantise(onnx_model, train, twice, positive, cut, options.float_convolutions, say)
        chosen = _choose(onnx_model, network, validation, twice, healthy or {})
    count, unseen = len(validation), chosen.unseen
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
        training=Training.from_facts({**options.training, **facts.of_the_run(state)}),
        provenance=facts.provenance(
            weights,
            state,
            {"training": train, "validation": validation},
            pictures,
            str(options.training.get("data", "")),
            options.command,
        ),
        intended_use=facts.intended_use(spec.positive, options.population),
        population=options.population,
        calibration=choices.calibration_facts(
            network.calibration,
            _predictions(validation.labels, unseen[:count], positive),
            _predictions(validation.labels, unseen[count:], positive),
        ),
        operating_points=chosen.points,
        default_operating_point=options.operating_point,
        abnormal=chosen.abnormal,
        gate_rules=Gate.from_facts(fitted.facts),
        heatmap=Heatmap(
            method="Grad-CAM (Selvaraju 2017)",
            layer=model.target_layer,
            reference=facts.full_colour(chosen.found["heatmap"][:, positive]),
            text="logit units; the same scale for every film, not stretched",
        ),
        metrics=facts.metrics(validation, unseen, spec, chosen.points[options.operating_point].suspected_from, seed),
        shortcuts=without_lungs,
        compression=tuple(rows),
        self_test=facts.self_test(onnx_model, positive),
        reference=facts.reference(chosen.found, validation, positive, seed),
        adaptations=(),
    )
    card = graph.write(output, onnx_model, card)
    again = graph.outputs(onnx.load(output), validation.pixels[:3], ["probability"])["probability"]
    graph.agree(float(np.abs(again - chosen.found["probability"][:3]).max()), "when it is opened again")
    say(f"{output}: {output.stat().st_size:,} bytes")
    if options.bulk:
        many = ManyFilms(network).eval()
        batch = torch.from_numpy(np.ascontiguousarray(validation.pixels[:2]))
        bulk_model = graph.export_graph(many, batch, {0: torch.export.Dim("films", min=1, max=4096)})
        graph.check_bulk(bulk_model, many, validation.pixels[:3])
        graph.write(output.with_suffix(".bulk.onnx"), bulk_model, card)
        say(f"{output.with_suffix('.bulk.onnx')}: for many films at network size")
    write_for_pytorch(one, example, options.torchscript, options.pt2, say)
    return card.facts


@dataclass(frozen=True)
class _Chosen:
    """What is chosen by what a file, opened again, says of films that it was not trained on.

    Attributes:
        unseen: probabilities ``(2 N, C)`` of the validation films, each calibrated on other patients.
        found: outputs for the validation films as they are, name -> ``(N, ...)``, by the chosen calibration.
    """

    points: dict[str, OperatingPoint]
    abnormal: Abnormal | None
    unseen: np.ndarray
    found: dict[str, np.ndarray]


def _uncalibrated(classes: int, task: str) -> Calibration:
    """A calibration to begin with, by values that the exporter neither folds away nor takes for one another."""
    return Calibration(torch.linspace(0.7, 0.8, classes), torch.linspace(0.2, 0.3, classes), task)


def _choose(
    model: onnx.ModelProto,
    network: ReaderNetwork,
    validation: LabelledFilms,
    twice: LabelledFilms,
    healthy: Mapping[str, Pictures],
) -> _Chosen:
    """Calibrate a file, and the network that its companions are made of, and choose its operating points.

    Args:
        twice: the validation films as they are, and then perturbed.
        healthy: films of other hospitals that cut-offs are held to as well.
    """
    spec, positive, count = network.model.spec, network.model.spec.positive_index, len(validation)
    calibration = network.calibration
    names = ["logits", *(["abnormal"] if network.abnormal else [])]
    clean, copies = (
        graph.outputs(
            model, twice.pixels[rows], [*names, "heatmap", "embedding"][: None if rows.start == 0 else len(names)]
        )
        for rows in (slice(0, count), slice(count, None))
    )
    elsewhere = {site: graph.outputs(model, films.pixels, names) for site, films in healthy.items()}
    both = torch.from_numpy(np.concatenate([clean["logits"], copies["logits"]]))
    fitted = choices.calibrate(both, twice.labels, spec.task)
    calibration.load_state_dict(fitted.state_dict())
    abnormal = _abnormal([clean, copies], twice, elsewhere, network) if network.abnormal else None
    graph.set_initializers(model, _values(network))
    with torch.inference_mode():
        probability = calibration(both).numpy()
        other = {site: calibration(torch.from_numpy(one["logits"])).numpy() for site, one in elsewhere.items()}
    unseen = choices.cross_calibrated(both, twice.labels, twice.patients, spec.task)
    sets, unseen_sets = (_sets(validation, values, positive) for values in (probability, unseen))
    for site, values in other.items():
        sets[site] = unseen_sets[site] = Predictions.of(
            np.zeros(len(values)), values[:, positive], np.array([f"{site}/{film}" for film in range(len(values))])
        )
    points = choices.operating_points(sets, unseen_sets)
    return _Chosen(points, abnormal, unseen, clean | {"probability": probability[:count]})


def _values(network: ReaderNetwork) -> dict[str, np.ndarray]:
    """The initializers of a file that calibrate it."""
    parts = {"calibration": network.calibration, "network.abnormal": network.abnormal}
    return {
        f"{name}.{kind}": getattr(part, kind).detach().numpy()
        for name, part in parts.items()
        if part is not None
        for kind in ("scale", "bias")
    }


def _abnormal(
    validation: Sequence[Mapping[str, np.ndarray]],
    films: LabelledFilms,
    elsewhere: Mapping[str, Mapping[str, np.ndarray]],
    network: ReaderNetwork,
) -> Abnormal:
    """Calibrate whether lungs are abnormal, in the network, and choose its limit.

    Args:
        validation: outputs for the films as they are and for their perturbed copies.
        films: both together.
        elsewhere: outputs for healthy films of other hospitals.
    """
    assert network.abnormal is not None
    scale, bias = (value.detach().double().numpy() for value in (network.abnormal.scale, network.abnormal.bias))

    def odds(found: Mapping[str, np.ndarray]) -> Tensor:
        """Before the calibration that the file was made with."""
        return torch.from_numpy((logit(found["abnormal"].astype(float).clip(1e-7, 1 - 1e-7)) - bias) / scale).float()

    truth = positive_truth(films.labels, network.model.spec.positive_index)
    both = [odds(one) for one in validation]
    network.abnormal.load_state_dict(choices.calibrate(torch.cat(both), truth[:, None], "multilabel").state_dict())
    well = torch.from_numpy(truth[: len(both[0])] == 0)
    sets = {name: one[well] for name, one in zip(("clean", "perturbed"), both, strict=True)}
    sets |= {site: odds(one) for site, one in elsewhere.items()}
    with torch.inference_mode():
        limit = choices.abnormal_limit({name: network.abnormal(one)[:, 0].numpy() for name, one in sets.items()})
    text = (
        "trained on pneumonia, on tuberculosis and on other abnormal films against normal ones; "
        f"at most {choices.SENT_ON:.0%} of the healthy films of any set exceed the limit"
    )
    return Abnormal(limit=limit, text=text, chosen_on=", ".join(sets))


def _predictions(labels: np.ndarray, probability: np.ndarray, positive: int) -> Predictions:
    return Predictions.of(positive_truth(labels, positive), probability[:, positive])


def _sets(validation: LabelledFilms, probability: np.ndarray, positive: int) -> dict[str, Predictions]:
    """Validation films by site and state: ``clean``, ``perturbed``, or ``SITE, clean`` and so on where sites are named.

    Args:
        probability: of the films as they are and then of their perturbed copies, ``(2 N, C)``.
    """
    truth, count = positive_truth(validation.labels, positive), len(validation)
    sites = np.full(count, "") if validation.sites is None else validation.sites
    return {
        f"{site}, {state}" if site else state: Predictions.of(
            truth[rows], probability[rows + start, positive], validation.patients[rows]
        )
        for site in np.unique(sites).tolist()
        for state, start in (("clean", 0), ("perturbed", count))
        if len(rows := np.flatnonzero(sites == site))
    }
