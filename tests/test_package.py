"""What is shipped: every package is in the wheel, and what is written about the files is true of them."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from ai_for_sudan.version import __version__


def test_every_package_is_in_the_wheel(root: Path) -> None:
    facts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    source = root / "src"
    there = {".".join(path.parent.relative_to(source).parts) for path in source.rglob("__init__.py")}
    assert there | {"ai_for_sudan.readers"} == set(facts["packages"])
    assert facts["dynamic"]["version"]["attr"] == "ai_for_sudan.version.__version__"


def test_every_command_is_in_the_contract_of_imports(root: Path) -> None:
    contracts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    listed = next(c["modules"] for c in contracts if c["name"] == "Commands do not call each other")
    from ai_for_sudan.cli import COMMANDS

    assert {f"ai_for_sudan.cli.{module}" for module, _, _ in COMMANDS.values()} == set(listed)


def test_what_the_readers_page_says_is_true_of_the_files(root: Path) -> None:
    spec = importlib.util.spec_from_file_location("readers", root / "packaging" / "readers.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (root / "readers" / "README.md").read_text(encoding="utf-8")
    assert written == module.text(), "run: python packaging/readers.py"


def test_the_makefile_promises_no_target_that_it_lacks(root: Path) -> None:
    text = (root / "Makefile").read_text(encoding="utf-8")
    promised = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert promised
    for target in promised[1].split():
        assert re.search(rf"^{re.escape(target)}:", text, re.MULTILINE), target


def test_the_version_is_written_once(root: Path) -> None:
    assert f"version: {__version__}\n" in (root / "CITATION.cff").read_text(encoding="utf-8")
    assert "version" not in json.loads((root / "app" / "package.json").read_text(encoding="utf-8"))
    assert f"\n## {__version__}" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_homes_that_the_architecture_page_names_are_there(root: Path) -> None:
    page = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Where a change belongs")[2].partition("\n## ")[0]
    homes = re.findall(r"`([\w./]+)`", table)
    assert len(homes) >= 10
    for home in homes:
        assert (root / home).exists() or (root / "src" / "ai_for_sudan" / home).exists(), home


ROOT = Path(__file__).resolve().parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", "readers/README.md"]
PAGES += sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_link_to_what_is_there(root: Path, page: str) -> None:
    path = root / page
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{page}: {target}"
