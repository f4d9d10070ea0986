"""Cards, right and wrong: each wrong one is one clear line."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import onnx
import pytest

from ai_for_sudan.contract.card import CARD_SCHEMA, Card
from ai_for_sudan.contract.names import METADATA_KEY
from ai_for_sudan.contract.schema import Mismatch, check
from ai_for_sudan.errors import UserError

VECTORS = Path(__file__).resolve().parent / "vectors"  # the app's tests read the same


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


CARDS = load("cards")


def text_of(case: dict[str, Any]) -> str:
    """The right card as JSON text with a text put in at a path; ``{"levels": n}`` stands for n nested lists."""
    value, facts = case["value"], copy.deepcopy(CARDS["base"])
    raw = "[" * value["levels"] + "]" * value["levels"] if isinstance(value, dict) else value
    *path, last = (int(name) if name.isdecimal() else name for name in case["at"].split("."))
    inner = facts
    for name in path:
        inner = inner[name]
    inner[last] = "@@"
    return json.dumps(facts, ensure_ascii=False).replace('"@@"', raw)


@pytest.mark.parametrize("case", CARDS["valid"], ids=lambda case: case["name"])
def test_a_right_card_is_read_and_written_again(case: dict[str, Any]) -> None:
    text = text_of(case)
    card = Card.from_json(text)
    jsonschema.validate(json.loads(text), CARD_SCHEMA)
    assert card.facts == json.loads(text)
    assert Card.from_json(card.to_json()) == card


@pytest.mark.parametrize("case", CARDS["invalid"], ids=lambda case: case["name"])
def test_a_wrong_card_is_one_clear_line(case: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        Card.from_json(text_of(case))
    message = str(caught.value)
    assert "\n" not in message and message.isprintable() and len(message) < 300
    if case.get("problem"):
        assert isinstance(caught.value.__cause__, Mismatch) and caught.value.__cause__.path == case["problem"]


@pytest.mark.parametrize("case", CARDS["texts"], ids=lambda case: case["name"])
def test_what_is_not_a_card_is_one_clear_line(case: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="not a reader of this project"):
        Card.from_json(case["text"])


def test_our_check_of_schemas_agrees_with_a_complete_one() -> None:
    validator = jsonschema.Draft202012Validator(CARD_SCHEMA)
    jsonschema.Draft202012Validator.check_schema(CARD_SCHEMA)
    compared = 0
    for case in CARDS["valid"] + CARDS["invalid"]:
        try:
            facts = json.loads(text_of(case))
        except RecursionError:
            continue
        try:
            check(facts, CARD_SCHEMA)
            ours = True
        except Mismatch:
            ours = False
        # What is infinite, or larger than any double, is no JSON of ours; a complete implementation may take it.
        if not any(word in str(case["value"]) for word in ("NaN", "Infinity", "1e999", "9" * 500)):
            assert ours == validator.is_valid(facts), case["name"]
            compared += 1
    assert compared > 80


def shipped(root: Path) -> list[Path]:
    return sorted((root / "readers").glob("*.onnx"))


def test_every_shipped_reader_has_a_card_that_fits_the_schema(root: Path) -> None:
    readers = shipped(root)
    assert readers
    for path in readers:
        text = {entry.key: entry.value for entry in onnx.load(path).metadata_props}[METADATA_KEY]
        card, facts = Card.from_json(text), json.loads(text)
        jsonschema.validate(facts, CARD_SCHEMA)
        assert card.more == {}, "the card has a field for every entry"
        assert card.facts == facts


def test_no_two_exports_share_a_title() -> None:
    card = Card.from_json(json.dumps(CARDS["base"]))
    one, other = card.sealed(b"one graph"), card.sealed(b"another graph")
    changed = dataclasses.replace(card, default_operating_point="screening").sealed(b"one graph")
    assert len({one.title, other.title, changed.title}) == 3
    assert one.sealed(b"one graph").title == one.title, "the identity is of the content, whatever it was before"
    assert one.title.startswith("vector 1.0+") and Card.from_json(one.to_json()).title == one.title


def test_a_card_that_could_not_be_read_is_not_written() -> None:
    card = Card.from_json(json.dumps(CARDS["base"]))
    with pytest.raises(UserError, match=r"heatmap\.reference"):
        dataclasses.replace(card, heatmap=dataclasses.replace(card.heatmap, reference=float("inf"))).to_json()
