"""What a checkpoint tells of its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.contract.operating_point import cut_offs_of
from ai_for_sudan.contract.record import Record


@dataclass(frozen=True)
class SplitRecord(Record):
    """How the films of a run were divided.

    Attributes:
        grouped_by: ``by patient``, ``by image`` or ``as given by the data``.
        identity: SHA-256 over the content and the side of every film, where the run made the split itself.
        path: name of the file beside the run that holds the split.
    """

    grouped_by: str = ""
    identity: str | None = None
    path: str | None = None
    train_films: int | None = None
    validation_films: int | None = None


@dataclass(frozen=True)
class CheckpointState(Record):
    """What is kept with weights, all of it plain JSON.

    Attributes:
        recipe: every value of :class:`ai_for_sudan.training.Recipe`; empty for weights that no run of this project
            made.
        split: of the films that trained and validated.
        data: where the films lay.
        version: of the program.
        software: versions of what computed: Python, PyTorch.
        command: what was typed.
        initial_weights: what the weights started from: ``name`` and, of a file, ``sha256``.
        selection: why these weights of all that the run had.
        operating_point: the JSON of :class:`ai_for_sudan.contract.OperatingPoint`, see :attr:`point`; a ``threshold``
            in checkpoints of version 0.1.0.
        metrics: figures of the epoch that is kept.
    """

    recipe: dict[str, Any] = field(default_factory=dict)
    split: SplitRecord = SplitRecord()
    data: str = ""
    version: str = ""
    software: dict[str, str] = field(default_factory=dict)
    command: str = ""
    initial_weights: dict[str, str] = field(default_factory=dict)
    selection: str = ""
    operating_point: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def point(self) -> OperatingPoint:
        """The operating point; one threshold of 0.5 where none was chosen."""
        facts = dict(self.operating_point)
        if "suspected_from" not in facts:
            facts |= cut_offs_of(float(facts.get("threshold", 0.5)), None, facts.get("reason", ""))
        return OperatingPoint.from_facts(facts)
