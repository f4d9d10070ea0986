"""What is said to people, in one place."""

DISCLAIMER = "Decision support, not a diagnosis: a clinician decides."

STATUS_WORDS = {
    "suspected": "suspicious of pneumonia",
    "not_seen": "no pneumonia seen",
    "uncertain": "uncertain: a person reads it first",
    "refused": "refused: not a readable frontal chest film",
    "failed": "could not be read",
}

#: most urgent first
URGENCY = ("suspected", "uncertain", "failed", "refused", "not_seen")

HEATMAP_WORDS = "where the model looked; colour is no proof of disease"
