"""Tables of films: CSV, as a person saves it from a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from ai_for_sudan.errors import InvalidDataset


def read_table(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Each row with the number of its line; names of columns in small letters, values without spaces around them.

    Args:
        needed: columns that must be there.

    Raises:
        InvalidDataset: no such file, no table, a column that is missing or there twice, no rows, or one of another
            length than the header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            # Excel writes semicolons where the comma is the decimal sign.
            table = csv.reader(file, delimiter=";" if first.count(";") > first.count(",") else ",", strict=True)
            lines = [(table.line_num, [cell.strip() for cell in cells]) for cells in table if any(cells)]
    except OSError as error:
        wanted = ", ".join(needed)
        raise InvalidDataset(
            f"{path} cannot be read: {error.strerror}; expected a CSV with the column {wanted}"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidDataset(f"{path} is not UTF-8 text; save it as CSV UTF-8") from error
    except csv.Error as error:
        raise InvalidDataset(f"{path} is not a readable CSV: {error}") from error
    header = [name.lower() for name in lines[0][1]] if lines else []
    if missing := [column for column in needed if column not in header]:
        raise InvalidDataset(
            f"{path} has no column {', '.join(repr(name) for name in missing)}; "
            f"its columns are: {', '.join(header) or 'none'}"
        )
    if len(lines) < 2:
        raise InvalidDataset(f"{path} names no films")
    if twice := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
        raise InvalidDataset(f"{path} has the column {', '.join(repr(name) for name in twice)} twice")
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise InvalidDataset(
                f"{path}, line {number}: {len(cells)} values for the {len(header)} columns of the header"
            )
        if any("\0" in cell for cell in cells):
            raise InvalidDataset(f"{path}, line {number}: contains a NUL byte; the file is damaged or is not text")
    return [(number, dict(zip(header, cells, strict=True))) for number, cells in lines[1:]]
