"""What a clinic does to a film, on whole batches; the same code trains, tests and stresses a reader."""

from ai_for_sudan.disturbances.augmentation import augment
from ai_for_sudan.disturbances.kinds import KINDS, STRESS_KINDS, perturb
from ai_for_sudan.disturbances.perturbed import perturbed

__all__ = ["KINDS", "STRESS_KINDS", "augment", "perturb", "perturbed"]
