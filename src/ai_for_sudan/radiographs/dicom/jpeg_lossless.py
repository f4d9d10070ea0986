"""Lossless JPEG (ISO 10918-1 Annex H), the usual compression of old CR films, which Pillow does not decode.

The decoders that exist for Python abort the process on damaged films or may not be shipped with this licence. This one
decodes one grey component, which is what films have, at some million pixels a second.
"""

from __future__ import annotations

import re

import numpy as np

#: SOF3: lossless, sequential, Huffman
_FRAME, _TABLES, _SCAN, _RESTART = 0xC3, 0xC4, 0xDA, 0xDD
#: symbols that are decoded at a time
CHUNK = 1 << 18
#: a marker that begins a restart interval, with the fill bytes that may stand before it (B.1.1.2)
_RESTARTS = re.compile(rb"\xff+[\xd0-\xd7]")
_END = re.compile(rb"\xff+\xd9")

Table = tuple[np.ndarray, np.ndarray]


def decode(stream: bytes) -> np.ndarray:
    """The samples of a lossless JPEG stream, uint16 ``(H, W)``.

    Raises:
        ValueError: damaged, or of several components or another process of JPEG.
    """
    height = width = precision = restart = 0
    tables: dict[int, Table] = {}
    at = stream.find(b"\xff\xd8") + 2
    while at >= 2 and at + 4 <= len(stream):
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        if stream[at] == marker == 0xFF:  # a fill byte (B.1.1.2)
            at += 1
            continue
        if stream[at] != 0xFF or length < 2:
            break
        body = stream[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == _TABLES:
            tables |= _huffman_tables(body)
        elif marker == _FRAME:
            if len(body) < 9 or body[5] != 1:
                raise ValueError("a lossless JPEG of one component is expected")
            precision = body[0]
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        elif marker == _RESTART:
            restart = int.from_bytes(body[:2], "big")
        elif marker == _SCAN:
            if not (height and width and 2 <= precision <= 16) or len(body) < 6 or body[0] != 1:
                raise ValueError("the scan of the lossless JPEG does not match its frame")
            table = tables.get(body[2] >> 4)
            if table is None:
                raise ValueError("the lossless JPEG has no Huffman table")
            predictor, shift = body[3], body[5] & 15
            return _scanned(stream[at:], table, (height, width), restart, (predictor, precision, shift))
    raise ValueError("the lossless JPEG has no scan")


def _scanned(
    coded: bytes, table: Table, size: tuple[int, int], restart: int, prediction: tuple[int, int, int]
) -> np.ndarray:
    """All rows, uint16 ``(H, W)``: prediction begins anew with each restart interval, which has whole rows (H.1.1)."""
    height, width = size
    coded = _END.split(coded, maxsplit=1)[0]
    if not restart:
        return _undone(_differences(coded, table, height * width).reshape(size), *prediction)
    rows = restart // width
    parts = _RESTARTS.split(coded)
    if rows * width != restart or len(parts) < -(-height // rows):
        raise ValueError("the restart intervals of the lossless JPEG do not match its size")
    samples = np.empty(size, dtype=np.uint16)
    for top, part in zip(range(0, height, rows), parts, strict=False):
        here = samples[top : top + rows]
        here[:] = _undone(_differences(part, table, here.size).reshape(here.shape), *prediction)
    return samples


def _huffman_tables(body: bytes) -> dict[int, Table]:
    """Table number -> for each value of the next 16 bits, the length of the code and its category."""
    found = {}
    while len(body) >= 17:
        number, counts = body[0] & 15, body[1:17]
        values = body[17 : 17 + sum(counts)]
        lengths = np.repeat(np.arange(1, 17), list(counts))
        if len(values) < len(lengths) or max(values, default=0) > 16:
            raise ValueError("a Huffman table of the lossless JPEG is damaged")
        spans = 1 << 16 - lengths
        table = np.zeros((2, 1 << 16), dtype=np.uint8)
        filled = int(spans.sum())
        if filled > 1 << 16:
            raise ValueError("a Huffman table of the lossless JPEG is damaged")
        table[0, :filled] = np.repeat(lengths, spans)
        table[1, :filled] = np.repeat(np.frombuffer(values, dtype=np.uint8), spans)
        found[number] = (table[0], table[1])
        body = body[17 + len(values) :]
    return found


def _differences(coded: bytes, table: Table, count: int) -> np.ndarray:
    """``count`` differences, int32, from entropy-coded bytes (H.1.2.2): a category, then as many bits.

    Where a symbol begins is known only after the one before it, but how long a symbol would be that began at a given
    bit is known for all bits at once: the one step that must go from symbol to symbol is then a short loop.
    """
    data = coded.replace(b"\xff\x00", b"\xff")
    length, category = table
    steps = _symbol_lengths(data, length, category)
    octets = np.frombuffer(data + bytes(8), dtype=np.uint8)
    found = np.empty(count, dtype=np.int32)
    bit = 0
    for start in range(0, count, CHUNK):
        places = []
        try:
            for _ in range(min(CHUNK, count - start)):
                places.append(bit)
                bit += steps[bit]
        except IndexError as error:
            raise ValueError("the lossless JPEG is cut short") from error
        at = np.array(places)
        first = at >> 3
        window = np.zeros(len(at), dtype=np.int64)
        for offset in range(5):
            window = window << 8 | octets[first + offset]
        ahead = window >> 24 - (at & 7) & 0xFFFF
        size = category[ahead].astype(np.int64)
        if not length[ahead].all():
            raise ValueError("the lossless JPEG contains a code that is not in its table")
        bits = window >> np.maximum(0, 40 - (at & 7) - length[ahead] - size) & (1 << size) - 1
        negative = bits < (1 << size >> 1)
        values = np.where(negative, bits - (1 << size) + 1, bits)
        found[start : start + len(at)] = np.where(size == 16, 32768, values)
    if bit > 8 * len(data):
        raise ValueError("the lossless JPEG is cut short")
    return found


def _symbol_lengths(data: bytes, length: np.ndarray, category: np.ndarray) -> bytes:
    """For each bit, how many bits a symbol has that begins there; 0 where none can."""
    # Category 16 is a difference of 32,768 and has no further bits.
    total = length + np.where(category == 16, 0, category).astype(np.uint8)
    octets = np.frombuffer(data + bytes(2), dtype=np.uint8).astype(np.uint32)
    steps = np.empty((len(data), 8), dtype=np.uint8)
    for start in range(0, len(data), CHUNK):
        part = octets[start : start + CHUNK + 2]
        window = part[:-2] << 16 | part[1:-1] << 8 | part[2:]
        for bit in range(8):
            steps[start : start + CHUNK, bit] = total[window >> 8 - bit & 0xFFFF]
    return steps.tobytes()


def _undone(differences: np.ndarray, predictor: int, precision: int, shift: int) -> np.ndarray:
    """Samples from their differences to a prediction (table H.1), modulo 65,536."""
    height, width = differences.shape
    first = 1 << precision - shift - 1
    samples = np.zeros((height, width), dtype=np.int32)
    samples[0] = (np.cumsum(differences[0].astype(np.int64)) + first) & 0xFFFF
    # The first column is always predicted from above.
    samples[:, 0] = (np.cumsum(differences[:, 0].astype(np.int64)) + first) & 0xFFFF
    if predictor == 1:  # from the left: rows are independent
        rest = np.cumsum(differences[1:].astype(np.int64), axis=1)
        rest += (samples[1:, :1] - differences[1:, :1]).astype(np.int64)
        samples[1:] = rest & 0xFFFF
    elif predictor == 2:  # from above: columns are independent
        samples[1:] = (np.cumsum(differences[1:].astype(np.int64), axis=0) + samples[0]) & 0xFFFF
    elif 3 <= predictor <= 7:
        for row in range(1, height):
            above = samples[row - 1]
            if predictor == 3:
                samples[row, 1:] = (differences[row, 1:] + above[:-1]) & 0xFFFF
                continue
            left = int(samples[row, 0])
            line = [left]
            for up, corner, difference in zip(
                above[1:].tolist(), above[:-1].tolist(), differences[row, 1:].tolist(), strict=True
            ):
                if predictor == 4:
                    guess = left + up - corner
                elif predictor == 5:
                    guess = left + (up - corner >> 1)
                elif predictor == 6:
                    guess = up + (left - corner >> 1)
                else:
                    guess = left + up >> 1
                left = guess + difference & 0xFFFF
                line.append(left)
            samples[row] = line
    else:
        raise ValueError(f"predictor {predictor} of a lossless JPEG is unknown")
    return (samples << shift).astype(np.uint16)
