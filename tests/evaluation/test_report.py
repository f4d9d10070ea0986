"""The page of an evaluation: complete, in one file, and safe to open."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.evaluation.metrics import measure
from ai_for_sudan.evaluation.report import write_report
from ai_for_sudan.evaluation.subject import Judged, Subject
from ai_for_sudan.pages import interval
from ai_for_sudan.statistics import as_json, status_table


def written(path: Path, files: list[str]) -> str:
    """A page of 40 films, of which the first three are called wrongly, the second most certainly."""
    labels = np.arange(40) % 2
    probability = np.where(labels == 1, 0.8, 0.2)
    probability[:3] = 0.7, 0.05, 0.9
    predictions = np.stack([1 - probability, probability], axis=1)
    pixels = np.random.default_rng(0).integers(0, 255, (40, 32, 32), dtype=np.uint8)
    names = ("normal", "pneumonia")
    subject = Subject(
        name="tiny <b>",
        classes=names,
        positive="pneumonia",
        task="exclusive",
        input_size=32,
        point=OperatingPoint(not_seen_below=0.5, suspected_from=0.6),
        state={},
        predict=lambda films: predictions,
        judge=lambda films, pixels: Judged(predictions, np.array([]), []),
        heatmap=lambda film: np.ones((4, 4), dtype=np.float32),
        full_colour=1.0,
    )
    metrics = measure(labels, predictions, np.arange(40), names, "pneumonia", "exclusive", threshold=0.6, rounds=100)
    write_report(
        path,
        subject,
        metrics,
        labels,
        predictions,
        pixels,
        files,
        title="Evaluation",
        films="40 films of 40 patients (drawn films)",
        warnings=["beware <i>"],
        statuses=as_json(status_table(labels, subject.point.statuses(probability))),
    )
    return path.read_text(encoding="utf-8")


def test_the_page_is_complete_and_alone(tmp_path: Path) -> None:
    page = written(tmp_path / "report.html", [f"film_{n}.png" for n in range(40)])
    assert '<meta charset="utf-8">' in page and 'name="viewport"' in page
    for words in (
        "ROC",
        "AUROC",
        "Brier",
        "calibration error",
        "a probability of 0.600 or more",
        "a clinician decides",
    ):
        assert words in page
    assert page.count("<svg") == 1 and page.count("data:image/jpeg;base64,") == 6
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert all(link.startswith(("data:", "#")) for link in links)
    assert not re.search(r"<script|@import|url\(\s*['\"]?http", page)


def test_the_worst_mistakes_come_first(tmp_path: Path) -> None:
    page = written(tmp_path / "report.html", [f"film_{n}.png" for n in range(40)])
    assert re.findall(r"film_\d+\.png", page) == ["film_1.png", "film_2.png", "film_0.png"]
    assert page.count("<b>missed</b>") == 1 and page.count("<b>false alarm</b>") == 2


def test_names_are_escaped(tmp_path: Path) -> None:
    page = written(tmp_path / "report.html", ["<script>alert(1)</script>.png"] * 40)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "tiny &lt;b&gt;" in page and "beware &lt;i&gt;" in page


def test_intervals_in_words() -> None:
    assert interval([0.9, 0.85, 0.95]) == "0.900 (0.850 to 0.950)"
    assert interval([0.9, None, None]) == "0.900 (no interval)"
    assert interval([None, None, None]) == interval(None) == "-"


class Nesting(HTMLParser):
    """Elements that are open when the page ends, or that another one closes."""

    EMPTY = frozenset({"meta", "img", "br", "path", "use", "rect", "line", "circle", "stop"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.EMPTY:
            return
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.wrong.append(tag)


def test_every_element_is_closed_and_the_statuses_come_first(tmp_path: Path) -> None:
    page = written(tmp_path / "report.html", [f"film_{n}.png" for n in range(40)])
    nesting = Nesting()
    nesting.feed(re.sub(r"<svg.*?</svg>", "", page, flags=re.S))
    assert nesting.open == nesting.wrong == []
    assert page.index("What a clinic would experience") < page.index("AUROC")
    # Three of the 40 films are called wrongly: one of 20 positive films is missed, two negative ones are suspected.
    table = page[page.index('class="statuses"') : page.index("</table>")]
    assert re.findall(r">(\d+)<br><small>", table) == ["19", "0", "1", "0", "2", "0", "18", "0", "21", "0", "19", "0"]
