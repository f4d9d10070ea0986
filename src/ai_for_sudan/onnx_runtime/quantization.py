"""ONNX Runtime's own quantisation, through the same door; needs the extra `train`."""

from __future__ import annotations

from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

__all__ = [
    "CalibrationDataReader",
    "CalibrationMethod",
    "QuantFormat",
    "QuantType",
    "quant_pre_process",
    "quantize_dynamic",
    "quantize_static",
]
