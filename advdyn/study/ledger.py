"""Keep the ledger of a finished run in the documentation, the one result that is tracked.

python -m advdyn.study.ledger [--configfile config/paper.yaml] [--to docs/ledger-paper.csv]
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from advdyn.atomic import whole
from advdyn.study import run
from advdyn.study.errors import ConfigError, Words, wrong
from advdyn.study.plan import arguments

DEFAULT = "docs/ledger-paper.csv"


def publish(found: run.Run, to: str | Path) -> dict[str, int]:
    """Put the rows of a run's ledger into a kept one, in place of the older rows of the same studies.

    Parameters
    ----------
    found
        The run whose ledger is read.
    to
        The kept ledger; the rows of studies that the run does not have stay.

    Returns
    -------
    Study to its number of rows, of all in the kept ledger.

    Raises
    ------
    ConfigError
        When the run has no ledger yet, or one that lacks a study of the run or is marked as partial.
    """
    source = Path(found.results) / "claims.csv"
    if not source.exists():
        raise wrong(str(source), "ledger", Words("none"), "the ledger of a finished run (make run CONFIG=...)")
    with source.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or []), list(reader)
    missing = set(found.studies) - {row["study"] for row in rows}
    if missing:
        raise wrong(str(source), "ledger", Words(f"no row of {', '.join(sorted(missing))}"), "every study of the run")
    if any("partial:" in row["conditions"] for row in rows):
        raise wrong(str(source), "ledger", Words("rows of a partial run"), "a finished run")
    kept: list[dict[str, str]] = []
    if Path(to).exists():
        with Path(to).open(newline="", encoding="utf-8") as file:
            kept = [row for row in csv.DictReader(file) if row["study"] not in found.studies]
    known = list(dict.fromkeys(row["study"] for row in kept + rows))
    together = sorted(kept + rows, key=lambda row: known.index(row["study"]))
    with whole(to) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(together)
    return {study: sum(row["study"] == study for row in together) for study in known}


def main() -> None:
    """Keep the ledger of a run, and say how many rows of each study there are."""
    parser = arguments("Keep the ledger of a finished run in the documentation.")
    parser.add_argument("--to", default=DEFAULT)
    options = parser.parse_args()
    try:
        counts = publish(run.load(options.configfile), options.to)
    except ConfigError as error:
        sys.exit(str(error))
    print(f"{options.to}: " + ", ".join(f"{count} rows of {study}" for study, count in counts.items()))


if __name__ == "__main__":
    main()
