"""What a file name tells: the patient, and of the Kermany films the kind of pneumonia."""

from __future__ import annotations

import re
from pathlib import Path

from ai_for_sudan.errors import InvalidDataset

# Kermany, Zhang & Goldbaum 2018. Normal numbers with and without NORMAL2- are counted apart, and apart from the
# persons of the pneumonia films: whether they are the same children is not known, only that no number is shared.
_KERMANY = re.compile(r"((?:NORMAL2-)?IM-\d+)-\d+(?:-\d+)?|(person\d+)_(bacteria|virus)_\d+(?:_\d+)?", re.IGNORECASE)
_KINDS = {"bacteria": "bacterial", "virus": "viral"}


def patient_by_rule(rule: str, file: str) -> tuple[str, dict[str, str]]:
    """The patient, and the facts that the name holds (``finding``).

    Raises:
        InvalidDataset: an unknown rule, or a name that the rule does not match: it would be in a split by chance.
    """
    name = Path(file).name
    if rule == "kermany":
        match = _KERMANY.fullmatch(Path(file).stem)
        if not match:
            raise InvalidDataset(
                f"{file}: the rule 'kermany' does not match this name (IM-<n>-<n> or person<n>_<kind>_<n>)"
            )
        return (match[1] or match[2]).lower(), {"finding": _KINDS[match[3].lower()] if match[3] else "normal"}
    if rule.startswith("regex:"):
        try:
            pattern = re.compile(rule.removeprefix("regex:"))
        except re.error as error:
            raise InvalidDataset(f"--patient_rule {rule}: this is not a regular expression ({error})") from error
        if pattern.groups != 1:
            raise InvalidDataset(
                f"--patient_rule {rule}: expected exactly one group, the patient, not {pattern.groups}"
            )
        match = pattern.search(name)
        if not match or not match[1]:
            raise InvalidDataset(f"{file}: the patient rule {rule} does not match this name")
        return match[1], {}
    raise InvalidDataset(f"there is no patient rule '{rule}'; expected 'kermany' or 'regex:PATTERN'")


def label_by_rule(rule: str, file: str) -> str:
    """The class: ``kermany3`` gives normal, bacterial or viral."""
    if rule != "kermany3":
        raise InvalidDataset(f"there is no label rule '{rule}'; expected 'kermany3'")
    return patient_by_rule("kermany", file)[1]["finding"]
