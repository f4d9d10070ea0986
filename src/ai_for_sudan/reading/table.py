"""Readings as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
from typing import IO, Any

from ai_for_sudan.contract.names import READING_KEYS
from ai_for_sudan.errors import printable

COLUMNS = tuple(key for key in READING_KEYS if key != "elapsed_ms")
#: how a file begins that may be overwritten (version 0.1.0 had fewer columns)
BEGINNING = b"file,status,label,probability,"


class Table:
    """Writes one row a reading."""

    def __init__(self, file: IO[str]) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(COLUMNS)

    def add(self, line: dict[str, Any]) -> None:
        """A reading as its JSON line."""
        self._writer.writerow([cell(line.get(column)) for column in COLUMNS])


def cell(value: Any) -> Any:
    """Write a value for a spreadsheet: lists in one cell, no escape sequences, and no text that would be computed."""
    if isinstance(value, list):
        value = "; ".join(value)
    if not isinstance(value, str):
        return value
    text = printable(value)
    # A name that begins like a formula would be computed by a spreadsheet.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
