"""An encoder of lossless JPEG, written from the standard's encoding side: the decoders are held against it."""

from __future__ import annotations

import numpy as np


def encode(
    samples: np.ndarray, *, predictor: int, precision: int, shift: int = 0, interval: int = 0, fill: int = 0
) -> bytes:
    """ISO 10918-1 H.1: a difference to its prediction is a category in five bits, then as many bits of its value.

    Args:
        samples: uint16 ``(H, W)``.
        interval: rows of a restart interval; 0 for none.
        fill: fill bytes before each marker (B.1.1.2).
    """
    height, width = samples.shape
    rows = interval or height
    coded = b""
    for number, top in enumerate(range(0, height, rows)):
        if number:
            coded += b"\xff" * (fill + 1) + bytes([0xD0 + (number - 1) % 8])
        coded += _coded(samples[top : top + rows].astype(int) >> shift, predictor, precision - shift)

    def segment(marker: int, body: bytes) -> bytes:
        return b"\xff" * (fill + 1) + bytes([marker]) + (len(body) + 2).to_bytes(2, "big") + body

    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    counts = [0] * 16
    counts[4] = 17
    return (
        b"\xff\xd8"
        + segment(0xC3, bytes([precision]) + size + b"\x01\x01\x11\x00")
        + segment(0xC4, b"\x00" + bytes(counts) + bytes(range(17)))
        + (segment(0xDD, (interval * width).to_bytes(2, "big")) if interval else b"")
        + segment(0xDA, bytes([1, 1, 0, predictor, 0, shift]))
        + coded
        + b"\xff" * (fill + 1)
        + b"\xd9"
    )


def _coded(values: np.ndarray, predictor: int, precision: int) -> bytes:
    """The rows of one restart interval."""
    bits = []
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            left, above = values[row, column - 1], values[row - 1, column]
            corner = values[row - 1, column - 1]
            if row == 0 and column == 0:
                guess = 1 << precision - 1
            elif row == 0:
                guess = left
            elif column == 0:
                guess = above
            else:
                guess = [
                    left, above, corner, left + above - corner, left + (above - corner >> 1),
                    above + (left - corner >> 1), left + above >> 1,
                ][predictor - 1]  # fmt: skip
            difference = (values[row, column] - guess + 32767) % 65536 - 32767
            category = int(abs(difference)).bit_length()
            bits.append(f"{category:05b}")
            if 0 < category < 16:
                value = difference if difference > 0 else difference + (1 << category) - 1
                bits.append(f"{value:0{category}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00")
