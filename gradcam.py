"""python gradcam.py --help; the same as `ai-for-sudan gradcam`."""

import sys

from ai_for_sudan.cli import main

if __name__ == "__main__":
    sys.exit(main(["gradcam", *sys.argv[1:]]))
