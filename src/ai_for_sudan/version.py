"""The version of program, wheel and app: here and nowhere else."""

__version__ = "0.2.0"
