"""What a reader said of one film."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from ai_for_sudan.errors import UserError
from ai_for_sudan.radiographs import Radiograph

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Reading:
    """One film's reading.

    Attributes:
        file: what was read, as it was given.
        status: ``suspected``, ``not_seen``, ``uncertain``, ``refused`` or ``failed``.
        label: the class that the operating point decides for, of refused films too, so that the gate can be measured
            (of more than two classes the most probable; of findings those above the threshold, joined by ``|``).
        probability: calibrated, of the positive class; ``None`` where nothing was decoded.
        probabilities: of each class.
        operating_point, threshold: which threshold was used.
        codes, reasons: why it was refused, left to a person, or failed; for machines and for people.
        warnings: ``(code, text)``: the reading stands, with this in mind.
        reader: name and version.
        heatmap: float32 ``(h, w)``, Grad-CAM of the positive class in logit units, not stretched.
        heatmap_reference: logit units that are drawn at full colour.
        radiograph: the film as it was decoded, with its header.
        elapsed_ms: decoding, gate and heatmap included.
        logits: float32 ``(C,)``, before calibration.
        gate: float32 ``(G,)``, one score for each code of the card's gate.
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
    logits: np.ndarray | None = field(default=None, repr=False)
    gate: np.ndarray | None = field(default=None, repr=False)
    embedding: np.ndarray | None = field(default=None, repr=False)
    radiograph: Radiograph | None = field(default=None, repr=False)

    @property
    def pixels(self) -> np.ndarray | None:
        """The film, uint8 ``(H, W)``; ``None`` where nothing was decoded."""
        return self.radiograph.pixels if self.radiograph else None

    def overlay(self, *, largest_side: int = 1024, legend: bool = False) -> Image.Image:
        """The film with the heatmap over it; with ``legend``, a strip below says what the colours mean.

        Raises:
            UserError: nothing was decoded, so there is nothing to draw.
        """
        if self.pixels is None or self.heatmap is None:
            raise UserError(f"{self.file} was not decoded: there is no picture to draw")
        from ai_for_sudan.reading.overlay import overlay, with_legend

        picture = overlay(self.pixels, self.heatmap, self.heatmap_reference, largest_side=largest_side)
        return with_legend(picture, self.heatmap_reference) if legend else picture

    def to_dict(self, *, log: bool = False, site: str = "") -> dict[str, Any]:
        """The JSON line of the command ``read``.

        Args:
            log: add what `monitor` needs to watch a site over time: the day of the film as its header tells (today
                without one), the site, logits, gate scores and embedding. No name and no picture, but not for
                publication either.
            site: its name; without one, the institution that the header names.
        """
        line: dict[str, Any] = {
            "file": self.file,
            "status": self.status,
            "label": self.label,
            "probability": None if self.probability is None else round(self.probability, 6),
            "operating_point": self.operating_point,
            "threshold": round(self.threshold, 6),
            "codes": list(self.codes),
            "reasons": list(self.reasons),
            "warning_codes": [code for code, _ in self.warnings],
            "warnings": [text for _, text in self.warnings],
            "reader": self.reader,
            "elapsed_ms": round(self.elapsed_ms, 2),
        }
        if len(self.probabilities) > 2:
            line["probabilities"] = {name: round(value, 6) for name, value in self.probabilities.items()}
        if log:
            header = self.radiograph.header if self.radiograph else None
            line["date"] = (header.study_date if header else None) or date.today().isoformat()
            line["site"] = site or (header.institution if header else None)
            for name in ("logits", "gate", "embedding"):
                values = getattr(self, name)
                line[name] = None if values is None else [round(float(value), 4) for value in values]
        return line
