"""Finding the lungs: where they are on a film, what a network sees of it, and where it may take its evidence."""

from ai_for_sudan.lungs.finder import LungFinder
from ai_for_sudan.lungs.findings import CODES, LungFindings
from ai_for_sudan.lungs.randomisation import restyle, swap_surroundings
from ai_for_sudan.lungs.shipped import load_finder
from ai_for_sudan.lungs.view import LungView, View, back, box_of
from ai_for_sudan.lungs.weighting import Evidence

__all__ = [
    "CODES",
    "Evidence",
    "LungFinder",
    "LungFindings",
    "LungView",
    "View",
    "back",
    "box_of",
    "load_finder",
    "restyle",
    "swap_surroundings",
]
