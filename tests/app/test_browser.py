"""The app's own tests: logic in Node, and the built app in Chromium against what Python says of the same films."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parent.parent.parent / "app"
SUITES = sorted(path.name.removesuffix(".test.ts") for path in (APP / "tests" / "browser").glob("*.test.ts"))


def vitest(*arguments: str, environment: dict[str, str] | None = None) -> None:
    finished = subprocess.run(
        ["npx", "vitest", "run", *arguments], cwd=APP, env=environment, text=True, capture_output=True
    )
    assert finished.returncode == 0, finished.stdout[-12000:] + finished.stderr[-4000:]


def test_logic(node: None) -> None:
    vitest()


def test_types_and_format(node: None) -> None:
    finished = subprocess.run(["npm", "run", "check"], cwd=APP, text=True, capture_output=True)
    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize("suite", SUITES)
def test_browser(bench: dict[str, str], suite: str) -> None:
    vitest(
        "--config",
        "vitest.browser.config.ts",
        str(Path("tests/browser") / f"{suite}.test.ts"),
        environment=bench,
    )
