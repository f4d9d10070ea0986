"""Static int8: where it does no harm, or not at all."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ai_for_sudan.errors import UserError
from ai_for_sudan.export.graph import run, session
from ai_for_sudan.onnx_runtime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_dynamic,
    quantize_static,
)
from ai_for_sudan.statistics import positive_truth, quick_auroc
from ai_for_sudan.training import LabelledFilms

#: limits on validation films beyond which no int8 file is written
AUROC_LOSS, DECISIONS_EQUAL, HEATMAP_CORRELATION = 0.002, 0.995, 0.98
#: how many of the first convolutions to leave in float, tried in turn
FLOAT_CONVOLUTIONS = (5, 8, 11, 14, 20)


class _Ranges(CalibrationDataReader):
    def __init__(self, films: np.ndarray) -> None:
        self._films: Iterator[np.ndarray] = iter(films)

    def get_next(self) -> dict[str, np.ndarray] | None:
        film = next(self._films, None)
        return None if film is None else {"pixels": film}


def quantise_convolutions(model: onnx.ModelProto, films: np.ndarray, float_convolutions: int) -> onnx.ModelProto:
    """Quantise the convolutions but for the first few; preprocessing, pooling, head and gate stay float.

    Weights are int8 per channel, activations uint8: after ReLU they have no sign, and a signed type is slow. The first
    convolutions see few channels with very different ranges, where int8 costs most and gains least.

    Args:
        films: training films for the ranges, uint8 ``(N, S, S)``.
        float_convolutions: how many stay float.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source, prepared, target = (str(Path(folder) / name) for name in ("float.onnx", "prepared.onnx", "int8.onnx"))
        onnx.save(model, source)
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            _Ranges(films),
            quant_format=QuantFormat.QDQ,
            # Clip is ReLU6: quantised with its convolution it costs nothing, as the range says the same.
            op_types_to_quantize=["Conv", "Add", "Clip"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_kept_float(onnx.load(prepared), float_convolutions),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": False, "DedicatedQDQPair": False},
        )
        return onnx.load(target)


def _kept_float(model: onnx.ModelProto, float_convolutions: int) -> list[str]:
    """Nodes outside of the network's ``features``, the first of their convolutions, and the last one.

    Rounding in the lung finder or in the view would move the box and the grey levels, and with them everything behind;
    the heatmap is read off the last feature map, and rounding there would be rounding of the explanation.
    """
    nodes = list(model.graph.node)
    places = [i for i, node in enumerate(nodes) if node.op_type == "Conv" and ".features." in node.input[1]]
    first, last = places[min(float_convolutions, len(places) - 1)], places[-1]
    return [node.name for i, node in enumerate(nodes) if not first <= i < last]


@dataclass(frozen=True)
class Comparison:
    """How each model did (``rows``), and whether int8 is within the limits, or what it exceeds."""

    rows: list[dict[str, Any]]
    problems: list[str]

    @property
    def within(self) -> bool:
        """Whether the int8 file does no harm."""
        return not self.problems


def dynamic(model: onnx.ModelProto) -> onnx.ModelProto:
    """Dynamic quantisation of all operators, for the table only: it is what a tutorial does."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = str(Path(folder) / "float.onnx"), str(Path(folder) / "dynamic.onnx")
        onnx.save(model, source)
        quantize_dynamic(source, target, weight_type=QuantType.QUInt8)
        return onnx.load(target)


def compare(
    models: dict[str, onnx.ModelProto], films: np.ndarray, labels: np.ndarray, positive: int, threshold: float
) -> Comparison:
    """Each model against ``float32`` on validation films, one thread.

    Args:
        models: name -> model; ``float32`` among them, and ``int8``, which is held to the limits.
        films: uint8 ``(N, S, S)``.
        labels: 0 or 1 ``(N,)``.
    """
    found = {name: _answers(model, films, positive) for name, model in models.items()}
    base = found["float32"]
    rows = []
    for name, model in models.items():
        one = found[name]
        rows.append(
            {
                "model": name,
                "bytes": model.ByteSize(),
                "auroc": round(quick_auroc(labels, one["probability"]), 4),
                "decisions_equal": round(
                    float(((one["probability"] >= threshold) == (base["probability"] >= threshold)).mean()), 4
                ),
                "heatmap_correlation": round(_median_correlation(one["heatmap"], base["heatmap"]), 4),
                "ms_a_film": round(float(np.median(one["seconds"])) * 1e3, 2),
            }
        )
    table = {row["model"]: row for row in rows}
    int8, float32 = table["int8"], table["float32"]
    loss = quick_auroc(labels, base["probability"]) - quick_auroc(labels, found["int8"]["probability"])
    problems = []
    if loss > AUROC_LOSS:
        problems.append(f"AUROC falls from {float32['auroc']:.4f} by {loss:.4f} (at most {AUROC_LOSS})")
    if int8["decisions_equal"] < DECISIONS_EQUAL:
        problems.append(f"{int8['decisions_equal']:.2%} of decisions are equal (at least {DECISIONS_EQUAL:.1%})")
    if not int8["heatmap_correlation"] >= HEATMAP_CORRELATION:
        problems.append(
            f"the median correlation of heatmaps is {int8['heatmap_correlation']} (at least {HEATMAP_CORRELATION})"
        )
    return Comparison(rows, problems)


def _answers(model: onnx.ModelProto, films: np.ndarray, positive: int) -> dict[str, np.ndarray]:
    opened = session(model)
    probability, heatmap, seconds = [], [], []
    for film in films:
        started = time.perf_counter()
        found = run(opened, film)
        seconds.append(time.perf_counter() - started)
        probability.append(found["probability"][positive])
        heatmap.append(found["heatmap"][positive].ravel())
    return {"probability": np.array(probability), "heatmap": np.array(heatmap), "seconds": np.array(seconds)}


def _median_correlation(maps: np.ndarray, others: np.ndarray) -> float:
    """Over the films whose map is not empty."""
    values = [
        np.corrcoef(one, other)[0, 1] if one.std() > 0 else 0.0
        for one, other in zip(maps, others, strict=True)
        if other.std() > 0
    ]
    return float(np.median(values)) if values else float("nan")


def table(rows: list[dict[str, Any]]) -> str:
    """The comparison as text."""
    lines = [f"{'':<10}{'bytes':>12}{'AUROC':>9}{'decisions':>11}{'heatmap r':>11}{'ms a film':>11}"]
    lines += [
        f"{row['model']:<10}{row['bytes']:>12,}{row['auroc']:>9.4f}{row['decisions_equal']:>11.2%}"
        f"{row['heatmap_correlation']:>11.3f}{row['ms_a_film']:>11.2f}"
        for row in rows
    ]
    return "\n".join(lines)


def quantise(
    model: onnx.ModelProto,
    train: LabelledFilms,
    validation: LabelledFilms,
    positive: int,
    threshold: float,
    float_convolutions: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[onnx.ModelProto, list[dict[str, Any]]]:
    """Quantise a reader with as few float convolutions as the limits allow; return it with the rows of the comparison.

    Args:
        train: films for the ranges of activations.
        validation: films to compare on.
        threshold: of the operating point at which decisions are compared.
        float_convolutions: how many stay float; the fewest that do no harm if not given.

    Raises:
        UserError: the int8 file would do harm.
    """
    chosen = np.sort(np.random.default_rng(0).permutation(len(train))[:200])
    truth = positive_truth(validation.labels, positive)
    known = ~np.isnan(truth)
    films, labels = validation.pixels[known], truth[known].astype(int)
    other = dynamic(model)
    for count in (float_convolutions,) if float_convolutions is not None else FLOAT_CONVOLUTIONS:
        say(f"quantising to int8, the first {count} convolutions in float")
        small = quantise_convolutions(model, train.pixels[chosen], count)
        found = compare({"float32": model, "int8": small, "dynamic": other}, films, labels, positive, threshold)
        say(table(found.rows))
        if found.within:
            break
    refuse(found)
    return small, found.rows


def refuse(comparison: Comparison) -> None:
    """Raise a ``UserError`` where the int8 file would do harm."""
    if not comparison.within:
        raise UserError(
            "no int8 reader was written, because it loses too much on the validation films: "
            + "; ".join(comparison.problems)
            + ". Export without --int8, or with more --float_convolutions"
        )
