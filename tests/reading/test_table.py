"""A row of the CSV, as a spreadsheet takes it."""

from __future__ import annotations

import csv
import io

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.reading.reading import Terms
from ai_for_sudan.reading.table import BEGINNING, COLUMNS, Table


def test_a_name_that_begins_like_a_formula_is_text() -> None:
    file = io.StringIO(newline="")
    table = Table(file)
    names = ["=1+1.png", "+1.png", "-1.png", "@SUM(A1).png", "a=b.png", "a\x1b[2J.png"]
    for name in names:
        table.add({"file": name, "probability": 0.25, "codes": ["a", "b"], "reasons": [], "elapsed_ms": 3})
    assert file.getvalue().encode().startswith(BEGINNING)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert tuple(rows[0]) == COLUMNS and "elapsed_ms" not in rows[0]
    assert [row["file"] for row in rows[:5]] == ["'=1+1.png", "'+1.png", "'-1.png", "'@SUM(A1).png", "a=b.png"]
    assert "\x1b" not in rows[5]["file"] and rows[5]["file"].endswith(".png")
    assert (rows[0]["probability"], rows[0]["codes"], rows[0]["reasons"], rows[0]["label"]) == ("0.25", "a; b", "", "")


def test_the_label_is_what_the_operating_point_decides() -> None:
    point = OperatingPoint(name="balanced", not_seen_below=0.3, suspected_from=0.4)
    two = Terms("r", point, ("normal", "pneumonia"), "pneumonia", "exclusive", 1.0)
    assert two.label({"normal": 0.6, "pneumonia": 0.4}) == "pneumonia"
    assert two.label({"normal": 0.61, "pneumonia": 0.39}) == "normal"
    three = Terms("r", point, ("normal", "bacterial", "viral"), "bacterial", "exclusive", 1.0)
    assert three.label({"normal": 0.2, "bacterial": 0.3, "viral": 0.5}) == "viral"
    findings = Terms("r", point, ("effusion", "nodule", "mass"), "mass", "multilabel", 1.0)
    assert findings.label({"effusion": 0.4, "nodule": 0.1, "mass": 0.9}) == "effusion|mass"
