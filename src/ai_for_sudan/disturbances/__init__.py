"""What a clinic does to a film, on whole batches; the same code trains a reader and tests it."""

from ai_for_sudan.disturbances.augmentation import augment, augment_with_masks, random_geometry, random_light
from ai_for_sudan.disturbances.copies import perturbed, perturbed_with_masks
from ai_for_sudan.disturbances.geometry import warp
from ai_for_sudan.disturbances.kinds import GEOMETRIC, KINDS, STRESS_KINDS, perturb, perturb_masks

__all__ = [
    "GEOMETRIC",
    "KINDS",
    "STRESS_KINDS",
    "augment",
    "augment_with_masks",
    "perturb",
    "perturb_masks",
    "perturbed",
    "perturbed_with_masks",
    "random_geometry",
    "random_light",
    "warp",
]
