"""Films made to hurt are refused by the cheap checks, before the limits of the decoding process are needed.

benchmarks/crafted_films.py has more of them, tells what each takes, and runs for some minutes.
"""

from __future__ import annotations

import crafted_films as crafted
import pytest

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import plain, read_radiograph


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("deflated", "too_large", "grows"),
        ("deflated, no preamble", "too_large", "grows"),
        ("deflated, wrong group length", "too_large", "grows"),
        ("deflated, identifier beyond 4 kB", "too_large", "grows"),
        ("deflated, identifier padded", "too_large", "grows"),
        ("deflated twice", "damaged", "twice"),
        ("deflated elements", "damaged", "more elements"),
        ("deflated items", "damaged", "longer"),
        ("deflated backslashes", "damaged", "longer"),
        ("sequence of 5 million items, view, defined", "damaged", "longer"),
        ("sequence of 5 million items, VOI, undefined", "damaged", "more elements"),
        ("sequence as unknown", "damaged", "longer"),
        ("elements of the meta group", "damaged", "more elements"),
        ("100 MB of backslashes, character set", "damaged", "longer"),
        ("100 MB of backslashes, modality", "damaged", "longer"),
        ("100 MB of backslashes, implicit, window", "damaged", "longer"),
        ("100 MB of backslashes, undefined length", "damaged", "longer"),
        ("100 MB of backslashes, transfer syntax", "damaged", "longer"),
        ("100 MB of backslashes as pixels, UT", "damaged", "not bytes"),
        ("100 MB of backslashes as pixels, SQ", "damaged", "not bytes"),
        ("LUT of 60 MB", "damaged", "longer"),
        ("fragments, 5 million", "damaged", "more"),
        ("offset table of 25 million", "damaged", "pieces"),
        ("100 MB of 0xFF in JPEG", "damaged", "fill"),
        ("JPEG of 100 MB of 0xFF", "damaged", "fill"),
        ("JPEG of 100 MB of 0xFF behind the frame", "damaged", "fill"),
        ("PNG of 5 million parts", "damaged", "parts"),
        ("PNG of 5 million empty IDAT", "damaged", "parts"),
    ],
)
def test_it_is_refused_at_once(name: str, code: str, words: str) -> None:
    with pytest.raises(UnreadableFilm, match=words) as caught:
        read_radiograph(crafted.FILMS[name]())
    assert caught.value.code == code


def test_what_stands_beside_the_film_may_be_long() -> None:
    for name in ("sequence of 5 million items, private, defined", "100 MB of backslashes, private"):
        assert read_radiograph(crafted.FILMS[name]()).pixels.shape == (64, 64)


def test_only_pictures_of_bounded_cost_are_decoded_here() -> None:
    films = crafted.FILMS
    assert plain.is_plain(crafted.jpeg()) and plain.is_plain(crafted.jpeg(progressive=True))
    assert plain.is_plain(crafted.png()) and plain.is_plain(crafted.png(depth=16))
    assert not plain.is_plain(crafted.progressive(3000, 60))
    assert not plain.is_plain(crafted.jpeg()[:-200] + b"\xff" * 4000), "fill bytes in the scan"
    assert not plain.is_plain(crafted.png(side=7000))
    for name in (
        "JPEG of a million segments",
        "JPEG of 100 MB of 0xFF in the scan",
        "PNG with texts that grow",
        "PNG with EXIF of 100 MB",
    ):
        assert not plain.is_plain(films[name]()), name
    for start in (b"", b"\xff\xd8\xff", crafted.jpeg()[:30], b"II*\0", b"BM"):
        assert not plain.is_plain(start + bytes(10))
