"""The card: what is known of a reader, kept inside its file as JSON. Read and written by the same classes.

``card.schema.json`` beside it says which values are allowed; the app holds the same file against every card it opens.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ai_for_sudan.contract.data import load
from ai_for_sudan.contract.limits import LARGEST_CARD
from ai_for_sudan.contract.operating_point import OperatingPoint, of_now
from ai_for_sudan.contract.record import Record
from ai_for_sudan.contract.schema import Mismatch, Missing, check, parse
from ai_for_sudan.errors import InvalidReader, UserError

#: the newest schema that this program understands; it writes this one
SCHEMA = 3
CARD_SCHEMA = load("card.schema")
_CUT_OFFS = ["not_seen_below", "suspected_from"]


@dataclass(frozen=True, kw_only=True)
class Input(Record):
    """How a film comes to the network.

    Attributes:
        size: side of the squashed film in pixels.
        view: side of the lungs' box that is cut out of it; of a network that sees the whole film there is none.
    """

    size: int | None = None
    resize: str | None = None
    view: int | None = None


@dataclass(frozen=True, kw_only=True)
class Population(Record):
    """Whom the reader was made for; what is None, nobody said.

    Attributes:
        age_years: from the birthday of the first to the end of the last.
        text: in words.
        sites, views: of the films that it learned from.
    """

    age_years: tuple[float, ...] | None = None
    text: str | None = None
    sites: tuple[str, ...] | None = None
    views: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Training(Record):
    """What the reader learned from, and how.

    Attributes:
        reference_standard: who or what decided that a film is positive.
        initial_weights: where the network began.
        selection: how the epoch was chosen that was kept.
        software: versions of what trained it.
        recipe, split: as the training run recorded them.
    """

    data: str | None = None
    licence: str | None = None
    films: int | None = None
    patients: int | None = None
    validation_films: int | None = None
    validation_patients: int | None = None
    reference_standard: str | None = None
    initial_weights: str | None = None
    selection: str | None = None
    software: str | None = None
    recipe: dict[str, Any] | None = None
    split: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class DataIdentity(Record):
    """Films that went into a reader: ``identity`` is the SHA-256 of their list; ``role`` is what they were used for."""

    role: str
    name: str
    identity: str
    films: int | None = None


@dataclass(frozen=True, kw_only=True)
class Provenance(Record):
    """Where a reader comes from.

    Attributes:
        weights_sha256: of the trained weights, see :func:`ai_for_sudan.contract.provenance.weights_sha256`.
        initial_weights_sha256: of those that training began with; None where they were random.
        commands: the command lines of training and export.
        commit: of this project, with ``-modified`` after it where the code differed; empty where it is not known.
    """

    weights_sha256: str
    initial_weights_sha256: str | None = None
    data: tuple[DataIdentity, ...]
    commands: tuple[str, ...]
    commit: str


@dataclass(frozen=True, kw_only=True)
class GateScore(Record):
    """One output of the gate: above ``limit`` a film is ``refused``, or left to a person (``uncertain``)."""

    code: str
    limit: float
    status: str = "refused"
    reason: str = ""
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class Gate(Record):
    """What decides that a film is not readable; one score for each place of the output ``gate``."""

    scores: tuple[GateScore, ...] = ()
    method: str | None = None
    fitted_on: dict[str, Any] | None = None
    figures: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Abnormal(Record):
    """When a film on which no pneumonia is seen is left to a person, because its lungs do not look normal.

    Attributes:
        limit: of the output ``abnormal``, 0..1; at or above it lungs do not look normal.
        text: what counts as abnormal.
        chosen_on: the films that the limit was chosen on.
    """

    limit: float
    text: str | None = None
    chosen_on: str | None = None


@dataclass(frozen=True, kw_only=True)
class Heatmap(Record):
    """``reference``: logit units that are drawn at full colour."""

    reference: float
    method: str | None = None
    layer: str | None = None
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class SelfTest(Record):
    """A drawn film and what the reader computes of it.

    Attributes:
        size: side of the square film, or height and width.
        pixels: uint8, row by row, in base64.
        probability, gate: the expected outputs, ``(C,)`` and ``(G,)``.
        lungs_probability, abnormal: those of readers that have these outputs, ``(2,)`` and ``(1,)``.
        heatmap_sum: the expected sum of the heatmap of the positive class.
        tolerance: how far an output may lie from the expected one (the heatmap's sum: in parts of itself).
    """

    size: Any
    pixels: str
    probability: tuple[float, ...]
    gate: tuple[float, ...] = ()
    lungs_probability: tuple[float, ...] | None = None
    abnormal: tuple[float, ...] | None = None
    heatmap_sum: float
    tolerance: float

    @property
    def shape(self) -> tuple[int, int]:
        """Return height and width of the drawn film."""
        height, width = self.size if isinstance(self.size, list) else (self.size, self.size)
        return int(height), int(width)

    @property
    def film(self) -> np.ndarray:
        """uint8 ``(H, W)``."""
        return np.frombuffer(base64.b64decode(self.pixels), dtype=np.uint8).reshape(self.shape)


@dataclass(frozen=True, kw_only=True)
class Card(Record):
    """All that is known of a reader. What was measured (``metrics`` and the like) stays as it was recorded."""

    schema: int
    name: str
    version: str
    identity: str | None = None
    created: str | None = None
    commit: str | None = None
    architecture: str = ""
    task: str
    classes: tuple[str, ...]
    positive: str
    input: Input = field(default_factory=Input)
    precision: str | None = None
    intended_use: str = ""
    population: Population = field(default_factory=Population)
    training: Training = field(default_factory=Training)
    provenance: Provenance | None = None
    calibration: dict[str, Any] | None = None
    operating_points: dict[str, OperatingPoint]
    default_operating_point: str
    abnormal: Abnormal | None = None
    gate_rules: Gate = field(default_factory=Gate, metadata={"key": "gate"})
    heatmap: Heatmap
    metrics: dict[str, Any] | None = None
    shortcuts: dict[str, Any] | None = None
    compression: tuple[Any, ...] | None = None
    self_test: SelfTest = field(metadata={"key": "selftest"})
    reference: dict[str, Any] | None = None
    adaptations: tuple[Any, ...] | None = None

    @property
    def title(self) -> str:
        """Name, version and the beginning of the identity, as every output carries them: no two exports share it."""
        content = f"+{self.identity[:8]}" if self.identity else ""
        return f"{self.name} {self.version}{content}".strip()

    @property
    def facts(self) -> dict[str, Any]:
        """The JSON object."""
        return self.to_facts()

    @property
    def positive_index(self) -> int:
        """Return the number of the class that is reported."""
        return self.classes.index(self.positive)

    @property
    def gate(self) -> tuple[GateScore, ...]:
        """Return the scores of the gate, in the order of the output ``gate``."""
        return self.gate_rules.scores

    @property
    def heatmap_reference(self) -> float:
        """Logit units that are drawn at full colour."""
        return self.heatmap.reference

    @property
    def ages(self) -> tuple[float, float] | None:
        """The first and the last year of age that the reader was made for."""
        years = self.population.age_years
        return (years[0], years[1]) if years else None

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

    def sealed(self, graph: bytes) -> Card:
        """This card with the identity of its content: of the model in ``graph`` and of all that the card says."""
        content = json.dumps(dataclasses.replace(self, identity=None).facts, ensure_ascii=False)
        digest = hashlib.sha256(hashlib.sha256(graph).digest() + content.encode())
        return dataclasses.replace(self, identity=digest.hexdigest())

    def to_json(self) -> str:
        """As it is written into the file.

        Raises:
            InvalidReader: it is a card that this program would not read.
        """
        text = json.dumps(self.to_facts(), ensure_ascii=False)
        self.from_json(text)
        return text

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card.

        Raises:
            InvalidReader: no card, a newer schema, or a value that is missing, wrong or does not fit the others.
        """
        if len(text) > LARGEST_CARD:
            raise InvalidReader(f"the reader's card has {len(text):,} characters, at most {LARGEST_CARD:,} are read")
        try:
            facts = parse(text)
            check(facts, {"type": "object", "required": ["schema"]})
            check(facts["schema"], CARD_SCHEMA["properties"]["schema"], CARD_SCHEMA, "schema")
        except Mismatch as error:
            raise InvalidReader(
                f"the file's card cannot be read ({error}); it is not a reader of this project, or it is damaged"
            ) from error
        if facts["schema"] > SCHEMA:
            raise InvalidReader(
                f"the reader's card has schema {facts['schema']:.0f}, this program supports {SCHEMA}; "
                "install a newer version of this program"
            )
        try:
            check(facts, CARD_SCHEMA)
            _check_points(facts)
            card = cls.from_facts(facts if facts["schema"] >= SCHEMA else of_now(facts, SCHEMA))
            card._check_fit(facts["schema"])
        except Mismatch as error:
            raise InvalidReader(f"the reader's card is invalid at {error}; export the reader again") from error
        return card

    def _check_fit(self, schema: float) -> None:
        """What the schema cannot say: values that must fit each other.

        Args:
            schema: the number that the card was written with.

        Raises:
            Mismatch: the first that does not.
        """
        if self.positive not in self.classes:
            raise Mismatch("positive", "one of the classes", self.positive)
        if self.default_operating_point not in self.operating_points:
            raise Mismatch("default_operating_point", "one of the operating points", self.default_operating_point)
        if self.ages and self.ages[0] > self.ages[1]:
            raise Mismatch("population.age_years", "the first year before the last", list(self.ages))
        codes = [score.code for score in self.gate]
        if len(set(codes)) < len(codes):
            raise Mismatch("gate.scores", "no code more than once", codes)
        if schema >= 2 and (self.identity is None or self.provenance is None):
            raise Missing("provenance" if self.identity else "identity")
        test, (height, width) = self.self_test, self.self_test.shape
        if (size := _size_of_base64("selftest.pixels", test.pixels)) != height * width:
            raise Mismatch("selftest.pixels", f"{height} x {width} bytes", size)
        for name, expected in (("probability", len(self.classes)), ("gate", len(self.gate))):
            if (found := len(getattr(test, name))) != expected:
                raise Mismatch(f"selftest.{name}", f"{expected} values", found)
        if self.reference:
            self._check_reference(self.reference)

    def _check_reference(self, reference: dict[str, Any]) -> None:
        mean, std = (len(reference[name]) for name in ("embedding_mean", "embedding_std"))
        if mean != std:
            raise Mismatch("reference.embedding_std", f"{mean} values, as in embedding_mean", std)
        path, sample = "reference.sample.sketches", reference["sample"]
        expected = 2 * len(sample["scores"]) * int(reference["dims"])
        if (size := _size_of_base64(path, sample["sketches"])) != expected:
            raise Mismatch(path, f"{expected} bytes: dims float16 for each score", size)


def _check_points(facts: dict[str, Any]) -> None:
    """Cut-offs that fit each other, or what cards of schema 1 and 2 have in their place.

    Raises:
        Mismatch: the first that does not.
    """
    for name, point in facts["operating_points"].items():
        path = f"operating_points.{name}"
        wanted = ["threshold"] if facts["schema"] < SCHEMA and "suspected_from" not in point else _CUT_OFFS
        for key in wanted:
            if key not in point:
                raise Missing(f"{path}.{key}")
        if wanted is _CUT_OFFS and point["not_seen_below"] > point["suspected_from"]:
            raise Mismatch(path, "not_seen_below no higher than suspected_from", [point[key] for key in _CUT_OFFS])
    band = facts.get("abstention")
    if band and band["lower"] > band["upper"]:
        raise Mismatch("abstention", "a lower end below the upper one", [band["lower"], band["upper"]])


def _size_of_base64(path: str, text: str) -> int:
    try:
        return len(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise Mismatch(path, "base64", text) from error
