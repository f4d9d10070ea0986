"""One file -> one radiograph: decoded, windowed, bone white, with what its header says."""

from ai_for_sudan.radiographs.files import FILM_SUFFIXES, find_films
from ai_for_sudan.radiographs.radiograph import Header, Radiograph, RefusedByHeader, read_radiograph

__all__ = ["FILM_SUFFIXES", "Header", "Radiograph", "RefusedByHeader", "find_films", "read_radiograph"]
