"""Feeds mutated films to the decoders: each must give a film or one reason, soon and in bounded memory.

    python benchmarks/fuzz_decoders.py --count 20000

The same seed gives the same files. They are decoded in blocks by a process each, so that a crash is seen, and named
with the file that caused it (kept in ``--keep``). A crash of a decoder in its own process is the outcome ``crashed``;
what took too long or too much memory there is ``too_slow`` or ``too_large``.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import read_radiograph

#: bounds for any one file
SECONDS, BYTES = 20.0, 1_500_000_000
#: every so many files the worker's progress is printed
BLOCK = 250


def seeds() -> list[bytes]:
    """One small file of every kind: pictures of each format and depth, and pydicom's own test files."""
    rng = np.random.default_rng(0)
    grey = Image.fromarray(rng.integers(0, 256, (48, 56), dtype=np.uint8))
    deep = Image.fromarray(rng.integers(0, 65536, (48, 56), dtype=np.uint16))
    pictures: list[tuple[Image.Image, str, dict[str, object]]] = [
        (grey, "PNG", {}),
        (grey.convert("P"), "PNG", {}),
        (grey.convert("RGBA"), "PNG", {}),
        (deep, "PNG", {}),
        (grey, "JPEG", {}),
        (grey.convert("RGB"), "JPEG", {"progressive": True}),
        (grey.convert("CMYK"), "JPEG", {}),
        (grey, "BMP", {}),
        (grey.convert("RGB"), "BMP", {}),
        *((grey, "TIFF", {"compression": kind}) for kind in ("raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg")),
        (deep, "TIFF", {}),
        (Image.fromarray(rng.random((20, 20), dtype=np.float32)), "TIFF", {}),
        (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (grey.convert("RGB"), "WEBP", {}),
        (grey.convert("RGBA"), "WEBP", {"lossless": True}),
    ]
    found = []
    for picture, kind, options in pictures:
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)  # type: ignore[arg-type]
        found.append(buffer.getvalue())
    import pydicom

    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    # Not its folder of directories: a hundred headers without a picture would take the place of the rest.
    films = (path for path in sorted(folder.glob("*")) if path.is_file() and path.stat().st_size < 200_000)
    return found + [path.read_bytes() for path in films if path.suffix not in (".py", ".pyc", ".json", ".txt")]


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four changes: bytes, runs, lengths at their limits, cuts, copies; most of them near the header."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if not changed:
            break
        near = min(len(changed), int(rng.choice([200, 1000, 4000, len(changed)])))
        at = int(rng.integers(near))
        length = int(rng.integers(1, 9))
        match int(rng.integers(6)):
            case 0:
                changed[at] ^= 1 << int(rng.integers(8))
            case 1:
                changed[at : at + length] = rng.bytes(length)
            case 2:
                changed[at : at + length] = bytes([int(rng.choice([0, 0x7F, 0x80, 0xFF]))]) * length
            case 3:
                del changed[at : at + int(rng.choice([length, len(changed)]))]
            case 4:
                other = int(rng.integers(len(changed)))
                changed[at:at] = changed[other : other + 8 * length]
            case 5:
                changed[at : at + 4] = int(rng.choice([1, 65535, 2**31 - 1, 2**32 - 1])).to_bytes(4, "little")
    return bytes(changed)


def files(first: int, count: int) -> Iterator[tuple[int, bytes]]:
    """File number ``n`` is the same in every run."""
    originals = seeds()
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        yield number, mutate(originals[number % len(originals)], rng)


def decode(data: bytes) -> str:
    """``film``, or the code of the reason; any other exception is a fault of ours."""
    try:
        film = read_radiograph(data)
    except UnreadableFilm as error:
        if not error.reason or not error.reason.isprintable():
            raise ValueError(f"the reason is not one line: {error.reason!r}") from error
        return error.code
    if film.pixels.dtype != np.uint8 or film.pixels.ndim != 2 or not film.pixels.size:
        raise ValueError(f"no film: {film.pixels.dtype} {film.pixels.shape}")
    return "film"


def _work(first: int, count: int, now: Path, results: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    import resource

    from ai_for_sudan.radiographs import pool

    resource.setrlimit(resource.RLIMIT_AS, (2 * BYTES, 2 * BYTES))
    codes: Counter[str] = Counter()
    slowest = 0.0
    for number, data in files(first, count):
        now.write_bytes(data)  # what is being decoded when the process dies
        started = time.process_time()
        try:
            codes[decode(data)] += 1
        except Exception as error:
            results.put(("fault", number, f"{type(error).__name__}: {error}", data))
        slowest = max(slowest, time.process_time() - started)
    pool.end_all()
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    results.put(("done", codes, slowest, sum(peaks) * (1 if sys.platform == "darwin" else 1024)))


def fuzz(count: int, *, first: int = 0, keep: Path | None = None, quiet: bool = True) -> tuple[Counter[str], list[str]]:
    """Decode ``count`` mutated files, block by block in a process each.

    Returns:
        how often each outcome came, and the faults: crashes, hangs, other exceptions, too much time or memory.
    """
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    context = multiprocessing.get_context("spawn")

    def fault(number: int | str, text: str, data: bytes) -> None:
        faults.append(f"file {number}: {text}")
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{zlib.crc32(data):08x}.bin").write_bytes(data)

    with tempfile.TemporaryDirectory() as folder:
        for start in range(first, first + count, BLOCK):
            size = min(BLOCK, first + count - start)
            now = Path(folder) / "now"
            results = context.Queue()
            process = context.Process(target=_work, args=(start, size, now, results))
            process.start()
            slowest, peak, finished = 0.0, 0, False
            deadline = time.monotonic() + 300 + size * 2
            while not finished and time.monotonic() < deadline:
                try:
                    message = results.get(timeout=1)
                except Exception:  # queue.Empty: still at work, or dead
                    if not process.is_alive() and results.empty():
                        break
                    continue
                if message[0] == "fault":
                    fault(*message[1:])
                else:
                    _, codes, slowest, peak = message
                    outcomes += codes
                    finished = True
            if not finished:
                hung = process.is_alive()
                process.kill()
                data = now.read_bytes() if now.exists() else b""
                fault(f"{start}..{start + size - 1}", "hangs" if hung else f"crash, exit {process.exitcode}", data)
            process.join()
            if slowest > SECONDS or peak > BYTES:
                faults.append(f"files {start}..{start + size - 1}: {slowest:.1f} s, {peak / 1e6:.0f} MB at worst")
            if not quiet:
                print(f"{start + size - first:>7} files  {len(faults)} faults", file=sys.stderr, flush=True)
    return outcomes, faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--keep", type=Path, help="folder for the files that caused a fault")
    args = parser.parse_args()
    outcomes, faults = fuzz(args.count, first=args.first, keep=args.keep, quiet=False)
    for outcome, times in outcomes.most_common():
        print(f"{times:>7}  {outcome}")
    print(*faults, sep="\n")
    print(f"{args.count} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
