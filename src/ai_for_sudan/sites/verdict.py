"""Are there enough films to say anything, and may the reader be used here?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ai_for_sudan.sites.head import Rows
from ai_for_sudan.sites.site_films import SiteFilms

#: What a reader must show here before it is said that it may be used: an AUROC of at least this,
LEAST_AUROC = 0.85
#: and shares of films, each a place in the status table, of at most these.
MOST = {
    "missed": ("positive", "not_seen", 0.20),
    "false alarms": ("negative", "suspected", 0.30),
    "left to a person": ("all", "uncertain", 0.50),
}


def too_few(rows: Rows, films: int, patients: int) -> str:
    """Why there is not enough, in words; empty where there is."""
    counts = {label: len(np.unique(rows.patients[rows.labels == label])) for label in (1, 0)}
    if len(rows) == 0:
        return "no film that could be read has a label"
    for label, word in ((1, "positive"), (0, "negative")):
        if not counts[label]:
            return f"none of the {len(rows)} labelled films is {word}; both are needed"
    if len(rows) < films:
        return f"{len(rows)} labelled films are too few; {films} are needed"
    if min(counts.values()) < patients:
        return (
            f"the labelled films are of {counts[1]} positive and {counts[0]} negative patients; "
            f"{patients} of each are needed"
        )
    return ""


def verdict(measured: dict[str, Any], name: str) -> tuple[bool | None, str]:
    """May a reader be used here? True, False, or None for: not proven; with the reason in words.

    Args:
        measured: :meth:`ai_for_sudan.sites.labelled.Judge.figures`, with the status table.
    """
    auroc = measured["auroc"]
    shares = {what: measured["table"][of]["shares"][status] for what, (of, status, _) in MOST.items()}
    limits = {what: limit for what, (_, _, limit) in MOST.items()}
    found = f"AUROC {auroc[0]:.2f} ({auroc[1]:.2f} to {auroc[2]:.2f}), " + ", ".join(
        f"{share[0]:.0%} {what} ({share[1]:.0%} to {share[2]:.0%})" for what, share in shares.items()
    )
    at_most = ", ".join(f"{what} at most {limit:.0%}" for what, limit in limits.items())
    wanted = f"AUROC at least {LEAST_AUROC}, {at_most}"
    if auroc[1] >= LEAST_AUROC and all(shares[what][2] <= limit for what, limit in limits.items()):
        return True, f"{name} may be used here as decision support: {found}. Every interval keeps to {wanted}."
    if auroc[2] < LEAST_AUROC or any(shares[what][1] > limit for what, limit in limits.items()):
        worse = " It does no better than chance." if auroc[1] <= 0.5 else ""
        return False, f"{name} must not be used here: {found}.{worse} Wanted: {wanted}."
    return None, (
        f"{name} is not proven here: {found}. Not every interval keeps to {wanted}. Label more films before anyone "
        "relies on it."
    )


def counts(films: SiteFilms) -> dict[str, Any]:
    """Count films, labels and patients of a site."""
    return {
        "read": len(films),
        "labelled": int((~np.isnan(films.labels)).sum()),
        "positive": int((films.labels == 1).sum()),
        "negative": int((films.labels == 0).sum()),
        "patients": len(np.unique(films.patients)),
        "patients_known": films.patients_known,
        "refused": [{"file": each.file, "codes": list(each.codes)} for each in films.refused],
        "excluded": [{"file": each.file, "reason": each.reason} for each in films.excluded],
    }


def notes_on(films: SiteFilms, scores: np.ndarray) -> list[str]:
    """Say in a sentence each what makes the figures of these films doubtful."""
    found = []
    if not films.patients_known:
        found.append(
            "The manifest does not name the patient of every film: films of one patient may be counted as "
            "independent, so the intervals may be too narrow. Give a patient column or a patient rule."
        )
    if len(scores) > 1 and np.ptp(scores) < 1e-9:
        found.append("The reader gives every film the same score: it cannot distinguish anything here.")
    return found
