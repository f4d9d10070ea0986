"""Films as files beside the database: named by their content, never changed, on disk before anybody is told so."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ai_for_sudan.files import sha256


class DiskFull(OSError):
    """There is no space for another film; those that are here stay readable."""


class FilmFiles:
    """A folder of immutable files.

    Args:
        folder: where they lie, as ``ab/abcd...`` by their SHA-256; ``incoming`` beside it holds what is not whole yet.
        keep_free: bytes of the disk that are never filled: the database, its log and backups need space too.
    """

    def __init__(self, folder: Path, keep_free: int) -> None:
        self.folder = folder
        self.incoming = folder.parent / "incoming"
        self.keep_free = keep_free
        folder.mkdir(parents=True, exist_ok=True)
        self.incoming.mkdir(exist_ok=True)

    def path(self, digest: str) -> Path:
        """Where the file of a SHA-256 lies, or would."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError(f"'{digest}' is not a SHA-256")
        return self.folder / digest[:2] / digest

    def free(self) -> int:
        """Bytes that may still be filled."""
        return max(0, shutil.disk_usage(self.folder).free - self.keep_free)

    def check_room(self, size: int = 0) -> None:
        """
        Raises:
            DiskFull: ``size`` more bytes do not fit beside what must stay free.
        """
        if self.free() <= size:
            raise DiskFull(errno.ENOSPC, "the disk is full", str(self.folder))

    def open_incoming(self) -> IO[bytes]:
        """A new file beside the films, for what arrives piece by piece; :meth:`adopt` or delete it."""
        handle, name = tempfile.mkstemp(dir=self.incoming, suffix=".part")
        os.close(handle)
        return Path(name).open("w+b")

    def take_in(self, file: Path) -> Path:
        """Move a whole file from elsewhere beside the films; only its name changes where it is on the same disk.

        Raises:
            DiskFull: it does not fit.
        """
        target = self.incoming / file.name
        try:
            shutil.move(file, target)
        except OSError as error:
            self._drop(file)
            self._drop(target)
            raise _as_disk_full(error) from error
        return target

    def keep(self, content: bytes) -> str:
        """Keep bytes; the SHA-256 that they are found by.

        Raises:
            DiskFull: they do not fit.
        """
        with self.open_incoming() as file:
            try:
                file.write(content)
                file.flush()
            except OSError as error:
                self._drop(Path(file.name))
                raise _as_disk_full(error) from error
        return self.adopt(Path(file.name), hashlib.sha256(content).hexdigest())

    def adopt(self, file: Path, digest: str = "") -> str:
        """Move a whole file among the films; it and its name are on the disk (``fsync``) when this returns.

        Args:
            digest: its SHA-256, where that is known already.

        Raises:
            DiskFull: it does not fit.
        """
        try:
            self.check_room()
            digest = digest or sha256(file)
            target = self.path(digest)
            if target.exists():
                file.unlink()
                # A twin may have been renamed a moment ago and not be on the disk yet.
                sync_folder(target.parent)
                return digest
            with file.open("r+b") as content:  # Windows syncs writable files only
                os.fsync(content.fileno())
            if not target.parent.exists():
                target.parent.mkdir(exist_ok=True)
                sync_folder(self.folder)
            file.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            self._drop(file)
            raise _as_disk_full(error) from error
        return digest

    def delete(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def all(self) -> Iterator[Path]:
        """Every film's file."""
        return (file for file in self.folder.glob("??/*") if len(file.name) == 64)

    def sweep(self) -> int:
        """Delete what was not whole when an earlier run was killed; nobody was told that it had arrived."""
        parts = list(self.incoming.iterdir())
        for part in parts:
            part.unlink(missing_ok=True)
        return len(parts)

    @staticmethod
    def _drop(file: Path) -> None:
        file.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Put the names of a folder's files on the disk; Windows does so by itself and cannot be asked."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _as_disk_full(error: OSError) -> OSError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(errno.ENOSPC, "the disk is full", error.filename)
    return error
