"""Every command that a page shows works: the program accepts it, and what runs on the samples runs."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_for_sudan.cli import COMMANDS, main, parser_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
#: pages whose commands are of now; history.md tells how older readers were made
PAGES = [Path(name) for name in ("README.md", "CONTRIBUTING.md", "readers/README.md", "samples/README.md")]
PAGES += sorted(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md") if path.name != "history.md")
#: the programs in the root are subcommands too
SCRIPTS = {"train.py": "train", "evaluate.py": "evaluate", "inference.py": "inference", "gradcam.py": "gradcam"}
#: what needs no more than the samples
RUN = {
    "ai-for-sudan read samples --report readings.html --overlays overlays",
    "ai-for-sudan selftest",
    "ai-for-sudan card mobilenet_v2",
}


def blocks(page: Path) -> Iterator[str]:
    """The commands of indented blocks, each on one line and without its comment."""
    for line in (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if line.startswith("    "):
            yield from (part.split("  #")[0].strip() for part in line.split("&&"))


def inline(page: Path) -> Iterator[str]:
    """The commands that a sentence names, of which it may leave out a part."""
    yield from re.findall(r"`((?:ai-for-sudan|make|pip install) [^`\n]+)`", (ROOT / page).read_text(encoding="utf-8"))


def shown(source: object, pattern: str) -> list[tuple[str, str]]:
    assert callable(source)
    return sorted({(str(page), one) for page in PAGES for one in source(page) if re.match(pattern, one)})


def program(command: str) -> tuple[str, list[str]]:
    """The subcommand that a line calls, with its arguments."""
    words = shlex.split(command.replace("...", "given"))
    if words[0].startswith("python"):
        return SCRIPTS[Path(words[1]).name], words[2:]
    return words[1], words[2:]


@pytest.mark.parametrize(
    ("page", "command"), shown(blocks, r"(\S*/)?ai-for-sudan |python (train|evaluate|inference|gradcam)\.py")
)
def test_the_program_accepts_what_a_page_tells_to_type(page: str, command: str) -> None:
    name, arguments = program(command)
    parser_of(name).parse_args([one.strip("[]") for one in arguments])


@pytest.mark.parametrize(("page", "command"), shown(inline, "ai-for-sudan [a-z]"))
def test_the_program_has_the_options_that_a_sentence_names(
    page: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, arguments = program(command)
    assert name in COMMANDS, f"{page}: {command}"
    with pytest.raises(SystemExit):  # what the clinic does has a help of its own
        parser_of(name).parse_args([*(arguments[:1] if name == "clinic" else []), "--help"])
    known = capsys.readouterr().out
    for option in (one for one in arguments if one.startswith("--")):
        assert option in known or option.replace("_", "-") in known, f"{page}: {command}"


@pytest.mark.parametrize(("page", "command"), shown(blocks, "ai-for-sudan (read|card|selftest)"))
def test_what_runs_on_the_samples_runs(
    page: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if command not in RUN:
        pytest.skip("it needs films or a reader that a newcomer has to bring")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples").mkdir()
    for name in ("normal_01.png", "pneumonia_01.png"):
        (tmp_path / "samples" / name).write_bytes((ROOT / "samples" / name).read_bytes())
    assert main(shlex.split(command)[1:]) == 0


@pytest.mark.parametrize(("page", "command"), sorted({*shown(blocks, "make "), *shown(inline, "make ")}))
def test_the_makefile_has_what_a_page_tells_to_make(page: str, command: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [word for word in shlex.split(command)[1:] if "=" not in word]
    assert targets, f"{page}: {command}"
    for target in targets:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), f"{page}: make {target}"


@pytest.mark.parametrize(
    ("page", "command"), sorted({*shown(blocks, r"(\S*/)?pip install"), *shown(inline, "pip install")})
)
def test_the_package_has_the_extras_that_a_page_names(page: str, command: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for named in re.findall(r"\.\[([\w,]+)\]", command):
        assert set(named.split(",")) <= set(extras), f"{page}: {command}"


@pytest.mark.parametrize(("page", "command"), shown(blocks, "python (benchmarks|packaging|recipes)/"))
def test_the_script_that_a_page_names_is_there(page: str, command: str) -> None:
    assert (ROOT / shlex.split(command)[1]).is_file(), f"{page}: {command}"
