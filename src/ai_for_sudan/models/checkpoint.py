"""Checkpoints: weights together with what is needed to use them, loaded without executing pickles."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ai_for_sudan.contract.record import from_facts
from ai_for_sudan.errors import InvalidCheckpoint
from ai_for_sudan.files import replacing
from ai_for_sudan.models.architecture import Architecture, ModelSpec
from ai_for_sudan.models.registry import build
from ai_for_sudan.models.state import CheckpointState

FORMAT = "ai-for-sudan checkpoint 1"


def save_checkpoint(path: str | Path, model: Architecture, state: CheckpointState | None = None) -> None:
    """Write weights, spec and state in one step: a kill leaves the old file or the new one.

    Args:
        path: ``.safetensors`` for publishing; any other suffix is written by ``torch.save``, tensors and plain Python
            values only.
    """
    target = Path(path)
    facts = (state or CheckpointState()).to_facts()
    weights = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    if target.suffix == ".safetensors":
        from safetensors.torch import save

        metadata = {"format": FORMAT, "spec": json.dumps(asdict(model.spec)), "state": json.dumps(facts)}
        with replacing(target) as temporary:
            temporary.write_bytes(save(weights, metadata))
    else:
        write_tensors(target, {"format": FORMAT, "spec": asdict(model.spec), "weights": weights, "state": facts})


def write_tensors(path: Path, contents: dict[str, Any]) -> None:
    """``torch.save`` in one step.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    buffer = io.BytesIO()  # writing to the disk itself, torch hides why it failed
    torch.save(contents, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(
    path: str | Path, expect: str | None = None, map_location: str | torch.device = "cpu"
) -> tuple[Architecture, CheckpointState]:
    """The network in evaluation mode, and what is recorded of its weights.

    Args:
        expect: the architecture that the caller expects, if any.

    Raises:
        InvalidCheckpoint: no such file, not a checkpoint of this project, or of another architecture than ``expect``.
    """
    source = Path(path)
    if not source.is_file():
        raise InvalidCheckpoint(f"no checkpoint at {source}; train one first (python train.py --help)")
    spec, weights, state = _contents(source)
    if expect is not None and expect != spec.name:
        raise InvalidCheckpoint(f"{source} holds a {spec.name}, not a {expect}; give --model_type {spec.name}")
    model = build(spec)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise InvalidCheckpoint(
            f"{source}: the weights do not fit {spec.name}: {str(error).splitlines()[-1].strip()}"
        ) from error
    return model.to(map_location).eval(), state


def start_from(model: Architecture, path: str | Path) -> None:
    """Fill a network with the weights of a checkpoint of the same architecture and classes, as far as it has them.

    The layer that says whether a lung is abnormal begins as the one that speaks for the positive class.

    Raises:
        UserError: as :func:`load_checkpoint`, or the checkpoint is of other classes or sees films in another way.
    """
    first, _ = load_checkpoint(path, expect=model.spec.name)
    wanted, found = (replace(each.spec, each_lung=True, abnormal=False) for each in (model, first))
    if wanted != found:
        raise InvalidCheckpoint(f"{path} cannot be where this training starts: expected {wanted}, found {found}")
    lacking = model.load_state_dict(first.state_dict(), strict=False).missing_keys
    if "abnormal.weight" in lacking and model.abnormal is not None:
        positive = model.spec.positive_index
        with torch.no_grad():
            rows = model.last.weight
            model.abnormal.weight.copy_(rows[positive] * 2 - rows.sum(0))


def _contents(source: Path) -> tuple[ModelSpec, dict[str, torch.Tensor], CheckpointState]:
    foreign = InvalidCheckpoint(
        f"{source} is not a checkpoint of this project (expected the best_model.pth of a training run)"
    )
    try:
        if source.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(source, framework="pt") as opened:
                metadata = opened.metadata() or {}
                weights = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 (no mapping)
            contents = {
                "format": metadata.get("format"),
                "spec": json.loads(metadata.get("spec", "null")),
                "weights": weights,
                "state": json.loads(metadata.get("state", "{}")),
            }
        else:
            contents = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise many kinds for a file that is not theirs
        raise foreign from error
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise foreign
    try:
        state = CheckpointState.from_facts(contents["state"])
        return from_facts(ModelSpec, contents["spec"]), dict(contents["weights"]), state
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidCheckpoint(f"{source} is damaged: it does not have the parts of a checkpoint ({error})") from error
