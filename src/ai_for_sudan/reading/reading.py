"""What a reader said of one film."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from ai_for_sudan.contract import Card, Judgement, OperatingPoint, Remark
from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.radiographs import Radiograph, RefusedByHeader

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Terms:
    """In whose name and by which rule a film is read: what all readings of one run share.

    Attributes:
        reader: name and version.
        point: the operating point.
        task: ``exclusive`` classes or ``multilabel`` findings.
        heatmap_reference: logit units that are drawn at full colour.
    """

    reader: str
    point: OperatingPoint
    classes: tuple[str, ...]
    positive: str
    task: str
    heatmap_reference: float

    @classmethod
    def of(cls, card: Card, point: OperatingPoint) -> Terms:
        """Those of a reader at one of its operating points."""
        return cls(card.title, point, card.classes, card.positive, card.task, card.heatmap_reference)

    def label(self, probabilities: dict[str, float]) -> str:
        """Name the class of a film: the positive one of two if it is suspected, the most probable one of more, and of
        findings those that are suspected, with ``|`` between them.
        """
        if self.task == "multilabel":
            return "|".join(name for name, value in probabilities.items() if value >= self.point.suspected_from)
        if len(self.classes) == 2:
            other = next(name for name in self.classes if name != self.positive)
            return self.positive if probabilities[self.positive] >= self.point.suspected_from else other
        return max(probabilities, key=lambda name: probabilities[name])


@dataclass(frozen=True)
class Reading:
    """One film's reading, made by :meth:`of` or :meth:`unread`.

    Attributes:
        file: what was read, as it was given.
        status: ``suspected``, ``not_seen``, ``uncertain``, ``refused`` or ``failed``.
        reader: name and version.
        operating_point: its name.
        not_seen_below, suspected_from: its cut-offs.
        remarks: why it was refused, left to a person, or failed.
        warnings: the reading stands, with this in mind.
        label: the class that the operating point decides for, of refused films too, so that the gate can be measured
            (see :meth:`Terms.label`).
        probability: calibrated, of the positive class; ``None`` where nothing was decoded.
        probabilities: of each class.
        side: the lung that a ``suspected`` or ``uncertain`` film speaks of: ``right``, ``left`` (the patient's) or
            ``both``; ``None`` where no lung stands out, or of a reader that does not tell them apart.
        right_lung, left_lung: calibrated, of the positive class in the patient's right and left lung, or ``None``.
        abnormal: probability that the lungs are abnormal in any way, or ``None`` of a reader that does not tell.
        elapsed_ms: decoding, gate and heatmap included.
        heatmap: float32 ``(h, w)``, Grad-CAM of the positive class in logit units, not stretched, in the frame of the
            film squashed to a square.
        heatmap_reference: logit units that are drawn at full colour.
        lungs: float32 ``(h, w)``, probability of lung in the same frame; ``None`` of a reader that does not look for
            them.
        box: float32 ``(4,)``, the lungs' box: x0, y0, x1, y1 in shares of the film's width and height, or ``None``.
        logits: float32 ``(C,)``, before calibration.
        gate: float32 ``(G,)``, one score for each code of the card's gate.
        embedding: float32 ``(D,)``: what the last layer saw, for watching a site over time.
        radiograph: the film as it was decoded, with its header.
    """

    file: str
    status: str
    reader: str
    operating_point: str
    not_seen_below: float
    suspected_from: float
    remarks: tuple[Remark, ...] = ()
    warnings: tuple[Remark, ...] = ()
    label: str | None = None
    probability: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    side: str | None = None
    right_lung: float | None = None
    left_lung: float | None = None
    abnormal: float | None = None
    elapsed_ms: float = 0.0
    heatmap: np.ndarray | None = field(default=None, repr=False)
    heatmap_reference: float = 1.0
    lungs: np.ndarray | None = field(default=None, repr=False)
    box: np.ndarray | None = field(default=None, repr=False)
    logits: np.ndarray | None = field(default=None, repr=False)
    gate: np.ndarray | None = field(default=None, repr=False)
    embedding: np.ndarray | None = field(default=None, repr=False)
    radiograph: Radiograph | None = field(default=None, repr=False)

    @classmethod
    def unread(cls, terms: Terms, file: str, error: UnreadableFilm, elapsed_ms: float = 0.0) -> Reading:
        """Of a film that could not be read: ``failed``, or ``refused`` where its header alone rules it out."""
        refusals = error.refusals if isinstance(error, RefusedByHeader) else ()
        return cls(
            file=file,
            status="refused" if refusals else "failed",
            reader=terms.reader,
            operating_point=terms.point.name,
            not_seen_below=terms.point.not_seen_below,
            suspected_from=terms.point.suspected_from,
            remarks=refusals or (Remark(error.code, error.reason),),
            elapsed_ms=elapsed_ms,
        )

    @classmethod
    def of(
        cls,
        terms: Terms,
        file: str,
        film: Radiograph,
        judgement: Judgement,
        probabilities: dict[str, float],
        *,
        lungs_probability: Sequence[float] | None = None,
        abnormal: float | None = None,
        warnings: Iterable[Remark] = (),
        elapsed_ms: float = 0.0,
        **maps: np.ndarray | None,
    ) -> Reading:
        """Of a film that was read.

        Args:
            lungs_probability: of the patient's right and left lung.
            warnings: beyond those of the film.
            maps: ``heatmap``, ``lungs``, ``box``, ``logits``, ``gate``, ``embedding``, as far as there are any.
        """
        return cls(
            file=file,
            status=judgement.status,
            reader=terms.reader,
            operating_point=terms.point.name,
            not_seen_below=terms.point.not_seen_below,
            suspected_from=terms.point.suspected_from,
            remarks=judgement.remarks,
            warnings=(*film.warnings, *warnings),
            label=terms.label(probabilities),
            probability=probabilities[terms.positive],
            probabilities=probabilities,
            side=judgement.side,
            right_lung=lungs_probability[0] if lungs_probability else None,
            left_lung=lungs_probability[1] if lungs_probability else None,
            abnormal=abnormal,
            elapsed_ms=elapsed_ms,
            heatmap_reference=terms.heatmap_reference,
            radiograph=film,
            **maps,
        )

    @property
    def codes(self) -> tuple[str, ...]:
        """The remarks for machines."""
        return tuple(remark.code for remark in self.remarks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The remarks for people."""
        return tuple(remark.text for remark in self.remarks)

    @property
    def pixels(self) -> np.ndarray | None:
        """The film, uint8 ``(H, W)``; ``None`` where nothing was decoded."""
        return self.radiograph.pixels if self.radiograph else None

    def overlay(self, *, largest_side: int = 1024, legend: bool = False) -> Image.Image:
        """The film with the heatmap and the lungs' outline over it; with ``legend``, a strip below explains them.

        Raises:
            UserError: nothing was decoded, so there is nothing to draw.
        """
        if self.pixels is None or self.heatmap is None:
            raise UserError(f"{self.file} was not decoded: there is no picture to draw")
        from ai_for_sudan.reading.overlay import overlay, with_legend
        from ai_for_sudan.reading.words import said_of

        picture = overlay(
            self.pixels, self.heatmap, self.heatmap_reference, lungs=self.lungs, largest_side=largest_side
        )
        if not legend:
            return picture
        said = said_of(self.status, self.side)
        return with_legend(picture, outlined=self.lungs is not None, said=said)

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
            "probability": _rounded(self.probability),
            "side": self.side,
            "right_lung": _rounded(self.right_lung),
            "left_lung": _rounded(self.left_lung),
            "abnormal": _rounded(self.abnormal),
            "operating_point": self.operating_point,
            "not_seen_below": round(self.not_seen_below, 6),
            "suspected_from": round(self.suspected_from, 6),
            "codes": list(self.codes),
            "reasons": list(self.reasons),
            "warning_codes": [warning.code for warning in self.warnings],
            "warnings": [warning.text for warning in self.warnings],
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


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(probability, 6)
