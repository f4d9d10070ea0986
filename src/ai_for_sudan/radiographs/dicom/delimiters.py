"""Sequences that were left open: the delimiters that their writer forgot (PS3.5 7.5.2, A.4)."""

from __future__ import annotations

_ITEM, _ITEM_END, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
_UNDEFINED = b"\xff\xff\xff\xff"
#: sequences that a film's header has at most
_MOST = 1_000


def closed(data: bytes) -> bytes:
    """Return a file in which each sequence of undefined length, whose items have lengths, ends with a delimiter.

    Compressed pixels are such a sequence. Files whose sequences end as they should are returned as they are. Of a file
    that is cut short, pydicom would lose the whole header; closed, it has one.
    """
    parts, start, at = [], 0, 0
    for _ in range(_MOST):
        opened = data.find(_UNDEFINED + _ITEM, at)
        if opened < 0:
            break
        at = opened + len(_UNDEFINED)
        while data[at : at + 4] == _ITEM and data[at + 4 : at + 8] != _UNDEFINED:
            length = int.from_bytes(data[at + 4 : at + 8], "little")
            at = min(at + 8 + length, len(data))  # a file may be cut short inside an item
        # An item of undefined length ends where its own delimiter says; its sequence is looked at no further.
        if data[at : at + 4] not in (_END, _ITEM, _ITEM_END):
            parts += [data[start:at], _END + bytes(4)]
            start = at
    return b"".join([*parts, data[start:]]) if parts else data
