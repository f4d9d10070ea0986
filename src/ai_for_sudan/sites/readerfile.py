"""Looking into a reader file and writing an adapted one: ONNX alone, no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from ai_for_sudan.contract.names import INITIALIZERS, METADATA_KEY
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import replacing
from ai_for_sudan.reading import Card, Reader
from ai_for_sudan.sites.head import Head, Space


@dataclass(frozen=True)
class ReaderFile:
    """A reader file, opened to be changed.

    Attributes:
        card: what is known of it.
        weights: ``head.weight`` ``(C, D)``, ``head.bias``, ``calibration.scale`` and ``calibration.bias`` ``(C,)``.
        content: the bytes of the file.
    """

    path: Path
    model: onnx.ModelProto
    card: Card
    weights: dict[str, np.ndarray]
    content: bytes = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> ReaderFile:
        """Open a reader file.

        Raises:
            UserError: it is none, or its head cannot be changed.
        """
        try:
            content = path.read_bytes()
            model = onnx.load_from_string(content)
        except Exception as error:  # protobuf's own kinds
            raise UserError(f"{path} cannot be opened as an ONNX file; expected a reader file") from error
        card = next((Card.from_json(e.value) for e in model.metadata_props if e.key == METADATA_KEY), None)
        fixed = [entry for entry in model.graph.initializer if entry.name in INITIALIZERS]
        weights = {entry.name: numpy_helper.to_array(entry).astype(np.float64) for entry in fixed}
        missing = [name for name in INITIALIZERS if name not in weights]
        if card is None or missing:
            raise UserError(
                f"{path} has no {', '.join(missing) or 'card'}: this reader cannot be adapted; export it again"
            )
        return cls(path, model, card, weights, content)

    def reader(self) -> Reader:
        """The same file, ready to read films.

        Raises:
            UserError: as :meth:`Reader.open`.
        """
        return Reader.from_bytes(self.content, str(self.path))

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """What the reader makes of embeddings ``(N, D)``: logits ``(N, C)`` as they go into softmax or sigmoid."""
        logits = embeddings @ self.weights["head.weight"].T + self.weights["head.bias"]
        return logits * self.weights["calibration.scale"] + self.weights["calibration.bias"]

    def adapted_weights(self, head: Head, space: Space, positive: int, exclusive: bool) -> dict[str, np.ndarray]:
        """The four initializers under which the reader computes what ``head`` does in ``space``."""
        weight, bias, scale, offset = (self.weights[name].copy() for name in INITIALIZERS)
        if not head.prior_std:
            # Recalibration: the head and the heatmap stay as they are.
            which = slice(None) if exclusive else positive
            scale[which] *= head.scale
            offset[which] *= head.scale
            offset[positive] += head.shift
        else:
            # The factor goes into the head, so that the heatmap stays in the units of the logits.
            which = slice(None) if exclusive else positive
            weight[which] *= head.scale
            bias[which] *= head.scale
            offset[which] *= head.scale
            direction, shift = head.in_embedding(space)
            weight[positive] += direction / scale[positive]
            bias[positive] += shift / scale[positive]
        return dict(zip(INITIALIZERS, (weight, bias, scale, offset), strict=True))

    def write(self, target: Path, weights: dict[str, np.ndarray], changed: Card) -> None:
        """Write a copy with other weights and this card; its self-test is recomputed, and this file stays as it is."""
        with replacing(target) as temporary:
            temporary.write_bytes(self._changed(weights, changed))
            found = Reader.open(temporary, self_test=False).run(changed.self_test.film)
            test = replace(
                changed.self_test,
                probability=tuple(found["probability"].astype(float).tolist()),
                heatmap_sum=float(found["heatmap"][changed.positive_index].sum()),
                lungs_probability=_numbers(found.get("lungs_probability")),
                abnormal=_numbers(found.get("abnormal")),
            )
            temporary.write_bytes(self._changed(weights, replace(changed, self_test=test)))
            Reader.open(temporary)

    def _changed(self, weights: dict[str, np.ndarray], card: Card) -> bytes:
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for initializer in model.graph.initializer:
            if initializer.name in weights:
                dtype = numpy_helper.to_array(initializer).dtype
                initializer.CopyFrom(numpy_helper.from_array(weights[initializer.name].astype(dtype), initializer.name))
        others = {entry.key: entry.value for entry in model.metadata_props if entry.key != METADATA_KEY}
        del model.metadata_props[:]
        sealed = card.sealed(model.SerializeToString()) if card.schema >= 2 else card
        onnx.helper.set_model_props(model, others | {METADATA_KEY: sealed.to_json()})
        return model.SerializeToString()


def _numbers(values: np.ndarray | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(values.astype(float).tolist())
