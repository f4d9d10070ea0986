"""AI for Sudan - Smart Medical Assistant: reads chest X-rays for pneumonia, offline, and says when not to trust it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ai_for_sudan.version import __version__

__all__ = ["Reader", "Reading", "__version__"]

if TYPE_CHECKING:
    from ai_for_sudan.reading import Reader, Reading


def __getattr__(name: str) -> Any:
    # Lazily, so that `import ai_for_sudan` on the training side does not load ONNX Runtime.
    if name in ("Reader", "Reading"):
        from ai_for_sudan import reading

        return getattr(reading, name)
    raise AttributeError(f"module 'ai_for_sudan' has no attribute '{name}'")
