"""python evaluate.py --help; the same as `ai-for-sudan evaluate`."""

import sys

from ai_for_sudan.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
