"""What the jobs of a finished run took, beside what their models state and what is asked of a scheduler for them.

Run as ``python benchmarks/resources.py [--configfile config/smoke.yaml]`` in the checkout that was run. Seconds stated
and taken are core-seconds, ``clock`` those on the clock, which ``runtime`` has to cover; memory in MB is of a job's
script, and ``held`` that with the nested processes of a cluster job, which ``mem_mb`` has to cover. A step is marked
where a job holds or lasts more than is asked for, or where more than four times what is held is asked for. Snakemake
looks at a job every half second, after 15 s every half minute only: a short peak of a long job is not in its tables.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from advdyn.data import cost  # noqa: E402  # found from this checkout, wherever this runs
from advdyn.study import run  # noqa: E402
from advdyn.study.errors import ConfigError, Words, wrong  # noqa: E402
from advdyn.study.model import AROUND, Cost  # noqa: E402
from advdyn.study.plan import arguments  # noqa: E402
from advdyn.study.sizes import Sizes  # noqa: E402

TOO_MUCH = 4.0


@dataclass(frozen=True)
class Measured:
    """One job: what is stated of it, and what its benchmark table says.

    Attributes
    ----------
    study, step
        Of the job; a data set stands under ``data``, with the name of its source.
    stated
        Its cost.
    seconds, clock
        Core-seconds, and seconds on the clock; the clock's for both where a job ended before Snakemake looked.
    memory
        Largest resident memory of its processes in MB; None likewise.
    """

    study: str
    step: str
    stated: Cost
    seconds: float
    clock: float
    memory: float | None


def tables(rules: Path = ROOT / "workflow" / "rules") -> dict[tuple[str, str], str]:
    """(study, step) to the pattern of its benchmark tables, as the rule files name them."""
    found = {}
    for file in sorted(rules.glob("*.smk")):
        for text in re.split(r"^rule (?=\w+:)", file.read_text(), flags=re.MULTILINE)[1:]:
            step = re.search(r'need\("(\w+)", "(\w+)"\)', text)
            table = re.search(r'benchmark:\s+"([^"]+)"', text)
            if step and table:
                found[step[1], step[2]] = table[1]
    return found


def read(path: Path) -> tuple[float, float, float | None]:
    """Core-seconds, seconds on the clock and MB in a benchmark table; of a repeated job the most."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        clock = max(float(row["s"]) for row in rows)
        seconds, memory = (
            max((float(row[name]) for row in rows if row[name] not in ("NA", "-")), default=0.0)
            for name in ("cpu_time", "max_rss")
        )
    except (KeyError, ValueError):
        columns = Words("no columns s, max_rss and cpu_time with numbers")
        raise wrong(str(path), "table", columns, "a benchmark table of Snakemake") from None
    return seconds or clock, clock, memory or None


def measured(planned: run.Run) -> Iterator[Measured]:
    """Every job of the run that has a benchmark table."""
    patterns, sizes = tables(), Sizes(planned)
    for name, study in planned.studies.items():
        for job in study.all_jobs():
            pattern = patterns[name, job.step].replace("<logs>", planned.logs)
            path = Path(pattern.format(cell=job.cell, block=job.block, panel=job.panel))
            if path.exists():
                point = sizes.of(name, job.step, job.cell, job.block)
                yield Measured(name, job.step, study.cost(job.step, point), *read(path))
    for name, dataset in planned.data.items():
        path = Path(planned.logs) / "data" / f"{name}.benchmark.tsv"
        if path.exists():
            yield Measured("data", dataset.source, cost.cost(dataset), *read(path))


def table(jobs: list[Measured]) -> tuple[str, int]:
    """One line for each step, as text, and how many are marked."""
    lines = [
        f"{'study':<14} {'step':<22} {'jobs':>5} | {'stated s':>8} {'taken s':>8} {'taken/stated':>13} | "
        f"{'stated MB':>9} {'taken MB':>8} {'most':>5} | {'held MB':>7} {'mem_mb':>7} {'clock s':>8} {'runtime':>7}"
    ]
    marked = 0
    for key in dict.fromkeys((job.study, job.step) for job in jobs):
        own = [job for job in jobs if (job.study, job.step) == key]
        ratios = [job.seconds / job.stated.seconds for job in own]
        seen = [job for job in own if job.memory is not None]
        largest = max(seen or own, key=lambda job: job.memory or 0.0)
        ask, held = largest.stated, (largest.memory or 0.0) + AROUND
        marks = marks_of(own)
        marked += bool(marks)
        shown = f"{largest.memory:.0f}" if seen else "-"
        most = f"{max((job.memory or 0.0) / job.stated.memory for job in seen):.2f}" if seen else "-"
        lines.append(
            f"{key[0]:<14} {key[1]:<22} {len(own):>5} | {max(job.stated.seconds for job in own):>8.1f} "
            f"{max(job.seconds for job in own):>8.1f} {f'{min(ratios):.2f} - {max(ratios):.2f}':>13} | "
            f"{max(job.stated.memory for job in own):>9.0f} {shown:>8} {most:>5} | "
            f"{held:>7.0f} {ask.mem_mb():>7} {max(job.clock for job in own):>8.1f} {ask.runtime():>7}"
            + "".join(f"  ! {mark}" for mark in marks)
        )
    return "\n".join(lines), marked


def marks_of(jobs: list[Measured]) -> list[str]:
    """What is wrong with what is asked for the jobs of a step."""
    found = dict.fromkeys(mark for job in jobs for mark in _marks_of(job))
    return list(found)


def _marks_of(job: Measured) -> Iterator[str]:
    if job.clock > 60 * job.stated.runtime():
        yield "more time than runtime"
    if job.memory is not None:
        held = job.memory + AROUND
        if held > job.stated.mem_mb():
            yield "more memory than mem_mb"
        if job.stated.mem_mb() > TOO_MUCH * held:
            yield f"asks {job.stated.mem_mb() / held:.1f} times its memory"


def main() -> None:
    """Print the table of a run."""
    options = arguments("Stated and measured cost of the jobs of a finished run.").parse_args()
    try:
        planned = run.load(options.configfile)
        jobs = list(measured(planned))
        if not jobs:
            none = Words("no benchmark table of this run")
            raise wrong("command line", planned.logs, none, "the logs of a run that was made in this folder")
    except ConfigError as error:
        sys.exit(str(error))
    text, marked = table(jobs)
    print(text)
    print(f"{len(jobs)} jobs; {marked} steps marked")


if __name__ == "__main__":
    main()
