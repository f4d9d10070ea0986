"""Decode a film from its bytes. The format is detected from the content, never from the file's name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.radiograph import FullRange, Radiograph, grey_of


def decode(data: bytes) -> Radiograph:
    """Decode in this process, in whatever time and memory that takes.

    Raises:
        UnreadableFilm: with a code and a reason; nothing else, whatever the bytes are.
    """
    if not data:
        raise UnreadableFilm("empty", "the file is empty; copy it again from its source")
    with _whatever_it_is():
        if is_dicom(data):
            from ai_for_sudan.radiographs.dicom import decode as decode_dicom

            return decode_dicom(data)
        from ai_for_sudan.radiographs.picture import decode as decode_picture

        return Radiograph(grey_of(decode_picture(data)))


def full_range(data: bytes) -> FullRange | None:
    """The values of a DICOM film before its window; None where it has none, and of any other file.

    Raises:
        UnreadableFilm: as :func:`decode`.
    """
    if not is_dicom(data):
        return None
    with _whatever_it_is():
        from ai_for_sudan.radiographs.dicom import full_range as full_range_of_dicom

        return full_range_of_dicom(data)


@contextlib.contextmanager
def _whatever_it_is() -> Iterator[None]:
    try:
        yield
    except UnreadableFilm:
        raise
    except MemoryError as error:
        raise UnreadableFilm("too_large", "the film needs more memory than is allowed") from error
    except Exception as error:  # decoders raise whatever they like for damaged bytes; none may stop a batch
        # Only the kind of error is named: its message may quote the header, which holds a patient's name.
        raise UnreadableFilm("damaged", f"the file is damaged ({type(error).__name__})") from error


def is_dicom(start: bytes) -> bool:
    """Whether these bytes, the first of a file, begin a DICOM file."""
    return start[128:132] == b"DICM" or _is_bare_dicom(start)


def _is_bare_dicom(start: bytes) -> bool:
    """Old devices leave out the preamble: the file begins with a tag of group 2 or 8, then a VR or a short length."""
    if start[:2] not in (b"\x02\x00", b"\x08\x00") or len(start) < 8:
        return False
    return (start[4:6].isalpha() and start[4:6].isupper()) or start[6:8] == b"\x00\x00"
