"""What is said to people, in one place."""

from ai_for_sudan.pages.words import DISCLAIMER

__all__ = ["DISCLAIMER", "HEATMAP_WORDS", "OUTLINE_WORDS", "STATUS_WORDS", "URGENCY"]

STATUS_WORDS = {
    "suspected": "pneumonia suspected",
    "not_seen": "no pneumonia seen",
    "uncertain": "uncertain: a person must read it first",
    "refused": "refused: not a readable frontal chest film",
    "failed": "could not be read",
}

#: most urgent first
URGENCY = ("suspected", "uncertain", "failed", "refused", "not_seen")

HEATMAP_WORDS = "where the model looked; colour is not proof of disease"
OUTLINE_WORDS = "; the blue line is the edge of the lungs as found by the reader"
