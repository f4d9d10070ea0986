"""What must hold before any training."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from ai_for_sudan.datasets.cache import Decoded, listing
from ai_for_sudan.datasets.manifest import Manifest, labels
from ai_for_sudan.errors import InvalidDataset


def verify(films: Decoded, *, allow_overlap: bool = False) -> None:
    """Check that every class has films, and that the sides share nothing.

    Args:
        allow_overlap: accept a patient or a film on both sides of the data's own split.

    Raises:
        InvalidDataset: names what is wrong, ten of each kind at most, with the count.
    """
    _classes(films.manifest)
    if not allow_overlap:
        _overlap(films.manifest, films.pictures)


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
            raise InvalidDataset(
                f"{manifest.source}: no films of {', '.join(empty)} in '{side}' (found: {found}); "
                "every class needs films"
            )


def _overlap(manifest: Manifest, pictures: Sequence[str]) -> None:
    for what, names in (
        ("patient", [film.patient for film in manifest.films]),
        ("picture", pictures),
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
            raise InvalidDataset(
                listing(
                    f"the same {what} is on both sides of the split {len(lines)} times, so the figures would be "
                    "too good (--allow_overlap permits it)",
                    lines,
                )
            )
