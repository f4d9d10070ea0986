"""What is said to people, in one place."""

from __future__ import annotations

from ai_for_sudan.pages.words import DISCLAIMER

__all__ = [
    "ARABIC_DISCLAIMER",
    "ARABIC_SIDE_WORDS",
    "ARABIC_STATUS_WORDS",
    "DISCLAIMER",
    "HEATMAP_WORDS",
    "OUTLINE_WORDS",
    "SIDE_WORDS",
    "STATUS_WORDS",
    "URGENCY",
    "said_in_arabic",
    "said_of",
]

STATUS_WORDS = {
    "suspected": "pneumonia suspected",
    "not_seen": "no pneumonia seen",
    "uncertain": "uncertain: a person must read it first",
    "refused": "refused: not a readable frontal chest film",
    "failed": "could not be read",
}

#: the patient's
SIDE_WORDS = {"right": "right lung", "left": "left lung", "both": "both lungs"}


def said_of(status: str, side: str | None) -> str:
    """Say the status of a film and the lung that it speaks of: ``pneumonia suspected (right lung)``."""
    return f"{STATUS_WORDS[status]} ({SIDE_WORDS[side]})" if side else STATUS_WORDS[status]


#: as the app says it
ARABIC_STATUS_WORDS = {
    "suspected": "اشتباه في التهاب رئوي",
    "not_seen": "لا تظهر علامات التهاب رئوي",
    "uncertain": "نتيجة غير مؤكدة",
    "refused": "صورة مرفوضة",
    "failed": "تعذّرت القراءة",
}
ARABIC_SIDE_WORDS = {"right": "الرئة اليمنى", "left": "الرئة اليسرى", "both": "الرئتان"}
ARABIC_DISCLAIMER = "هذه أداة مساعدة وليست تشخيصًا: القرار للطبيب المعالج."


def said_in_arabic(status: str, side: str | None) -> str:
    """Say the same as :func:`said_of` in Arabic."""
    return f"{ARABIC_STATUS_WORDS[status]}: {ARABIC_SIDE_WORDS[side]}" if side else ARABIC_STATUS_WORDS[status]


#: most urgent first
URGENCY = ("suspected", "uncertain", "failed", "refused", "not_seen")

HEATMAP_WORDS = "where the model looked; colour is not proof of disease"
OUTLINE_WORDS = "; the blue line is the edge of the lungs as found by the reader"
