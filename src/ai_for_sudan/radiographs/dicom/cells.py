"""The cells of a DICOM film's pixels (PS3.5 8, A): unsigned numbers, by decoders to trust with damaged films."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.extras import install_command
from ai_for_sudan.radiographs.dicom import jpeg_lossless
from ai_for_sudan.radiographs.dicom.elements import code
from ai_for_sudan.radiographs.dicom.streams import frame_of

#: GDCM ends the whole process on some damaged films (an exception that C++ never catches), so it is not used
ABORTING = {"gdcm"}
JPEG_LOSSLESS = {JPEGLossless, JPEGLosslessSV1}
JPEG_LOSSY = {JPEGBaseline8Bit, JPEGExtended12Bit}
#: what the extra [dicom] decodes
OF_EXTRA = {JPEGLSLossless, JPEGLSNearLossless, JPEG2000, JPEG2000Lossless, HTJ2KLossless, HTJ2KLosslessRPCL}
#: GE's own: little endian, but for the pixels
GE_BIG_ENDIAN = "1.2.840.113619.5.2"
#: Adobe's APP14 (ISO 10918-6 6.5.3): the components are red, green and blue, not luma and colour differences
RED_GREEN_BLUE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


def cells_of(dataset: Dataset) -> tuple[np.ndarray, tuple[Remark, ...]]:
    """Return the only frame, unsigned ``(H, W)`` or ``(H, W, samples)``.

    Returns:
        with the cells ``private_coding``, where uncompressed pixels were found under a name that no standard has.

    Raises:
        UnreadableFilm: ``truncated``, ``damaged``, ``no_decoder``, or ``unknown_coding`` with the transfer syntax.
    """
    syntax = transfer_syntax(dataset)
    if not is_encapsulated(dataset):
        known = not syntax.is_private and syntax.is_transfer_syntax
        return _uncompressed(dataset, syntax), () if known else (remark("private_coding"),)
    values = _decoded(dataset, syntax)
    values = values.view(np.dtype(f"u{values.dtype.itemsize}"))
    # A stream may hold 8 bits where the header stores 12 of 16.
    return values.astype(np.uint16) if values.dtype == np.uint8 and dataset.BitsAllocated == 16 else values, ()


def _uncompressed(dataset: Dataset, syntax: UID) -> np.ndarray:
    """PS3.5 8.1.1 and 8.2: one cell after the other, each of 1, 8, 16 or 32 bits."""
    height, width, samples = int(dataset.Rows), int(dataset.Columns), int(dataset.SamplesPerPixel)
    allocated, pixels = int(dataset.BitsAllocated), bytes(dataset.PixelData)
    if allocated not in (1, 8, 16, 32):
        raise UnreadableFilm("unknown_coding", f"pixels of {allocated} bits cannot be opened; save 8 or 16 bits")
    halved = samples == 3 and code(dataset, "PhotometricInterpretation") == "YBR_FULL_422"
    count = height * width * (2 if halved else samples)
    if len(pixels) * 8 < count * allocated:
        raise UnreadableFilm("truncated", "the film's pixels are cut short")
    order = ">" if syntax in (ExplicitVRBigEndian, GE_BIG_ENDIAN) else "<"
    if order == ">" and allocated <= 8 and dataset["PixelData"].VR == "OW":  # swapped in pairs (PS3.5 7.3)
        pixels = np.frombuffer(pixels[: len(pixels) // 2 * 2], dtype=">u2").astype("<u2").tobytes()
    if allocated == 1:
        cells = np.unpackbits(np.frombuffer(pixels, dtype=np.uint8), bitorder="little")[:count]
    else:
        cells = np.frombuffer(pixels, dtype=f"{order}u{allocated // 8}", count=count)
        cells = cells.astype(cells.dtype.newbyteorder("="), copy=False)
    if halved:  # two lumas, then the two colour differences that they share (PS3.3 C.7.6.3.1.2)
        return np.repeat(cells[: count // 4 * 4].reshape(-1, 4)[:, :2].reshape(height, width, 1), 3, axis=-1)
    if samples == 1:
        return cells.reshape(height, width)
    if samples not in (3, 4):
        raise UnreadableFilm("shape", f"the DICOM file has {samples} samples per pixel; a film has one or three")
    planes = dataset.PlanarConfiguration == 1
    return (
        np.moveaxis(cells.reshape(samples, height, width), 0, -1) if planes else cells.reshape(height, width, samples)
    )


def _decoded(dataset: Dataset, syntax: UID) -> np.ndarray:
    """By the first decoder that succeeds."""
    if syntax in JPEG_LOSSLESS and dataset.SamplesPerPixel == 1:
        return _lossless_jpeg(dataset)
    if syntax in JPEG_LOSSY and (frame := frame_of(dataset.PixelData)) and frame.bits == 8:
        return _jpeg(dataset)
    try:
        unable = ABORTING | ({"pillow"} if syntax in JPEG_LOSSY else set())  # of more than 8 bits
        plugins = tuple(name for name in get_decoder(syntax).available_plugins if name not in unable)
    except NotImplementedError as error:
        name = syntax if re.fullmatch(r"[\d.]{1,64}", syntax) else "without a name"
        text = f"the film's coding is unknown (transfer syntax {name}); save it uncompressed"
        raise UnreadableFilm("unknown_coding", text) from error
    if not plugins:
        helps = f"try {install_command('dicom')}, or " if syntax in OF_EXTRA else ""
        text = f"the film is compressed as {syntax.name}, for which there is no decoder here"
        raise UnreadableFilm("no_decoder", f"{text}; {helps}save the film uncompressed")
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


def _lossless_jpeg(dataset: Dataset) -> np.ndarray:
    try:
        values = jpeg_lossless.decode(get_frame(dataset.PixelData, 0, number_of_frames=1))
    except ValueError as error:
        raise _cut_short(type(error).__name__) from error
    if values.shape != (dataset.Rows, dataset.Columns):
        raise UnreadableFilm("damaged", "the size of the compressed picture contradicts the DICOM header")
    return values


def _jpeg(dataset: Dataset) -> np.ndarray:
    """In grey or RGB, as every program shows a JPEG file, so that a phone's browser decodes the same.

    The header's colour space counts only where the stream names none (PS3.5 8.2.1).
    """
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    if code(dataset, "PhotometricInterpretation") == "RGB":
        frame = frame[:2] + RED_GREEN_BLUE + frame[2:]  # a marker that comes later, or JFIF's, overrules it
    try:
        with Image.open(io.BytesIO(frame), formats=("JPEG",)) as image:
            values = np.asarray(image.convert("L" if dataset.SamplesPerPixel == 1 else "RGB"))
    except (OSError, SyntaxError) as error:
        raise _cut_short(type(error).__name__) from error
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


def is_encapsulated(dataset: Dataset) -> bool:
    """Return whether the pixels are a compressed stream in pieces (PS3.5 A.4), whatever the transfer syntax says."""
    return bool(dataset["PixelData"].is_undefined_length)
