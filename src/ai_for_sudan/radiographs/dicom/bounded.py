"""DICOM files whose reading ends: a crafted header cannot take minutes, a deflated data set not grow without bound."""

from __future__ import annotations

import io
import zlib

from ai_for_sudan.contract.limits import LARGEST_FILE
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.source import one_line

#: bytes of one value other than a table, overlay or picture (PS3.5 6.2)
LARGEST_TEXT = 65_536


class Deflated(Exception):
    """The rest of the file, from ``at`` on, is deflated (PS3.5 A.5)."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


class Bounded(io.BufferedIOBase):
    """Before a file's or a buffer's class: it is read at most so often, and its rest is inflated by nobody else.

    Raises:
        Deflated: what follows is to be inflated.
        UnreadableFilm: it was read too often.
    """

    #: reads of a film's header are some thousands; of its pixels, 8 kB at a time, 40,000 at most
    most_reads = 200_000
    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:  # only what pydicom then inflates, to any size, is read without one
            raise Deflated(self.tell())
        self._reads += 1
        if self._reads > self.most_reads:
            raise UnreadableFilm("damaged", "the DICOM header has more elements than that of any film")
        return super().read(size)


def inflate(deflated: bytes | memoryview) -> bytes:
    """A deflated data set.

    Raises:
        UnreadableFilm: it is damaged, or grows beyond what a file may have.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(deflated, LARGEST_FILE)
    except zlib.error as error:
        raise UnreadableFilm("damaged", f"the deflated DICOM file is damaged: {one_line(error)}") from error
    if inflater.unconsumed_tail:
        raise UnreadableFilm("too_large", f"the DICOM file grows beyond {LARGEST_FILE / 1e6:.0f} MB when opened")
    return inflated
