"""Writing files so that a kill, a full disk, a power cut or a second run never spoils what was good."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ai_for_sudan.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: bytes of a file's name that its lock's name repeats; file systems take 255
_LONGEST_LOCKED = 200


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


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises:
        UserError: the file cannot be read, or is no TOML.
    """
    try:
        return parse_toml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{path} is not a valid TOML file: {error}") from error


def parse_toml(text: str) -> dict[str, Any]:
    """Return what TOML says; raises ``ValueError`` for other text."""
    return tomllib.loads(text)


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
        if error.filename not in (None, str(temporary)):  # of another file, which the block had to do with
            raise
        raise UserError(f"cannot write {target}: {error.strerror or error}; the previous file is unchanged") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text; the file appears whole or not at all."""
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

    The lock is the operating system's, so that it ends with its process, however that ends. It lies on an empty file
    that stays: ``.NAME.lock`` beside a file, ``.lock`` inside a folder. A file has one lock, whatever links lead to it.

    Raises:
        UserError: another process holds it, or no lock can be made there.
    """
    from filelock import FileLock, Timeout

    real = Path(os.path.realpath(target))
    long = len(os.fsencode(real.name)) > _LONGEST_LOCKED
    name = hashlib.sha256(os.fsencode(real.name)).hexdigest() if long else real.name
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(real / ".lock" if real.is_dir() else real.with_name(f".{name}.lock"))
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"{target} is in use by another run; wait until it ends, or name another place") from error
    except OSError as error:
        raise UserError(f"cannot reserve {target} for this run: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
