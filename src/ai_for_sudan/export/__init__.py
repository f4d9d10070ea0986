"""From a checkpoint to a reader file: calibrated, gated, able to abstain, small."""

from ai_for_sudan.export.inputs import GatePictures, Healthy, Pictures
from ai_for_sudan.export.reader_file import ExportOptions, export_reader

__all__ = ["ExportOptions", "GatePictures", "Healthy", "Pictures", "export_reader"]
