"""`ai-for-sudan lungs`: where a reader finds the lungs, on a machine without PyTorch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.inputs import common_parent, no_films, once, picture_path, save_png
from ai_for_sudan.cli.targets import check_folder
from ai_for_sudan.contract.colours import OUTLINE_AT
from ai_for_sudan.contract.names import DEFAULT_READER
from ai_for_sudan.errors import UserError, printable
from ai_for_sudan.reading import Reader, Reading
from ai_for_sudan.reading.overlay import overlay

#: codes of the gate that the lungs' map gives
_CODES = ("no_lungs", "lungs_cut_off", "one_lung")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("films", nargs="+", help="files, folders and patterns")
    parser.add_argument("--reader", default=DEFAULT_READER, help="a reader that finds the lungs (default: %(default)s)")
    parser.add_argument("--overlays", metavar="DIR", type=Path, help="save each film with the outline of the lungs")
    parser.add_argument("--json", action="store_true", help="print one JSON object per film on standard output")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    reader = Reader.open(args.reader)
    if args.overlays:
        check_folder("--overlays", args.overlays, args.films)
    parent, failed, any_film = common_parent(args.films), 0, False
    for film in once(args.films, below=args.overlays):
        any_film = True
        reading = reader.read(film)
        if reading.status != "failed" and reading.lungs is None:
            raise UserError(f"{args.reader} does not look for lungs; give a reader that does, such as {DEFAULT_READER}")
        line = _line(reading)
        if args.overlays and reading.pixels is not None:
            path = picture_path(args.overlays, parent, film, "lungs")
            try:
                save_png(overlay(reading.pixels, np.zeros((1, 1), np.float32), 1.0, lungs=reading.lungs), path)
                line["overlay"] = str(path)
            except (UserError, OSError) as error:  # one picture that cannot be kept stops no batch
                failed += 1
                line["reason"] = str(error)
        failed += reading.status == "failed"
        _say(args, line)
    if not any_film:
        raise no_films(args.films)
    if not args.json:
        print(DISCLAIMER)
    return 1 if failed else 0


def _line(reading: Reading) -> dict[str, Any]:
    if reading.lungs is None:
        return {"file": reading.file, "status": "failed", "reason": "; ".join(reading.reasons)}
    # On a picture that is not a chest film an outline means nothing: the reader's reason is given instead.
    found = [remark for remark in reading.remarks if remark.code in _CODES or reading.status == "refused"]
    return {
        "file": reading.file,
        "status": found[0].code if found else "two_lungs",
        "reason": "; ".join(remark.text for remark in found),
        "share_of_film": round(float((reading.lungs >= OUTLINE_AT).mean()), 4),
        "box": [round(float(side), 4) for side in reading.box] if reading.box is not None else None,
    }


def _say(args: argparse.Namespace, line: dict[str, Any]) -> None:
    if args.json:
        print(json.dumps(line), flush=True)
        return
    share = f"{line['share_of_film']:>6.1%} of the film" if "share_of_film" in line else ""
    place = f" -> {line['overlay']}" if "overlay" in line else ""
    notes = f"  ({line['reason']})" if line.get("reason") else ""
    print(printable(f"{line['status']:<14}{share:<22} {line['file']}{notes}{place}"))
