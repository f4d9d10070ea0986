"""The pages in a real browser, in both languages: axe A/AA, 320 px, by keyboard.

CLINIC_SHOTS=folder keeps pictures of every page at the widths of a phone, a laptop and a large screen.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.clinic.web.conftest import PASSWORD, SAMPLES, Clinic

ROOT = SAMPLES.parent
APP = ROOT / "app"
LANGUAGES = ("en", "ar")
WIDTHS = (360, 1366, 1920) if "CLINIC_SHOTS" in os.environ else (320, 1280)
PAGES = (
    "worklist",
    "triage",
    "identities",
    "upload",
    "outgoing",
    "exports",
    "phones",
    "users",
    "trail",
    "state",
    "account",
    "trust",
)


class Window:
    """A browser window of one person."""

    def __init__(self, browser: Any, clinic: Clinic, language: str, width: int = 1280, height: int = 900) -> None:
        self.clinic, self.language = clinic, language
        self.context = browser.new_context(viewport={"width": width, "height": height}, locale=language)
        self.page = self.context.new_page()
        self.page.set_default_timeout(120_000)  # two large films on a busy machine take their time
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.add_init_script(f"localStorage.setItem('clinic.language', '{language}')")

    def log_in(self, name: str) -> Window:
        self.page.goto(self.clinic.address)
        self.page.fill("input[name=name]", name)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.press("input[name=password]", "Enter")
        self.page.wait_for_selector("nav a", state="attached")  # on a phone the menu is folded
        return self

    def go(self, place: str) -> Any:
        self.page.goto(f"{self.clinic.address}/#/{place}")
        self.page.wait_for_selector("main h1, main h2")
        self.page.wait_for_selector("main p[role=status]:has-text('…')", state="detached")
        self.page.wait_for_timeout(150)
        return self.page

    def axe(self) -> list[str]:
        self.page.evaluate((APP / "node_modules/axe-core/axe.min.js").read_text())
        found = self.page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"
            ".then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).slice(0, 3).join(' | ')))"
        )
        return list(found)

    def fits(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))

    def shot(self, name: str) -> None:
        if "CLINIC_SHOTS" in os.environ:
            folder = Path(os.environ["CLINIC_SHOTS"])
            folder.mkdir(parents=True, exist_ok=True)
            self.page.evaluate("scrollTo(0, 0)")  # what sticks to the window stands where it is first seen
            self.page.screenshot(path=folder / f"{name}-{self.language}.png", full_page=True)

    def check(self, name: str) -> None:
        self.shot(name)
        assert self.axe() == [], name
        assert self.fits(), name
        assert self.faults == [], name


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_accessible_and_fits(browser: Any, busy: Clinic, language: str, width: int) -> None:
    window = Window(browser, busy, language, width)
    window.page.goto(busy.address)
    window.page.wait_for_selector("input[name=name]")
    assert window.page.get_attribute("html", "dir") == ("rtl" if language == "ar" else "ltr")
    window.check(f"login-{width}")
    window.log_in("amina")
    for place in (*PAGES, f"film/{busy.numbers[0]}", f"film/{busy.numbers[2]}", f"report/{busy.numbers[0]}"):
        window.go(place)
        window.check(f"{place.replace('/', '-')}-{width}")
    window.context.close()
