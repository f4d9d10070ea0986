"""Where the model looked: Grad-CAM from scratch."""

from ai_for_sudan.explanation.gradcam import GradCAM, Heatmaps

__all__ = ["GradCAM", "Heatmaps"]
