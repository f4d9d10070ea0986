"""python inference.py --help; the same as `ai-for-sudan inference`."""

import sys

from ai_for_sudan.cli import main

if __name__ == "__main__":
    sys.exit(main(["inference", *sys.argv[1:]]))
