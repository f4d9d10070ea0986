"""Where people stand on a film: of one mind, in dispute, or settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ai_for_sudan.clinic.store.tables import Verdict


def review_of(verdicts: Sequence[Verdict], suspected: bool) -> str:
    """Say where people stand: ``open``, ``agree``, ``disagree``, ``unsure``, or ``split`` while a dispute is open.

    A dispute ends with a signed final diagnosis, or with a third opinion that gives one side the majority.

    Args:
        verdicts: those that stand, oldest first, one of each person.
        suspected: whether the reader suspected pneumonia.
    """
    said = Counter(verdict.agreement for verdict in verdicts)
    if len(said) < 2:
        return next(iter(said), "open")
    final = [verdict for verdict in verdicts if verdict.diagnosis]
    if final and len({verdict.diagnosis for verdict in final}) == 1:
        return "agree" if (final[-1].diagnosis == "positive") == suspected else "disagree"
    if len(verdicts) > 2 and said["agree"] != said["disagree"]:
        return "agree" if said["agree"] > said["disagree"] else "disagree"
    return "split"
