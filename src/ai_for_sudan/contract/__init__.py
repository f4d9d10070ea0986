"""What both sides and both languages agree on, as data: Python and the app's TypeScript read the same JSON files.

``names`` of the reader file's parts, ``limits``, ``codes`` with their texts, rules for ``headers``, ``ages`` and
``polarity``, the ``colours`` of the heatmap, how a film is judged (``judge``, ``operating_point``), and the ``card``.
"""

from ai_for_sudan.contract.card import SCHEMA, Card, GateScore
from ai_for_sudan.contract.codes import Remark
from ai_for_sudan.contract.judge import Judgement, judge
from ai_for_sudan.contract.names import STATUSES
from ai_for_sudan.contract.operating_point import OperatingPoint

__all__ = ["SCHEMA", "STATUSES", "Card", "GateScore", "Judgement", "OperatingPoint", "Remark", "judge"]
