"""The graph of a reader file for programs that run PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ai_for_sudan.export import graph
from ai_for_sudan.export.network import OneFilm


def write_for_pytorch(
    one: OneFilm,
    example: Tensor,
    torchscript: Path | None,
    pt2: Path | None,
    say: Callable[[str], None],
) -> None:
    """Write the same graph as TorchScript and as an exported program; load each again and compare it with the network.

    Raises:
        UserError: a file does not agree with the network.
    """
    with torch.inference_mode():
        expected = one(example)
    if torchscript is not None:
        torchscript.parent.mkdir(parents=True, exist_ok=True)
        torch.jit.trace(one, graph.example(example), check_trace=False).save(str(torchscript))
        with torch.inference_mode():
            found = torch.jit.load(str(torchscript))(example)
        graph.agree(_difference(found, expected), "as TorchScript")
        say(f"{torchscript}: agrees with the network")
    if pt2 is not None:
        pt2.parent.mkdir(parents=True, exist_ok=True)
        sides = {0: torch.export.Dim("height", min=64, max=8192), 1: torch.export.Dim("width", min=64, max=8192)}
        program = torch.export.export(one, (graph.example(example),), dynamic_shapes={"pixels": sides})
        torch.export.save(program, pt2)
        with torch.inference_mode():
            found = torch.export.load(pt2).module()(example)
        graph.agree(_difference(found, expected), "as a .pt2 file")
        say(f"{pt2}: agrees with the network")


def _difference(found: Any, expected: tuple[Tensor, ...]) -> float:
    return max(
        float((a - b).abs().max()) / max(1.0, float(b.abs().max())) if b.numel() else 0.0
        for a, b in zip(found, expected, strict=True)
    )
