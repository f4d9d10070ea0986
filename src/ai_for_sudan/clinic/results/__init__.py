"""What the PACS gets of a reading: a structured report and a picture, in the study of the film."""

from ai_for_sudan.clinic.results.objects import Made, keep_results, make_results, objects, source_of

__all__ = ["Made", "keep_results", "make_results", "objects", "source_of"]
