"""Write the table of films that the shipped readers are trained on: children of one hospital, and adults of another.

    python recipes/sites.py DATA sites.csv

DATA holds `chest_xray_train` (Kermany 2018) and `adult_rsna` (RSNA 2018). Children are held out by patient, about one
in seven; adults are all trained on, because thresholds and calibration are chosen for children.
"""

import csv
import hashlib
import sys
from pathlib import Path

from ai_for_sudan.datasets import load_manifest


def main(data: Path, target: Path) -> None:
    rows = []
    for site, folder, rule in (("Guangzhou", "chest_xray_train", "kermany"), ("NIH", "adult_rsna", None)):
        films = load_manifest(data / folder, patient_rule=rule)
        for film in films.films:
            patient = f"{site}/{film.patient or Path(film.file).stem}"
            held_out = site == "Guangzhou" and int(hashlib.sha256(patient.encode()).hexdigest(), 16) % 7 == 0
            rows.append(
                {
                    "file": str(Path(film.file).resolve()),
                    "label": films.classes[film.label],
                    "patient": patient,
                    "split": "val" if held_out else "train",
                    "site": site,
                    "finding": film.facts.get("finding", ""),
                }
            )
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{target}: {len(rows)} films, {sum(row['split'] == 'val' for row in rows)} held out")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
