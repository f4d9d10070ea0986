"""The data files of this package: what Python and the app's TypeScript both read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent


def load(name: str) -> dict[str, Any]:
    """``name.json`` of this package."""
    found: dict[str, Any] = json.loads((_HERE / f"{name}.json").read_text(encoding="utf-8"))
    return found
