"""What a run needs around it before its first job is planned: its name, its profile, and the facts of the site."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from advdyn.cluster import check, profile, schedulers, site, slurm
from advdyn.study.errors import ConfigError, wrong

RUN, SITE, GPUS, PYTHON = "ADVDYN_RUN", "ADVDYN_SITE", "ADVDYN_GPUS", "ADVDYN_PYTHON"


def prepare(argv: Sequence[str], checkout: str | Path) -> None:
    """Set the environment of a run: jobs inherit it, and so know the site as the process that planned them did.

    Parameters
    ----------
    argv
        The arguments of snakemake. A job's own snakemake (it has a ``--mode``) is left as it was started.
    checkout
        The folder of the Snakefile.

    Raises
    ------
    ConfigError
        For a profile that does not exist, and for a site that is not as its file says: before anything is submitted.
    """
    if rules_of_job(argv) is not None:
        return
    folder = profile.chosen(argv, checkout)
    os.environ[RUN] = f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
    os.environ[PYTHON] = sys.executable
    os.environ.pop(SITE, None)
    os.environ.pop(GPUS, None)
    os.environ.pop(slurm.ACCOUNT, None)
    if folder is None:
        return
    entries = profile.settings(folder)
    executor = profile.executor(argv, entries)
    if executor in ("slurm", "cluster-generic") and executor != entries.data.get("executor"):
        # the plugin alone would lack what the profile does; said here, for an executor that has begun may wait for ever
        raise wrong("command line", "--executor, --profile", executor, "--workflow-profile profiles/slurm or generic")
    if executor == "cluster-generic":
        os.environ[GPUS] = str(int(schedulers.load(folder / "site.yaml").gpus))
    if executor != "slurm":
        return
    file = profile.site_of(folder)
    for finding in check.quick(folder):
        if finding.kind == "problem":
            raise ConfigError(finding.text)
    os.environ[SITE] = str(file.resolve())
    known = site.load(file)
    os.environ[GPUS] = str(int(known.gpus))
    os.environ[slurm.OWN_JOB] = os.environ.get("SLURM_JOB_ID", "")  # which the plugin takes away
    if known.account:
        os.environ[slurm.ACCOUNT] = known.account
    path = [str(slurm.BIN), *os.environ.get("PATH", "").split(os.pathsep)]
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys(path))


def relay(warn: Callable[[str], object], seconds: float = 5) -> Callable[[], None]:
    """Print what the commands of profiles/slurm/bin have to say, as long as this process lives.

    Returns
    -------
    callable
        Prints what there is at once; for the end of the run.
    """
    notices, one = slurm.Notices(name()), threading.Lock()

    def show() -> None:
        with one:
            for line in notices.new():
                warn(line)

    def watch() -> None:
        while True:
            show()
            time.sleep(seconds)

    threading.Thread(target=watch, daemon=True).start()
    return show


def submit_no_more_when_ended() -> None:
    """From the first interrupt or SIGTERM on, nothing of this run is submitted, also not what the plugin has begun to.

    Snakemake's own way to end follows as ever.
    """
    mark = slurm.stopping(name())

    def noting(before: Callable[[int, FrameType | None], object]) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            with contextlib.suppress(OSError):
                mark.mkdir(parents=True, exist_ok=True)
            if number == signal.SIGTERM:
                # Snakemake takes a lock there that the interrupted thread may hold
                threading.Thread(target=before, args=(number, frame), daemon=True).start()
            else:
                before(number, frame)

        return handle

    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)
        if callable(before):
            signal.signal(number, noting(before))


def rules_of_job(argv: Sequence[str]) -> list[str] | None:
    """The rules of the job whose own snakemake this is; None for the process that plans a run."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--mode")
    parser.add_argument("--allowed-rules", nargs="+", default=[])
    job = parser.parse_known_args(list(argv))[0]
    return list(job.allowed_rules) if job.mode else None


def cluster() -> site.Site | None:
    """The site of this run, or None on one machine."""
    return site.load(os.environ[SITE]) if SITE in os.environ else None


def gpus() -> bool:
    """Whether jobs of this run may have a GPU: the cluster has some, or this machine.

    Of a machine it is asked without torch, whose import takes longer than all else here.
    """
    return os.environ[GPUS] == "1" if GPUS in os.environ else any(Path("/dev").glob("nvidia[0-9]*"))


def name() -> str:
    """The name of this run."""
    return os.environ[RUN]
