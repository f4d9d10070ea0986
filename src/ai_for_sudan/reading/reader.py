"""A model ready to read: one ONNX file, opened by ONNX Runtime."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ai_for_sudan import onnx_runtime
from ai_for_sudan.contract import ages
from ai_for_sudan.contract.card import Card
from ai_for_sudan.contract.codes import Remark
from ai_for_sudan.contract.judge import Judgement, edge_warning, judge, resolution_warning
from ai_for_sudan.contract.limits import LARGEST_INPUT, SMALLEST_INPUT
from ai_for_sudan.contract.names import INPUT, METADATA_KEY, OPTIONAL_OUTPUTS, OUTPUTS
from ai_for_sudan.contract.surround import exposed_field
from ai_for_sudan.errors import InvalidReader, UnreadableFilm
from ai_for_sudan.files import shipped_files
from ai_for_sudan.radiographs import Radiograph, read_radiograph
from ai_for_sudan.reading.reading import Reading, Terms

Result = TypeVar("Result")

#: seconds in which a reader file must be opened, and read a film; the slowest machine that was tried took two
LONGEST_RUN = 60.0


def shipped() -> dict[str, Path]:
    """The readers that come with the program, by name."""
    files = reversed(shipped_files("*.onnx"))  # the installed package's own before those of a checkout around it
    return {path.stem: path for path in files if not path.stem.endswith(".bulk")}


class Reader:
    """Reads films. Safe to use from several threads.

    Example:
        >>> from ai_for_sudan import Reader
        >>> reader = Reader.open("mobilenet_v2")
        >>> reader.read("samples/pneumonia_01.png").status
        'suspected'
    """

    def __init__(self, session: onnx_runtime.InferenceSession, card: Card, name: str) -> None:
        self._session = session
        here = {output.name for output in session.get_outputs()}
        self._outputs = (*OUTPUTS, *(name for name in OPTIONAL_OUTPUTS if name in here))
        self.card = card
        #: the file's path, as messages name it
        self.name = name

    @classmethod
    def open(cls, reader: str | Path, *, threads: int = 1, self_test: bool = True) -> Reader:
        """Open a reader and make sure that it computes correctly here.

        Args:
            reader: the name of a shipped reader, or the path of a reader file.
            threads: of one reading; several films are better read side by side than one by several threads.
            self_test: read the card's own test film first.

        Raises:
            InvalidReader: no such reader, no reader file, a newer card, or a self-test that fails on this machine.
        """
        opened = cls._load(path := find_reader(reader), str(path), threads)
        if self_test:
            opened.self_test()
        return opened

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Reader:
        """The same for the bytes of a reader file, which ``name`` stands for in messages."""
        opened = cls._load(content, name, threads=1)
        opened.self_test()
        return opened

    @classmethod
    def _load(cls, source: Path | bytes, name: str, threads: int) -> Reader:
        options = onnx_runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Waiting threads that spin would take the core from the next film's decoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # A laptop reads films of many sizes: an arena or a pattern would keep the largest one's memory for ever.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        try:
            session = _within(
                LONGEST_RUN,
                lambda: onnx_runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"]),
            )
            text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        except Exception as error:  # ONNX Runtime raises its own kinds, and a plain RuntimeError
            raise InvalidReader(
                f"{name} is not an ONNX file that this machine can open; expected a reader file"
            ) from error
        names = {output.name for output in session.get_outputs()}
        inputs = {item.name: item.type for item in session.get_inputs()}
        if text is None or not names.issuperset(OUTPUTS) or inputs != {INPUT: "tensor(uint8)"}:
            raise InvalidReader(
                f"{name} is an ONNX file but not a reader (it has no card, or other inputs and outputs)"
            )
        return cls(session, Card.from_json(text), name)

    def self_test(self) -> float:
        """Read the card's own test film.

        Returns:
            the largest difference from what was expected.

        Raises:
            InvalidReader: this machine computes something else or nothing, or the card does not fit the graph: nothing
                must be read here.
        """
        test = self.card.self_test
        try:
            found = self.run(test.film)
        except Exception as error:  # ONNX Runtime's own kinds derive from nothing narrower
            raise InvalidReader(
                f"{self.name}: the self-test cannot be run on this machine ({_first_line(error)}); the file may be "
                "damaged: copy it again, or export the reader again"
            ) from error
        sizes = {"probability": len(self.card.classes), "gate": len(self.card.gate)}
        if self.card.abnormal:
            sizes["abnormal"] = 1
        for output, count in sizes.items():
            if output not in found or found[output].shape != (count,):
                raise InvalidReader(
                    f"{self.name}: the card's self-test does not match its graph; export the reader again"
                )
        total = float(found["heatmap"][self.card.positive_index].sum())
        expected = {"probability": test.probability, "gate": test.gate}
        expected |= {"lungs_probability": test.lungs_probability or (), "abnormal": test.abnormal or ()}
        differences = [
            *(
                abs(a - b)
                for name, values in expected.items()
                for a, b in zip(found.get(name, ()), values, strict=False)
            ),
            abs(total - test.heatmap_sum) / max(1.0, abs(test.heatmap_sum)),
        ]
        worst = float(np.max(differences))
        if not worst <= test.tolerance:  # also true for NaN
            raise InvalidReader(
                f"{self.name}: the self-test failed on this machine (off by {worst:.2g}, at most {test.tolerance:g} is "
                "allowed); do not read films here: install another version of onnxruntime and run "
                f"ai-for-sudan selftest {self.name}"
            )
        return worst

    def outputs(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """The reader file's outputs for a film, uint8 ``(H, W)`` of any size: of its exposed field, if that has a
        plain surround (:mod:`ai_for_sudan.contract.surround`).

        Maps and box are in the frame of the film.

        Raises:
            TimeoutError: the graph took longer than :data:`LONGEST_RUN`.
        """
        field = exposed_field(pixels)
        if field is None:
            return self.run(pixels)
        found = self.run(field.of(pixels))
        maps = {name: field.map(found[name], pixels.shape) for name in ("heatmap", "lungs") if name in found}
        return found | maps | ({"box": field.box(found["box"], pixels.shape)} if "box" in found else {})

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """The reader file's raw outputs for pixels, uint8 ``(H, W)``, as they are.

        Raises:
            TimeoutError: the graph took longer than :data:`LONGEST_RUN`.
        """
        options = onnx_runtime.RunOptions()
        values = _within(
            LONGEST_RUN,
            lambda: self._session.run(self._outputs, {INPUT: _within_limits(pixels)}, options),
            stop=lambda: setattr(options, "terminate", True),
        )
        return dict(zip(self._outputs, values, strict=True))

    def read(
        self, source: str | Path | bytes | np.ndarray | Radiograph, *, operating_point: str | None = None
    ) -> Reading:
        """Read one film. A film that cannot be decoded gives a reading too, with the status ``failed``.

        Args:
            source: a path, the bytes of a file, an array (see :func:`ai_for_sudan.radiographs.read_radiograph`) or a
                decoded film.
            operating_point: one of the card's; its default if not given.

        Raises:
            UserError: no such operating point.
        """
        started = time.perf_counter()
        point = self.card.operating_point(operating_point)
        name = str(source) if isinstance(source, str | Path) else f"<{type(source).__name__}>"
        terms = Terms.of(self.card, point)

        def elapsed_ms() -> float:
            return (time.perf_counter() - started) * 1e3

        try:
            film = source if isinstance(source, Radiograph) else read_radiograph(source)
            found = self._found(film.pixels)
            probabilities = dict(zip(self.card.classes, found["probability"].tolist(), strict=True))
            probability, gate = probabilities[self.card.positive], found["gate"].tolist()
            height, width = film.pixels.shape
            lungs, abnormal = (
                found[name].tolist() if name in found else None for name in ("lungs_probability", "abnormal")
            )
            sick = abnormal[0] if abnormal else None
            judgement = judge(
                self.card, probability, gate, (height, width), point, film.refusals, lungs=lungs, abnormal=sick
            )
            remarks = tuple(self._with_remedy(remark, film.pixels) for remark in judgement.remarks)
        except UnreadableFilm as error:
            return Reading.unread(terms, name, error, elapsed_ms())
        return Reading.of(
            terms,
            name,
            film,
            replace(judgement, remarks=remarks),
            probabilities,
            lungs_probability=lungs,
            abnormal=sick,
            warnings=(*self._age_warning(film), *_film_warnings(judgement, (height, width), found.get("lungs"))),
            elapsed_ms=elapsed_ms(),
            heatmap=found["heatmap"][self.card.positive_index],
            **{name: found.get(name) for name in ("lungs", "box", "logits", "gate", "embedding")},
        )

    def _found(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        try:
            return self.outputs(pixels)
        except Exception as error:  # ONNX Runtime's own kinds derive from nothing narrower; none may stop a batch
            raise UnreadableFilm(
                "not_read", f"the reader could not be run on this film: {_first_line(error)}"
            ) from error

    def _with_remedy(self, remark: Remark, pixels: np.ndarray) -> Remark:
        """Of a film that was refused for how it lies: whether it would be read if it lay otherwise."""
        words, others = {
            "upside_down": ("rotated", (np.rot90(pixels, 2),)),
            "sideways": ("rotated", (np.rot90(pixels, 1), np.rot90(pixels, 3))),
            "negative": ("inverted", (255 - pixels,)),
        }.get(remark.code, ("", ()))
        for other in others:
            gate = zip(self._found(np.ascontiguousarray(other))["gate"].tolist(), self.card.gate, strict=True)
            if all(score <= entry.limit for score, entry in gate if entry.status == "refused"):
                return Remark(remark.code, f"{remark.text} ({words}, it would be read)")
        return remark

    def _age_warning(self, film: Radiograph) -> tuple[Remark, ...]:
        years, population = film.header.age_years if film.header else None, self.card.ages
        if years is None or population is None or not ages.outside(population, years):
            return ()
        return (ages.warning(population, years),)


def _film_warnings(judgement: Judgement, size: tuple[int, int], lungs: np.ndarray | None) -> tuple[Remark, ...]:
    """Of a film that is not refused: whether it is small, and whether lung may lie beyond it."""
    if judgement.status == "refused":
        return ()
    return (*resolution_warning(size), *(() if lungs is None else edge_warning(lungs)))


def find_reader(reader: str | Path) -> Path:
    """The path of a shipped reader by its name, or of a reader file.

    Raises:
        InvalidReader: there is neither.
    """
    path = Path(reader)
    if path.is_file():
        return path
    known = shipped()
    if str(reader) in known:
        return known[str(reader)]
    names = ", ".join(known) or "none in this installation"
    raise InvalidReader(f"there is no reader '{reader}'; give the path of a reader file, or a shipped one: {names}")


def _within_limits(pixels: np.ndarray) -> np.ndarray:
    """A film inside the sides that the reader file takes; nearly every film is, and is passed on as it is."""
    height, width = pixels.shape
    if min(height, width) >= SMALLEST_INPUT and max(height, width) <= LARGEST_INPUT:
        return np.ascontiguousarray(pixels)
    from PIL import Image

    size = tuple(min(max(side, SMALLEST_INPUT), LARGEST_INPUT) for side in (width, height))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no memory"])[0][:200]


def _within(seconds: float, work: Callable[[], Result], *, stop: Callable[[], None] | None = None) -> Result:
    """What ``work`` returns or raises, if it does so in time: a graph may never end, and no signal ends one either.

    Args:
        stop: makes it end when it is no longer waited for.

    Raises:
        TimeoutError: it took longer.
    """
    ended: list[Result] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            ended.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
    finally:
        if thread.is_alive() and stop:
            stop()
    if failed:
        raise failed[0]
    if not ended:
        raise TimeoutError(f"it took longer than {seconds:g} seconds")
    return ended[0]
