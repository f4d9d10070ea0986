"""A tiny reader file with every output and a valid card, for tests: ``python tests/tiny_reader.py OUT.onnx``.

Its weights are chosen by hand: brightness of the lungs' place is "pneumonia". It reads nothing in earnest.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ai_for_sudan.onnx_runtime import InferenceSession

SIDE = 64


def graph(*, lungs: bool = False, sides: bool = False, endless: bool = False) -> onnx.GraphProto:
    """pixels uint8 [H, W] -> probability [2], logits [2], heatmap [2, 16, 16], embedding [4], gate [3].

    Args:
        lungs: add the newer outputs, lungs [112, 112] and box [4]: two bright ellipses, wherever the film's lungs are.
        sides: add lungs_probability [2], by the brightness of each half of the picture (the patient's right lung is on
            the left), and abnormal [1], its brightest place.
        endless: the embedding waits for a loop that never ends.
    """
    constants: dict[str, np.ndarray] = {}

    def constant(name: str, value: Any, dtype: type = np.float32) -> str:
        constants[name] = np.asarray(value, dtype=dtype)
        return name

    rng = np.random.default_rng(0)
    kernels = rng.normal(0, 0.05, (4, 1, 4, 4)).astype(np.float32)
    kernels[0] = 1 / 16  # brightness
    kernels[1, 0] = np.linspace(-1, 1, 4)[:, None] / 8  # brighter below than above
    constant("conv.weight", kernels)
    constant("conv.bias", [-0.4, 0, 0, 0])
    constant("head.weight", [[-8, 0.5, 0, 0], [8, -0.5, 0.1, 0]])
    constant("head.bias", [0.2, -0.2])
    constant("calibration.scale", [1, 1])
    constant("calibration.bias", [0, 0])
    constant("full", 255)
    constant("size", [1, 1, SIDE, SIDE], np.int64)
    constant("flat", [4, 256], np.int64)
    constant("map_shape", [2, 16, 16], np.int64)
    constant("axes01", [0, 1], np.int64)
    constant("pooled_axes", [2, 3], np.int64)
    constant("axis0", [0], np.int64)
    constant("axes_all", [0, 1, 2, 3], np.int64)
    constant("gain", 12)
    constant("one", [1])
    constant("eight", 8)
    # Masks on the 16 x 16 map of brightness: top minus bottom, border minus middle.
    upside = np.zeros((1, 1, 16, 16))
    upside[..., :4, :], upside[..., -4:, :] = 1 / 64, -1 / 64
    border = np.full((1, 1, 16, 16), -1 / 196)
    border[..., [0, -1], :] = border[..., :, [0, -1]] = 1 / 60
    constant("mask.upside", upside)
    constant("mask.border", border)
    constant("brightness.weight", np.full((1, 1, 4, 4), 1 / 16))
    constant("bias.upside", -0.25)
    constant("bias.border", -0.25)

    node = helper.make_node
    nodes = [
        node("Cast", ["pixels"], ["real"], to=TensorProto.FLOAT),
        node("Div", ["real", "full"], ["share"]),
        node("Unsqueeze", ["share", "axes01"], ["film"]),
        node("Resize", ["film", "", "", "size"], ["small"], mode="linear", antialias=1),
        node("Conv", ["small", "conv.weight", "conv.bias"], ["before"], strides=[4, 4]),
        node("Relu", ["before"], ["features"]),
        node("ReduceMean", ["features", "pooled_axes"], ["pooled"], keepdims=0),
        node("Squeeze", ["pooled", "axis0"], ["embedding"]),
        node("MatMul", ["head.weight", "embedding"], ["product"]),
        node("Add", ["product", "head.bias"], ["logits"]),
        node("Mul", ["logits", "calibration.scale"], ["scaled"]),
        node("Add", ["scaled", "calibration.bias"], ["calibrated"]),
        node("Softmax", ["calibrated"], ["probability"], axis=0),
        node("Reshape", ["features", "flat"], ["channels"]),
        node("MatMul", ["head.weight", "channels"], ["weighted"]),
        node("Reshape", ["weighted", "map_shape"], ["signed_map"]),
        node("Relu", ["signed_map"], ["heatmap"]),
        node("Conv", ["small", "brightness.weight"], ["brightness"], strides=[4, 4]),
        # near blank: 1 - min(1, 8 * spread)
        node("ReduceMax", ["brightness", "axes_all"], ["brightest"], keepdims=0),
        node("ReduceMin", ["brightness", "axes_all"], ["darkest"], keepdims=0),
        node("Sub", ["brightest", "darkest"], ["spread"]),
        node("Mul", ["spread", "eight"], ["spread8"]),
        node("Unsqueeze", ["spread8", "axis0"], ["spread1"]),
        node("Min", ["spread1", "one"], ["spread_capped"]),
        node("Sub", ["one", "spread_capped"], ["gate.blank"]),
    ]
    for name in ("upside", "border"):
        nodes += [
            node("Mul", ["brightness", f"mask.{name}"], [f"{name}.masked"]),
            node("ReduceSum", [f"{name}.masked", "axes_all"], [f"{name}.sum"], keepdims=0),
            node("Add", [f"{name}.sum", f"bias.{name}"], [f"{name}.centred"]),
            node("Mul", [f"{name}.centred", "gain"], [f"{name}.steep"]),
            node("Sigmoid", [f"{name}.steep"], [f"{name}.score"]),
            node("Unsqueeze", [f"{name}.score", "axis0"], [f"gate.{name}"]),
        ]
    nodes.append(node("Concat", ["gate.blank", "gate.upside", "gate.border"], ["gate"], axis=0))
    shapes = {"probability": [2], "logits": [2], "heatmap": [2, 16, 16], "embedding": [4], "gate": [3]}
    if lungs:
        rows, columns = np.mgrid[0:112, 0:112]
        ellipses = [((rows - 56) / 40) ** 2 + ((columns - middle) / 18) ** 2 for middle in (32, 80)]
        constant("lungs.drawn", np.exp(-0.7 * np.minimum(*ellipses)))
        constant("box.drawn", [14 / 112, 16 / 112, 98 / 112, 96 / 112])
        nodes += [node("Identity", [f"{name}.drawn"], [name]) for name in ("lungs", "box")]
        shapes |= {"lungs": [112, 112], "box": [4]}
    if sides:
        constant("columns", [3], np.int64)
        constant("lung.gain", 16)
        constant("lung.bias", -0.4)
        constant("channel0", [0], np.int64)
        for number, name in enumerate(("right", "left")):
            constant(f"{name}.start", [8 * number], np.int64)
            constant(f"{name}.end", [8 * number + 8], np.int64)
            nodes += [
                node("Slice", ["features", f"{name}.start", f"{name}.end", "columns"], [f"{name}.half"]),
                node("ReduceMean", [f"{name}.half", "pooled_axes"], [f"{name}.pooled"], keepdims=0),
                node("Gather", [f"{name}.pooled", "channel0"], [f"{name}.bright"], axis=1),
                node("Squeeze", [f"{name}.bright", "axis0"], [f"{name}.flat"]),
            ]
        nodes += [
            node("Concat", ["right.flat", "left.flat"], ["each.bright"], axis=0),
            node("Mul", ["each.bright", "lung.gain"], ["each.steep"]),
            node("Add", ["each.steep", "lung.bias"], ["each.logit"]),
            node("Sigmoid", ["each.logit"], ["lungs_probability"]),
            node("Unsqueeze", ["brightest", "axis0"], ["brightest1"]),
            node("Min", ["brightest1", "one"], ["abnormal"]),
        ]
        shapes |= {"lungs_probability": [2], "abnormal": [1]}
    if endless:
        constant("ever", 2**62, np.int64)
        constant("true", True, np.bool_)
        turns = [node("Identity", ["going"], ["still_going"]), node("Add", ["carried", "one"], ["added"])]
        body = helper.make_graph(
            turns,
            "turn",
            [
                helper.make_tensor_value_info("turn", TensorProto.INT64, []),
                helper.make_tensor_value_info("going", TensorProto.BOOL, []),
                helper.make_tensor_value_info("carried", TensorProto.FLOAT, [4]),
            ],
            [
                helper.make_tensor_value_info("still_going", TensorProto.BOOL, []),
                helper.make_tensor_value_info("added", TensorProto.FLOAT, [4]),
            ],
        )
        squeezed = next(one for one in nodes if list(one.output) == ["embedding"])
        squeezed.output[0] = "embedding.before"
        nodes.insert(
            nodes.index(squeezed) + 1, node("Loop", ["ever", "true", "embedding.before"], ["embedding"], body=body)
        )
    return helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["H", "W"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def point(not_seen_below: float, suspected_from: float, missed: float, false_alarms: float, why: str) -> dict[str, Any]:
    """An operating point of a card."""
    return {
        "missed": missed, "false_alarms": false_alarms, "not_seen_below": not_seen_below,
        "suspected_from": suspected_from, "reason": why, "chosen_on": "nothing",
    }  # fmt: skip


def card() -> dict[str, Any]:
    """Everything of a card but the self-test."""
    return {
        "schema": 1,
        "name": "tiny",
        "version": "0.1",
        "created": "2026-01-01",
        "commit": "",
        "architecture": "tiny",
        "task": "exclusive",
        "classes": ["normal", "pneumonia"],
        "positive": "pneumonia",
        "input": {"size": SIDE, "resize": "squash, antialiased bilinear"},
        "precision": "float32",
        "training": {"data": "none: its weights are chosen by hand", "licence": "Apache-2.0", "films": 0},
        "intended_use": "testing",
        "population": {"age_years": [1, 5], "text": "children of 1 to 5 years"},
        "calibration": {"method": "none"},
        "operating_points": {
            "screening": point(0.28, 0.3, 0.02, 0.1, "to be sensitive"),
            "balanced": point(0.48, 0.5, 0.05, 0.05, "the middle"),
            "rule-in": point(0.78, 0.8, 0.1, 0.02, "to be specific"),
        },
        "default_operating_point": "balanced",
        "gate": {
            "scores": [
                {"code": "blank", "limit": 0.5, "reason": "the film is blank or nearly so"},
                {"code": "upside_down", "limit": 0.5, "reason": "the film is upside down", "advice": "turn the film"},
                {"code": "negative", "limit": 0.5, "reason": "the film is a negative (bone black)"},
            ]
        },
        "heatmap": {"method": "Grad-CAM", "layer": "features", "reference": 4.0, "text": "where the model looked"},
        "metrics": {},
        "compression": [],
        "adaptations": [],
    }


def build(path: str | Path, *, lungs: bool = False, sides: bool = False, endless: bool = False, **changes: Any) -> Path:
    """Write the tiny reader; ``changes`` replace entries of its card (``selftest`` as well)."""
    model = helper.make_model(
        graph(lungs=lungs, sides=sides), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    onnx.checker.check_model(model)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows, columns = np.mgrid[0:64, 0:64]
    pixels = (110 + 90 * np.sin(rows / 9) * np.cos(columns / 7)).astype(np.uint8)
    names = [item.name for item in session.get_outputs()]
    outputs = dict(zip(names, session.run(None, {"pixels": pixels}), strict=True))
    selftest = {
        "size": 64,
        "pixels": base64.b64encode(pixels.tobytes()).decode(),
        "probability": [float(value) for value in outputs["probability"]],
        "gate": [float(value) for value in outputs["gate"]],
        "heatmap_sum": float(outputs["heatmap"][1].sum()),
        "tolerance": 1e-3,
    }
    facts = card()
    if sides:
        selftest |= {name: outputs[name].astype(float).tolist() for name in ("lungs_probability", "abnormal")}
        facts["abnormal"] = {"limit": 0.95, "text": "any place that is very bright", "chosen_on": "nothing"}
    if endless:
        model.graph.CopyFrom(graph(lungs=lungs, sides=sides, endless=True))
        onnx.checker.check_model(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = "card", json.dumps(facts | {"selftest": selftest} | changes)
    Path(path).write_bytes(model.SerializeToString())
    return Path(path)


if __name__ == "__main__":
    print(build(sys.argv[1]))
