"""A film's values before its window: nothing lost, the right way round, and in step with the picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_film import as_bytes, of_a_child
from PIL import Image
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import FullRange, pool, read_full_range, read_radiograph
from ai_for_sudan.radiographs.dicom import picture

TWELVE_BITS = {"BitsStored": 12, "HighBit": 11}


@pytest.fixture
def film(samples: Path) -> np.ndarray:
    """A synthetic chest film of 12 bits, bone white: uint16 ``(H, W)``."""
    with Image.open(samples / "normal_01.png") as picture:
        grey = np.asarray(picture.convert("L"), dtype=np.uint16) * 16
    grey += np.random.default_rng(0).integers(0, 16, grey.shape, dtype=np.uint16)
    grey[0, :2] = 0, 4095
    return grey


def both(tmp_path: Path, dataset: Dataset) -> tuple[FullRange, np.ndarray]:
    """The values, and the picture: uint8 ``(H, W)``."""
    (path := tmp_path / "film.dcm").write_bytes(as_bytes(dataset))
    found = read_full_range(path)
    assert found is not None
    return found, read_radiograph(path).pixels


def through_window(found: FullRange) -> np.ndarray:
    black, white = found.window
    return np.clip((found.values.astype(float) - black) / (white - black), 0, 1) * 255


def table(measured: np.ndarray) -> Dataset:
    """An item of a Modality LUT Sequence (PS3.3 C.11.1) for stored values from 0."""
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [len(measured) % 65536, 0, 16], "US"
    item.LUTData = measured.astype(np.uint16).tobytes()
    return item


def with_palette(dataset: Dataset) -> Dataset:
    """Colours of 256 entries (PS3.3 C.7.9)."""
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        dataset[f"{colour}PaletteColorLookupTableDescriptor"] = DataElement(
            f"{colour}PaletteColorLookupTableDescriptor", "US", [256, 0, 16]
        )
        data = (np.arange(256, dtype=np.uint16) * 257).tobytes()
        setattr(dataset, f"{colour}PaletteColorLookupTableData", data)
    return dataset


@pytest.mark.parametrize(
    ("stored", "elements"),
    [
        (lambda film: film, {"WindowCenter": 900}),
        (lambda film: 4095 - film, {"WindowCenter": 3195, "PhotometricInterpretation": "MONOCHROME1"}),
        (lambda film: film.astype(np.int16) - 2048, {"WindowCenter": -1148}),
        (lambda film: film, {"WindowCenter": 350, "WindowWidth": 200, "RescaleSlope": 0.5, "RescaleIntercept": -100}),
    ],
    ids=["plain", "inverted", "signed", "rescaled"],
)
def test_the_values_are_those_of_the_file_and_their_window_gives_the_picture(
    tmp_path: Path, film: np.ndarray, stored: Callable[[np.ndarray], np.ndarray], elements: dict[str, object]
) -> None:
    found, shown = both(tmp_path, of_a_child(stored(film), **TWELVE_BITS | {"WindowWidth": 400} | elements))
    assert found.values.dtype == np.uint16
    np.testing.assert_array_equal(found.values, film)
    assert 0 < found.window[0] < found.window[1] < 4095
    assert np.abs(through_window(found) - shown).max() < 2
    clipped = found.values[shown == 255]
    assert len(np.unique(clipped)) > 10, "what the picture clips is told apart"


def test_a_modality_table_is_applied(tmp_path: Path, film: np.ndarray) -> None:
    squares = np.arange(4096.0) ** 2 / 4095
    dataset = of_a_child(film, **TWELVE_BITS | {"WindowCenter": 2048, "WindowWidth": 2000})
    dataset.ModalityLUTSequence = Sequence([table(squares)])
    found, shown = both(tmp_path, dataset)
    np.testing.assert_allclose(found.values, squares[film], atol=1.01)
    assert np.abs(through_window(found) - shown).max() < 2


def test_a_window_beside_all_values_shows_them_all(tmp_path: Path, film: np.ndarray) -> None:
    found, shown = both(tmp_path, of_a_child(film, **TWELVE_BITS | {"WindowCenter": 60000, "WindowWidth": 2}))
    np.testing.assert_allclose(shown, film / 4095 * 255, atol=1)
    assert found.window[0] < 10 and found.window[1] > 4085


def test_sixteen_bits_are_kept(tmp_path: Path, film: np.ndarray) -> None:
    stored = film.astype(np.uint16) * 16 + 15
    stored[0, :2] = 0, 65535
    found, _ = both(tmp_path, of_a_child(stored))
    np.testing.assert_array_equal(found.values, stored)


def test_there_is_nothing_behind_pictures_colours_and_one_grey(tmp_path: Path, film: np.ndarray) -> None:
    png = io.BytesIO()
    Image.fromarray((film >> 4).astype(np.uint8)).save(png, "PNG")
    colours = np.stack([(film >> 4).astype(np.uint8)] * 3, axis=-1)
    contents = {
        "picture": png.getvalue(),
        "colour": as_bytes(of_a_child(colours, PhotometricInterpretation="RGB", PlanarConfiguration=0)),
        "palette": as_bytes(with_palette(of_a_child(film >> 4, BitsStored=8, HighBit=7))),
        "one grey": as_bytes(of_a_child(np.full((200, 200), 7, dtype=np.uint16))),
    }
    for name, content in contents.items():
        (path := tmp_path / "film").write_bytes(content)
        assert read_full_range(path) is None, name
        assert read_radiograph(path).pixels.ndim == 2, name


def test_a_large_film_is_reduced(monkeypatch: pytest.MonkeyPatch, film: np.ndarray) -> None:
    monkeypatch.setattr(picture, "MOST_PIXELS", film.size // 5)
    found = picture.picture_of(film, Dataset()).full_range()
    assert found is not None
    np.testing.assert_array_equal(found.values, film[::3, ::3] - film[::3, ::3].min())


def test_a_film_is_decoded_in_a_process_with_limits_and_a_damaged_one_is_refused(
    tmp_path: Path, film: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = as_bytes(of_a_child(film, **TWELVE_BITS))
    (path := tmp_path / "film.dcm").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableFilm) as caught:
        read_full_range(path)
    assert caught.value.code == "truncated"
    path.write_bytes(content)
    pool.end_all()
    monkeypatch.setattr(pool, "_START", "raise SystemExit(3)")  # a decoder's process that cannot work
    with pytest.raises(UnreadableFilm) as caught:
        read_full_range(path)
    assert caught.value.code == "crashed"
