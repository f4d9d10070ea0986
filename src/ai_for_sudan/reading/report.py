"""A page that a person wants to look at: every film with its heatmap, most urgent first, one file without links."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from PIL import Image

from ai_for_sudan.contract.card import Card
from ai_for_sudan.contract.colours import legend
from ai_for_sudan.errors import printable
from ai_for_sudan.pages import environment, inline
from ai_for_sudan.reading.reading import Reading
from ai_for_sudan.reading.words import (
    ARABIC_DISCLAIMER,
    HEATMAP_WORDS,
    OUTLINE_WORDS,
    STATUS_WORDS,
    URGENCY,
    said_in_arabic,
    said_of,
)

#: pixels of a picture that was clicked
LARGEST_SIDE = 640
#: the most urgent films are shown with their pictures, further ones in words: a browser must still open the page
PICTURED = 300


def row_of(reading: Reading) -> dict[str, Any]:
    """Give what the page needs of a reading, as JSON: its line and two pictures, one of a film that was refused."""
    row = {**reading.to_dict(), "film": None, "overlay": None, "outlined": False}
    if reading.pixels is not None:
        film = Image.fromarray(reading.pixels)
        film.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BILINEAR)
        row["film"] = inline(film)
        if reading.status != "refused":
            row["outlined"] = reading.lungs is not None
            row["overlay"] = inline(reading.overlay(largest_side=LARGEST_SIDE))
    return row


class Report:
    """Collects rows on disk while films are read, so that memory does not grow, and writes the page at the end."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._spool: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed by write)
        self._places: list[tuple[int, float, int]] = []
        self._counts: Counter[str] = Counter()
        self._outlined = False
        self._points: set[str] = set()

    def add(self, row: dict[str, Any]) -> None:
        """Add a reading to the page."""
        row = row | {key: _shown(row[key]) for key in ("file", "reasons", "warnings")}
        self._outlined = self._outlined or row.get("outlined", False)
        self._points |= {row["operating_point"]} & self._card.operating_points.keys()
        urgency = URGENCY.index(row["status"])
        self._places.append((urgency, -(row["probability"] or 0.0), self._spool.tell()))
        self._counts[row["status"]] += 1
        self._spool.write(json.dumps(row) + "\n")

    def write(self, path: str | Path) -> None:
        """Write the page and drop the rows.

        Raises:
            UserError: the page cannot be written.
        """
        from ai_for_sudan.files import replacing

        page = (
            environment("ai_for_sudan.reading")
            .get_template("report.html")
            .stream(
                title="Readings",
                rows=self._rows(),
                pictured=PICTURED if len(self._places) > PICTURED else None,
                counts=[
                    (status, self._counts[status], STATUS_WORDS[status]) for status in URGENCY if self._counts[status]
                ],
                said_of=said_of,
                said_in_arabic=said_in_arabic,
                arabic_disclaimer=ARABIC_DISCLAIMER,
                card=self._card,
                points=[self._card.operating_points[name] for name in sorted(self._points)],
                date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
                heatmap_words=HEATMAP_WORDS,
                outlined=self._outlined,
                outline_words=OUTLINE_WORDS,
                scale=[f"rgb({' '.join(str(round(255 * part)) for part in colour)})" for colour in legend(9).tolist()],
            )
        )
        with self._spool, replacing(path) as temporary:
            page.dump(str(temporary), encoding="utf-8", errors="backslashreplace")

    def _rows(self) -> Iterator[dict[str, Any]]:
        for number, (_, _, place) in enumerate(sorted(self._places)):
            self._spool.seek(place)
            row = json.loads(self._spool.readline())
            yield row if number < PICTURED else row | {"film": None, "overlay": None}


def _shown(value: str | list[str]) -> str | list[str]:
    return [printable(text) for text in value] if isinstance(value, list) else printable(value)
