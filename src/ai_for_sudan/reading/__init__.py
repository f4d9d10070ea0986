"""Reading films with a reader file, on a machine without PyTorch."""

from ai_for_sudan.contract import SCHEMA, STATUSES, Card, GateScore, Judgement, OperatingPoint, judge
from ai_for_sudan.reading.reader import Reader, shipped
from ai_for_sudan.reading.reading import Reading
from ai_for_sudan.reading.words import DISCLAIMER

__all__ = [
    "DISCLAIMER",
    "SCHEMA",
    "STATUSES",
    "Card",
    "GateScore",
    "Judgement",
    "OperatingPoint",
    "Reader",
    "Reading",
    "judge",
    "shipped",
]
