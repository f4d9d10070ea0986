"""What every command has in common: how it is called, what it says when it cannot run, and how it is ended."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_for_sudan import cli, extras
from ai_for_sudan.cli import main
from ai_for_sudan.errors import UserError


def test_it_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "ai_for_sudan", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[0]) == (0, "ai-for-sudan")


@pytest.mark.parametrize("package", ["reading", "radiographs", "cli", "training", "evaluation", "sites", "export"])
def test_nobody_is_told_to_install_a_name_that_anyone_could_claim(root: Path, package: str) -> None:
    places = [
        *(root / "src" / "ai_for_sudan" / package).rglob("*.py"),
        *(root / "docs").glob("*.md"),
        root / "README.md",
    ]
    for path in places:
        text = path.read_text(encoding="utf-8")
        for command in text.split("pip install")[1:]:
            assert "ai-for-sudan" not in command[:60].splitlines()[0], path


def test_the_page_of_a_card_is_written_without_plots_where_nothing_draws_them(root: Path, tmp_path: Path) -> None:
    program = f"""
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("matplotlib", "scipy", "sklearn", "torch", "pandas"):
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)

sys.meta_path.insert(0, Lacking())
from ai_for_sudan.cli import main
sys.exit(main(["card", "--reader", "mobilenet_v2", "--html", {str(tmp_path / "card.html")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        0,
        f'the page has no plots; for them install: pip install "{root}[site]"\n',
    )
    assert "without the extra <code>site</code>" in (tmp_path / "card.html").read_text(encoding="utf-8")


def test_help_needs_no_package(root: Path) -> None:
    """With the packages of a plain install alone every command lists its options."""
    program = """
import contextlib, io, sys
from importlib.machinery import PathFinder
from ai_for_sudan.cli import COMMANDS, main
from ai_for_sudan.cli.stand_ins import PACKAGES

class Plain:
    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in PACKAGES else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Plain()
for command in COMMANDS:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            code = main([command, "--help"])
        except SystemExit as end:
            code = end.code
    print(command, code, "options:" in out.getvalue() and "usage: ai-for-sudan " + command in out.getvalue())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    said = [line.split() for line in done.stdout.splitlines()]
    assert said == [[command, "0", "True"] for command in cli.COMMANDS], done.stderr


def test_a_reader_is_named_in_one_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", "custom_cnn", "--reader", "mobilenet_v2"]) == 2
    assert "two readers were given" in capsys.readouterr().err


def test_an_extra_is_named_by_a_command_that_works_here(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(importlib, "import_module", lacking)
    assert main(["train"]) == 2
    assert f"needs the package 'torch', which is not installed; install it with: pip install \"{root}[train]\"" in (
        capsys.readouterr().err
    )
    # Installed from a wheel that is still there, and from one that is gone.
    installed = tmp_path / "site-packages" / "ai_for_sudan"
    installed.mkdir(parents=True)
    monkeypatch.setattr(extras, "__file__", str(installed / "extras.py"))
    wheel = tmp_path / "a wheel-0.1.0.whl"
    wheel.touch()

    class Noted:
        @staticmethod
        def read_text(name: str) -> str:
            assert name == "direct_url.json"
            return json.dumps({"url": wheel.as_uri()})

    monkeypatch.setattr(extras.metadata, "distribution", lambda name: Noted)
    assert extras.install_command("train") == f'pip install "{wheel}[train]"'
    wheel.unlink()
    assert extras.install_command("site").startswith('pip install "./ai_for_sudan-')


@pytest.mark.parametrize(
    "error", [IsADirectoryError(21, "Is a directory", "x"), OSError(36, "File name too long", "y\n\x1b[2J")]
)
def test_what_the_operating_system_refuses_is_one_line(
    error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> int:
        raise error

    monkeypatch.setattr(cli, "run_command", refused)
    assert main(["read", "x"]) == 2
    output = capsys.readouterr().err
    assert output.count("\n") == 1 and "\x1b" not in output and str(error.strerror) in output


def test_no_message_holds_control_characters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> int:
        raise UserError("there is no film \x1b]0;owned\x07\nai-for-sudan read: all is well")

    monkeypatch.setattr(cli, "run_command", refused)
    assert main(["read", "x"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["\x1b[2J"]) == 2
    monkeypatch.undo()
    with pytest.raises(SystemExit):
        main(["card", "a", "\x1b[2J"])
    assert "\x1b" not in capsys.readouterr().err


WAITS = """
import sys, time
from ai_for_sudan import cli
from ai_for_sudan.files import replacing

def run(*_):
    with replacing(sys.argv[1]):
        print("writing", flush=True)
        time.sleep(600)

cli.run_command = run
sys.exit(cli.main(["read", "x"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no polite request to end")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_end_leaves_no_half_file(
    tmp_path: Path, number: int, start: Callable[..., subprocess.Popen[str]]
) -> None:
    command = [sys.executable, "-c", WAITS, tmp_path / "page.html"]
    process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    process.send_signal(number)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "ai-for-sudan read: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_a_host_program_keeps_its_own_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    def host(*_: object) -> None: ...

    before = signal.signal(signal.SIGTERM, host)
    try:
        seen: list[object] = []
        monkeypatch.setattr(cli, "run_command", lambda *_: seen.append(signal.getsignal(signal.SIGTERM)) or 0)
        assert main(["read", "x"]) == 0
        assert seen == [host] and signal.getsignal(signal.SIGTERM) is host
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert main(["read", "x"]) == 0
        assert seen[1] is not host and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
