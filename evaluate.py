"""python evaluate.py --help; the same as `ai-for-sudan evaluate`."""

import sys

from ai_for_sudan.cli import program

if __name__ == "__main__":
    program(["evaluate", *sys.argv[1:]])
