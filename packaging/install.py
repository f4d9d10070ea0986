"""Install AI for Sudan from this folder, without a network: python install.py [FOLDER]

A virtual environment is made in FOLDER (default: ai-for-sudan in the home folder). Nothing else is changed; to
remove the program, delete that folder.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    if sys.version_info < (3, 10):  # noqa: UP036 (whatever Python the clinic has starts this)
        print(f"Python 3.10 or later is needed; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path.home() / "ai-for-sudan").expanduser().resolve()
    programs = target / ("Scripts" if os.name == "nt" else "bin")
    print(f"installing into {target}")
    venv.create(target, with_pip=True)
    extras = (HERE / "extras.txt").read_text(encoding="utf-8").strip()
    name = f"ai-for-sudan[{extras}]" if extras else "ai-for-sudan"
    done = subprocess.run(
        [
            *(str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-index", "--find-links", str(HERE / "wheels"), name),
        ],
        check=False,
    )
    if done.returncode:
        print(
            f"this bundle has no wheels for Python {sys.version.split()[0]} on this machine; "
            "build one with packaging/bundle.py --pythons and --machines",
            file=sys.stderr,
        )
        return 1
    command = programs / "ai-for-sudan"
    print(f"read films:        {command} read FILES_OR_FOLDERS --report readings.html")
    print(f"open the app:      {command} app")
    return subprocess.run([str(command), "selftest"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
