"""The model card for people: made of recorded results alone; what was not recorded says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from ai_for_sudan.contract.card import Card
from ai_for_sudan.errors import UserError
from ai_for_sudan.pages import environment
from ai_for_sudan.pages.page import narrow_interval

#: results of other commands that a card may show, by the file that each writes
RECORDS = ("audit", "stress", "explaincheck", "crossval", "metrics")
#: of reporting guidelines: number, item, and the part of a card that covers it (empty: that a card never does)
_CHECKLISTS = Path(__file__).with_name("checklists.json")
#: how bad a disturbance the card's table is about
SEVERITY = 3


def load_records(paths: list[Path]) -> dict[str, Any]:
    """What ``audit``, ``stress``, ``explaincheck``, ``crossval`` and ``evaluate`` (``metrics``) wrote, by file name.

    Raises:
        UserError: no such file, of another name, or none of these.
    """
    found: dict[str, Any] = {}
    for path in paths:
        if path.stem not in RECORDS:
            raise UserError(
                f"{path} is not a result that a card can show; expected {', '.join(f'{r}.json' for r in RECORDS)}"
            )
        try:
            contents = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UserError(f"{path} is not valid JSON ({error})") from error
        if not isinstance(contents, dict):
            raise UserError(f"{path} contains no result of ai-for-sudan {path.stem}")
        found[path.stem] = contents
    return found


def find_records(card: Card, reader: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Results of this very reader where the commands put them: below ``outputs`` here, and beside the reader file.

    Results of other readers are passed over: each command keeps its newest there.
    """
    folders = [Path("outputs"), reader.parent, reader.parent.parent]
    found = {}
    for name in RECORDS:
        for path in [folder / part / f"{name}.json" for folder in folders for part in (name, "evaluation", "")]:
            try:
                record = load_records([path])[name]
                _same_reader(card.facts, {name: record})
            except UserError:
                continue
            found[name] = (path, record)
            break
    return found


def render(card: Card | Mapping[str, Any], records: Mapping[str, Any] | None = None) -> str:
    """The page.

    Args:
        card: a reader's card, or the facts of one.
        records: of :func:`load_records`; those that the card holds itself under ``metrics`` are shown too.

    Raises:
        UserError: a record is of another reader.
    """
    facts: Mapping[str, Any] = card.facts if isinstance(card, Card) else card
    metrics = dict(facts.get("metrics") or {})
    own = {name: metrics.pop(name) for name in RECORDS if name in metrics}
    shown = {**own, **(records or {})}
    _same_reader(facts, shown)
    sides = [(name, side) for name, side in metrics.items() if isinstance(side, Mapping)]
    if "metrics" in shown:
        sides.append((f"evaluation on {shown['metrics'].get('data', 'films')}", shown["metrics"]))
    parts = _parts(facts, sides, shown)
    pages = environment("ai_for_sudan.evaluation")
    pages.filters["interval"] = partial(narrow_interval, missing="not recorded")
    return pages.get_template("card.html").render(
        title=f"Model card: {facts.get('name', '?')} {facts.get('version', '')}".strip(),
        facts=facts,
        sides=sides,
        default=(facts.get("operating_points") or {}).get(facts.get("default_operating_point")) or {},
        records=shown,
        reliability=_reliability(sides),
        stress_rows=_stress_rows(shown.get("stress")),
        severity=SEVERITY,
        parts=parts,
        checklists=_checklists(parts),
    )


def _same_reader(facts: Mapping[str, Any], records: Mapping[str, Any]) -> None:
    title = f"{facts.get('name', '')} {facts.get('version', '')}".strip()
    content = f"{title}+{str(facts.get('identity') or '')[:8]}"
    architecture = str(facts.get("architecture", ""))
    for name, record in records.items():
        of = str(record.get("reader") or record.get("model") or (record.get("recipe") or {}).get("model_type") or "")
        # A record of a checkpoint or of a cross-validation names the network alone.
        known = of in (title, content) or ("reader" not in record and of.split(" ")[0] == architecture)
        if not known:
            raise UserError(
                f"{name}.json is of {of or 'no named reader'}, this card is of {title}; run it again for this reader"
            )


def _reliability(sides: list[tuple[str, Mapping[str, Any]]]) -> Markup | None:
    """One panel for each set of films whose probabilities are on record."""
    known = [(name, quality["reliability"]) for name, side in sides if (quality := side.get("probabilities"))]
    if not known:
        return None
    try:
        from ai_for_sudan.pages import figures
    except ModuleNotFoundError:  # of a plain install
        return Markup("<p>Not drawn: this page was made without the extra <code>site</code>, which draws plots.</p>")
    made, axes = figures.figure(1, len(known), width=3.4, height=3.2)
    for one, (name, bins) in zip(np.atleast_1d(axes), known, strict=True):
        figures.reliability(one, bins, name.replace("_", " "))
    return Markup(figures.svg(made))  # our own drawing


def _stress_rows(record: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return [row for row in (record or {}).get("rows", []) if row["severity"] in (0, SEVERITY) and "statuses" in row]


def _parts(
    facts: Mapping[str, Any], sides: list[tuple[str, Mapping[str, Any]]], records: Mapping[str, Any]
) -> dict[str, str]:
    """Part -> where the card covers it; a part that it does not cover is absent."""
    training = facts.get("training") or {}
    recipe, split = training.get("recipe") or {}, training.get("split") or {}
    outside = [name for name, side in sides if side.get("external")]
    at_sites = facts.get("adaptations") or []
    places = {
        "model": facts.get("architecture") and f"{facts['architecture']}, {facts.get('precision', '')}: The model",
        "use": facts.get("intended_use") and "What it is for",
        "population": (facts.get("population") or {}).get("text") and "What it is for",
        "data": training.get("data") and "Data",
        "reference_standard": training.get("reference_standard") and "Data",
        "input": facts.get("input") and "The model",
        "partition": split.get("identity") and "Data: the partition and its identity",
        "numbers": (training.get("films") or split.get("train_films")) and "Data: numbers of films",
        "software": (training.get("software") or facts.get("commit")) and "The model: version and commit",
        "initial_weights": (training.get("initial_weights") or recipe.get("pretrained")) and "The model",
        "recipe": recipe and "The model: recipe",
        "selection": training.get("selection") and "The model",
        "figures": (sides or "crossval" in records) and "How good it is",
        "points": facts.get("operating_points") and "Operating points",
        "audit": "audit" in records and "Subgroups",
        "stress": "stress" in records and "Bad films",
        "explaincheck": "explaincheck" in records and "Does the heatmap mean anything?",
        "external": (outside or at_sites) and "Elsewhere",
        "failures": (records.get("audit") or {}).get("mistakes") and "Failures",
        "adaptations": at_sites and "Elsewhere",
        "gate": (facts.get("gate") or {}).get("scores") and "What it refuses",
        "limits": "Limitations",
        "availability": training.get("licence") and "Data: licence",
    }
    return {part: str(where) for part, where in places.items() if where}


def _checklists(parts: Mapping[str, str]) -> list[tuple[str, str, list[dict[str, str]]]]:
    """Name and source of each reporting guideline, and where the card covers its items."""
    found = []
    for name, one in json.loads(_CHECKLISTS.read_text(encoding="utf-8")).items():
        rows = []
        for number, item, part in one["items"]:
            missing = "no result recorded" if part else "not part of a card"
            rows.append({"number": number, "item": item, "where": parts.get(part, ""), "missing": missing})
        found.append((name, one["source"], rows))
    return found
