"""The networks: one architecture a file, what each needs travels with its checkpoint."""

from ai_for_sudan.models.architecture import Architecture, ModelSpec
from ai_for_sudan.models.checkpoint import load_checkpoint, save_checkpoint
from ai_for_sudan.models.folding import folded
from ai_for_sudan.models.registry import create, names

__all__ = ["Architecture", "ModelSpec", "create", "folded", "load_checkpoint", "names", "save_checkpoint"]
