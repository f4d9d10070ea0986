"""The model card shows what was recorded, says what was not, and takes no other reader's results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ai_for_sudan.cli import main
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.card_html import load_records, render
from ai_for_sudan.statistics import as_json, status_table

FACTS: dict[str, Any] = {"name": "tiny", "version": "0.1", "architecture": "tiny", "positive": "pneumonia",
                         "classes": ["normal", "pneumonia"]}  # fmt: skip
ROW = {"films": 9, "auroc": [0.812, 0.7, 0.9], "sensitivity": [0.9, 0.8, 0.95], "specificity": [0.7, 0.6, 0.8]}
STATUSES = as_json(status_table(np.array([1, 1, 1, 0, 0, 0, 0, 0, 0]), np.array(["suspected"] * 3 + ["not_seen"] * 6)))
STRESS = {"reader": "tiny 0.1", "films": 9, "data": "d", "operating_point": "balanced", "rows": [
    {"kind": kind, "severity": severity, **ROW, "statuses": STATUSES, "ece": 0.04}
    for kind, severity in (("none", 0), ("blur", 3), ("blur", 5))
]}  # fmt: skip
AUDIT = {
    "reader": "tiny 0.1", "data": "d", "all": {"films": 9},
    "groups": [{"column": "view", "group": "AP", "note": "too few to say", **ROW}],
    "confounding": [
        {"column": "view", "confounds": True, "cramers_v": 0.3, "auroc_overall": 0.8, "auroc_within_groups": 0.7}
    ],
}  # fmt: skip


def rendered(*args: Any) -> str:
    """With plain spaces in intervals."""
    return render(*args).replace("\u00a0", " ")


def covered(page: str, guideline: str) -> int:
    found = re.search(rf"<h2>{re.escape(guideline)}</h2>.*?(\d+) of \d+ are covered", page, re.S)
    assert found
    return int(found[1])


def test_what_is_not_recorded_says_so() -> None:
    page = rendered(FACTS)
    for part in ("Subgroups", "Robustness", "Checks of the heatmap", "Cross-validation", "Examples of failures"):
        assert re.search(rf"{part}[^<]*: no result recorded", page), part
    assert page.count("not recorded") >= 10
    assert "0.65" in page and "Togunwa" in page
    assert covered(page, "CLAIM 2024") == 3 and covered(page, "TRIPOD+AI") == 3  # the model's name and limitations


def test_recorded_results_are_shown_and_cover_items() -> None:
    page = rendered({**FACTS, "metrics": {"audit": AUDIT}}, {"stress": STRESS})
    assert "0.812 (0.700 to 0.900)" in page and "view is linked with the label" in page
    assert page.count("<td>blur</td>") == 1  # of severity 3, not 5
    assert "Robustness (ai-for-sudan stress): no result" not in page
    assert covered(page, "CLAIM 2024") == 4 and covered(page, "TRIPOD+AI") == 7


def test_an_evaluation_and_an_adaptation_are_shown_in_full() -> None:
    bins = [
        {"given": 0.2, "share": [0.3, 0.1, 0.6], "films": 10},
        {"given": 0.8, "share": [0.7, 0.4, 0.9], "films": 10},
    ]
    point = {"threshold": 0.5, "auroc": [0.777, 0.6, 0.9]}
    metrics = {"model": "tiny 0.1", "data": "official test", "side": "all", "operating_points": {"own": point},
               "probabilities": {"slope": [0.71, 0.6, 0.8], "intercept": [0, 0, 1], "reliability": bins}}  # fmt: skip
    figures = {"auroc": [0.45, 0.3, 0.6], "sensitivity": [0.5, 0.4, 0.6], "specificity": [0.5, 0.4, 0.6], "within": {}}
    step = {"name": "calibration", "measure": "log loss", "gain": [0.2, 0.1, 0.3], "adopted": True, "after": figures}
    site = {"site": "Omdurman", "date": "2026-01-01", "verdict": "must not be used here", "measured": figures,
            "films": {"labelled": 100, "patients": 90, "refused": 3, "excluded": 2}, "steps": [step]}  # fmt: skip
    page = rendered({**FACTS, "adaptations": [site]}, {"metrics": metrics})
    assert "0.777" in page and "calibration slope 0.71" in page and "<svg" in page
    assert "must not be used here" in page and "3 refused, 2 excluded" in page and "0.200 (0.100 to 0.300)" in page
    assert "Reliability plot: no result recorded" in rendered(FACTS)


def test_results_of_another_reader_are_refused() -> None:
    with pytest.raises(UserError, match=r"stress\.json is of other 1"):
        rendered(FACTS, {"stress": {**STRESS, "reader": "other 1"}})


def test_names_are_escaped() -> None:
    page = rendered({**FACTS, "intended_use": "<script>alert(1)</script>"})
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_bad_records_are_reported(tmp_path: Path) -> None:
    for name, text, complaint in (
        ("else.json", "{}", "expected audit.json"),
        ("audit.json", "{", "is not valid JSON"),
        ("stress.json", "[]", "contains no result"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match=complaint):
            load_records([tmp_path / name])
    with pytest.raises(UserError, match="cannot be read"):
        load_records([tmp_path / "crossval.json"])


def test_the_command_writes_the_page(tmp_path: Path, build_tiny: Callable[..., Path]) -> None:
    reader = build_tiny()
    (tmp_path / "stress.json").write_text(json.dumps(STRESS))
    page = tmp_path / "card.html"
    results = ["--results", str(tmp_path / "stress.json")]
    assert main(["card", str(reader), "--html", str(page), *results]) == 0
    assert "<td>blur</td>" in page.read_text() and "Decision support" in page.read_text()
    assert main(["card", str(reader), *results]) == 2


def test_dollars_in_names_are_no_formula() -> None:
    bins = [{"given": 0.2, "share": [0.3, 0.1, 0.6], "films": 10}]
    metrics = {"model": "tiny 0.1", "data": "films_$1$_{$", "side": "all", "operating_points": {},
               "probabilities": {"slope": [1, 1, 1], "intercept": [0, 0, 1], "reliability": bins}}  # fmt: skip
    page = rendered({**FACTS, "name": "tiny", "intended_use": "$x_$"}, {"metrics": metrics})
    assert "$x_$" in page and "<svg" in page


def test_where_a_reader_comes_from_is_reported() -> None:
    provenance = {"weights_sha256": "ab" * 32, "initial_weights_sha256": "cd" * 32, "commands": ["train", "export"],
                  "data": [{"role": "training", "name": "films", "identity": "ef" * 32, "films": 7}]}  # fmt: skip
    page = rendered({**FACTS, "provenance": provenance, "training": {"software": "torch 2"}})
    for text in ("ab" * 32, "cd" * 32, "train; export", f"films, 7 films, SHA-256 {'ef' * 32}", "torch 2"):
        assert text in page


def test_the_command_finds_what_was_recorded_of_this_reader(
    tmp_path: Path, build_tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    reader = build_tiny()
    for name, record in (("stress", STRESS), ("audit", {**AUDIT, "reader": "other 9"})):
        (tmp_path / "outputs" / name).mkdir(parents=True)
        (tmp_path / "outputs" / name / f"{name}.json").write_text(json.dumps(record))
    assert main(["card", str(reader), "--html", "card.html"]) == 0
    assert "stress: outputs/stress/stress.json" in capsys.readouterr().out
    page = (tmp_path / "card.html").read_text()
    assert "<td>blur</td>" in page and "Subgroups (ai-for-sudan audit): no result recorded" in page
