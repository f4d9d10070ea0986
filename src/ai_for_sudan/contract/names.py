"""The fixed names of a reader file, the statuses of a film, and the keys of a reading."""

from __future__ import annotations

from ai_for_sudan.contract.data import load

_NAMES = load("names")

INPUT: str = _NAMES["input"]
#: what every reader file computes, in this order
OUTPUTS: tuple[str, ...] = tuple(_NAMES["outputs"])
#: what newer reader files compute as well: float32 ``lungs [112, 112]`` (probability of lung, in the frame of the
#: film squashed to a square), ``box [4]`` (x0, y0, x1, y1 in shares of the film's width and height),
#: ``lungs_probability [2]`` (calibrated, of the positive class in the patient's right lung, on the left of the picture,
#: and in the left lung) and ``abnormal [1]`` (probability that the lungs are abnormal in any way)
OPTIONAL_OUTPUTS: tuple[str, ...] = tuple(_NAMES["optional_outputs"])
#: what a site may change without PyTorch: head ``[C, D]`` and ``[C]``, calibration ``[C]`` and ``[C]``
INITIALIZERS: tuple[str, ...] = tuple(_NAMES["initializers"])
#: the key of the card in the file's metadata
METADATA_KEY: str = _NAMES["metadata"]
#: the reader that the command line, the clinic and the phone use unless another is chosen: one film has one answer
DEFAULT_READER: str = _NAMES["default_reader"]
STATUSES: tuple[str, ...] = tuple(_NAMES["statuses"])
#: the keys that a reading has in JSON and CSV, whichever program wrote it
READING_KEYS: tuple[str, ...] = tuple(_NAMES["reading"])
