"""Which share of small faults put into a package do its own tests find? Mutation testing with mutmut.

    pip install mutmut
    python benchmarks/mutation.py statistics --sample 150

Works on a copy of the checkout in a temporary folder. A random sample of the package's mutants is run, each against
the tests of the package that reach it; the share is printed with a 95 % Wilson interval, then every survivor.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ai_for_sudan.statistics import wilson

ROOT = Path(__file__).resolve().parent.parent
#: tests of a package that say nothing of its lines, or start other processes, which hold no mutant
LEFT_OUT = {
    "contract": ["tests/contract/test_parity.py"],
    "reading": ["tests/reading/test_cluster.py", "tests/reading/test_light.py", "tests/reading/test_nothing_lost.py"],
}
#: what runs in Ray's processes alone, which hold no mutant, and what only draws: a person looks at that
NOT_MUTATED = {
    "reading": ["src/ai_for_sudan/reading/cluster.py"],
    "sites": ["src/ai_for_sudan/sites/figures.py"],
}
#: exit codes that mutmut keeps of a mutant's tests: all passed; none reached it
SURVIVED, UNREACHED = 0, 33
CONFIGURATION = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/ai_for_sudan/{package}/*.py"]
do_not_mutate = {not_mutated}
also_copy = ["readers", "samples", "src"]
pytest_add_cli_args = ["-p", "no:cacheprovider", {left_out}]
pytest_add_cli_args_test_selection = ["tests/{package}"]
mutate_only_covered_lines = false
use_git_change_detection = false
track_dependencies = false
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", help="a folder of src/ai_for_sudan that has tests of its own")
    parser.add_argument("--sample", type=int, default=150, help="mutants that are run; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="run these mutants, whose names an earlier run printed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("src", "tests", "samples", "readers"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        left_out = ", ".join(f'"--ignore={path}"' for path in LEFT_OUT.get(args.package, []))
        not_mutated = json.dumps(NOT_MUTATED.get(args.package, []))
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        (copy / "pyproject.toml").write_text(
            text + CONFIGURATION.format(package=args.package, left_out=left_out, not_mutated=not_mutated)
        )
        _mutmut(copy, "run", "--max-children", str(args.jobs), "nothing.has.this.name")
        every = sorted(_results(copy))
        if not every:
            sys.exit(f"no mutant was made of {args.package}: run this again without `capture_output` to see why")
        chosen = random.Random(args.seed).sample(every, min(args.sample or len(every), len(every)))
        names = args.only or chosen
        _mutmut(copy, "run", "--max-children", str(args.jobs), *names)
        results = {name: code for name, code in _results(copy).items() if name in set(names) and code is not None}
        results |= {name: _alone(copy, name) for name, code in results.items() if code < 0}
        alive = sorted(name for name, code in results.items() if code in (SURVIVED, UNREACHED))
        for name in alive:
            print(f"\n{name}{' (no test reaches it)' if results[name] == UNREACHED else ''}")
            print(_mutmut(copy, "show", name).partition("@@")[2])
    killed = wilson(len(results) - len(alive), len(results))
    print(
        f"{args.package}: {len(results) - len(alive)} of {len(results)} mutants killed, drawn from {len(every)}: "
        f"{killed.value:.1%} ({killed.low:.1%} to {killed.high:.1%})"
    )
    return 0


def _mutmut(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *command], cwd=folder, env=environment, capture_output=True, text=True
    )
    if os.environ.get("VERBOSE"):
        print(done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


def _alone(folder: Path, name: str) -> int:
    """The exit code of a mutant's tests in a process of their own: mutmut forks a process in which PyTorch has run,
    and a crash there is none of the mutant's.
    """
    here = folder / "mutants"
    stats = json.loads((here / "mutmut-stats.json").read_text(encoding="utf-8"))
    tests = stats["tests_by_mangled_function_name"].get(name.rpartition("__mutmut_")[0], [])
    quickest = sorted(tests, key=lambda test: float(stats["duration_by_test"].get(test, 0)))
    environment = {**os.environ, "PYTHONPATH": str(here / "src"), "MUTANT_UNDER_TEST": name}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *quickest]
    return subprocess.run(command, cwd=here, env=environment, capture_output=True).returncode


def _results(folder: Path) -> dict[str, int | None]:
    """The exit code of the tests by the name of the mutant; None where they did not run."""
    found: dict[str, int | None] = {}
    for path in (folder / "mutants").rglob("*.meta"):
        found |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


if __name__ == "__main__":
    sys.exit(main())
