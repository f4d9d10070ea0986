"""Who may read the clinic's folder: its owner alone, whatever made it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

#: folders, and files
ALONE = {True: 0o700, False: 0o600}


def loose(folder: Path) -> Iterator[Path]:
    """What others than the owner may look into, in a folder and with it; Windows has no such rights."""
    if os.name == "nt" or not folder.exists():
        return
    for place in (folder, *folder.rglob("*")):
        try:
            mode = place.lstat().st_mode
        except FileNotFoundError:  # deleted meanwhile
            continue
        if not stat.S_ISLNK(mode) and mode & 0o077:
            yield place


def repair(folder: Path) -> int:
    """Take the rights of others away; the number of files and folders that had them.

    Raises:
        OSError: they belong to another user.
    """
    count = 0
    for place in loose(folder):
        place.chmod(ALONE[place.is_dir()])
        count += 1
    return count
