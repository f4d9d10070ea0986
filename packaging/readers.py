"""Write readers/README.md from the files in that folder: run it whenever a reader or a checkpoint has changed.

python packaging/readers.py
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from ai_for_sudan.reading import Reader  # noqa: E402

HEAD = """# Readers

What `ai-for-sudan read --reader NAME` opens by name. Written by `python packaging/readers.py`; a test compares it with
the files. `ai-for-sudan card NAME` shows everything that was measured of a reader.

`sha256sum -c` accepts the lines of the block below:

"""
TAIL = """
## Licences

The readers and checkpoints are Apache-2.0 like the program ([LICENSE](../LICENSE), [NOTICE](../NOTICE)); the licence of
the films that they were trained on is named with each.
"""


def text() -> str:
    files = sorted(path for path in (ROOT / "readers").iterdir() if path.suffix in (".onnx", ".safetensors"))
    sums = "".join(f"    {hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    parts = [_reader(path) for path in files if path.suffix == ".onnx"]
    parts += [_checkpoint(path) for path in files if path.suffix == ".safetensors"]
    return HEAD + sums + "".join(parts) + TAIL


def _reader(path: Path) -> str:
    card = Reader.open(path, self_test=False).card.facts
    training, provenance = card.get("training") or {}, card.get("provenance") or {}
    lines = [
        f"{card['name']} {card['version']}: {card['architecture']}, {card.get('precision', 'float32')}, "
        f"{', '.join(card['classes'])}; {path.stat().st_size:,} bytes; made {card.get('created', '')[:10]} at commit "
        f"{card.get('commit') or 'not recorded'}.",
        f"Films: {training.get('data', 'not recorded')} ({training.get('licence', 'licence not recorded')}): "
        f"{training.get('films', '?')} films of {training.get('patients', '?')} patients to train on, "
        f"{training.get('validation_films', '?')} of {training.get('validation_patients', '?')} to choose on.",
    ]
    commands = list(provenance.get("commands") or [])
    if not commands:
        lines.append(
            "Its card does not contain the commands that made it: they are at the head of that commit's recipes."
        )
    return _section(path.name, lines, commands)


def _checkpoint(path: Path) -> str:
    with path.open("rb") as file:  # the header of a safetensors file: its length, then JSON
        header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    facts = {key: json.loads(value) for key, value in header["__metadata__"].items() if value[:1] in "{["}
    tensors = f"{sum(1 for key in header if key != '__metadata__')} tensors, {path.stat().st_size:,} bytes"
    if "spec" in facts:
        line = (
            f"The checkpoint of the reader of this name: {facts['spec']['name']}, {tensors}; opened by `evaluate.py`, "
            "`gradcam.py`, `inference.py` and `ai-for-sudan export`, without pickles."
        )
        command = facts.get("state", {}).get("command")
        return _section(path.name, [line], [command] if command else [])
    lines = [f"The lung finder, which is part of every reader: {tensors}."]
    for name, figures in facts.get("figures", {}).items():
        low, high = figures["interval"]
        lines.append(
            f"Dice on {figures['films']} held-out films, {name}: {figures['dice']:.3f} ({low:.3f} to {high:.3f})."
        )
    return _section(path.name, lines, _recipe_commands(ROOT / "recipes" / f"{path.stem}.toml"))


def _recipe_commands(recipe: Path) -> list[str]:
    """The commands at the head of a recipe."""
    lines = recipe.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("#").strip() for line in lines if line.startswith("#   ")]


def _section(name: str, lines: list[str], commands: list[str]) -> str:
    typed = "".join(f"    {command}\n" for command in commands)
    return f"\n## {name}\n\n" + "\n\n".join(lines) + "\n" + (f"\n{typed}" if typed else "")


if __name__ == "__main__":
    (ROOT / "readers" / "README.md").write_text(text(), encoding="utf-8")
