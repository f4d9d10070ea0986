"""What must hold before any training."""

from __future__ import annotations

from collections import Counter, defaultdict

from ai_for_sudan.datasets.cache import picture_keys, unreadable
from ai_for_sudan.datasets.manifest import Manifest, labels
from ai_for_sudan.errors import UserError

SHOWN = 10


def verify(manifest: Manifest, *, allow_overlap: bool = False) -> None:
    """Check that every film can be decoded, that every class has films, and that the sides share nothing.

    Args:
        allow_overlap: accept a patient or a film on both sides of the data's own split.

    Raises:
        UserError: names what is wrong, ten of each kind at most, with the count.
    """
    problems = [f"{file}: {reason}" for file, reason in unreadable(manifest)]
    if problems:
        raise UserError(_listing(f"{len(problems)} of {len(manifest.films)} films cannot be read", problems))
    _classes(manifest)
    if not allow_overlap:
        _overlap(manifest)


def _classes(manifest: Manifest) -> None:
    truth = labels(manifest)
    sides = sorted({film.split or "all" for film in manifest.films})
    for side in sides:
        rows = [i for i, film in enumerate(manifest.films) if (film.split or "all") == side]
        if truth.ndim == 2:
            counts = {name: int((truth[rows, c] == 1).sum()) for c, name in enumerate(manifest.classes)}
        else:
            numbers = Counter(truth[rows].tolist())
            counts = {name: numbers[c] for c, name in enumerate(manifest.classes)}
        empty = [name for name, count in counts.items() if count == 0]
        if empty:
            found = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise UserError(
                f"{manifest.source}: no films of {', '.join(empty)} in '{side}' (found: {found}); "
                "every class needs films"
            )


def _overlap(manifest: Manifest) -> None:
    for what, names in (
        ("patient", [film.patient for film in manifest.films]),
        ("picture", picture_keys(manifest)),
    ):
        sides: dict[str, dict[str, str]] = defaultdict(dict)
        for film, name in zip(manifest.films, names, strict=True):
            if name is not None and film.split is not None:
                sides[name].setdefault(film.split, film.file)
        shared = {name: found for name, found in sides.items() if len(found) > 1}
        if shared:
            lines = [
                (f"patient {name}: " if what == "patient" else "")
                + " and ".join(f"{f} ({s})" for s, f in found.items())
                for name, found in shared.items()
            ]
            raise UserError(
                _listing(
                    f"the same {what} is on both sides of the split {len(lines)} times, so the figures would be "
                    "too good (--allow_overlap permits it)",
                    lines,
                )
            )


def _listing(title: str, lines: list[str]) -> str:
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n  ".join([f"{title}:", *lines[:SHOWN], *more])
