"""Transfer syntaxes: those that the reader decodes here; the usual default list rejects compressed films."""

from __future__ import annotations

from functools import lru_cache

from pydicom.pixels import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
#: decoded by this project itself, on every machine
OWN = (JPEGLosslessSV1, JPEGLossless)
#: JPEG Extended is not among them: it is decoded with 8 bits only, and a modality that is told so sends another coding
BY_PLUGIN = (
    *(JPEGBaseline8Bit, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000),
    *(RLELossless, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K),
)
#: a decoder that is not used, see ai_for_sudan.radiographs.dicom.cells
UNUSED = {"gdcm"}


@lru_cache(maxsize=1)
def decodable() -> tuple[UID, ...]:
    """Every transfer syntax that this machine decodes."""
    return (*NATIVE, *OWN, *(syntax for syntax in BY_PLUGIN if set(get_decoder(syntax).available_plugins) - UNUSED))
