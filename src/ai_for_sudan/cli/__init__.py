"""The command ``ai-for-sudan``: each subcommand is a module here with ``configure(parser)`` and ``run(args) -> int``.

Modules are imported only when their command is called, so that ``ai-for-sudan read`` never waits for PyTorch.
Exit codes: 0 all went well; 1 it ran, but some films failed or a check did not pass; 2 it could not run (bad
arguments or input); 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from ai_for_sudan.cli.interrupts import terminable
from ai_for_sudan.errors import UserError, printable
from ai_for_sudan.pages.words import DISCLAIMER as DISCLAIMER

#: exit code after Ctrl-C or the request to end
INTERRUPTED = 130

# command -> (module, what it does, the extra that its imports need)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "read": ("read", "read films with a reader file", ""),
    "lungs": ("lungs", "show where a reader finds the lungs", ""),
    "card": ("card", "show what is known about a reader", "site"),
    "selftest": ("selftest", "check that a reader computes correctly on this machine", ""),
    "app": ("app", "serve the phone app on this machine", ""),
    "train": ("train", "train a model", "train"),
    "fit-lungs": ("fit_lungs", "fit the lung finder to films with masks", "train"),
    "evaluate": ("evaluate", "measure a checkpoint on a dataset", "train"),
    "inference": ("inference", "read films with a checkpoint or a reader file", "train"),
    "gradcam": ("gradcam", "draw the Grad-CAM heatmap of films", "train"),
    "export": ("export", "write the reader file of a checkpoint", "train"),
    "crossval": ("crossval", "cross-validate, grouped by patient", "train"),
    "stress": ("stress", "measure a reader on perturbed films", "train"),
    "explaincheck": ("explaincheck", "test whether the heatmaps mean anything", "train"),
    "audit": ("audit", "measure a reader for each group of patients", "site"),
    "adapt": ("adapt", "adapt a reader to a site", "site"),
    "monitor": ("monitor", "watch the readings of a site over time", "site"),
    "clinic": ("clinic", "run the server of a clinic: worklist, DICOM node, results for the PACS", "clinic"),
}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that takes every long option with dashes and with underscores alike."""

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """Add an option under its name, once with dashes and once with underscores."""
        twins = [name.replace("-", "_").replace("__", "--", 1) for name in names if name.startswith("--")]
        return super().add_argument(*dict.fromkeys([*names, *twins]), **options)

    def error(self, message: str) -> NoReturn:
        """Print one line that says what is wrong, and end with exit code 2."""
        super().error(printable(message))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code; every foreseeable error is one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in COMMANDS:
        return _overview(arguments)
    name, rest = arguments[0], arguments[1:]
    extra = COMMANDS[name][2]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may hold what the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    try:
        with terminable():
            return run_command(name, rest)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("ai_for_sudan") or not extra:
            raise
        from ai_for_sudan.extras import install_command

        return _complain(
            name,
            f"this command needs the package '{error.name}', which is not installed; "
            f"install it with: {install_command(extra)}",
            2,
        )
    except UserError as error:
        return _complain(name, str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain(name, "interrupted", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except OSError as error:
        return _complain(name, f"{error.filename or 'a file'}: {error.strerror or error}", 2)


def program(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one subcommand and end the process.

    After an interruption it ends at once: ONNX Runtime may still compute in a thread, and would abort the process while
    Python takes itself apart.
    """
    code = main(argv)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, OSError):  # closed, or nobody reads it any more
            stream.flush()
    if code == INTERRUPTED:
        os._exit(code)
    sys.exit(code)


def parser_of(name: str) -> Parser:
    """Return the parser of a subcommand; the modules that the command needs are imported."""
    summary = COMMANDS[name][1]
    parser = Parser(prog=f"ai-for-sudan {name}", description=f"{summary[0].upper()}{summary[1:]}. {DISCLAIMER}")
    _module(name).configure(parser)
    return parser


def _module(name: str) -> Any:
    return importlib.import_module(f"ai_for_sudan.cli.{COMMANDS[name][0]}")


def run_command(name: str, arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    if {"-h", "--help"} & set(arguments):
        from ai_for_sudan.cli.stand_ins import stand_ins

        with stand_ins():
            parser_of(name).parse_args(arguments)  # this prints and ends
    args = parser_of(name).parse_args(arguments)
    args.typed = shlex.join(["ai-for-sudan", name, *arguments])
    return int(_module(name).run(args))


def _complain(command: str, message: str, code: int) -> int:
    print(f"ai-for-sudan {command}: {printable(message)}", file=sys.stderr)
    return code


def _overview(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        from ai_for_sudan.version import __version__

        print(f"ai-for-sudan {__version__}")
        return 0
    lines = ["usage: ai-for-sudan COMMAND [options]", "", *(f"  {n:<14}{c[1]}" for n, c in COMMANDS.items())]
    lines += ["", "ai-for-sudan COMMAND --help lists the options of a command.", DISCLAIMER]
    asked = not arguments or arguments[0] in ("-h", "--help")
    if not asked:
        lines.insert(0, f"ai-for-sudan: '{printable(arguments[0])}' is not a command")
    print("\n".join(lines), file=sys.stdout if asked else sys.stderr)
    return 0 if asked and arguments else 2
