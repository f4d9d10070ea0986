"""The lung finder that comes with the program, and one from a file."""

from __future__ import annotations

from pathlib import Path

from ai_for_sudan.errors import UserError
from ai_for_sudan.files import shipped_files
from ai_for_sudan.lungs.finder import LungFinder

SHIPPED = "lungs.safetensors"


def load_finder(path: Path | None = None) -> LungFinder:
    """Return a fitted lung finder in evaluation mode: the shipped one, or one that ``ai-for-sudan fit-lungs`` wrote.

    Raises:
        UserError: the file is missing, or holds no lung finder.
    """
    from safetensors.torch import load_file

    source = path or next(iter(shipped_files(SHIPPED)), Path(SHIPPED))
    if not source.is_file():
        raise UserError(f"no lung finder at {source}; fit one with: ai-for-sudan fit-lungs")
    finder = LungFinder()
    try:
        finder.load_state_dict(load_file(source))
    except Exception as error:  # safetensors and torch raise many kinds for a file that is not theirs
        raise UserError(f"{source} is not a lung finder of this project") from error
    return finder.eval().requires_grad_(False)
