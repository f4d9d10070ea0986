"""What a header leaves out of Image Pixel (PS3.3 C.7.6.3, table C.7-11a), as the rest of the file suggests it."""

from __future__ import annotations

from pydicom.dataset import Dataset

from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.radiographs.dicom.elements import code, word, words

_COLOURS = ("RGB", "YBR")


def with_defaults(dataset: Dataset) -> tuple[Remark, ...]:
    """Fill in the elements that decoding needs; return ``header_incomplete`` with their names."""
    coloured = code(dataset, "PhotometricInterpretation").startswith(_COLOURS)
    samples = word(dataset, "SamplesPerPixel", 3 if coloured else 1)
    pixels = dataset.PixelData
    each = 8 * len(pixels) // max(1, samples * int(dataset.Rows) * int(dataset.Columns))
    allocated = word(dataset, "BitsAllocated", each if each in (8, 16, 32) else 16)
    usual = {
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": "MONOCHROME2" if samples == 1 else "RGB",
        **({"PlanarConfiguration": 0} if samples > 1 else {}),
        "BitsAllocated": allocated,
        "BitsStored": allocated,
        "PixelRepresentation": 0,
    }
    missing = [
        keyword
        for keyword in usual
        if not (code(dataset, keyword) if isinstance(usual[keyword], str) else len(words(dataset, keyword)))
    ]
    # Decoders know the names in capital letters only.
    dataset.PhotometricInterpretation = code(dataset, "PhotometricInterpretation")
    for keyword in missing:
        setattr(dataset, keyword, usual[keyword])
    return (remark("header_incomplete", elements=", ".join(missing)),) if missing else ()
