"""A morning in the clinic, in real browsers: two people, a worklist that moves, a phone that was out of reach."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ai_for_sudan.clinic.store import deliveries, tables
from tests.clinic.web.conftest import APP, SAMPLES, Clinic
from tests.clinic.web.test_pages import Window

FILM = SAMPLES / "pneumonia_05.png"


def test_a_film_appears_by_itself_and_others_see_who_looks_at_it(browser: Any, start: Any, pages: Path) -> None:
    clinic = start(static=pages)
    clinic.user("amina", "clinician", "Dr Amina"), clinic.user("omar", "clinician", "Dr Omar")
    amina, omar = (Window(browser, clinic, "en").log_in(name) for name in ("amina", "omar"))
    amina.page.wait_for_selector("text=Nothing is waiting")
    amina.shot("worklist-empty")
    clinic.film(FILM.read_bytes())
    amina.page.wait_for_selector(".clinic-list a:has-text('Pneumonia suspected')")
    omar.page.click(".clinic-list a")
    amina.page.wait_for_selector("text=Being viewed by Dr Omar")
    # Looking is noted once, and the note does not make the page fetch for ever.
    omar.page.wait_for_timeout(4000)
    assert [row.actor for row in clinic.trail("film.seen")] == ["user:omar"]
    omar.page.click("nav a:has-text('Worklist')")
    amina.page.wait_for_selector("text=Being viewed by Dr Omar", state="detached")


def test_a_verdict_by_keyboard_alone_is_signed_amended_and_never_vanishes(browser: Any, busy: Clinic) -> None:
    window = Window(browser, busy, "en").log_in("omar")
    page = window.page
    page.wait_for_selector(".clinic-list a")
    page.locator(".clinic-list a").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Your verdict")
    film = int(page.url.rpartition("/")[2])
    page.locator("input[name=verdict]").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("left base")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("text=Signed by Dr Omar Bakri")
    page.wait_for_selector("button:has-text('Sign the amendment')")
    page.locator("input[name=verdict]").nth(1).focus()
    page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("text=amended later")
    window.check("film-amended")
    with busy.store.reading() as session:
        rows = session.query(tables.Verdict).filter_by(film_id=film).order_by(tables.Verdict.id).all()
        assert [(row.agreement, row.note) for row in rows] == [("agree", "left base"), ("disagree", "left base")]
        assert rows[1].amends_id == rows[0].id
    assert [row.act for row in busy.trail("verdict")] == ["verdict.signed", "verdict.amended"]


def test_triage_signs_with_one_key_and_shows_the_next(browser: Any, busy: Clinic) -> None:
    window = Window(browser, busy, "en").log_in("omar")
    page = window.go("triage")
    page.wait_for_selector(".queue [aria-current=true]")
    waiting = page.locator(".queue button").count()
    page.wait_for_selector(".quick button")
    place = "[...document.querySelectorAll('.queue button')].findIndex(one => one.ariaCurrent === 'true')"
    assert page.evaluate(place) == 0
    page.fill("textarea", "1")  # what is typed signs nothing
    page.locator("main h1").first.click()
    page.keyboard.press("2")
    page.wait_for_selector("text=disagrees. Left:")
    assert page.evaluate(place) == 1
    assert page.locator(".queue button").count() == waiting
    window.check("triage")
    assert [row.act for row in busy.trail("verdict")] == ["verdict.signed"]


def test_a_verdict_that_is_not_signed_survives_back_and_refresh_but_no_log_out(browser: Any, busy: Clinic) -> None:
    window = Window(browser, busy, "en").log_in("omar")
    page = window.go(f"film/{busy.numbers[4]}")
    page.fill("textarea", "not signed yet")
    page.locator("input[name=verdict]").nth(1).check()
    page.click("nav a:has-text('Worklist')")
    page.wait_for_selector(".clinic-list a")
    page.go_back()
    page.wait_for_selector("textarea")
    page.reload()
    page.wait_for_selector("textarea")
    assert page.input_value("textarea") == "not signed yet" and page.locator("input[name=verdict]").nth(1).is_checked()
    page.click("button:has-text('Log out')")
    page.wait_for_selector("input[name=password]")
    window.log_in("omar").go(f"film/{busy.numbers[4]}")
    page.wait_for_selector("textarea")
    assert page.input_value("textarea") == ""
    assert busy.trail("verdict") == []


@pytest.mark.parametrize("language", ["en", "ar"])
def test_prior_films_stand_beside_and_the_viewer_has_window_zoom_and_heatmap(
    browser: Any,
    busy: Clinic,
    language: str,
) -> None:
    window = Window(browser, busy, language).log_in("omar")
    page = window.go(f"film/{busy.numbers[4]}")
    page.click(".prior button")
    page.wait_for_selector(".films figure:nth-of-type(2) canvas")
    page.locator(".films summary").first.click()
    page.locator(".adjust input[type=range]").nth(1).fill("180")
    page.locator(".zoom button").first.click()
    assert "contrast(180%)" in page.locator("canvas.film").first.get_attribute("style")
    assert "scale(1.5)" in page.locator(".stack").first.get_attribute("style")
    # The films come alone; where the model looked is a line that a person asks for, and both are enlarged together.
    assert page.locator("svg.lungs, svg.hottest").count() == 0
    for viewer in page.locator(".tools").all():
        viewer.locator("button").first.click()
    assert page.locator("svg.lungs").count() == 2
    assert "scale(1.5)" in page.locator(".stack").nth(1).get_attribute("style")
    # The film is there at full size, and only once its picture has come.
    size = page.evaluate("[document.querySelector('canvas.film').width, document.querySelector('canvas.film').height]")
    with busy.store.reading() as session:
        reading = session.get_one(tables.Film, busy.numbers[4]).readings[-1]
        assert size == [reading.width, reading.height]
    window.check("film-beside")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_faults_are_said_in_words(browser: Any, busy: Clinic, language: str, tmp_path: Path) -> None:
    window = Window(browser, busy, language)
    page = window.page
    page.goto(busy.address)
    page.fill("input[name=name]", "omar")
    page.fill("input[name=password]", "wrong")
    page.press("input[name=password]", "Enter")
    page.wait_for_selector("[role=alert]")
    window.check("login-wrong")
    window.log_in("omar")
    # A verdict while the network is away: what was typed stays.
    window.go(f"film/{busy.numbers[4]}")
    page.fill("textarea", "note that must not be lost")
    page.locator("input[name=verdict]").first.check()
    window.context.set_offline(True)
    page.click("form button.primary")
    page.wait_for_selector("[role=alert]")
    window.shot("film-offline")
    assert page.input_value("textarea") == "note that must not be lost"
    window.context.set_offline(False)
    page.click("form button.primary")
    page.wait_for_selector(".history li strong")
    # A file that is not a film, and one that is.
    window.go("upload")
    note = tmp_path / "note.txt"
    note.write_bytes(b"")
    page.set_input_files("input[type=file]", [str(note), str(FILM)])
    page.locator("form .naming input").nth(0).fill("P-1")
    window.shot("upload-form")
    page.click("form button.primary")
    page.wait_for_selector("a.open")
    window.check("upload-done")
    # The session ends while the page is open.
    with busy.store.writing() as session:
        session.query(tables.Login).delete()
    page.click("nav a:nth-of-type(3)")
    page.wait_for_selector("input[name=password]")
    window.shot("ended")


def test_what_a_pacs_refused_is_sent_again_from_its_page_and_a_viewer_cannot(browser: Any, busy: Clinic) -> None:
    with busy.store.writing() as session:
        (delivery,) = session.scalars(select(tables.Delivery).where(tables.Delivery.destination_id == 1))
        deliveries.mark_refused(session, [delivery.id], "main PACS did not accept it: it has no space (A700H)")
    viewer = Window(browser, busy, "en").log_in("huda")
    page = viewer.go("outgoing")
    page.wait_for_selector("text=it has no space")
    assert page.locator("main button").count() == 0
    window = Window(browser, busy, "en").log_in("omar")
    page = window.go("outgoing")
    page.locator("main li", has_text="it has no space").locator("button").click()
    page.wait_for_selector("text=it has no space", state="detached")
    window.check("outgoing-again")
    with busy.store.reading() as session:
        assert session.get_one(tables.Delivery, delivery.id).state == "waiting"
        batch = deliveries.to_send(session, "main PACS", 10)
        assert [row.id for row, _ in batch] == [delivery.id]  # now, whatever it waited for
    assert [(row.actor, row.subject) for row in busy.trail("delivery")] == [("user:omar", f"delivery:{delivery.id}")]


@pytest.fixture(scope="session")
def phone_app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built phone app, with the reader that it ships."""
    if not (APP / "node_modules").exists():
        pytest.skip("app/node_modules is missing; run: npm ci --prefix app")
    folder = tmp_path_factory.mktemp("phone") / "static"
    subprocess.run(
        ["npx", "vite", "build"], cwd=APP, env={**os.environ, "OUT_DIR": str(folder)}, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return folder


def test_a_phone_is_paired_once_and_sends_nothing_twice_after_hours_without_network(
    browser: Any,
    start: Callable[..., Clinic],
    pages: Path,
    phone_app: Path,
) -> None:
    clinic = start(static=pages, app=phone_app)
    desktop = clinic.person("amina")
    address = desktop.post("/api/pairings").json()["address"]
    context = browser.new_context(viewport={"width": 390, "height": 800}, locale="en")
    phone = context.new_page()
    phone.goto(address)
    phone.click("button:has-text('Pair and send')")
    phone.wait_for_selector("text=Paired with Test clinic")
    # The code is used up, for everybody.
    used = clinic.nobody().post("/api/phone", json={"code": address.rpartition("/")[2], "name": "thief"})
    assert used.status_code == 403
    phone.goto(f"{clinic.address}/app/#/")
    phone.wait_for_selector("text=Films go to Test clinic")
    phone.wait_for_selector("text=Reader ready", timeout=120_000)
    context.set_offline(True)
    phone.set_input_files("input[type=file] >> nth=-1", str(FILM))
    phone.wait_for_selector("text=Pneumonia suspected", timeout=60_000)
    phone.locator("input[name=verdict]").first.check()
    phone.wait_for_timeout(500)
    phone.goto(f"{clinic.address}/app/#/pair")
    phone.wait_for_selector("text=cannot be reached now")
    with clinic.store.reading() as session:
        assert session.query(tables.Film).count() == 0
    context.set_offline(False)
    phone.click("button:has-text('Send now')")
    _until(lambda: _count(clinic, tables.Film) == 1, phone)
    clinic.read(1)
    for _ in range(3):
        phone.click("button:has-text('Send now')")
        phone.wait_for_selector("text=1 of 1 readings have been sent")
    with clinic.store.reading() as session:
        film = session.query(tables.Film).one()
        verdict = session.query(tables.Verdict).one()
        assert (film.origin, film.device_id) == ("phone", 1)
        assert (verdict.agreement, session.get_one(tables.User, verdict.user_id).name) == ("agree", "amina")
    assert [row.actor for row in clinic.trail("verdict")] == ["device:1"]
    desktop.delete("/api/devices/1")
    phone.evaluate("localStorage.removeItem('clinic.sent')")
    phone.click("button:has-text('Send now')")
    phone.wait_for_selector("text=no longer knows this phone")
    assert _count(clinic, tables.Film) == 1
    context.close()


def _count(clinic: Clinic, table: Any) -> int:
    with clinic.store.reading() as session:
        return int(session.query(table).count())


def _until(true: Callable[[], bool], page: Any) -> None:
    for _ in range(100):
        if true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not happen")
