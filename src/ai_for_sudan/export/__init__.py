"""From a checkpoint to a reader file: calibrated, gated, able to abstain, small."""

from ai_for_sudan.export.inputs import GatePictures, Pictures
from ai_for_sudan.export.reader_file import ExportOptions, export_reader

__all__ = ["ExportOptions", "GatePictures", "Pictures", "export_reader"]
