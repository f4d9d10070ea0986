"""A file of readings that one run begins and another continues: JSON lines, each film read once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.files import replacing
from ai_for_sudan.radiographs import content_hash
from ai_for_sudan.reading.words import STATUS_WORDS

#: how a line begins, whole or cut off by a power cut
_BEGINNING = b'{"file": "'


def identity(file: str | Path, data: bytes | None = None) -> dict[str, str | None]:
    """Return what tells one film from another: where it really lies, and the SHA-256 of its bytes.

    ``sha256`` is None of a film that cannot be opened: nothing is known of it, and a later run tries it again.

    Args:
        data: its bytes, where they are known; else they are read.
    """
    content: str | None
    try:
        content = content_hash(file) if data is None else hashlib.sha256(data).hexdigest()
    except UnreadableFilm:
        content = None
    return {"path": os.path.realpath(file), "sha256": content}


class Journal:
    """The readings of one reader at one operating point, kept in a file that is parsed once.

    Args:
        path: of the file; it need not exist.
        reader, operating_point: whose readings belong into it.
        each: gets every reading that the file holds, in order.

    Raises:
        UserError: the file holds something else, or readings by another reader or at another operating point. It is
            left as it is.
    """

    def __init__(
        self, path: Path, reader: str, operating_point: str, each: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        self._path = Path(os.path.realpath(path))
        self._of = (reader, operating_point)
        #: film -> whether its decoding failed
        self._failed: dict[bytes, bool] = {}
        self._paths: set[bytes] = set()
        self._file: IO[str] | None = None
        #: numbers of the lines that are dropped, and whether the last line has its end
        self._dropped: set[int] = set()
        self._ended = True
        for number, (raw, line) in enumerate(self._lines()):
            self._ended = raw.endswith(b"\n")
            if line is None:
                self._dropped.add(number)
                continue
            self._failed[_key(line["path"], line["sha256"])] = line["status"] == "failed"
            self._paths.add(_key(line["path"]))
            if each is not None:
                each(line)

    def outcome(self, film: Mapping[str, Any]) -> str | None:
        """Return ``failed`` or ``read`` of a film (:func:`identity`) that the file holds as it now is, else None."""
        failed = self._failed.get(_key(film["path"], film["sha256"]))
        return None if failed is None else "failed" if failed else "read"

    def changed(self, film: Mapping[str, Any]) -> bool:
        """Tell whether the file holds a film of this path with another content."""
        return self.outcome(film) is None and _key(film["path"]) in self._paths

    def __enter__(self) -> Journal:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._dropped or not self._ended:
            with replacing(self._path) as temporary, self._path.open("rb") as before, temporary.open("wb") as file:
                kept = (raw for number, raw in enumerate(before) if number not in self._dropped)
                file.writelines(raw.rstrip(b"\n") + b"\n" for raw in kept)
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

    def _lines(self) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
        """Each line and its reading; None where it is dropped."""
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
                    yield raw, None
                    return
                yield raw, None if line["sha256"] is None else line

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


def _key(*facts: str | None) -> bytes:
    """Of a million films, a million of these are held."""
    return hashlib.blake2b(os.fsencode("\0".join(map(str, facts))), digest_size=16).digest()
