"""PBS, SGE and LSF: what a job asks for in their words, what they answer, and the site file that says how."""

from __future__ import annotations

import getpass
import re
import shlex
import string
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advdyn.study.reading import Tree

ADDRESSES = 2000  # MB of addresses that a job's processes map beyond the memory they use


@dataclass(frozen=True)
class Job:
    """What a job asks for; of a retry Snakemake has made it more already.

    Attributes
    ----------
    name
        Its rule.
    threads, gpu
        Numbers of cores and of GPUs.
    mem_mb
        Memory of the whole job in MB.
    minutes
        Its time limit.
    """

    name: str
    threads: int = 1
    mem_mb: int = 1000
    minutes: int = 60
    gpu: int = 0

    def values(self) -> dict[str, int | str]:
        """What the options of a site may name in braces."""
        return {
            "mem_mb": self.mem_mb,
            "mem_mb_slot": ceil(self.mem_mb / self.threads),
            "vmem_mb_slot": ceil((self.mem_mb + ADDRESSES) / self.threads),
            "minutes": self.minutes,
            "time": f"{self.minutes // 60:02d}:{self.minutes % 60:02d}:00",
            "threads": self.threads,
            "gpu": self.gpu,
        }


PLACEHOLDERS = tuple(Job("").values())


@dataclass(frozen=True)
class Site:
    """The facts of a cluster: profiles/generic/site.yaml, the one file that users edit.

    Attributes
    ----------
    scheduler
        A name in ``SCHEDULERS``.
    queue, gpu_queue, account
        Where jobs go, where those with a GPU go, what they are charged to; None says nothing to the scheduler.
    cpu_options, gpu_options
        How cores, memory and time are asked for, without and with a GPU; words may hold ``{placeholders}``.
    latency
        Seconds after which a file written on a node is seen here at the latest.
    patience
        Seconds for which a scheduler may give no answer.
    """

    scheduler: str
    queue: str | None
    gpu_queue: str | None
    account: str | None
    cpu_options: tuple[str, ...]
    gpu_options: tuple[str, ...]
    latency: float
    patience: float

    @property
    def gpus(self) -> bool:
        """Whether there are GPUs: training that may use one then asks for it."""
        return self.gpu_queue is not None

    def into(self, job: Job) -> str | None:
        """The queue of a job."""
        return (self.gpu_queue or self.queue) if job.gpu else self.queue

    def options(self, job: Job) -> list[str]:
        """The words that ask for what a job needs."""
        return [word.format(**job.values()) for word in (self.gpu_options if job.gpu else self.cpu_options)]


@dataclass(frozen=True)
class Scheduler:
    """How a scheduler is spoken to: each member makes a command line, or reads what one printed."""

    cpu_options: tuple[str, ...]
    gpu_options: tuple[str, ...]
    submission: Callable[[Site, Job, Path, Path], list[str]]
    submitted: re.Pattern[str]
    question: Callable[[Sequence[str]], list[str]]
    answer: Callable[[Sequence[str], subprocess.CompletedProcess[str]], dict[str, bool | None]]
    cancellation: tuple[str, ...]

    def id_of(self, printed: str) -> str | None:
        """The id of a job from what its submission printed."""
        found = self.submitted.search(printed)
        return found.group(1) if found else None


def _given(option: str, value: str | None) -> list[str]:
    return [option, value] if value is not None else []


def _number(job: str) -> str:
    """The part of an id that every command of the scheduler prints alike: without the server."""
    found = re.match(r"\d+", job)
    return found.group() if found else job


def pbs_submission(site: Site, job: Job, script: Path, log: Path) -> list[str]:
    """``qsub`` of PBS Pro, OpenPBS and Torque. Not rerun by itself (-r n): repeating is Snakemake's."""
    into = _given("-q", site.into(job)) + _given("-A", site.account)
    fixed = ["-N", job.name[:15], "-S", "/bin/sh", "-r", "n", "-j", "oe", "-o", str(log)]
    return ["qsub", *fixed, *into, *site.options(job), str(script)]


def pbs_answer(ids: Sequence[str], done: subprocess.CompletedProcess[str]) -> dict[str, bool | None]:
    """What ``qstat -f`` says of each job; Torque shows completed jobs (C) for a while, PBS Pro names them on stderr."""
    states = dict(re.findall(r"^Job Id: *(\d+).*?^ *job_state = (\w)", done.stdout, re.M | re.S))
    named = "\n".join(re.findall(r"^.*(?:Unknown Job|has finished).*$", done.stderr, re.M))
    gone = set(re.findall(r"(?<![\w.=-])(\d+)", named))

    def of(number: str) -> bool | None:
        if number in states:
            return states[number] not in "CFX"
        return False if number in gone else None

    return {job: of(_number(job)) for job in ids}


def sge_submission(site: Site, job: Job, script: Path, log: Path) -> list[str]:
    """``qsub`` of Grid Engine. ``-S``: a queue's own shell may be csh."""
    into = _given("-q", site.into(job)) + _given("-P", site.account)
    fixed = ["-terse", "-N", job.name, "-S", "/bin/sh", "-r", "n", "-j", "y", "-o", str(log)]
    return ["qsub", *fixed, *into, *site.options(job), str(script)]


def sge_answer(ids: Sequence[str], done: subprocess.CompletedProcess[str]) -> dict[str, bool | None]:
    """What ``qstat -u`` says: a table of the user's jobs. One in error (Eqw) will never run, so it counts as gone."""
    if done.returncode != 0:
        return dict.fromkeys(ids)
    rows = [line.split() for line in done.stdout.splitlines()]
    known = {row[0] for row in rows if len(row) > 4 and row[0].isdigit() and "E" not in row[4]}
    return {job: _number(job) in known for job in ids}


def lsf_submission(site: Site, job: Job, script: Path, log: Path) -> list[str]:
    """``bsub`` of LSF; it gives the command to a shell, so the script's path is quoted."""
    into = _given("-q", site.into(job)) + _given("-P", site.account)
    return ["bsub", "-J", job.name, "-rn", "-o", str(log), *into, *site.options(job), shlex.quote(str(script))]


def lsf_answer(ids: Sequence[str], done: subprocess.CompletedProcess[str]) -> dict[str, bool | None]:
    """What ``bjobs -w`` says of each job: a row with its state, or on stderr that it is not found."""
    rows = [line.split() for line in done.stdout.splitlines()]
    states = {row[0]: row[2] for row in rows if len(row) > 2 and row[0].isdigit()}
    gone = set(re.findall(r"Job <(\d+)> is not found", done.stderr))

    def of(number: str) -> bool | None:
        if number in states:
            return states[number] not in ("DONE", "EXIT")
        return False if number in gone else None

    return {job: of(_number(job)) for job in ids}


# Units in full: without them -M counts in what the site's LSF_UNIT_FOR_LIMITS says, kilobytes by default.
_LSF = ("-n {threads}", "-M {mem_mb}MB", '-R "span[hosts=1] rusage[mem={mem_mb}MB]"', "-W {minutes}")

SCHEDULERS = {
    "pbs": Scheduler(
        ("-l select=1:ncpus={threads}:mem={mem_mb}mb", "-l walltime={time}"),
        ("-l select=1:ncpus={threads}:mem={mem_mb}mb:ngpus={gpu}", "-l walltime={time}"),
        pbs_submission,
        re.compile(r"^(\d+[\w.\[\]-]*)\s*$", re.M),
        lambda ids: ["qstat", "-f", *ids],
        pbs_answer,
        ("qdel",),
    ),
    "sge": Scheduler(
        ("-pe smp {threads}", "-l h_rt={time},h_vmem={vmem_mb_slot}M"),
        # CUDA maps the memory of host and devices: no limit on addresses can be stated.
        ("-pe smp {threads}", "-l h_rt={time},mem_free={mem_mb_slot}M,gpu={gpu}"),
        sge_submission,
        re.compile(r"^(?:Your job )?(\d+)\b", re.M),
        lambda ids: ["qstat", "-u", getpass.getuser()],
        sge_answer,
        ("qdel",),
    ),
    "lsf": Scheduler(
        _LSF,
        (*_LSF, "-gpu num={gpu}"),
        lsf_submission,
        re.compile(r"Job <(\d+)> is submitted"),
        lambda ids: ["bjobs", "-w", *ids],
        lsf_answer,
        ("bkill",),
    ),
}


# --- the site file ------------------------------------------------------------------------------------

KEYS = (
    "scheduler", "queue", "gpu_queue", "account", "cpu_options", "gpu_options", "latency_seconds", "patience_minutes",
)  # fmt: skip


def load(file: str | Path) -> Site:
    """Read and check a site file.

    Raises
    ------
    ConfigError
        One line with file and line, key, what was found and what is allowed.
    """
    from advdyn.study.errors import Words, wrong  # late: the status of a job needs no YAML
    from advdyn.study.reading import read

    tree = read(file)
    for key in tree.data:
        if key not in KEYS:
            raise wrong(tree.where(key), key, Words("an unknown key"), ", ".join(KEYS))
    if tree.data.get("scheduler") not in list(SCHEDULERS):  # a list of it has no hash
        found = tree.data.get("scheduler", Words("nothing"))
        raise wrong(tree.where("scheduler"), "scheduler", found, ", ".join(SCHEDULERS))
    scheduler = SCHEDULERS[tree.data["scheduler"]]
    return Site(
        tree.data["scheduler"],
        queue=_name(tree, "queue"),
        gpu_queue=_name(tree, "gpu_queue"),
        account=_name(tree, "account"),
        cpu_options=_options(tree, "cpu_options", scheduler.cpu_options),
        gpu_options=_options(tree, "gpu_options", scheduler.gpu_options),
        latency=_duration(tree, "latency_seconds", 60),
        patience=_duration(tree, "patience_minutes", 60) * 60,
    )


def _name(tree: Tree, key: str) -> str | None:
    from advdyn.study.errors import wrong

    value = tree.data.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is not None and not (isinstance(value, str) and re.fullmatch(r"[\w.@:/+][\w.@:/+-]*", value)):
        raise wrong(tree.where(key), key, value, "a name without spaces, or null")
    return value


def _options(tree: Tree, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    from advdyn.study.errors import Words, wrong

    value = tree.data.get(key)
    if value is None:
        value = list(default)
    if not isinstance(value, list) or not all(isinstance(option, str) and option.strip() for option in value):
        raise wrong(tree.where(key), key, value, "a list of options, as a shell would read them, or null")
    words: list[str] = []
    for option in value:
        try:
            named = [part for part in string.Formatter().parse(option) if part[1] is not None]
            split = shlex.split(option)
        except ValueError as error:
            raise wrong(tree.where(key), key, option, f"quotes and braces in pairs ({error})") from None
        if any(name not in PLACEHOLDERS or given or as_ for _, name, given, as_ in named):
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise wrong(tree.where(key), key, Words(repr(option)), f"in braces one of {known}")
        words += split
    return tuple(words)


def _duration(tree: Tree, key: str, default: float) -> float:
    from advdyn.study.errors import wrong

    value = tree.data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1e4:
        raise wrong(tree.where(key), key, value, "a number above 0, at most 10000")
    return float(value)
