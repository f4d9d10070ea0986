"""Writing ONNX files: export, fixed names, metadata, and the check against the network they came from."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor

from ai_for_sudan import onnx_runtime
from ai_for_sudan.contract.card import Card
from ai_for_sudan.contract.names import METADATA_KEY, OPTIONAL_OUTPUTS
from ai_for_sudan.contract.surround import exposed_field
from ai_for_sudan.datasets import Pixels, squash
from ai_for_sudan.errors import UserError
from ai_for_sudan.export.network import ManyFilms, OneFilm, Outputs, ReaderNetwork
from ai_for_sudan.files import replacing

OPSET = 18
#: how far the file may be from the network it came from: at network size, and where some grey levels round apart
AGREEMENT, RESIZED = 2e-3, 2e-2
#: of the 23 bits after a weight's first; what goes is a relative 5e-7, and a tenth of the packed file
DROPPED_BITS = 3


def names_of(network: ReaderNetwork) -> list[str]:
    """The outputs that the graph of a network has."""
    there = {
        "lungs": network.model.view is not None,
        "box": network.model.view is not None,
        "lungs_probability": network.model.spec.each_lung,
        "abnormal": network.abnormal is not None,
    }
    return [name for name in Outputs._fields if there.get(name, True)]


def export_graph(module: OneFilm | ManyFilms, example: Tensor, dynamic: dict[int, torch.export.Dim]) -> onnx.ModelProto:
    """The module as an ONNX model with one input ``pixels`` and the outputs of a reader.

    Args:
        dynamic: the sides of ``example`` that may differ.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter tells of its own future
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=names_of(module.network),
            dynamic_shapes={"pixels": dynamic},
            verbose=False,
        )
    if program is None:
        raise UserError("the installed PyTorch cannot export this model; install torch 2.11 or later")
    model = program.model_proto
    _fix_names(model, len(module.network.model.classifier) - 1)
    for entry in list(model.metadata_props):
        model.metadata_props.remove(entry)
    for node in model.graph.node:  # the exporter leaves the paths of its source files
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    _round_weights(model)
    onnx.checker.check_model(model)
    return model


def _round_weights(model: onnx.ModelProto) -> None:
    """Keep the leading bits of each convolution's weights: a phone loads the file packed, and noise does not pack."""
    for initializer in model.graph.initializer:
        if initializer.data_type == onnx.TensorProto.FLOAT and len(initializer.dims) == 4:
            bits = onnx.numpy_helper.to_array(initializer).view(np.uint32)
            rounded = (bits + np.uint32(1 << (DROPPED_BITS - 1))) >> DROPPED_BITS << DROPPED_BITS
            initializer.CopyFrom(onnx.numpy_helper.from_array(rounded.view(np.float32), initializer.name))


def _fix_names(model: onnx.ModelProto, last: int) -> None:
    """Give the last layer and the calibration the names by which a site finds them."""
    wanted = {
        f"{prefix}.{kind}": f"{name}.{kind}"
        for prefix, name, kinds in (
            ("network.head", "head", ("weight", "bias")),
            (f"network.model.classifier.{last}", "head", ("weight", "bias")),
            ("network.calibration", "calibration", ("scale", "bias")),
        )
        for kind in kinds
    }
    for initializer in model.graph.initializer:
        initializer.name = wanted.get(initializer.name, initializer.name)
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = wanted.get(name, name)
    found = {initializer.name for initializer in model.graph.initializer}
    missing = {"head.weight", "head.bias", "calibration.scale", "calibration.bias"} - found
    if missing:
        raise UserError(
            f"the exported graph lacks {', '.join(sorted(missing))}; it has {', '.join(sorted(found))[:400]}"
        )


def session(model: onnx.ModelProto, threads: int = 1) -> onnx_runtime.InferenceSession:
    """Open a model in memory, on the processor."""
    options = onnx_runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    return onnx_runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(opened: onnx_runtime.InferenceSession, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Compute every output of a model, by name."""
    names = [output.name for output in opened.get_outputs()]
    return dict(zip(names, opened.run(names, {"pixels": pixels}), strict=True))


def outputs(model: onnx.ModelProto, films: Pixels, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Open a model as from its file and compute outputs for films uint8 ``(N, S, S)``: name -> ``(N, ...)``.

    As when films are read, the graph gets their exposed fields; maps are those of the field.
    """
    opened, found = session(model), []
    for row in range(len(films)):
        film = films[row]
        field = exposed_field(film)
        found.append(run(opened, np.ascontiguousarray(film if field is None else field.of(film))))
    return {name: np.stack([one[name] for one in found]) for name in names}


def set_initializers(model: onnx.ModelProto, values: Mapping[str, np.ndarray]) -> None:
    """Replace initializers by their names.

    Raises:
        UserError: the model lacks one of them.
    """
    there = {initializer.name: initializer for initializer in model.graph.initializer}
    if missing := sorted(set(values) - set(there)):
        raise UserError(f"the exported graph lacks {', '.join(missing)}: it cannot be calibrated")
    for name, value in values.items():
        shape = onnx.numpy_helper.to_array(there[name]).shape
        there[name].CopyFrom(onnx.numpy_helper.from_array(value.astype(np.float32).reshape(shape), name))


def agreement(found: dict[str, np.ndarray], expected: tuple[Tensor, ...]) -> float:
    """The largest difference of any output; of logits, heatmap and embedding in parts of their own largest value.

    Of the lungs' map it is the mean difference: a grey level that is rounded otherwise when the film is made smaller
    moves single places at the edge of a lung, and what follows from the map has outputs of its own.
    """
    worst = 0.0
    for (name, output), wanted in zip(found.items(), expected, strict=True):
        reference = wanted.numpy()
        if reference.size == 0:
            continue
        scale = 1.0 if name in ("probability", "gate", *OPTIONAL_OUTPUTS) else max(1.0, float(np.abs(reference).max()))
        apart = np.abs(output - reference)
        worst = max(worst, float(apart.mean() if name == "lungs" else apart.max()) / scale)
    return worst


def example(film: Tensor) -> Tensor:
    """Return a film of two different sides, neither that of the network, so that the export fixes none of them."""
    return film.repeat(2, 2)[: film.shape[0] + 37, : film.shape[1] + 76].contiguous()


def check(model: onnx.ModelProto, one: OneFilm, films: Pixels) -> None:
    """Compare the file with the network on films of several sizes.

    Raises:
        UserError: they differ.
    """
    opened = session(model)
    random = np.random.default_rng(0)
    sizes = [films[0], films[1][:150, :201], random.integers(0, 256, (64, 97), np.uint8)]
    sizes.append(np.repeat(np.repeat(films[2], 3, 0), 4, 1))
    for pixels in sizes:
        pixels = np.ascontiguousarray(pixels)
        with torch.inference_mode():
            expected = one(torch.from_numpy(squash(pixels, one.size)))  # made small as for training
        limit = AGREEMENT if pixels.shape == (one.size, one.size) else RESIZED
        agree(agreement(run(opened, pixels), expected), f"of {pixels.shape}", limit)


def check_bulk(model: onnx.ModelProto, many: ManyFilms, films: np.ndarray) -> None:
    """Compare the file for many films with the network, as :func:`check` does."""
    films = np.ascontiguousarray(films)
    with torch.inference_mode():
        expected = many(torch.from_numpy(films))
    agree(agreement(run(session(model), films), expected), "in bulk")


def agree(difference: float, what: str, limit: float = AGREEMENT) -> None:
    """Raise a ``UserError`` where a file is farther from its network than a limit."""
    if not difference <= limit:
        raise UserError(
            f"the exported file does not agree with the network on a film {what}: off by {difference:.2g}, at most "
            f"{limit} is allowed; nothing was written"
        )


def write(path: Path, model: onnx.ModelProto, card: Card) -> Card:
    """Write one file, the card in its metadata, sealed with the identity of both; returns it as it was written."""
    del model.metadata_props[:]
    sealed = card.sealed(model.SerializeToString())
    onnx.helper.set_model_props(model, {METADATA_KEY: sealed.to_json()})
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    return sealed
