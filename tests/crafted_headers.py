"""DICOM films that devices write and few programs read alike: each a kind of its own, small, of a synthetic chest.

``python tests/crafted_headers.py`` writes ``radiographs/crafted.json`` anew: what is shown of each, here and by dcmtk.
Look at the pictures before you commit it.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pydicom
from dicom_film import as_bytes, dicom
from every_header import films
from lossless_jpeg import encode
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    RLELossless,
)

TWELVE = {"BitsStored": 12, "HighBit": 11}


def crafted(samples: Path) -> dict[str, bytes]:
    """Name of the kind -> the file. The pictures are 64 x 64 pixels of twelve bits, if the kind needs no others."""
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    chest = films(samples)[0]
    deep = np.rint(400 + 3000 * chest).astype(np.uint16)
    eight = np.rint(255 * chest).astype(np.uint8)
    rng = np.random.default_rng(1)
    kinds: dict[str, Dataset] = {}

    def film(name: str, pixels: np.ndarray = deep, **elements: object) -> Dataset:
        bits = TWELVE if pixels.dtype == np.uint16 else {}
        kinds[name] = dicom(pixels, **bits | elements)
        return kinds[name]

    film("plain")
    film("unused high bits are set", deep | 0xF000)
    film("an overlay in the high bits", deep | (rng.integers(0, 2, deep.shape) << 15).astype(np.uint16))
    film("high bit above bits stored", deep << 4, HighBit=15)
    film("more bits than the cells have", BitsStored=20, HighBit=19)
    signed = (deep.astype(np.int32) - 2048).astype(np.int16).view(np.uint16)
    film("signed", signed, PixelRepresentation=1)
    film("signed, of twelve bits", signed & 0xFFF, PixelRepresentation=1)
    film("rescale is empty", RescaleSlope="", RescaleIntercept="")
    film("slope 0", RescaleSlope="0", RescaleIntercept="5")
    film("slope is no number", RescaleSlope="NaN", RescaleIntercept="5")
    film("intercept is negative", RescaleSlope="1", RescaleIntercept="-1024", WindowCenter=900, WindowWidth=3000)
    film("window of NaN", WindowCenter="NaN", WindowWidth="2000")
    film("window of infinite width", WindowCenter="2000", WindowWidth="inf")
    film("window of width 0", WindowCenter="2000", WindowWidth="0")
    film("several windows", WindowCenter=["2000", "100"], WindowWidth=["3000", "5"])
    film("a window beside all values", WindowCenter="20000", WindowWidth="100")
    for name, table in _tables().items():
        film(name).VOILUTSequence = Sequence([table])
    film("modality table").ModalityLUTSequence = Sequence([table_of(np.arange(4096) ** 2 >> 8, first=0, bits=16)])
    # The first value is -2048, declared unsigned.
    kinds["table of signed values"] = item = dicom(signed & 0xFFF, **TWELVE, PixelRepresentation=1)
    item.VOILUTSequence = Sequence([table_of(np.arange(4096) ** 2 >> 12, first=-2048, bits=12)])
    kinds["table of signed values, implicit"] = implicit = dicom(signed & 0xFFF, **TWELVE, PixelRepresentation=1)
    implicit.VOILUTSequence = Sequence([table_of(np.arange(4096) ** 2 >> 12, first=-2048, bits=12)])
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    padded = deep.copy()
    padded[:, :6] = 4095
    film("padding is white", padded, PixelPaddingValue=4095)
    padded = deep.copy()
    padded[:, :6], padded[:, -6:] = 0, 20
    film("padding is a range", padded, PixelPaddingValue=0, PixelPaddingRangeLimit=20)
    film("all is padding", PixelPaddingValue=0, PixelPaddingRangeLimit=4095)
    film("the shape inverts", 4095 - deep, PresentationLUTShape="INVERSE")
    film("monochrome1 in lower case", 4095 - deep, PhotometricInterpretation="monochrome1")
    film("a label at the highest value", np.where(np.arange(64) < 3, 65535, deep), BitsStored=16, HighBit=15)
    for keyword in ("PhotometricInterpretation", "SamplesPerPixel"):
        del film(f"without {keyword}")[keyword]
    rgb = np.repeat(eight[..., None], 3, axis=-1)
    film("without PlanarConfiguration", rgb, PhotometricInterpretation="RGB")
    jpeg = _jpeg(eight)
    _coded(film("jpeg of eight bits in a header of twelve"), jpeg, JPEGExtended12Bit)
    at = jpeg.index(b"\xff\xdb")
    _coded(film("jpeg with fill bytes", eight), jpeg[:at] + b"\xff" * 5 + jpeg[at:], JPEGBaseline8Bit)
    _coded(film("jpeg with restart intervals", eight), _jpeg(eight, restart_marker_blocks=4), JPEGBaseline8Bit)
    for name, options in (("with restart intervals", {"interval": 4}), ("with fill bytes", {"interval": 4, "fill": 3})):
        stream = encode(deep, predictor=1, precision=12, **options)
        _coded(film(f"lossless jpeg {name}"), stream, JPEGLosslessSV1)
    contents = {name: as_bytes(each) for name, each in kinds.items()}
    contents["a private transfer syntax"] = contents["plain"].replace(
        b"1.2.840.10008.1.2.1\0", b"1.2.826.0.1.3680043\0"
    )
    contents["zeros behind the pixels"] = contents["plain"] + bytes(500)
    contents["a sequence without its end"] = _open_sequence(contents["plain"])
    return contents


def unread(samples: Path) -> dict[str, tuple[str, bytes]]:
    """Name of the kind -> code of the reason that both programs give, and the file."""
    chest = films(samples)[0]
    eight = np.rint(255 * chest).astype(np.uint8)
    jpeg = _jpeg(eight)
    rgb = np.repeat(eight[..., None], 3, axis=-1)
    kinds = {}
    known = as_bytes(_coded(dicom(eight), b"\xff\x0a" + bytes(100), HTJ2KLossless))
    for name, syntax in (("jpeg xl", b"1.2.840.10008.1.2.4.112"), ("an unknown coding", b"1.2.3.4.5.6.7.8.9.10.11")):
        kinds[name] = "unknown_coding", known.replace(HTJ2KLossless.encode(), syntax)
    coloured = dicom(rgb, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    kinds["lossless jpeg in colour"] = "no_decoder", as_bytes(_coded(coloured, jpeg, JPEGLosslessSV1))
    lossless = encode(eight.astype(np.uint16), predictor=1, precision=8)
    for name, stream, syntax in (("jpeg", jpeg, JPEGBaseline8Bit), ("lossless jpeg", lossless, JPEGLosslessSV1)):
        whole = as_bytes(_coded(dicom(eight), stream, syntax))
        kinds[f"{name}, its fragment cut short"] = "truncated", whole[: -len(stream) // 2]
    packed = dicom(eight)
    packed.compress(RLELossless)
    whole = as_bytes(packed)
    kinds["run lengths, cut short"] = "truncated", whole[:-1500]
    kinds["pixels cut short"] = "truncated", as_bytes(dicom(eight))[:-1500]
    return kinds


def _tables() -> dict[str, Dataset]:
    curve = np.arange(4096) ** 2 >> 12
    packed = table_of(curve, first=0, bits=8)
    packed.LUTData = (curve >> 4).astype(np.uint8).tobytes()
    words = table_of(curve >> 4, first=0, bits=8)
    named = table_of(curve, first=0, bits=12)
    del named.LUTData
    named.add_new("LUTData", "US", curve.tolist())
    return {
        "table of eight bits, packed": packed,
        "table of eight bits, in words": words,
        "table of twelve bits": table_of(curve, first=0, bits=12),
        "table as US": named,
        "table that falls": table_of(4095 - curve, first=0, bits=12),
        "table that is cut short": table_of(curve[:100], first=0, bits=12, count=4096),
    }


def table_of(entries: np.ndarray, *, first: int, bits: int, count: int | None = None) -> Dataset:
    """A lookup table's item; ``count`` is what its descriptor promises."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [count or len(entries), first & 0xFFFF, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return item


def _jpeg(pixels: np.ndarray, **options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


def _coded(film: Dataset, stream: bytes, syntax: UID) -> Dataset:
    film.PixelData = encapsulate([stream])
    film["PixelData"].is_undefined_length = True
    film.file_meta.TransferSyntaxUID = syntax
    return film


def _open_sequence(content: bytes) -> bytes:
    """A sequence of undefined length before the pixels, whose delimiter was forgotten."""
    pixels = content.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    opened = struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF) + item
    return content[:pixels] + opened + content[pixels:]


def asked(name: str) -> list[str]:
    """Which window or table dcmtk is to apply: it takes none by itself."""
    if name.startswith("table") and "cut short" not in name:
        return ["+Wl", "1"]
    return ["+Wi", "1"] if name in ("intercept is negative", "several windows") else ["+Wm"]


def main() -> None:
    """Write what is expected of each film."""
    from ai_for_sudan.radiographs import read_radiograph

    tests = Path(__file__).parent
    version = subprocess.run(["dcmj2pnm", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    found = {}
    for name, content in crafted(tests.parent / "samples").items():
        film = read_radiograph(content)
        with tempfile.TemporaryDirectory() as folder:
            (path := Path(folder) / "film.dcm").write_bytes(content)
            picture = Path(folder) / "film.pgm"
            done = subprocess.run(["dcmj2pnm", "-q", "+opw", *asked(name), path, picture])
            readable = done.returncode == 0 and name != "slope is no number"  # of which it makes one grey
            theirs = hashlib.sha256(picture.read_bytes()).hexdigest() if readable else None
        found[name] = {
            "picture": hashlib.sha256(film.pixels.tobytes()).hexdigest(),
            "warnings": [code for code, _ in film.warnings],
            "asked": asked(name),
            "dcmtk": theirs,
        }
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in found.items())
    text = f'{{\n "oracle": "{version}",\n "films": {{\n{rows}\n }}\n}}\n'
    (tests / "radiographs" / "crafted.json").write_text(text)


if __name__ == "__main__":
    main()
