"""Result files that no study plans any more, and what killed jobs left behind.

python -m advdyn.study.stale [--configfile config/smoke.yaml] [--delete]
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from advdyn.study import plan, registry, run
from advdyn.study.errors import ConfigError

SANDBOX = ".advdyn-*.json"  # the marker of a folder whose files a job overwrites


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
    return {os.path.normpath(line.split("\t")[0]) for line in lines[1:]}


def stale(asked: run.Run, known: set[str]) -> list[Path]:
    """Files of studies and data sets that are not planned, and left-over temporaries.

    Only the folders that this workflow fills are looked through: one for each study there is, and the data sets.
    What was collected as partial stays, and so does a data set of the configuration, which may be made by itself, and
    a sandbox that a job filled (it is no output of a rule, and holds a marker).
    """
    results = Path(asked.results)
    kept = {results / "data" / f"{name}{ending}" for name in asked.data for ending in (".nc", ".asked.json")}
    found = []
    for folder in (*registry.STUDIES, "data"):
        for path in sorted((results / folder).rglob("*")):
            if (
                path.is_file()
                and path.name != "asked.json"
                and path not in kept
                and os.path.normpath(path) not in known
                and not any(any(folder.glob(SANDBOX)) for folder in path.parents if results in folder.parents)
            ):
                found.append(path)
    return found


def running() -> bool:
    """Whether a run holds Snakemake's lock here; its temporaries are no leftovers."""
    return any(Path(".snakemake/locks").glob("*"))


def main() -> None:
    """List stale files; with --delete, remove them and the folders left empty."""
    parser = plan.arguments("Result files that no study plans any more.")
    parser.add_argument("--delete", action="store_true", help="remove them")
    options = parser.parse_args()
    if options.delete and running():
        sys.exit("a run is under way here, or was killed (then: snakemake --unlock); nothing is removed")
    try:
        asked = run.load(options.configfile)
        known = planned(options.configfile)
    except ConfigError as error:
        sys.exit(str(error))
    files = stale(asked, known)
    if options.delete and files and not any(Path(name).exists() for name in known):
        sys.exit(f"none of the files that this run makes is below {asked.results}/; nothing is removed")
    for file in files:
        print(file)
        if options.delete:
            file.unlink()
            for folder in file.parents:
                if folder == Path(asked.results) or any(folder.iterdir()):
                    break
                folder.rmdir()
    size = "" if options.delete else f", {sum(f.stat().st_size for f in files) / 1e6:.1f} MB"
    print(f"{len(files)} stale files {'removed' if options.delete else 'found'}{size} below {asked.results}/")


if __name__ == "__main__":
    main()
