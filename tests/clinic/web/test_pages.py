"""The pages in a real browser, in both languages: axe A/AA, 320 px, by keyboard. CLINIC_SHOTS=folder keeps pictures."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_for_sudan.clinic.store import deliveries, films, tables
from tests.clinic.web.conftest import PASSWORD, SAMPLES, Clinic

ROOT = SAMPLES.parent
APP = ROOT / "app"
LANGUAGES = ("en", "ar")
PAGES = ("worklist", "upload", "outgoing", "exports", "phones", "users", "trail", "state", "account", "trust")


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    if shutil.which("npx") is None or not (APP / "node_modules").exists():
        pytest.skip("Node 20 and app/node_modules are needed to build the pages; run: npm ci --prefix app")
    folder = tmp_path_factory.mktemp("pages") / "static"
    subprocess.run(
        ["npx", "vite", "build", "--config", "vite.clinic.config.ts"],
        cwd=APP,
        env={**os.environ, "CLINIC_OUT_DIR": str(folder)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def busy(start: Callable[..., Clinic], pages: Path) -> Clinic:
    """A clinic on an ordinary morning: films of every status, verdicts, a PACS that is away."""
    clinic = start(
        static=pages,
        site={"name": "Omdurman clinic"},
        health={
            "ok": True,
            "checks": [
                {"name": "disk", "state": "ok", "found": "61 GB of 252 GB are free", "todo": ""},
                {"name": "clock", "state": "ok", "found": "the clock agrees with the last heartbeat", "todo": ""},
                {
                    "name": "pacs",
                    "state": "failed",
                    "found": "main PACS does not answer at 10.0.0.5:4242 (connection refused)",
                    "todo": "see whether it is switched on and its cable is plugged in; nothing is lost meanwhile",
                },
                {
                    "name": "certificate",
                    "state": "warning",
                    "found": "the certificate ends in 20 days",
                    "todo": "run: ai-for-sudan clinic certificate",
                },
            ],
        },
    )
    numbers = [
        clinic.film(path.read_bytes())
        for path in [*sorted(SAMPLES.glob("n*.png"))[:4], *sorted(SAMPLES.glob("p*.png"))[:4]]
    ]
    people = [
        clinic.user("amina", "administrator", "Dr Amina Idris"),
        clinic.user("omar", "clinician", "Dr Omar Bakri"),
    ]
    clinic.user("huda", "viewer", "Huda")
    with clinic.store.writing() as session:
        patients = [tables.Patient(identifier=f"P-{n:04d}", name="Doe^Jane", sex="F") for n in range(3)]
        session.add_all(patients)
        session.flush()
        for place, number in enumerate(numbers):
            film = session.get_one(tables.Film, number)
            film.age_years, film.origin = [0.5, 3.0, 4.5][place % 3], ["dicom", "phone", "upload"][place % 3]
            study = session.get_one(tables.Study, film.study_id)
            study.patient_id, study.date, study.accession_number = (
                patients[place % 3].id,
                f"2026-11-{place + 1:02d}",
                "A17",
            )
        users = {user.name: user.id for user in session.query(tables.User)}
        for number, said in ((numbers[0], ("agree", "disagree")), (numbers[-1], ("agree",))):
            reading = films.newest_reading(session, number)
            for name, agreement in zip(people, said, strict=False):
                films.sign(
                    session,
                    tables.Verdict(
                        film_id=number, reading_id=reading.id, user_id=users[name], agreement=agreement,
                        note="Right lower lobe.",
                    ),
                )  # fmt: skip
        # Statuses that the samples do not have.
        for number, status, codes in (
            (numbers[1], "uncertain", ["abstained"]),
            (numbers[2], "refused", ["lateral"]),
            (numbers[3], "failed", ["truncated"]),
        ):
            film = session.get_one(tables.Film, number)
            reading = films.newest_reading(session, number)
            reading.status, reading.codes, film.status = status, codes, status
            film.urgency, film.on_worklist = films.URGENCY_OF[status], status != "refused"
        deliveries.set_destinations(session, ["main PACS", "archive"])
        session.flush()
        result = tables.Result(
            reading_id=films.newest_reading(session, numbers[0]).id, kind="sr", sop_uid="1.2", sop_class="1",
            series_uid="1", file="0" * 64, size=1,
        )  # fmt: skip
        session.add(result)
        session.flush()
        deliveries.enqueue(session, result)
        session.flush()
        deliveries.mark_away(session, "main PACS", "main PACS does not answer at 10.0.0.5:4242 (connection refused)")
    clinic.numbers = numbers
    return clinic


class Window:
    """A browser window of one person."""

    def __init__(self, browser: Any, clinic: Clinic, language: str, width: int = 1280, height: int = 900) -> None:
        self.clinic, self.language = clinic, language
        self.context = browser.new_context(viewport={"width": width, "height": height}, locale=language)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.add_init_script(f"localStorage.setItem('clinic.language', '{language}')")

    def log_in(self, name: str) -> Window:
        self.page.goto(self.clinic.address)
        self.page.fill("input[name=name]", name)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.press("input[name=password]", "Enter")
        self.page.wait_for_selector("nav a")
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
            self.page.screenshot(path=folder / f"{name}-{self.language}.png", full_page=True)

    def check(self, name: str) -> None:
        self.shot(name)
        assert self.axe() == [], name
        assert self.fits(), name
        assert self.faults == [], name


@pytest.mark.parametrize("width", [1280, 320])
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
