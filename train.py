"""python train.py --help; the same as `ai-for-sudan train`."""

import sys

from ai_for_sudan.cli import program

if __name__ == "__main__":
    program(["train", *sys.argv[1:]])
