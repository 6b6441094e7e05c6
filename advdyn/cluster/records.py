"""Which runs were started in this folder, and which of them still go on.

A run on a cluster outlives the process that submits it. What it leaves is found through a small file for each run,
below ``.snakemake``: the process, its machine, its results folder and its log, which names it for the scheduler.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from advdyn.cluster import slurm

FOLDER = Path(".snakemake/advdyn/runs")
KEPT = 30 * 86400.0


@dataclass(frozen=True)
class Record:
    """One run of snakemake.

    Attributes
    ----------
    name
        Its name here, unique.
    host, pid, started
        The process, and when it began (clock ticks since the machine's start: a process number is used again).
    results
        The results folder it writes to.
    log
        Snakemake's log of it.
    ended
        Whether it came to its end, whatever that was.
    """

    name: str
    host: str
    pid: int
    started: str
    results: str
    log: str
    ended: bool = False

    def going_on(self) -> bool | None:
        """Whether its process lives; None when that is another machine's to know."""
        if self.ended:
            return False
        if self.host != socket.gethostname():
            return None
        return _started(self.pid) == self.started

    def scheduler_names(self) -> list[str]:
        """The names under which its jobs are in Slurm's queue: as its submissions noted them, and its log says."""
        try:
            said = re.findall(r"^SLURM run ID: (\S+)", Path(self.log).read_text(errors="replace"), re.MULTILINE)
        except OSError:
            said = []
        return sorted({*said, *slurm.names_of(self.name)})


def begin(name: str, results: str, log: str = "") -> None:
    """Note that this process begins a run; notes of runs that ended long ago are swept."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in FOLDER.glob("*.json"):
        if time.time() - file.stat().st_mtime > KEPT:
            file.unlink(missing_ok=True)
    pid = os.getpid()
    _write(Record(name, socket.gethostname(), pid, _started(pid), results, str(Path(log).resolve())))


def end(name: str) -> None:
    """Note that a run came to its end."""
    for record in _all():
        if record.name == name:
            _write(Record(**asdict(record) | {"ended": True}))


def of(results: str) -> list[Record]:
    """The runs that wrote, or write, to a results folder."""
    return [record for record in _all() if record.results == results]


def _all() -> list[Record]:
    return [Record(**json.loads(file.read_text())) for file in sorted(FOLDER.glob("*.json"))]


def _write(record: Record) -> None:
    file = FOLDER / f"{record.name}.json"
    part = file.with_suffix(".part")
    part.write_text(json.dumps(asdict(record)))
    part.replace(file)


def _started(pid: int) -> str:
    """When a process began, or nothing when there is none."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if state == "Z" else rest[18]
