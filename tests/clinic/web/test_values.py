"""What a film's own window clips is still in its file: a person who may see the film can bring it back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from dicom_film import as_bytes, of_a_child
from PIL import Image

from ai_for_sudan.clinic.store import tables
from tests.clinic.web.conftest import SAMPLES, Clinic
from tests.clinic.web.test_pages import Window

#: rows and columns of squares whose values lie above and below the window of the film: four that its picture cannot
#: tell apart by twos
SQUARES = {3300: (100, 100), 3900: (100, 200), 300: (300, 100), 700: (300, 200)}
NAME = "Idris^Mona"


@pytest.fixture(scope="module")
def stored() -> np.ndarray:
    """A film of 12 bits: uint16 ``(512, 512)``."""
    with Image.open(SAMPLES / "pneumonia_01.png") as picture:
        grey = np.asarray(picture.convert("L"), dtype=np.uint16) * 16
    for value, (row, column) in SQUARES.items():
        grey[row : row + 60, column : column + 60] = value
    grey[0, :2] = 0, 4095
    return grey


@pytest.fixture(scope="module")
def dicom_film(stored: np.ndarray) -> bytes:
    return as_bytes(
        of_a_child(stored, BitsStored=12, HighBit=11, WindowCenter=2100, WindowWidth=1800, PatientName=NAME)
    )


def taken_apart(content: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    """What the server sent: uint16 ``(H, W)``, and the window's black and white."""
    width, height, black, white = np.frombuffer(content, "<u4", 4)
    differences = np.frombuffer(content, "<u2", offset=16)
    return np.cumsum(differences, dtype=np.uint16).reshape(height, width), (int(black), int(white))


def test_a_viewer_gets_every_value_compressed_without_a_name_and_the_trail_tells(
    clinic: Clinic, dicom_film: bytes, stored: np.ndarray
) -> None:
    number = clinic.film(dicom_film)
    viewer = clinic.person("huda", "viewer")
    answer = viewer.get(f"/api/films/{number}/values")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "no-store"
    values, (black, white) = taken_apart(answer.content)
    np.testing.assert_array_equal(values, stored)
    assert 1184 <= black <= 1216 and 2984 <= white <= 3016  # the film has steps of 16
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 0.6 * len(answer.content)
    plain = viewer.get(f"/api/films/{number}/values", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.content == answer.content
    assert NAME.encode() not in answer.content and NAME not in str(answer.headers)
    assert [(row.actor, row.subject) for row in clinic.trail("film.seen")] == [("user:huda", f"film:{number}")]


def test_a_picture_that_is_opened_without_its_page_is_in_the_trail(clinic: Clinic, film: bytes) -> None:
    number = clinic.film(film)
    assert clinic.person("huda", "viewer").get(f"/api/films/{number}/picture").status_code == 200
    assert [(row.actor, row.subject) for row in clinic.trail("film.seen")] == [("user:huda", f"film:{number}")]


def test_nobody_and_a_phone_get_no_value_and_the_trail_tells_of_the_phone(clinic: Clinic, dicom_film: bytes) -> None:
    address = f"/api/films/{clinic.film(dicom_film)}/values"
    answer = clinic.nobody().get(address)
    assert (answer.status_code, answer.json()["error"]) == (401, "login")
    code = clinic.person("amina").post("/api/pairings").json()["address"].rpartition("/")[2]
    token = clinic.nobody().post("/api/phone", json={"code": code, "name": "ward"}).json()["token"]
    phone = httpx.get(clinic.address + address, headers={"Authorization": f"Bearer {token}"})
    assert (phone.status_code, phone.json()["error"]) == (403, "role")
    assert [row.actor for row in clinic.trail("access.refused")] == ["device:1"]
    assert clinic.trail("film.seen") == []


def test_a_film_that_has_no_values_to_give_says_why(clinic: Clinic, film: bytes, dicom_film: bytes) -> None:
    client = clinic.person("amina")
    picture, damaged, deleted = clinic.film(film), clinic.film(dicom_film[:200_000]), clinic.film(dicom_film)
    with clinic.store.writing() as session:
        session.get_one(tables.Film, deleted).deleted_at = tables.now()
    expected = {picture: (404, "no_values"), damaged: (409, "unreadable"), deleted: (410, "gone"), 99: (404, "unknown")}
    for number, refusal in expected.items():
        answer = client.get(f"/api/films/{number}/values")
        assert (answer.status_code, answer.json()["error"]) == refusal


class Shown:
    """The first film on a page, and which of its values were fetched."""

    def __init__(self, window: Window, number: int) -> None:
        self.window, self.fetched = window, []
        window.page.on("request", lambda r: self.fetched.append(r.url) if r.url.endswith("/values") else None)
        self.page = window.go(f"film/{number}")
        self.page.click(".adjust summary")

    def slide(self, brightness: int = 100, contrast: int = 100) -> None:
        for place, value in enumerate((brightness, contrast)):
            self.page.locator(".adjust input[type=range]").nth(place).fill(str(value))

    def greys(self, canvas: str, drawn: Callable[[dict[int, int]], bool]) -> dict[int, int]:
        """What each square of :data:`SQUARES` is shown as, 0..255, once that is what was waited for."""
        middles = [[column + 30, row + 30] for row, column in SQUARES.values()]
        self.page.wait_for_selector(canvas)
        for _ in range(100):
            greys = self.page.evaluate(
                "([canvas, places]) => places.map(([x, y]) => document.querySelector(canvas)"
                ".getContext('2d').getImageData(x, y, 1, 1).data[0])",
                [canvas, middles],
            )
            found = dict(zip(SQUARES, greys, strict=True))
            if drawn(found):
                return found
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{canvas} shows {found}")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_what_the_window_clipped_can_be_told_apart_when_it_is_moved(
    browser: Any, start: Callable[..., Clinic], pages: Path, dicom_film: bytes, language: str
) -> None:
    clinic = start(static=pages)
    number = clinic.film(dicom_film)
    clinic.user("huda", "viewer")
    window = Window(browser, clinic, language).log_in("huda")
    shown = Shown(window, number)
    shown.greys("canvas.film", lambda found: found == {3300: 255, 3900: 255, 300: 0, 700: 0})
    assert shown.fetched == [] and shown.page.locator("canvas.windowed").count() == 0
    window.shot("film-own-window")
    shown.slide(contrast=40)
    greys = shown.greys("canvas.windowed", lambda found: found[3300] > 0)
    assert 0 < greys[300] < greys[700] - 10 and greys[700] < greys[3300] < greys[3900] - 10 < 245
    window.check("film-wide-window")
    # A narrow window at the bright end: only what was white is not black.
    shown.slide(brightness=45, contrast=100)
    greys = shown.greys("canvas.windowed", lambda found: found[300] == 0)
    assert greys[700] == 0 < greys[3300] < greys[3900] < 255
    window.shot("film-bright-end")
    # Back to the film as it was read; its values were fetched once.
    shown.slide()
    shown.page.wait_for_selector("canvas.windowed", state="detached")
    assert shown.fetched == [f"{clinic.address}/api/films/{number}/values"]
    assert window.faults == []


def test_until_the_values_are_there_the_picture_is_adjusted_and_the_page_says_so(
    browser: Any, start: Callable[..., Clinic], pages: Path, film: bytes, dicom_film: bytes
) -> None:
    clinic = start(static=pages)
    picture, number = clinic.film(film), clinic.film(dicom_film)
    clinic.user("huda", "viewer")
    window = Window(browser, clinic, "en").log_in("huda")
    shown = Shown(window, number)
    window.context.set_offline(True)
    shown.slide(contrast=40)
    shown.page.wait_for_selector(".adjust [role=alert], .adjust .warning")
    assert "contrast(40%)" in shown.page.locator("canvas.film").get_attribute("style")
    assert shown.page.locator("canvas.windowed").count() == 0
    window.context.set_offline(False)
    shown.page.click(".adjust button:has-text('Try again')")
    shown.page.wait_for_selector("text=All values of the film are used")
    assert shown.page.locator("canvas.windowed").count() == 1
    # A film that is a picture has none.
    shown = Shown(window, picture)
    shown.slide(contrast=40)
    shown.page.wait_for_selector("text=The picture already shows all values of this film")
    assert "contrast(40%)" in shown.page.locator("canvas.film").get_attribute("style")
    window.check("film-without-values")
