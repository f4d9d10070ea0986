"""The networks: one architecture a file, what each needs travels with its checkpoint; and what they predict."""

from ai_for_sudan.models.architecture import Architecture, ModelSpec
from ai_for_sudan.models.centring import centre_head
from ai_for_sudan.models.checkpoint import load_checkpoint, save_checkpoint
from ai_for_sudan.models.folding import folded
from ai_for_sudan.models.precision import autocast, device
from ai_for_sudan.models.predict import logits, probabilities
from ai_for_sudan.models.registry import create, names
from ai_for_sudan.models.state import CheckpointState, SplitRecord
from ai_for_sudan.models.tensors import as_batch, as_pixels

__all__ = [
    "Architecture",
    "CheckpointState",
    "ModelSpec",
    "SplitRecord",
    "as_batch",
    "as_pixels",
    "autocast",
    "centre_head",
    "create",
    "device",
    "folded",
    "load_checkpoint",
    "logits",
    "names",
    "probabilities",
    "save_checkpoint",
]
