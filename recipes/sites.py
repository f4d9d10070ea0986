"""Write the tables of films that the shipped readers are trained on.

    python recipes/sites.py DATA sites.csv companions.csv

DATA holds `chest_xray_train` (Kermany 2018) and `adult_rsna` (RSNA 2018), whose films are in `sites.csv`. Children are
held out by patient, about one in seven; adults are all trained on, because calibration is chosen for children.
`companions.csv` names films that teach about lungs: lungs of `adult_rsna_lungs`, which a program cut out and
radiologists drew boxes on; the surroundings of `adult_rsna_normals`, films of one class that are never trained on as
they are; and `shenzhen_lungs`, half of them with tuberculosis, of which one film in three is held out.
"""

import csv
import hashlib
import sys
from pathlib import Path

from ai_for_sudan.datasets import load_manifest


def one_in(number: int, name: str) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % number == 0


def sites(data: Path) -> list[dict[str, str]]:
    rows = []
    for site, folder, rule in (("Guangzhou", "chest_xray_train", "kermany"), ("NIH", "adult_rsna", None)):
        films = load_manifest(data / folder, patient_rule=rule)
        for film in films.films:
            patient = f"{site}/{film.patient or Path(film.file).stem}"
            rows.append(
                {
                    "file": str(Path(film.file).resolve()),
                    "label": films.classes[film.label],
                    "patient": patient,
                    "split": "val" if site == "Guangzhou" and one_in(7, patient) else "train",
                    "site": site,
                    "finding": film.facts.get("finding", ""),
                }
            )
    return rows


def companions(data: Path, normal: str, positive: str) -> list[dict[str, str]]:
    rows = []
    for folder, role, names in (
        ("adult_rsna_lungs", "cut_out", {"opacity": positive, "normal": normal, "other_abnormal": "other"}),
        ("adult_rsna_normals", "host", {"normal": normal}),
        ("shenzhen_lungs", "film", {"normal": normal, "tuberculosis": "other"}),
    ):
        with (data / folder / "labels.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if role == "film" and one_in(3, row["file"]):
                    continue
                rows.append(
                    {
                        "file": str((data / folder / row["file"]).resolve()),
                        "label": names[row["label"]],
                        "role": role,
                        "boxes": row.get("boxes", ""),
                    }
                )
    return rows


def write(target: Path, rows: list[dict[str, str]]) -> None:
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{target}: {len(rows)} films")


def main(data: Path, sites_table: Path, companions_table: Path) -> None:
    rows = sites(data)
    write(sites_table, rows)
    labels = sorted({row["label"] for row in rows})
    positive = next(label for label in labels if label.lower() == "pneumonia")
    write(companions_table, companions(data, next(label for label in labels if label != positive), positive))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
