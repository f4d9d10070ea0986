"""The card: what is known of a reader, kept inside its file as JSON."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ai_for_sudan.errors import UserError

#: the newest schema that this program understands
SCHEMA = 1


@dataclass(frozen=True)
class OperatingPoint:
    """A named threshold and the reason for it."""

    name: str
    threshold: float
    reason: str


@dataclass(frozen=True)
class GateScore:
    """One output of the gate: above ``limit`` a film is ``refused``, or left to a person (``uncertain``)."""

    code: str
    limit: float
    reason: str
    advice: str
    status: str = "refused"


@dataclass(frozen=True)
class SelfTest:
    """A drawn film and what the reader answers to it.

    Attributes:
        pixels: uint8 ``(H, W)``.
        probability, gate: the expected outputs, ``(C,)`` and ``(G,)``.
        heatmap_sum: the expected sum of the heatmap of the positive class.
        tolerance: how far an answer may lie from it (the heatmap's sum: in parts of itself).
    """

    pixels: np.ndarray
    probability: np.ndarray
    gate: np.ndarray
    heatmap_sum: float
    tolerance: float


@dataclass(frozen=True)
class Card:
    """The parts of a card that reading needs, and all of it as it was written.

    Attributes:
        facts: the JSON object.
        abstention: ``(lower, upper)``: probabilities between them are uncertain; ``None`` without a band.
        heatmap_reference: logit units that are drawn at full colour.
    """

    facts: dict[str, Any]
    name: str
    version: str
    classes: tuple[str, ...]
    positive: str
    task: str
    operating_points: dict[str, OperatingPoint]
    default_operating_point: str
    abstention: tuple[float, float] | None
    gate: tuple[GateScore, ...]
    heatmap_reference: float
    ages: tuple[float, float] | None
    self_test: SelfTest | None

    @property
    def title(self) -> str:
        """Name and version, as every output carries them."""
        return f"{self.name} {self.version}".strip()

    @property
    def positive_index(self) -> int:
        return self.classes.index(self.positive)

    @property
    def architecture(self) -> str:
        return str(self.facts.get("architecture", ""))

    @property
    def input(self) -> dict[str, Any]:
        """``{"size": side of the network's square input in pixels, "resize": how films come to it}``."""
        return dict(self.facts.get("input") or {})

    @property
    def training(self) -> dict[str, Any]:
        return dict(self.facts.get("training") or {})

    def threshold(self, operating_point: str | None = None) -> float:
        """The threshold, 0..1, of the named operating point or of the reader's own."""
        return self.operating_point(operating_point).threshold

    def to_json(self) -> str:
        return json.dumps(self.facts, ensure_ascii=False, allow_nan=False)

    def operating_point(self, name: str | None = None) -> OperatingPoint:
        """The named operating point, or the reader's own.

        Raises:
            UserError: no such point; lists those there are.
        """
        chosen = name or self.default_operating_point
        if chosen not in self.operating_points:
            known = ", ".join(self.operating_points)
            raise UserError(f"{self.name} has no operating point '{chosen}'; it has: {known}")
        return self.operating_points[chosen]

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card.

        Raises:
            UserError: no card, a newer schema, or a part is missing.
        """
        try:
            facts = json.loads(text)
            schema = int(facts["schema"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError("the file's card cannot be read; this is no reader of this project") from error
        if schema > SCHEMA:
            raise UserError(
                f"the reader's card has schema {schema}, this program knows {SCHEMA}; "
                "install a newer version of this program"
            )
        try:
            return cls._from_facts(facts)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"the reader's card is incomplete or wrong at {error}; export the reader again") from error

    @classmethod
    def _from_facts(cls, facts: dict[str, Any]) -> Card:
        points = {
            name: OperatingPoint(name, float(point["threshold"]), str(point.get("reason", "")))
            for name, point in facts["operating_points"].items()
        }
        band = facts.get("abstention")
        gate = tuple(
            GateScore(
                s["code"],
                float(s["limit"]),
                s.get("reason", s["code"]),
                s.get("advice", ""),
                s.get("status", "refused"),
            )
            for s in (facts.get("gate") or {}).get("scores", [])
        )
        ages = (facts.get("population") or {}).get("age_years")
        card = cls(
            facts=facts,
            name=str(facts["name"]),
            version=str(facts["version"]),
            classes=tuple(facts["classes"]),
            positive=str(facts["positive"]),
            task=str(facts["task"]),
            operating_points=points,
            default_operating_point=str(facts["default_operating_point"]),
            abstention=(float(band["lower"]), float(band["upper"])) if band and band["lower"] < band["upper"] else None,
            gate=gate,
            heatmap_reference=float(facts["heatmap"]["reference"]),
            ages=(float(ages[0]), float(ages[1])) if ages else None,
            self_test=_self_test(facts["selftest"]) if facts.get("selftest") else None,
        )
        if card.positive not in card.classes:
            raise ValueError(f"positive ('{card.positive}' is none of the classes)")
        if card.default_operating_point not in points:
            raise ValueError("default_operating_point")
        if card.task not in ("exclusive", "multilabel"):
            raise ValueError(f"task ('{card.task}')")
        for point in points.values():
            if not 0 <= point.threshold <= 1:
                raise ValueError(f"the threshold of {point.name} ({point.threshold}, expected 0..1)")
        if not card.heatmap_reference > 0:
            raise ValueError(f"heatmap.reference ({card.heatmap_reference}, expected more than 0)")
        return card


def _self_test(facts: dict[str, Any]) -> SelfTest:
    size = facts["size"]
    height, width = size if isinstance(size, list) else (size, size)
    pixels = np.frombuffer(base64.b64decode(facts["pixels"]), dtype=np.uint8).reshape(height, width)
    return SelfTest(
        pixels=pixels,
        probability=np.array(facts["probability"], dtype=np.float64),
        gate=np.array(facts.get("gate", []), dtype=np.float64),
        heatmap_sum=float(facts["heatmap_sum"]),
        tolerance=float(facts["tolerance"]),
    )
