"""Step 6, polarity: whether the lowest value is white (PS3.3 C.7.6.3.1.2, C.8.11.3.1.2)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from ai_for_sudan.radiographs.dicom.elements import code


def is_inverse(dataset: Dataset) -> bool:
    """Return whether the film is to be inverted: Presentation LUT Shape decides, then Photometric Interpretation."""
    shape = code(dataset, "PresentationLUTShape")
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return code(dataset, "PhotometricInterpretation") == "MONOCHROME1"
