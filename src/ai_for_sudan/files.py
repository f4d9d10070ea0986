"""Writing files so that a kill, a full disk, a power cut or a second run never spoils what was good."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ai_for_sudan.errors import UserError


def shipped_files(pattern: str) -> list[Path]:
    """What comes with the program beside its readers: of the installed package, or of a checkout."""
    here = Path(__file__).resolve().parent
    folders = (here / "readers", here.parent.parent / "readers")
    return [path for folder in folders if folder.is_dir() for path in sorted(folder.glob(pattern))]


def sha256(path: Path, start: int = 0) -> str:
    """Of a file's bytes from ``start`` on, in hexadecimal digits, in constant memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; when the block ends well, it replaces ``path`` in one step.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: the target's may be as long as the file system allows already.
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
        os.close(handle)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}; the previous file is unchanged") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write strict JSON: a NaN raises ``ValueError`` rather than leaving a file that no other program reads."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def plain_json(value: Any) -> Any:
    """The same with None for every NaN and infinity, and plain numbers for NumPy's: JSON knows no others."""
    if hasattr(value, "tolist"):  # of NumPy, which is not imported for it
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextmanager
def alone(target: str | Path) -> Iterator[None]:
    """Hold a file that is added to, or a folder that a run fills, for this process alone.

    The lock is the operating system's (on ``.NAME.lock`` beside a file, ``.lock`` inside a folder), so that it ends
    with its process, however that ends.

    Raises:
        UserError: another process holds it, or no lock can be made there.
    """
    target = Path(target)
    place = target / ".lock" if target.is_dir() else target.with_name(f".{target.name[:200]}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = _held(place, target)
        while not _still(file, place):  # the holder before removed it between our opening and our locking it
            file.close()
            file = _held(place, target)
    except OSError as error:
        raise UserError(f"cannot reserve {target} for this run: {error.strerror or error}") from error
    try:
        yield
    finally:
        if sys.platform != "win32":
            place.unlink(missing_ok=True)
        file.close()
        if sys.platform == "win32":  # which removes no file that is open; another run may hold it by now
            with suppress(OSError):
                place.unlink(missing_ok=True)


def _held(place: Path, target: Path) -> IO[str]:
    """The file, open and locked by the operating system.

    Raises:
        UserError: another process holds it.
    """
    file = place.open("a")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            raise UserError(f"{target} is in use by another run; wait until it ends, or name another place") from error
        raise
    return file


def _still(file: IO[str], place: Path) -> bool:
    """Whether the open file is the one that the path leads to."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), place.stat())
    except FileNotFoundError:
        return False
