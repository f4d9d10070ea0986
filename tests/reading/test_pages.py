"""The pages as a browser shows them: on a laptop and on a phone nothing is cut off, and names do no harm."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ai_for_sudan.cli import main

CUT_OFF = """() => [...document.querySelectorAll('body *')].filter(element => {
    for (let above = element; above !== document.body; above = above.parentElement)
        if (['auto', 'scroll'].includes(getComputedStyle(above).overflowX)) return false;
    const hidden = getComputedStyle(element).overflowX === 'hidden' && element.scrollWidth > element.clientWidth + 1;
    return hidden || element.getBoundingClientRect().right > innerWidth + 1;
}).map(element => element.outerHTML.slice(0, 80))"""

# Words of column and row headings that stand on more than one line; a line may end at a hyphen.
BROKEN = """() => [...document.querySelectorAll('th')].flatMap(cell => [...cell.childNodes]).filter(node => node.data)
    .flatMap(text => [...text.data.matchAll(/[^\\s-]+/g)].filter(word => {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        return range.getClientRects().length > 1;
    }).map(word => word[0]))"""


def check(browser: Any, path: Path, width: int) -> None:
    asked: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_OFF) == [] and page.evaluate(BROKEN) == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []  # a page is one file, alone
    page.close()


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_of_readings_fits(
    browser: Any, build_tiny: Callable[..., Path], samples: Path, tmp_path: Path, width: int
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    shutil.copy(samples / "pneumonia_01.png", films / f"{'x' * 200}.png")
    shutil.copy(samples / "normal_01.png", films / "a name with spaces <b> & $x_1$.png")
    Image.new("L", (200, 200), 90).save(films / "blank.png")
    (films / "bad.jpg").write_bytes(b"no film")
    page = tmp_path / "r.html"
    assert main(["read", str(films), "--reader", str(build_tiny(lungs=True)), "--report", str(page)]) == 1
    assert "the blue line is the edge of the lungs" in page.read_text()
    check(browser, page, width)


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_of_a_card_fits(browser: Any, tmp_path: Path, width: int) -> None:
    page = tmp_path / "card.html"
    assert main(["card", "mobilenet_v2", "--html", str(page)]) == 0
    check(browser, page, width)


def test_a_card_s_page_takes_names_with_dollars_and_replaces_no_file_of_others(
    build_tiny: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    bins = [{"given": 0.2, "share": [0.2, 0.1, 0.3], "films": 9}]
    side = {"films": 9, "probabilities": {"reliability": bins}}
    tiny = build_tiny(name="$\\frac{$", metrics={"at $\\frac{$": side})
    page = tmp_path / "card.html"
    for _ in range(2):
        assert main(["card", str(tiny), "--html", str(page)]) == 0, capsys.readouterr().err
    assert "$" in page.read_text()
    page.write_text(json.dumps("notes"))
    assert main(["card", str(tiny), "--html", str(page)]) == 2
    assert "was not written by this command" in capsys.readouterr().err
