"""Where the model looked: Grad-CAM from scratch."""

from ai_for_sudan.explanation.gradcam import GradCAM, Heatmaps
from ai_for_sudan.explanation.placing import in_film

__all__ = ["GradCAM", "Heatmaps", "in_film"]
