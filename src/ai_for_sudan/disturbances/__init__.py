"""What a clinic does to a film, on whole batches; the same code trains, tests and stresses a reader."""

from ai_for_sudan.disturbances.augmentation import augment, random_geometry, random_light
from ai_for_sudan.disturbances.geometry import warp
from ai_for_sudan.disturbances.kinds import GEOMETRIC, KINDS, STRESS_KINDS, perturb
from ai_for_sudan.disturbances.perturbed import perturbed

__all__ = [
    "GEOMETRIC",
    "KINDS",
    "STRESS_KINDS",
    "augment",
    "perturb",
    "perturbed",
    "random_geometry",
    "random_light",
    "warp",
]
