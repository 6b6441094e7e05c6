"""Where a finished run's figures, data and report are.

python -m advdyn.study.summary [--configfile config/smoke.yaml] [--report-path]
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

from advdyn.study import plan, run
from advdyn.study.errors import ConfigError


def text(finished: run.Run) -> str:
    """Figures, data, ledger and report of a run, with the ledger's verdicts counted."""
    root = Path(finished.results)
    lines = ["", "figures"]
    for name in finished.studies:
        found = sorted((root / name / "figures").rglob("*.pdf"))
        lines += [f"  {path}" for path in found]
    lines += ["data"] + [f"  {root / name / name}.nc" for name in finished.studies]
    ledger = root / "claims.csv"
    with ledger.open(newline="", encoding="utf-8") as file:
        counts = Counter(row["verdict"] for row in csv.DictReader(file))
    lines += ["ledger of claims", f"  {ledger}  ({', '.join(f'{n} {verdict}' for verdict, n in counts.most_common())})"]
    lines += ["report", f"  {root / 'report.html'}"]
    return "\n".join(lines)


def main() -> None:
    """Print where everything is."""
    parser = plan.arguments("Where the results of a run are.")
    parser.add_argument("--report-path", action="store_true", help="print only the path of the report")
    options = parser.parse_args()
    try:
        finished = run.load(options.configfile)
    except ConfigError as error:
        sys.exit(str(error))
    print(f"{finished.results}/report.html" if options.report_path else text(finished))


if __name__ == "__main__":
    main()
