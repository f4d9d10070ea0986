"""A file of readings that one run begins and another continues: JSON lines, each film read once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.files import replacing
from ai_for_sudan.radiographs import content_hash
from ai_for_sudan.reading.words import STATUS_WORDS

#: how a line begins, whole or cut off by a power cut
_BEGINNING = b'{"file": "'


def identity(file: str | Path) -> dict[str, str | None]:
    """What tells one film from another: where it really lies, and the SHA-256 of its bytes.

    ``sha256`` is None of a film that cannot be opened: nothing is known of it, and a later run tries it again.
    """
    try:
        content = content_hash(file)
    except UnreadableFilm:
        content = None
    return {"path": os.path.realpath(file), "sha256": content}


class Journal:
    """The readings of one reader at one operating point, kept in a file.

    Args:
        path: of the file; it need not exist.
        reader, operating_point: whose readings belong into it.

    Raises:
        UserError: the file holds something else, or readings by another reader or at another operating point. It is
            left as it is.
    """

    def __init__(self, path: Path, reader: str, operating_point: str) -> None:
        self._path = Path(os.path.realpath(path))
        self._of = (reader, operating_point)
        #: film -> whether its decoding failed
        self._failed: dict[bytes, bool] = {}
        self._file: IO[str] | None = None
        whole = True
        for _, line, sound in self._lines():
            whole = whole and sound
            if line is not None:
                self._failed[_key(line["path"], line["sha256"])] = line["status"] == "failed"
        self._whole = whole

    def outcome(self, file: Path) -> str | None:
        """``failed`` or ``read`` of a film that the file holds as it now is, None of any other."""
        if not self._failed:
            return None
        film = identity(file)
        failed = self._failed.get(_key(film["path"], film["sha256"]))
        return None if failed is None else "failed" if failed else "read"

    def kept(self) -> Iterator[dict[str, Any]]:
        """The lines that stay."""
        yield from (line for _, line, _ in self._lines() if line is not None)

    def __enter__(self) -> Journal:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._whole:
            with replacing(self._path) as temporary, temporary.open("wb") as file:
                file.writelines(raw.rstrip(b"\n") + b"\n" for raw, line, _ in self._lines() if line is not None)
            self._whole = True
        self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def add(self, line: dict[str, Any]) -> None:
        """Add a reading, with the film's :func:`identity` and the time; `monitor` counts by it what has no other date.

        It is there when this returns, unless the power fails.
        """
        if self._file is None:
            raise ValueError("the journal is not open; use it in a with statement")
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        self._file.write(json.dumps(line | {"read_at": now}) + "\n")
        self._file.flush()

    def _lines(self) -> Iterator[tuple[bytes, dict[str, Any] | None, bool]]:
        """Each line, its reading (None where it is dropped), and whether it may stay as it is."""
        if not self._path.exists():
            return
        if not self._path.is_file():
            raise UserError(f"{self._path} is not a file; name a file for the readings")
        with self._path.open("rb") as file:
            for number, raw in enumerate(file):
                try:
                    line = self._checked(raw)
                except ValueError as error:
                    cut_off = not raw.endswith(b"\n") and (
                        raw.startswith(_BEGINNING) or (number > 0 and not raw.strip(b"\0"))
                    )
                    if not cut_off:
                        raise UserError(
                            f"{self._path} is not a file of readings that can be continued (line {number + 1}); "
                            "name another file"
                        ) from error
                    yield raw, None, False
                    return
                if line["sha256"] is None:
                    yield raw, None, False
                else:
                    yield raw, line, raw.endswith(b"\n")

    def _checked(self, raw: bytes) -> dict[str, Any]:
        """Raises ``ValueError`` for what is not a reading, ``UserError`` for one by another reader."""
        try:
            line = json.loads(raw)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if not isinstance(line, dict):
            raise ValueError("not a JSON object")
        texts = [line.get(key) for key in ("file", "status", "reader", "operating_point", "path")]
        if not all(isinstance(text, str) for text in texts) or line["status"] not in STATUS_WORDS:
            raise ValueError("no reading")
        if not isinstance(line.get("sha256", 0), str | None):
            raise ValueError("no identity")
        found = (line["reader"], line["operating_point"])
        if found != self._of:
            raise UserError(
                f"{self._path} holds readings by {found[0]} at '{found[1]}', these would be by {self._of[0]} at "
                f"'{self._of[1]}'; name another file"
            )
        return line


def _key(path: str | None, content: str | None) -> bytes:
    """Of a million films, a million of these are held."""
    return hashlib.blake2b(os.fsencode(f"{path}\0{content}"), digest_size=16).digest()
