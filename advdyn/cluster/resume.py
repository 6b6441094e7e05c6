"""After a crash of the process that submits: what still runs is cancelled, and the queue empty of it.

python -m advdyn.cluster.resume [--profile profiles/slurm] [--configfile config/paper.yaml]

`make resume` then goes on with the run. The executor plugins do not find the jobs of an earlier run again: without
this they would be submitted a second time, beside those that live.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from advdyn.cluster import generic, profile, records, slurm
from advdyn.errors import InputError
from advdyn.study import run
from advdyn.study.errors import ConfigError
from advdyn.study.plan import arguments

ROOT = Path(__file__).resolve().parents[2]
WAIT = 600.0  # seconds until a cancelled job has left the queue, its epilogue included


@dataclass(frozen=True)
class Queue:
    """What a scheduler is asked: which jobs of the runs it still holds, and to end them."""

    held: Callable[[], list[str]]
    cancel: Callable[[Sequence[str]], None]


def slurm_queue(names: Sequence[str]) -> Queue:
    """The jobs of these run names in Slurm's queue."""

    def held() -> list[str]:
        if not names:
            return []
        found = slurm.asked("squeue", "--noheader", "--format=%i", "--name", ",".join(names))
        if found is None:
            raise ConfigError("squeue: Slurm does not answer, so what still runs cannot be cancelled; try again later")
        return found.split()

    def cancel(jobs: Sequence[str]) -> None:
        slurm.asked("scancel", *jobs)

    return Queue(held, cancel)


def generic_queue(names: Sequence[str]) -> Queue:
    """The jobs of these runs in the queue of a scheduler without a plugin."""
    here = Path.cwd()
    return Queue(lambda: generic.queued(here, names), lambda jobs: generic.cancel(here, jobs))


def emptied(queue: Queue, wait: float = WAIT, pause: float = 2.0) -> list[str]:
    """Cancel what a queue holds and wait until it is gone.

    Returns
    -------
    list of str
        The jobs that were cancelled.

    Raises
    ------
    ConfigError
        When a job is still there after ``wait`` seconds, or the scheduler does not answer.
    """
    jobs = queue.held()
    until = time.monotonic() + wait
    left = jobs
    while left:
        queue.cancel(left)
        time.sleep(pause)
        left = queue.held()
        if left and time.monotonic() > until:
            raise ConfigError(f"still in the queue {wait:.0f} s after they were cancelled: {', '.join(left)}")
    return jobs


def stopped(results: str) -> list[records.Record]:
    """The runs that wrote to a results folder, none of which goes on.

    Raises
    ------
    ConfigError
        When one goes on, or may do so on another machine.
    """
    found = records.of(results)
    for record in found:
        if record.going_on() is not False:
            known = "goes on" if record.going_on() else "was begun on another machine and has not ended"
            raise ConfigError(
                f"a run of {results} {known} (process {record.pid} on {record.host}, log {record.log}): stop it there "
                f"first; if that machine is gone, remove {records.FOLDER / record.name}.json"
            )
    return found


def tidy(run: str) -> None:
    """Leave nothing of this run in Slurm's queue.

    On an interrupt the plugin cancels the jobs that it knows of just then: those that are being submitted, and those
    that it is asking about, go on.
    """
    try:
        emptied(slurm_queue(slurm.names_of(run)), wait=60)
    except InputError as error:
        print(f"jobs of this run may be in the queue: {error}; make resume cancels them", file=sys.stderr)


def main() -> None:
    """Cancel what a crashed run left in the queue."""
    parser = arguments("Cancel what a crashed run left in the queue, and wait until it is gone.")
    parser.add_argument("--profile", default="profiles/slurm")
    options = parser.parse_args()
    try:
        folder = profile.chosen(["--workflow-profile", options.profile], ROOT)
        executor = profile.settings(folder).data.get("executor", "local") if folder else "local"
        results = run.load(options.configfile).results
        found = stopped(results)
        if executor == "slurm":
            queue = slurm_queue([name for record in found for name in record.scheduler_names()])
        elif executor == "cluster-generic":
            queue = generic_queue([record.name for record in found])
        else:
            raise ConfigError(
                f"{folder}: executor {executor}: nothing of it is in a queue, so there is nothing to resume"
            )
        jobs = emptied(queue)
    except InputError as error:
        sys.exit(str(error))
    print(
        f"{results}: " + (f"cancelled {len(jobs)} jobs: {', '.join(jobs)}" if jobs else "nothing of it is in the queue")
    )


if __name__ == "__main__":
    main()
