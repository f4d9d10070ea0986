"""What a reader said of one film."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Reading:
    """One film's reading.

    Attributes:
        file: what was read, as it was given.
        status: ``suspected``, ``not_seen``, ``uncertain``, ``refused`` or ``failed``.
        label: the most probable class (for findings: those above the threshold, joined by ``|``).
        probability: calibrated, of the positive class; ``None`` where nothing was decoded.
        probabilities: of each class.
        operating_point, threshold: which threshold was used.
        codes, reasons: why it was refused, left to a person, or failed; for machines and for people.
        warnings: ``(code, text)``: the reading stands, with this in mind.
        reader: name and version.
        heatmap: float32 ``(h, w)``, Grad-CAM of the positive class in logit units, not stretched.
        heatmap_reference: logit units that are drawn at full colour.
        pixels: the film, uint8 ``(H, W)``.
        elapsed_ms: decoding, gate and heatmap included.
        embedding: float32 ``(D,)``: what the last layer saw, for watching a site over time.
    """

    file: str
    status: str
    label: str | None
    probability: float | None
    probabilities: dict[str, float]
    operating_point: str
    threshold: float
    codes: tuple[str, ...]
    reasons: tuple[str, ...]
    reader: str
    elapsed_ms: float
    warnings: tuple[tuple[str, str], ...] = ()
    heatmap: np.ndarray | None = field(default=None, repr=False)
    heatmap_reference: float = 1.0
    pixels: np.ndarray | None = field(default=None, repr=False)
    embedding: np.ndarray | None = field(default=None, repr=False)

    def overlay(self, *, largest_side: int = 1024) -> Image.Image:
        """The film with the heatmap over it and the scale beside it.

        Raises:
            ValueError: nothing was decoded, so there is nothing to draw.
        """
        if self.pixels is None or self.heatmap is None:
            raise ValueError(f"{self.file} was not decoded: there is no picture to draw")
        from ai_for_sudan.reading.overlay import overlay

        return overlay(self.pixels, self.heatmap, self.heatmap_reference, largest_side=largest_side)

    def to_dict(self) -> dict[str, Any]:
        """The JSON line of the command ``read``."""
        line: dict[str, Any] = {
            "file": self.file,
            "status": self.status,
            "label": self.label,
            "probability": None if self.probability is None else round(self.probability, 6),
            "operating_point": self.operating_point,
            "threshold": round(self.threshold, 6),
            "codes": list(self.codes),
            "reasons": list(self.reasons),
            "reader": self.reader,
            "elapsed_ms": round(self.elapsed_ms, 2),
        }
        if self.warnings:
            line["warnings"] = [text for _, text in self.warnings]
        if len(self.probabilities) > 2:
            line["probabilities"] = {name: round(value, 6) for name, value in self.probabilities.items()}
        return line
