"""What adaptation promises at a hospital, against what its untouched films give.

    python benchmarks/next_hospital.py --data siim_boxes/labels.csv --output_dir outputs/next/siim
    python benchmarks/next_hospital.py --data shenzhen_lungs/labels.csv --rename tuberculosis=pneumonia \\
        --output_dir outputs/next/shenzhen

Films are drawn by patient: so many to adapt with, all others untouched. The reader as shipped and the adapted one are
then held against the untouched films. The tables are in docs/results.md, "The next hospital".
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from ai_for_sudan.contract import Card
from ai_for_sudan.files import plain_json, write_json
from ai_for_sudan.reading.reader import find_reader
from ai_for_sudan.sites import ReaderFile, SiteFilms, adapt, read_site, site_manifest
from ai_for_sudan.sites.adapted import write_adapted
from ai_for_sudan.sites.rule import promise_of
from ai_for_sudan.statistics import StatusTable, as_json, quick_auroc, status_table


def renamed(data: Path, rename: dict[str, str], target: Path) -> Path:
    """A copy of the table with other names of labels and files by their whole path; a film is a patient if none is."""
    with data.open(encoding="utf-8") as file, target.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["file", "label", "patient"])
        for row in csv.DictReader(file):
            label = rename.get(row["label"], row["label"])
            writer.writerow([data.parent.resolve() / row["file"], label, row.get("patient") or row["file"]])
    return target


def taken(films: SiteFilms, patients: np.ndarray) -> SiteFilms:
    """The films of these patients."""
    rows = np.flatnonzero(np.isin(films.patients, patients))
    return replace(
        films,
        files=[films.files[i] for i in rows],
        index=films.index[rows],
        labels=films.labels[rows],
        patients=films.patients[rows],
        facts=[films.facts[i] for i in rows],
        embeddings=films.embeddings[rows],
        pictures=films.pictures[rows],
        doubted=films.doubted[rows],
        abnormal=films.abnormal[rows],
        refused=[film for film in films.refused if film.patient in patients],
        excluded=[],
    )


def experienced(file: ReaderFile, card: Card, films: SiteFilms) -> tuple[StatusTable, float]:
    """The status table of films by a reader, and its AUROC on those that it reads."""
    logits = file.logits(films.embeddings)
    scores = logits[:, card.positive_index] - np.delete(logits, card.positive_index, axis=1)[:, 0]
    statuses = card.operating_point().statuses(expit(scores))
    statuses[(statuses == "not_seen") & films.abnormal] = "uncertain"
    statuses[films.doubted] = "uncertain"
    table = status_table(
        np.concatenate([films.labels, [film.label for film in films.refused]]),
        np.concatenate([statuses, np.full(len(films.refused), "refused", object)]),
        np.concatenate([films.patients, [film.patient for film in films.refused]]),
    )
    return table, quick_auroc(films.labels, scores)


def line(name: str, table: dict[str, Any]) -> str:
    """A row of the table in docs/results.md."""
    shares = (("positive", "not_seen"), ("negative", "suspected"), ("all", "uncertain"), ("all", "refused"))
    cells = []
    for of, status in shares:
        value, low, high = (100 * figure for figure in table[of]["shares"][status])
        cells.append(f"{value:.1f} ({low:.1f} to {high:.1f})")
    return f"| {name} | {table['all']['films']} | " + " | ".join(cells) + " |"


def main() -> None:
    """Adapt with some films, measure on the others, print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a CSV with file, label and perhaps patient")
    parser.add_argument("--rename", nargs="*", default=[], metavar="OLD=NEW", help="labels in the reader's words")
    parser.add_argument("--reader", default="mobilenet_v2")
    parser.add_argument("--films", type=int, default=200, help="to adapt with")
    parser.add_argument("--promise", type=float, help="as of ai-for-sudan adapt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output_dir", type=Path, required=True)
    args = parser.parse_args()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    file = ReaderFile.load(find_reader(args.reader))
    rename = dict(pair.split("=") for pair in args.rename)
    table = renamed(args.data, rename, args.output_dir / "films.csv")
    films = read_site(file.reader(), site_manifest(table, file.card))
    report(file, films, args)


def report(file: ReaderFile, films: SiteFilms, args: argparse.Namespace) -> None:
    """Print promise, what held-out folds gave, and what untouched films gave."""
    people = np.random.default_rng(args.seed).permutation(np.unique(films.patients))
    counts = np.cumsum([(films.patients == person).sum() for person in people])
    cut = int(np.searchsorted(counts, args.films)) + 1
    here, untouched = taken(films, people[:cut]), taken(films, people[cut:])
    outcome = adapt(here, file, promise=args.promise, seed=args.seed, repeats=2, say=print)
    result = {
        "site": args.data.parent.name,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "reader": file.card.title,
        **outcome.result,
        "adopted": [step["name"] for step in outcome.result["steps"] if step["adopted"]],
    }
    promise = promise_of(file.card, args.promise)
    print(result["verdict"], result.get("verdict_after", ""), result["rule"] or "", sep="\n")
    print(f"{len(here)} films to adapt, {len(untouched)} untouched; promise {promise}; adopted {result['adopted']}")
    print("| | films | missed | false alarms | left to a person | refused |\n|---|---|---|---|---|---|")
    print(line("as shipped, films to adapt", result["measured"]["table"]))
    shipped, before = experienced(file, file.card, untouched)
    print(line(f"as shipped, untouched (AUROC {before:.3f})", as_json(shipped)))
    if outcome.changed:
        print(line("adapted, held-out folds", result["final"]["table"]))
        target = args.output_dir / "adapted.onnx"
        write_adapted(file, target, outcome, result)
        adapted = ReaderFile.load(target)
        after, area = experienced(adapted, adapted.card, untouched)
        print(line(f"adapted, untouched (AUROC {area:.3f})", as_json(after)))
    for rung in result["steps"][-1]["ladder"]:
        rate, share = rung["promise"]["missed"], rung["decided"]
        missed, alarms = (
            rung["table"]["positive"]["shares"]["not_seen"],
            rung["table"]["negative"]["shares"]["suspected"],
        )
        print(f"| {rate:.0%} | {missed[0]:.1%} | {alarms[0]:.1%} | {share:.0%} | {rung['usable']} |")
    write_json(args.output_dir / "next_hospital.json", plain_json(result))


if __name__ == "__main__":
    main()
