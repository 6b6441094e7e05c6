"""What a run will take, before anything runs.

python -m advdyn.study.plan [--configfile config/paper.yaml] [--cores 8]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict

from advdyn.study import run
from advdyn.study.errors import ConfigError, wrong
from advdyn.study.sizes import Sizes
from advdyn.study.sweep import MAX_PANELS


def table(planned: run.Run, cores: int) -> str:
    """Jobs, core-hours, wall hours, peak memory and disk of each study and step, as text."""
    lines = [f"{'study':<10} {'step':<22} {'jobs':>6} {'core-hours':>11} {'memory MB':>10} {'disk MB':>9}"]
    hours = disk = memory = longest = 0.0
    jobs, sizes = 0, Sizes(planned)
    for name, study in planned.studies.items():
        groups = defaultdict(list)
        for job in study.all_jobs():
            groups[job.step].append(study.cost(job.step, sizes.of(name, job.step, job.cell, job.block)))
        for step, costs in groups.items():
            seconds = sum(c.seconds for c in costs)
            most, size = max(c.memory for c in costs), sum(c.disk for c in costs)
            lines.append(f"{name:<10} {step:<22} {len(costs):>6} {seconds / 3600:>11.3f} {most:>10.0f} {size:>9.1f}")
            jobs += len(costs)
            hours += seconds / 3600
            disk += size
            memory = max(memory, most)
            longest = max(longest, max(c.seconds for c in costs) / 3600)
        if len(study.panels()) == MAX_PANELS:
            lines.append(f"{name}: figures of the first {MAX_PANELS} panels only")
    wall = max(hours / cores, longest)
    lines.append(f"{'all':<10} {'':<22} {jobs:>6} {hours:>11.3f} {memory:>10.0f} {disk:>9.1f}")
    lines.append(
        f"about {wall:.2f} hours, at most {memory * cores:.0f} MB of memory, on {cores} cores, below {planned.results}/"
    )
    lines.append(
        "(an estimate from the problem sizes at the rates measured in benchmarks/; data sets and ledger not counted)"
    )
    return "\n".join(lines)


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that choose a run, the same as Snakemake's."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--configfile", nargs="+", default=[], help="files laid over config/config.yaml")
    return parser


def main() -> None:
    """Print the plan of a run."""
    parser = arguments("Jobs, hours, memory and disk of a run.")
    parser.add_argument("--cores", default="all")
    options = parser.parse_args()
    try:
        cores = os.cpu_count() or 1 if options.cores == "all" else int(options.cores)
        if cores < 1:
            raise ValueError
    except ValueError:
        sys.exit(str(wrong("command line", "--cores", options.cores, "an integer >= 1, or all")))
    try:
        print(table(run.load(options.configfile), cores))
    except ConfigError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
