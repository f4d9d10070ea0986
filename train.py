"""python train.py --help; the same as `ai-for-sudan train`."""

import sys

from ai_for_sudan.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
