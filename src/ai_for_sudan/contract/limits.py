"""How large and how small things may be: pixels a side, pixels in all, bytes."""

from __future__ import annotations

from ai_for_sudan.contract.data import load

_LIMITS = load("limits")

#: films with a shorter side are refused
SMALLEST_SIDE: int = _LIMITS["smallest_side"]
#: of films with a shorter side the reading may change with their size (docs/results.md)
STABLE_SIDE: int = _LIMITS["stable_side"]
#: sides that the reader file takes; other films are resized to them first
SMALLEST_INPUT: int = _LIMITS["smallest_input"]
LARGEST_INPUT: int = _LIMITS["largest_input"]
#: bytes; an uncompressed 16-bit film of 8192 x 8192 has 134 MB
LARGEST_FILE: int = _LIMITS["largest_file"]
#: pictures of more pixels are refused before they are decoded
LARGEST_PICTURE: int = _LIMITS["largest_picture"]
#: samples a pixel
MOST_SAMPLES: int = _LIMITS["most_samples"]
#: pixels of lossless JPEG, decoded without a library
LARGEST_LOSSLESS_JPEG: int = _LIMITS["largest_lossless_jpeg"]
#: samples; OpenJPEG holds four bytes and more of each
LARGEST_JPEG2000: int = _LIMITS["largest_jpeg2000"]
#: bytes of RLE and JPEG 2000, decoded at some 5 MB a second; a film of ten million pixels has 20 MB
LARGEST_SLOW: int = _LIMITS["largest_slow_bytes"]
#: a progressive JPEG has about ten scans; thousands of them keep a decoder busy for minutes
MOST_SCANS: int = _LIMITS["most_scans"]
#: characters of a card
LARGEST_CARD: int = _LIMITS["largest_card"]
