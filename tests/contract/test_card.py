"""Cards, right and wrong: each wrong one is one clear line."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest

from ai_for_sudan.contract.card import CARD_SCHEMA, SCHEMA, Card
from ai_for_sudan.contract.judge import judge
from ai_for_sudan.contract.limits import LARGEST_CARD
from ai_for_sudan.contract.names import METADATA_KEY
from ai_for_sudan.contract.schema import Mismatch, check, parse
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


#: what some of them are told, word for word
SAID = {
    "gate limit 9": "gate.scores.0.limit, which is 9; expected less than 1",
    "gate code twice": 'gate.scores, which is ["blank", "blank"]; expected no code more than once',
    "gate status unknown": 'gate.scores.0.status, which is "ignored"; expected one of ["refused", "uncertain"]',
    "escape sequence in a reason": 'gate.scores.0.reason, which is "\\u001b[2J"; expected no control characters',
    "another default": 'default_operating_point, which is "best"; expected one of the operating points',
    "a positive class that is not among the classes": 'positive, which is "covid"; expected one of the classes',
    "cut-offs the wrong way round": (
        "operating_points.balanced, which is [0.61, 0.6]; expected not_seen_below no higher than suspected_from"
    ),
    "half an operating point": "operating_points.balanced.suspected_from, which is missing",
    "ages the wrong way round": "population.age_years, which is [5.0, 1.0]; expected the first year before the last",
    "no operating points": "operating_points, which is {}; expected at least 1 entries",
    "self-test too few pixels": "selftest.pixels, which is 4160; expected 64 x 64 bytes",
    "self-test pixels cut short": 'selftest.pixels, which is "AAA"; expected base64',
    "self-test without gate": "selftest.gate, which is 0; expected 2 values",
    "name of 101 characters": f'name, which is "{"x" * 59}…; expected at most 100 characters',
    "reference of other lengths": "reference.embedding_std, which is 1; expected 2 values, as in embedding_mean",
    "reference sketches too few": (
        "reference.sample.sketches, which is 3; expected 8 bytes: dims float16 for each score"
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_what_a_wrong_card_is_told(name: str) -> None:
    case = next(case for case in CARDS["invalid"] if case["name"] == name)
    with pytest.raises(UserError) as caught:
        Card.from_json(text_of(case))
    assert str(caught.value) == f"the reader's card is invalid at {SAID[name]}; export the reader again"


def test_a_card_of_now_has_an_identity_and_a_provenance() -> None:
    for missing in ("identity", "provenance"):
        facts = {name: value for name, value in CARDS["base"].items() if name != missing}
        with pytest.raises(UserError, match=f"at {missing}, which is missing; export"):
            Card.from_json(json.dumps(facts))


def test_the_ends_of_what_is_allowed() -> None:
    text = json.dumps(CARDS["base"])
    longest = text + " " * (LARGEST_CARD - len(text))
    assert Card.from_json(longest).name == "vector"
    with pytest.raises(UserError, match=r"has 4,000,001 characters, at most 4,000,000 are read"):
        Card.from_json(longest + " ")
    one_year = CARDS["base"] | {"population": {"age_years": [3, 3]}}
    assert Card.from_json(json.dumps(one_year)).ages == (3, 3)
    sixty = "x" * 58  # with its quotes
    assert str(Mismatch("", "less", sixty)) == f'the whole, which is "{sixty}"; expected less'
    deepest = "[" * 31 + "]" * 31
    assert parse(f"[{deepest}]") == json.loads(f"[{deepest}]")
    with pytest.raises(Mismatch, match=r'which is "a deeper one"; expected at most 32 levels'):
        parse(f"[[1, {deepest}]]")
    with pytest.raises(Mismatch, match=r"the whole, which is .*; expected valid JSON with few levels"):
        parse("{")


def test_an_unknown_operating_point_lists_those_that_there_are() -> None:
    card = Card.from_json(json.dumps(CARDS["base"]))
    points = ", ".join(CARDS["base"]["operating_points"])
    with pytest.raises(UserError) as caught:
        card.operating_point("best")
    assert str(caught.value) == f"vector has no operating point 'best'; it has: {points}"


def test_the_identity_follows_one_rule_for_ever() -> None:
    """Another rule would give every reader file another title: the digest is of the UTF-8 text as it is written."""
    card = dataclasses.replace(Card.from_json(json.dumps(CARDS["base"])), name="قارئ")
    content = json.dumps(dataclasses.replace(card, identity=None).facts, ensure_ascii=False)
    assert "قارئ" in content
    expected = hashlib.sha256(hashlib.sha256(b"graph").digest() + content.encode()).hexdigest()
    assert card.sealed(b"graph").identity == expected


def test_names_of_entries_are_checked_where_a_schema_asks() -> None:
    schema = {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}}
    check({"point": 1}, schema)
    with pytest.raises(Mismatch) as caught:
        check({"a point!": 1}, schema, path="points")
    assert str(caught.value) == 'points.a point?, which is "a point!"; expected text that fits "^[a-z]+$"'


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
        changed = set() if facts["schema"] == SCHEMA else {"schema", "abstention", "operating_points"}
        assert {k: v for k, v in card.facts.items() if k not in changed} == {
            k: v for k, v in facts.items() if k not in changed
        }


PROBABILITIES = [0.0, 1e-9, *np.linspace(0, 1, 401).tolist(), 1 - 1e-9, 1.0]


def test_the_status_never_falls_as_the_probability_rises(root: Path) -> None:
    """At every point of every shipped reader; the app's tests say the same of the same files."""
    order = ["not_seen", "uncertain", "suspected"]
    for path in shipped(root):
        card = Card.from_json({entry.key: entry.value for entry in onnx.load(path).metadata_props}[METADATA_KEY])
        gate = [0.0] * len(card.gate)
        for point in card.operating_points.values():
            ends = (point.not_seen_below, point.suspected_from)
            found = [
                order.index(judge(card, probability, gate, (300, 300), point).status)
                for probability in sorted([*PROBABILITIES, *ends])
            ]
            assert found == sorted(found), (path.name, point.name)


def old_card(case: dict[str, Any], schema: int = 2) -> str:
    facts = {key: value for key, value in CARDS["base"].items() if key != "abnormal"} | {
        "schema": case.get("schema", schema),
        "operating_points": {"balanced": case["point"]},
        "abstention": case["abstention"],
    }
    if facts["schema"] == 1:
        del facts["identity"], facts["provenance"]
    return json.dumps(facts)


@pytest.mark.parametrize("case", CARDS["old"], ids=lambda case: case["name"])
def test_an_old_card_keeps_its_statuses_but_where_its_rules_crossed(case: dict[str, Any]) -> None:
    card = Card.from_json(old_card(case))
    point, threshold, band = card.operating_point(), case["point"]["threshold"], case["abstention"]
    assert (point.not_seen_below, point.suspected_from) == (case["not_seen_below"], case["suspected_from"])
    assert ("lies outside the band" in point.reason) == case["crossing"] and point.reason.startswith("why")
    promised = band and band.get("error_rate")
    assert (point.missed, point.false_alarms) == (promised, promised)
    for probability in PROBABILITIES:
        before = "suspected" if probability >= threshold else "not_seen"
        if band and band["lower"] < probability < band["upper"]:
            before = "uncertain"
        now = point.status(probability)
        crossed = case["crossing"] and point.not_seen_below <= probability < point.suspected_from
        at_an_end = band and probability == band["lower"]
        assert now == ("uncertain" if crossed or (at_an_end and band["lower"] < band["upper"]) else before), probability
    again = Card.from_json(card.to_json())
    assert again.operating_points == card.operating_points and again.title == card.title
    assert again.schema == (SCHEMA if case["schema"] == 2 else 1)


@pytest.mark.parametrize("case", CARDS["old_invalid"], ids=lambda case: case["name"])
def test_a_wrong_old_card_is_one_clear_line(case: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        Card.from_json(old_card(case))
    assert isinstance(caught.value.__cause__, Mismatch) and caught.value.__cause__.path == case["problem"]


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
