"""Test vectors: what Python and the app's TypeScript must both say (``app/tests/unit/contract.test.ts``)."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "vectors"


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def changed(base: dict[str, Any], at: str, value: str | dict[str, int]) -> str:
    """``base`` as JSON text with the text ``value`` put in at a path; ``{"levels": n}`` stands for n nested lists."""
    raw = "[" * value["levels"] + "]" * value["levels"] if isinstance(value, dict) else value
    facts: Any = copy.deepcopy(base)
    *path, last = at.split(".")
    inner = facts
    for name in path:
        inner = inner[int(name) if isinstance(inner, list) else name]
    inner[int(last) if isinstance(inner, list) else last] = "@@"
    return json.dumps(facts, ensure_ascii=False).replace('"@@"', raw)
