"""How fast films are read, side by side, each in a fresh process of this run: `make bench`.

Measured: the shipped readers (int8 and float, with heatmap and gate), the same MobileNetV2 in eager PyTorch, and the
architecture of torchxrayvision's DenseNet121 in eager PyTorch (random weights: time does not depend on them; neither
computes a heatmap). Medians after warm-up. Writes docs/benchmark.md, docs/benchmark.json and docs/benchmark.png.

    python benchmarks/reading.py [--runs 100] [--film samples/pneumonia_01.png]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
READERS = ROOT / "readers"
COMMAND = str(Path(sys.executable).parent / "ai-for-sudan")


def timed(action: Any, runs: int) -> float:
    """Median milliseconds after a tenth of the runs as warm-up."""
    for _ in range(max(3, runs // 10)):
        action()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)


def network_size_film(film: str) -> Any:
    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(film).convert("L").resize((224, 224)))


def measure_reader(name: str, film: str, threads: int, runs: int) -> dict[str, float]:
    """One film at network size, and from file to reading."""
    from ai_for_sudan import Reader

    reader = Reader.open(READERS / f"{name}.onnx", threads=threads)
    pixels = network_size_film(film)
    return {
        "network_ms": timed(lambda: reader.outputs(pixels), runs),
        "file_to_reading_ms": timed(lambda: reader.read(film), runs),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def measure_torch(name: str, film: str, threads: int, runs: int) -> dict[str, float]:
    """Eager PyTorch, float32, probability only."""
    import torch

    torch.set_num_threads(threads)
    if name == "densenet121":
        from torchxrayvision.models import DenseNet

        model = DenseNet(num_classes=18, weights=None).eval()
    else:
        from ai_for_sudan.models import create

        model = create(name, ["normal", "pneumonia"]).eval()
    films = torch.from_numpy(network_size_film(film).copy())[None, None].float() / 255

    def once() -> None:
        with torch.inference_mode():
            model(films)

    def from_file() -> None:
        fresh = torch.from_numpy(network_size_film(film).copy())[None, None].float() / 255
        with torch.inference_mode():
            model(fresh)

    return {
        "network_ms": timed(once, runs),
        "file_to_reading_ms": timed(from_file, runs),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


COLD_TORCH = """
import sys, numpy as np, torch
from PIL import Image
from ai_for_sudan.models import create
film = np.asarray(Image.open(sys.argv[1]).convert("L").resize((224, 224))).copy()
model = create("mobilenet_v2", ["normal", "pneumonia"]).eval()
with torch.inference_mode():
    print(model(torch.from_numpy(film)[None, None].float() / 255).softmax(1))
"""


def cold_start(command: list[str], runs: int) -> float:
    """Median seconds from starting the command to its end."""
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def folder_rate(reader: str, film: str, count: int = 200) -> float:
    """Films a second of ``read`` on a folder, starting the command included."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            shutil.copy(film, Path(folder) / f"{number}{Path(film).suffix}")
        started = time.perf_counter()
        subprocess.run(
            [COMMAND, "read", folder, "--reader", reader, "--json"],
            check=True,
            capture_output=True,
        )
        return count / (time.perf_counter() - started)


def in_fresh_process(kind: str, name: str, film: str, threads: int, runs: int) -> dict[str, float]:
    found = subprocess.run(
        [sys.executable, __file__, "--one", kind, name, "--threads", str(threads), "--film", film, "--runs", str(runs)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    return json.loads(found.stdout)


def size_of_install() -> float | None:
    """Megabytes that the plain install of the last commit adds to an empty environment (no built phone app inside)."""

    def size(folder: Path) -> int:
        return sum(f.lstat().st_size for f in folder.rglob("*") if f.is_file())

    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "env"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        empty = size(environment)
        source = Path(folder) / "source"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
        done = subprocess.run([environment / "bin" / "pip", "install", "-q", str(source)], capture_output=True)
        return (size(environment) - empty) / 1e6 if done.returncode == 0 else None


def subjects() -> list[tuple[str, str, str]]:
    """``(title, kind, name)`` of all that is there."""
    found = [
        (title, "reader", name)
        for title, name in (
            ("reader mobilenet_v2 (float, heatmap, gate)", "mobilenet_v2"),
            ("reader custom_cnn (float, heatmap, gate)", "custom_cnn"),
        )
        if (READERS / f"{name}.onnx").is_file()
    ]
    return [
        *found,
        ("PyTorch eager MobileNetV2", "torch", "mobilenet_v2"),
        ("PyTorch eager DenseNet121 (torchxrayvision)", "torch", "densenet121"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--film", default=str(ROOT / "samples" / "pneumonia_01.png"))
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        kind, name = args.one
        measure = measure_reader if kind == "reader" else measure_torch
        print(json.dumps(measure(name, args.film, args.threads, args.runs)))
        return
    rows = []
    for title, kind, name in subjects():
        row: dict[str, Any] = {"title": title}
        for threads in (1, 2):
            row[f"threads_{threads}"] = in_fresh_process(kind, name, args.film, threads, args.runs)
        if kind == "reader":
            row["file_bytes"] = (READERS / f"{name}.onnx").stat().st_size
            row["folder_films_per_second"] = folder_rate(str(READERS / f"{name}.onnx"), args.film)
        rows.append(row)
        print(title, json.dumps(row), flush=True)
    cold = {
        "read": cold_start([COMMAND, "read", args.film], 9),
        "torch": cold_start([sys.executable, "-c", COLD_TORCH, args.film], 5),
    }
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "rows": rows,
        "cold_start_s": cold,
        "install_mb": size_of_install(),
    }
    docs = ROOT / "docs"
    (docs / "benchmark.json").write_text(json.dumps(result, indent=2) + "\n")
    (docs / "benchmark.md").write_text(table(result))
    draw(result, docs / "benchmark.png")
    print(table(result))


def table(result: dict[str, Any]) -> str:
    rows = result["rows"]
    base = {title: rows[-1 if "Dense" in title else -2]["threads_1"]["network_ms"] for title in ("Mobile", "Dense")}
    lines = [
        "# Benchmark",
        "",
        f"Measured by `make bench` on {result['machine']}; medians, one film of 224 x 224.",
        "",
        "| | 1 thread, ms | 2 threads, ms | against MobileNetV2 eager | against DenseNet121 eager "
        "| file to reading, ms | peak memory, MB | file, MB | folder, films/s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        one, two = row["threads_1"], row["threads_2"]
        size = f"{row['file_bytes'] / 1e6:.1f}" if "file_bytes" in row else ""
        rate = f"{row['folder_films_per_second']:.0f}" if "folder_films_per_second" in row else ""
        lines.append(
            f"| {row['title']} | {one['network_ms']:.2f} | {two['network_ms']:.2f} "
            f"| {base['Mobile'] / one['network_ms']:.1f} x | {base['Dense'] / one['network_ms']:.1f} x "
            f"| {one['file_to_reading_ms']:.1f} | {one['peak_mb']:.0f} | {size} | {rate} |"
        )
    cold = result["cold_start_s"]
    lines += [
        "",
        f"Cold start of `ai-for-sudan read` with one film: {cold['read']:.2f} s; the same network through PyTorch: "
        f"{cold['torch']:.2f} s ({cold['torch'] / cold['read']:.1f} times as long).",
    ]
    if result["install_mb"]:
        lines.append(
            f"The plain install adds {result['install_mb']:.0f} MB to an empty environment "
            "(the built phone app: 23 MB more)."
        )
    return "\n".join(lines) + "\n"


def draw(result: dict[str, Any], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = result["rows"][::-1]
    figure = Figure(figsize=(9, 0.7 * len(rows) + 1), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    values = [row["threads_1"]["network_ms"] for row in rows]
    colours = ["#9aa5b1" if "eager" in row["title"] else "#0b6e4f" for row in rows]
    bars = axes.barh([row["title"] for row in rows], values, color=colours)
    axes.bar_label(bars, [f"{value:.1f} ms" for value in values], padding=4)
    axes.set_xlabel("milliseconds a film, one thread (log scale)")
    axes.set_xscale("log")
    axes.set_xlim(min(values) / 2, max(values) * 2.5)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
