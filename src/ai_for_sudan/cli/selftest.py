"""`ai-for-sudan selftest`: does this machine compute what the reader's card expects?"""

from __future__ import annotations

import argparse
import json

from ai_for_sudan import onnx_runtime
from ai_for_sudan.contract.names import DEFAULT_READER
from ai_for_sudan.reading import Reader


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("reader", nargs="?", default=DEFAULT_READER, help="a shipped reader or a reader file")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    reader = Reader.open(args.reader, self_test=False)
    worst = reader.self_test()
    allowed = reader.card.self_test.tolerance
    if args.json:
        print(json.dumps({"reader": reader.card.name, "passed": True, "difference": worst, "tolerance": allowed}))
    else:
        print(f"{reader.card.title} computes correctly on this machine: off by {worst:.2g},")
        print(f"at most {allowed:g} is allowed (onnxruntime {onnx_runtime.__version__})")
    return 0
