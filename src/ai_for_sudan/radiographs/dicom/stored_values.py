"""The stored values of a DICOM film (PS3.5 A), by a decoder that can be trusted with damaged films."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
)

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.extras import install_command
from ai_for_sudan.radiographs.dicom import jpeg_lossless

#: GDCM ends the whole process on some damaged films (an exception that C++ never catches), so it is not used
ABORTING = {"gdcm"}
JPEG_LOSSLESS = {JPEGLossless, JPEGLosslessSV1}
JPEG_LOSSY = {JPEGBaseline8Bit, JPEGExtended12Bit}
#: Adobe's APP14 (ISO 10918-6 6.5.3): the components are red, green and blue, not luma and colour differences
RED_GREEN_BLUE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


def stored_values(dataset: Dataset) -> np.ndarray:
    """The only frame, ``(H, W)`` or ``(H, W, 3)``, by the first decoder that succeeds."""
    syntax = transfer_syntax(dataset)
    if syntax in JPEG_LOSSLESS and dataset.get("SamplesPerPixel") == 1:
        return _stored_lossless(dataset)
    if syntax in JPEG_LOSSY and int(dataset.get("BitsStored") or 8) <= 8:
        return _stored_jpeg(dataset)
    plugins: tuple[str, ...] = ("",)
    if syntax.is_encapsulated:
        try:
            unable = ABORTING | ({"pillow"} if syntax in JPEG_LOSSY else set())  # of more than 8 bits
            plugins = tuple(name for name in get_decoder(syntax).available_plugins if name not in unable)
        except NotImplementedError:
            plugins = ()
    if not plugins:
        name = "an unknown kind" if syntax.name == syntax else syntax.name  # which of an unknown UID is its text
        raise UnreadableFilm(
            "no_decoder",
            f"the film is compressed as {name}, for which no decoder is installed; "
            f"try {install_command('dicom')}, or save the film uncompressed",
        )
    problem = ""
    for plugin in plugins:
        try:
            return pixel_array(dataset, raw=True, decoding_plugin=plugin)
        except MemoryError:
            raise
        except Exception as error:  # each decoder raises its own kinds
            problem = problem or type(error).__name__
    raise _cut_short(problem)


def _cut_short(kind: str) -> UnreadableFilm:
    """Of the decoder's error only the kind is said: its message may quote the header."""
    return UnreadableFilm("truncated", f"the film's pixels are cut short or damaged ({kind})")


def _stored_lossless(dataset: Dataset) -> np.ndarray:
    try:
        values = jpeg_lossless.decode(get_frame(dataset.PixelData, 0, number_of_frames=1))
    except ValueError as error:
        raise UnreadableFilm(
            "truncated", f"the film's pixels are cut short or damaged ({type(error).__name__})"
        ) from error
    if values.shape != (dataset.Rows, dataset.Columns):
        raise UnreadableFilm("damaged", "the size of the compressed picture contradicts the DICOM header")
    if dataset.get("PixelRepresentation") != 1:
        return values
    unused = 16 - int(dataset.BitsStored)
    return (values << unused).astype(np.int16) >> unused  # two's complement of fewer bits (PS3.5 8.1.1)


def _stored_jpeg(dataset: Dataset) -> np.ndarray:
    """In grey or RGB, as every program shows a JPEG file, so that a phone's browser decodes the same.

    The header's colour space counts only where the stream names none (PS3.5 8.2.1).
    """
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    if str(dataset.get("PhotometricInterpretation")).strip().upper() == "RGB":
        frame = frame[:2] + RED_GREEN_BLUE + frame[2:]  # a marker that comes later, or JFIF's, overrules it
    try:
        with Image.open(io.BytesIO(frame), formats=("JPEG",)) as image:
            values = np.asarray(image.convert("L" if dataset.get("SamplesPerPixel", 1) == 1 else "RGB"))
    except (OSError, SyntaxError) as error:
        raise UnreadableFilm(
            "truncated", f"the film's pixels are cut short or damaged ({type(error).__name__})"
        ) from error
    if values.shape[:2] != (dataset.Rows, dataset.Columns):
        raise UnreadableFilm("damaged", "the size of the compressed picture contradicts the DICOM header")
    if values.ndim == 3:
        dataset.PhotometricInterpretation = "RGB"
    return values


def transfer_syntax(dataset: Dataset) -> UID:
    """The transfer syntax; without a meta header (PS3.5 10.1) the one that was found by reading, which is filled in."""
    if not hasattr(dataset, "file_meta") or not dataset.file_meta.get("TransferSyntaxUID"):
        dataset.ensure_file_meta()
        implicit, little = dataset.original_encoding
        found = ImplicitVRLittleEndian if implicit is not False else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = found if little is not False else ExplicitVRBigEndian
    return UID(dataset.file_meta.TransferSyntaxUID)
