"""Where a reader comes from: hashes of its weights and films, and the commit of this project."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

_PACKAGE = Path(__file__).resolve().parent.parent


def weights_sha256(weights: Mapping[str, np.ndarray]) -> str:
    """Of named arrays, whatever file they lie in: names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        values = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def films_sha256(films: Iterable[np.ndarray]) -> str:
    """Of a set of films as they went in (uint8 ``(H, W)`` each), whatever their order and their names."""
    each = sorted(hashlib.sha256(f"{film.shape}\n".encode() + film.tobytes()).digest() for film in films)
    return hashlib.sha256(b"".join(each)).hexdigest()


def project_commit(package: Path = _PACKAGE) -> str:
    """The commit of this project's checkout, with ``-modified`` where its code differs from it; empty without one.

    An installed package lies in no checkout of this project: the repository that may surround it is another's.
    """
    checkout = package.parent.parent
    if package.parent.name != "src" or not (checkout / ".git").exists():
        return ""
    commit = _git(checkout, "rev-parse", "--short=12", "HEAD")
    tracked = _git(checkout, "ls-files", "--", str(package / "contract" / "provenance.py"))
    if not commit or not tracked:
        return ""
    return f"{commit}-modified" if _git(checkout, "status", "--porcelain", "--", "src") else commit


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
