"""python inference.py --help; the same as `ai-for-sudan inference`."""

import sys

from ai_for_sudan.cli import program

if __name__ == "__main__":
    program(["inference", *sys.argv[1:]])
