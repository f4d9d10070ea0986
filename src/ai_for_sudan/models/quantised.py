"""Dynamic quantisation of the linear layers: made, saved and loaded without executing pickles."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ai_for_sudan.errors import UserError
from ai_for_sudan.models.architecture import Architecture, ModelSpec
from ai_for_sudan.models.checkpoint import write_tensors
from ai_for_sudan.models.registry import build
from ai_for_sudan.models.state import CheckpointState

FORMAT = "ai-for-sudan quantised 1"


def quantise_linear(model: Architecture) -> Architecture:
    """A copy whose linear layers hold int8 weights and quantise their input as they go; on the CPU."""
    with warnings.catch_warnings():
        # torch.ao announces its successor torchao, which would be one more dependency for 0.1 % of the bytes.
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(copy.deepcopy(model).cpu().eval(), {nn.Linear}, dtype=torch.qint8)


def dequantise(quantised: Architecture) -> Architecture:
    """A copy with float linear layers of the same weights: gradients do not flow through the quantised ones."""
    model = copy.deepcopy(quantised)
    for name, module in list(model.named_modules()):
        if isinstance(module, torch.ao.nn.quantized.dynamic.Linear):
            weight = module.weight().dequantize()
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            linear.weight, linear.bias = nn.Parameter(weight), nn.Parameter(module.bias().detach().clone())
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, linear)
    return model.eval()


def save_quantised(path: Path, quantised: Architecture, state: CheckpointState) -> None:
    """Write the quantised weights as integers and scales: plain tensors, so that loading executes no pickle."""
    weights: dict[str, Any] = {}
    for name, module in quantised.named_modules():
        if isinstance(module, torch.ao.nn.quantized.dynamic.Linear):
            packed = module.weight()
            weights[f"{name}.int8"] = packed.int_repr()
            weights[f"{name}.scale"] = torch.tensor(packed.q_scale(), dtype=torch.float64)
            weights[f"{name}.bias"] = module.bias().detach()
    contents = {
        "format": FORMAT,
        "spec": quantised.spec.to_dict(),
        "features": quantised.features.state_dict(),
        "linear": weights,
        "state": state.to_dict(),
    }
    write_tensors(path, contents)


def load_quantised(path: Path, expect: str | None = None) -> tuple[Architecture, CheckpointState]:
    """The quantised network in evaluation mode and what is recorded of its weights.

    Raises:
        UserError: no such file, not written by :func:`save_quantised`, or of another architecture than ``expect``.
    """
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds for a file that is not its own
        raise UserError(f"{path} is not a quantised model of this project") from error
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise UserError(f"{path} is not a quantised model of this project")
    try:
        spec = ModelSpec.from_dict(contents["spec"])
        model = _packed(spec, contents["features"], contents["linear"])
        state = CheckpointState.from_dict(contents["state"])
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is damaged: it does not have the parts of a quantised model") from error
    if expect is not None and expect != spec.name:
        raise UserError(f"{path} holds a {spec.name}, not a {expect}; give --model_type {spec.name}")
    return model, state


def _packed(spec: ModelSpec, features: dict[str, Any], linear: dict[str, Any]) -> Architecture:
    model = quantise_linear(build(spec))
    model.features.load_state_dict(features)
    for name, module in model.named_modules():
        if isinstance(module, torch.ao.nn.quantized.dynamic.Linear):
            integers, scale = linear[f"{name}.int8"], float(linear[f"{name}.scale"])
            packed = torch.quantize_per_tensor(integers.float() * scale, scale, 0, torch.qint8)
            module.set_weight_bias(packed, linear[f"{name}.bias"])
    return model


def is_quantised(path: Path) -> bool:
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:
        return False
    return isinstance(contents, dict) and contents.get("format") == FORMAT
