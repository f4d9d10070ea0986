"""From a checkpoint to a reader file: calibrated, gated, able to abstain, small."""

from ai_for_sudan.deployment.export import ExportOptions, export_reader
from ai_for_sudan.deployment.films import Films, GatePictures, Pictures

__all__ = ["ExportOptions", "Films", "GatePictures", "Pictures", "export_reader"]
