"""From a checkpoint to a reader file: calibrated, gated, able to abstain, small."""

from ai_for_sudan.deployment.export import export_reader

__all__ = ["export_reader"]
