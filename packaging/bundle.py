"""Build the offline bundle: the wheel, every wheel that it needs on each kind of machine, and an install script.

    make bundle                                             # all machines, this Python's version
    make bundle BUNDLE="--machines windows linux --pythons 3.11 3.12 --extras clinic"

The ZIP goes to a machine without a network: unpack it there and run `python install.py`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: name -> platform tags of its wheels, newest first: of several that fit, pip takes the newest
MACHINES = {
    "linux": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "linux-arm": (
        "manylinux_2_28_aarch64",
        "manylinux_2_27_aarch64",
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
    ),
    "windows": ("win_amd64",),
    "mac": ("macosx_14_0_arm64", "macosx_13_0_arm64", "macosx_12_0_arm64", "macosx_11_0_arm64"),
    # ONNX Runtime ends with 1.23 here, and has no wheel for Python 3.14.
    "mac-intel": ("macosx_13_0_x86_64",),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", nargs="+", choices=MACHINES, default=list(MACHINES))
    parser.add_argument("--pythons", nargs="+", default=[f"{sys.version_info.major}.{sys.version_info.minor}"])
    parser.add_argument("--extras", nargs="*", default=["dicom"], help="of pyproject.toml (default: dicom)")
    args = parser.parse_args()
    wheels = sorted((ROOT / "dist").glob("ai_for_sudan-*.whl"))
    if len(wheels) != 1:
        parser.error(f"dist/ contains {len(wheels)} wheels of this project; run `make dist` first")
    if "ai_for_sudan/app/static/index.html" not in zipfile.ZipFile(wheels[0]).namelist():
        parser.error(f"{wheels[0].name} does not contain the built app; run `make dist` (needs Node 20)")
    wanted = f"{wheels[0]}[{','.join(args.extras)}]" if args.extras else str(wheels[0])
    folder = ROOT / "dist" / "offline"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "wheels").mkdir(parents=True)
    for machine in args.machines:
        for python in args.pythons:
            print(f"{machine}, Python {python}", flush=True)
            tags = [part for tag in MACHINES[machine] for part in ("--platform", tag)]
            subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
                    *("--only-binary", ":all:", *tags, "--python-version", python, "--implementation", "cp"),
                    *("--dest", str(folder / "wheels"), wanted),
                ],
                check=True,
            )
    shutil.copy(ROOT / "packaging" / "install.py", folder)
    (folder / "extras.txt").write_text(",".join(args.extras), encoding="utf-8")
    archive = shutil.make_archive(str(wheels[0].with_suffix("")) + "-offline", "zip", folder)
    print(f"{archive}: {Path(archive).stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
