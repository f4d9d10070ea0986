"""One file -> one radiograph: decoded, windowed, bone white, with what its header says."""

from ai_for_sudan.radiographs.files import FILM_SUFFIXES, PICTURE, Skipped, find_films, is_folder
from ai_for_sudan.radiographs.radiograph import FullRange, Header, Radiograph, RefusedByHeader
from ai_for_sudan.radiographs.read import prepare, read_full_range, read_radiograph
from ai_for_sudan.radiographs.source import content_hash, one_line, open_film, read_small_film

__all__ = [
    "FILM_SUFFIXES",
    "PICTURE",
    "FullRange",
    "Header",
    "Radiograph",
    "RefusedByHeader",
    "Skipped",
    "content_hash",
    "find_films",
    "is_folder",
    "one_line",
    "open_film",
    "prepare",
    "read_full_range",
    "read_radiograph",
    "read_small_film",
]
