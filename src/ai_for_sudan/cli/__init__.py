"""The command ``ai-for-sudan``: each subcommand is a module here with ``configure(parser)`` and ``run(args) -> int``.

Modules are imported only when their command is called, so that ``ai-for-sudan read`` never waits for PyTorch.
Exit codes: 0 all went well; 1 it ran, but some films failed or a check did not pass; 2 it could not run (bad
arguments or input); 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence
from typing import Any

from ai_for_sudan.errors import UserError

DISCLAIMER = "Decision support, not a diagnosis: a clinician decides."

# command -> (module, what it does, the extra that its imports need)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "read": ("read", "read films with a reader file", ""),
    "card": ("card", "show what is known of a reader", ""),
    "selftest": ("selftest", "check that a reader computes rightly on this machine", ""),
    "app": ("app", "serve the phone app on this machine", ""),
    "train": ("train", "train a model", "train"),
    "evaluate": ("evaluate", "measure a checkpoint on a dataset", "train"),
    "inference": ("inference", "read films with a checkpoint or a reader file", "train"),
    "gradcam": ("gradcam", "draw the Grad-CAM heatmap of films", "train"),
    "export": ("export", "write the reader file of a checkpoint", "train"),
    "crossval": ("crossval", "cross-validate, grouped by patient", "train"),
    "stress": ("stress", "measure a reader on disturbed films", "train"),
    "explaincheck": ("explaincheck", "test whether the heatmaps mean anything", "train"),
    "audit": ("audit", "measure a reader for each group of patients", "site"),
    "adapt": ("adapt", "adapt a reader to a site", "site"),
    "monitor": ("monitor", "watch the readings of a site over time", "site"),
}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that takes every long option with dashes and with underscores alike."""

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:  # type: ignore[override]
        twins = [name.replace("-", "_").replace("__", "--", 1) for name in names if name.startswith("--")]
        return super().add_argument(*dict.fromkeys([*names, *twins]), **options)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code; every foreseeable error is one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in COMMANDS:
        return _overview(arguments)
    name, rest = arguments[0], arguments[1:]
    module_name, summary, extra = COMMANDS[name]
    try:
        module = importlib.import_module(f"ai_for_sudan.cli.{module_name}")
        parser = Parser(prog=f"ai-for-sudan {name}", description=f"{summary[0].upper()}{summary[1:]}. {DISCLAIMER}")
        module.configure(parser)
        return int(module.run(parser.parse_args(rest)))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("ai_for_sudan") or not extra:
            raise
        return _complain(
            name,
            f"this command needs the package '{error.name}', which is not installed; "
            f'install it with: pip install "ai-for-sudan[{extra}]"',
            2,
        )
    except UserError as error:
        return _complain(name, str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain(name, "interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOENT):
            return _complain(name, f"{error.filename or 'a file'}: {error.strerror}", 2)
        raise


def _complain(command: str, message: str, code: int) -> int:
    print(f"ai-for-sudan {command}: {message}", file=sys.stderr)
    return code


def _overview(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        from ai_for_sudan import __version__

        print(f"ai-for-sudan {__version__}")
        return 0
    lines = ["usage: ai-for-sudan COMMAND [options]", "", *(f"  {n:<14}{c[1]}" for n, c in COMMANDS.items())]
    lines += ["", "ai-for-sudan COMMAND --help tells the options of a command.", DISCLAIMER]
    asked = not arguments or arguments[0] in ("-h", "--help")
    if not asked:
        lines.insert(0, f"ai-for-sudan: '{arguments[0]}' is no command")
    print("\n".join(lines), file=sys.stdout if asked else sys.stderr)
    return 0 if asked and arguments else 2
