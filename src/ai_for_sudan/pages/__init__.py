"""Pages for people: one look, one way to write an interval, a picture and a figure; each page is one file alone.

The reading side uses this package too, so nothing heavy is imported before it is needed: Jinja when a page is filled,
matplotlib (:mod:`ai_for_sudan.pages.figures`) when a figure is drawn.
"""

from ai_for_sudan.pages.page import environment, write_page
from ai_for_sudan.pages.pictures import inline
from ai_for_sudan.pages.words import DISCLAIMER, interval, p_value, percent, share, statuses_in_words

__all__ = [
    "DISCLAIMER",
    "environment",
    "inline",
    "interval",
    "p_value",
    "percent",
    "share",
    "statuses_in_words",
    "write_page",
]
