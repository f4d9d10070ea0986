"""What the clinic keeps: a database and, beside it, the films as files.

:class:`Store` opens both. The modules hold plain functions over a session: ``films`` (arrivals, readings, verdicts),
``identities`` (whose they are), ``jobs``, ``deliveries``, ``trail`` and ``settings``; ``tables`` holds what a row is.
"""

from ai_for_sudan.clinic.store import deliveries, films, identities, jobs, settings, tables, trail
from ai_for_sudan.clinic.store.files import DiskFull, FilmFiles
from ai_for_sudan.clinic.store.store import DATABASE, Store

__all__ = [
    "DATABASE",
    "DiskFull",
    "FilmFiles",
    "Store",
    "deliveries",
    "films",
    "identities",
    "jobs",
    "settings",
    "tables",
    "trail",
]
