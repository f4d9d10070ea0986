"""How good a reader is, for whom, and where it fails."""
