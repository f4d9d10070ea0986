"""Films, labels, patients, splits; verified before any work, decoded once."""

from ai_for_sudan.datasets.cache import Decoded, decode, load_pixels, squash
from ai_for_sudan.datasets.content import contradicted
from ai_for_sudan.datasets.film import Film
from ai_for_sudan.datasets.manifest import Manifest, labels, load_manifest, patients, sites_of, without_patient
from ai_for_sudan.datasets.picked import Picked, Pixels
from ai_for_sudan.datasets.split import Split, folds, saved_split, split_manifest
from ai_for_sudan.datasets.verify import verify

__all__ = [
    "Decoded",
    "Film",
    "Manifest",
    "Picked",
    "Pixels",
    "Split",
    "contradicted",
    "decode",
    "folds",
    "labels",
    "load_manifest",
    "load_pixels",
    "patients",
    "saved_split",
    "sites_of",
    "split_manifest",
    "squash",
    "verify",
    "without_patient",
]
