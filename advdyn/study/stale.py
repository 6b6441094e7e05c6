"""Result files that no study plans any more, and what killed jobs left behind.

python -m advdyn.study.stale [--configfile config/smoke.yaml] [--delete]
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from advdyn.atomic import TEMPORARY
from advdyn.study import plan, run
from advdyn.study.errors import ConfigError

KEPT = ("report.html", "report.zip", "asked.json")


def planned(configfiles: Sequence[str]) -> set[str]:
    """Every file that the run's jobs make, as Snakemake itself lists them.

    Raises
    ------
    ConfigError
        When Snakemake cannot plan the run.
    """
    command = [sys.executable, "-m", "snakemake", "--detailed-summary", "--nolock"]
    if configfiles:
        command += ["--configfile", *configfiles]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise ConfigError(f"snakemake cannot plan this run:\n{done.stderr.strip()}")
    return {line.split("\t")[0] for line in lines[1:]}


def stale(results: Path, known: set[str]) -> list[Path]:
    """Files below ``results`` that are not planned, and left-over temporaries."""
    found = []
    for path in sorted(results.rglob("*")):
        if not path.is_file() or path.name in KEPT:
            continue
        if str(path) not in known or TEMPORARY in path.name:
            found.append(path)
    return found


def main() -> None:
    """List stale files; with --delete, remove them and the folders left empty."""
    parser = plan.arguments("Result files that no study plans any more.")
    parser.add_argument("--delete", action="store_true", help="remove them")
    options = parser.parse_args()
    try:
        results = Path(run.load_files(options.configfile).results)
        files = stale(results, planned(options.configfile))
    except ConfigError as error:
        sys.exit(str(error))
    for file in files:
        print(file)
        if options.delete:
            file.unlink()
    if options.delete:
        for folder in sorted((p for p in results.rglob("*") if p.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
    size = "" if options.delete else f", {sum(f.stat().st_size for f in files) / 1e6:.1f} MB"
    print(f"{len(files)} stale files {'removed' if options.delete else 'found'}{size} below {results}/")


if __name__ == "__main__":
    main()
