"""Quantised checkpoints, a quarter of the size: made, saved and loaded without executing pickles.

Weights of convolutions are kept as int8 with a scale for each output channel (Jacob 2018), and computed with as floats.
Linear layers compute with int8 too (dynamic quantisation).
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ai_for_sudan.contract.record import from_facts
from ai_for_sudan.errors import InvalidCheckpoint
from ai_for_sudan.models.architecture import Architecture, ModelSpec
from ai_for_sudan.models.checkpoint import write_tensors
from ai_for_sudan.models.registry import build
from ai_for_sudan.models.state import CheckpointState

FORMAT = "ai-for-sudan quantised 3"
#: of earlier versions: the first kept the weights of ``features`` alone, the second those of convolutions as floats
_EARLIER = ("ai-for-sudan quantised 1", "ai-for-sudan quantised 2")


def quantise(model: Architecture) -> Architecture:
    """Return a copy for the CPU: weights of convolutions are rounded to 255 steps for each output channel, and linear
    layers hold int8 weights and quantise their input as they go.
    """
    rounded = copy.deepcopy(model).cpu().eval()
    with torch.no_grad():
        for weight in rounded.parameters():
            if weight.ndim == 4:
                weight.copy_(_floats(*_integers(weight)))
    return _with_int8_linear(rounded)


def _integers(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Float ``(O, I, h, w)`` -> int8 of the same shape, and the step of each output channel ``(O, 1, 1, 1)``."""
    step = weight.detach().abs().amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny * 127) / 127
    return (weight.detach() / step).round().to(torch.int8), step


def _floats(integers: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    return integers.to(step.dtype) * step


def _with_int8_linear(model: Architecture) -> Architecture:
    with warnings.catch_warnings():
        # torch.ao announces its successor torchao, which would be one more dependency for 0.1 % of the bytes.
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)


def dequantise(quantised: Architecture) -> Architecture:
    """Return a copy with float linear layers of the same weights: gradients do not flow through the quantised ones."""
    model = copy.deepcopy(quantised)
    for name, module in _quantised_layers(model):
        weight = module.weight().dequantize()
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight, linear.bias = nn.Parameter(weight), nn.Parameter(module.bias().detach().clone())
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, linear)
    return model.eval()


def save_quantised(path: Path, quantised: Architecture, state: CheckpointState) -> None:
    """Write every weight that a prediction needs, the lung finder's among them, so that loading executes no pickle.

    Quantised weights are kept as integers and steps, all others (of normalisation) as they are.

    Raises:
        InvalidCheckpoint: the folder cannot be written, or the disk is full.
    """
    linear: dict[str, torch.Tensor] = {}
    for name, module in _quantised_layers(quantised):
        packed = module.weight()
        linear[f"{name}.int8"] = packed.int_repr()
        linear[f"{name}.scale"] = torch.tensor(packed.q_scale(), dtype=torch.float64)
        linear[f"{name}.bias"] = module.bias().detach()
    plain = {key: value for key, value in quantised.state_dict().items() if not _inside(key, quantised)}
    contents = {
        "format": FORMAT,
        "spec": asdict(quantised.spec),
        "weights": {key: value for key, value in plain.items() if value.ndim != 4},
        "convolutions": {key: _integers(value) for key, value in plain.items() if value.ndim == 4},
        "linear": linear,
        "state": state.to_facts(),
    }
    write_tensors(path, contents)


def load_quantised(path: Path, expect: str | None = None) -> tuple[Architecture, CheckpointState]:
    """Return the quantised network in evaluation mode, and what is recorded of its weights.

    Raises:
        InvalidCheckpoint: no such file, not written by :func:`save_quantised`, of another architecture, or
            without some of its weights.
    """
    contents = _contents(path)
    if contents is None:
        raise InvalidCheckpoint(f"{path} is not a quantised model of this project")
    try:
        spec = from_facts(ModelSpec, contents["spec"])
        if "weights" in contents:
            weights = dict(contents["weights"])
            weights |= {key: _floats(*packed) for key, packed in contents.get("convolutions", {}).items()}
        else:
            weights = {f"features.{key}": value for key, value in contents["features"].items()}
        model, missing = _packed(spec, weights, contents["linear"])
        state = CheckpointState.from_facts(contents["state"])
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InvalidCheckpoint(f"{path} is damaged: it does not have the parts of a quantised model") from error
    if missing:
        raise InvalidCheckpoint(
            f"{path} lacks {len(missing)} weights of its {spec.name} ({missing[0]} ...): earlier versions left out the "
            "lung finder, and such a file predicts at random; write it again with: train.py ... --resume"
        )
    if expect is not None and expect != spec.name:
        raise InvalidCheckpoint(f"{path} holds a {spec.name}, not a {expect}; give --model_type {spec.name}")
    return model, state


def is_quantised(path: Path) -> bool:
    """Tell whether a file was written by :func:`save_quantised`."""
    return _contents(path) is not None


def _contents(path: Path) -> dict[str, Any] | None:
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # torch.load raises many kinds for a file that is not its own
        return None
    known = isinstance(contents, dict) and contents.get("format") in (FORMAT, *_EARLIER)
    return contents if known else None


def _packed(
    spec: ModelSpec, weights: dict[str, torch.Tensor], linear: dict[str, torch.Tensor]
) -> tuple[Architecture, list[str]]:
    """The network, and the names of the weights that the file does not have."""
    plain = build(spec)
    found = plain.load_state_dict(weights, strict=False)
    if found.unexpected_keys:
        raise KeyError(found.unexpected_keys[0])
    model = _with_int8_linear(plain.eval())
    for name, module in _quantised_layers(model):
        integers, scale = linear[f"{name}.int8"], float(linear[f"{name}.scale"])
        packed = torch.quantize_per_tensor(integers.float() * scale, scale, 0, torch.qint8)
        module.set_weight_bias(packed, linear[f"{name}.bias"])
    return model, [key for key in found.missing_keys if not _inside(key, model)]


def _quantised_layers(model: Architecture) -> list[tuple[str, Any]]:
    return [(n, m) for n, m in model.named_modules() if isinstance(m, torch.ao.nn.quantized.dynamic.Linear)]


def _inside(key: str, model: Architecture) -> bool:
    """Does a weight of the state dict belong to a quantised layer, which is kept apart?"""
    return any(key.startswith(f"{name}.") for name, _ in _quantised_layers(model))
