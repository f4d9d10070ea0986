"""The DICOM node: takes films from modalities (C-ECHO, C-STORE)."""

from ai_for_sudan.clinic.node.scp import DicomNode, Refusal
from ai_for_sudan.clinic.node.syntaxes import decodable

__all__ = ["DicomNode", "Refusal", "decodable"]
