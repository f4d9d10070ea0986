"""python gradcam.py --help; the same as `ai-for-sudan gradcam`."""

import sys

from ai_for_sudan.cli import program

if __name__ == "__main__":
    program(["gradcam", *sys.argv[1:]])
