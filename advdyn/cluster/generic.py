"""Schedulers without a plugin of Snakemake (PBS, SGE, LSF): what its executor cluster-generic calls, and must not fail.

A job's end does not depend on what the scheduler remembers: Snakemake's jobscript runs inside a wrapper that leaves its
exit code on the shared storage. The scheduler is asked only while that is not there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from advdyn.atomic import whole
from advdyn.cluster.schedulers import SCHEDULERS, Job, Site, load
from advdyn.errors import InputError

FOLDER = ".snakemake/generic"  # of the folder that the workflow runs in: on storage that the nodes share
LIMIT = 60.0  # seconds for one command of the scheduler
FRESH = 15.0  # seconds for which an answer of the scheduler serves all jobs that ask: one query, not one for each job
PAUSE = 15.0  # seconds between two attempts to submit while the scheduler is out
OUT = re.compile(
    r"(cannot|can't|could not|unable to|failed to) (connect|contact|communicate)|connection (refused|reset|timed out)"
    r"|not respond|timed out|(commlib|communication) error|LIM is down|daemon.* down|try (again )?later",
    re.IGNORECASE,
)


class NoAnswer(InputError):
    """The scheduler did not answer; what it knows of a job is open."""


# --- what is kept of a submission ---------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """A submission whose end Snakemake has not been told yet.

    Attributes
    ----------
    id
        The scheduler's.
    token
        The name of this submission's files: unlike ids, it is never used twice.
    key
        Which job of the workflow it is.
    run
        The run's name.
    session
        What the companion of the snakemake that submitted it is called, see ``attend``.
    scheduler, latency, patience
        As in ``Site``.
    missing_since, silent_since
        Time of the first answer of a row that did not know the job, and of the first question without an answer.
    """

    id: str
    token: str
    key: str
    run: str
    session: str
    scheduler: str
    latency: float
    patience: float
    missing_since: float | None = None
    silent_since: float | None = None


def _file(state: Path, job: str) -> Path:
    return state / f"{job}.json"


def _keep(state: Path, record: Record) -> None:
    with whole(_file(state, record.id)) as part:
        part.write_text(json.dumps(asdict(record)))


def _recall(file: Path) -> Record | None:
    try:
        return Record(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def records(state: Path) -> list[Record]:
    """The submissions that are open."""
    files = sorted(file for file in state.glob("*.json") if not file.name.startswith((".", "answer.")))
    return [record for record in map(_recall, files) if record]


def exit_code(state: Path, token: str) -> int | None:
    """What a job's wrapper left; None while it has not ended, or was killed."""
    os.listdir(state)  # noqa: PTH208  (network storage remembers what was not there, until its folder is read again)
    try:
        return int((state / f"{token}.exit").read_text())
    except (FileNotFoundError, ValueError):
        return None


def wrapper(state: Path, token: str, jobscript: Path) -> str:
    """The script that is submitted: it runs Snakemake's, and keeps its exit code whole or not at all."""
    end, part, cancelled = (shlex.quote(str(state / f"{token}{s}")) for s in (".exit", ".exit.part", ".cancelled"))
    return (
        "#!/bin/sh\n"
        f"# Given up before it began (it may have been tried again since): it must not run.\n"
        f"if [ -e {cancelled} ]; then exit 1; fi\n"
        f"/bin/sh {shlex.quote(str(jobscript))}\n"
        "code=$?\n"
        f'echo "$code" > {part} && mv {part} {end}\n'
        'exit "$code"\n'
    )


# --- submitting ---------------------------------------------------------------------------------------


def properties(jobscript: Path) -> dict[str, Any]:
    """What Snakemake writes about a job into its jobscript."""
    for line in jobscript.read_text().splitlines():
        if line.startswith("# properties = "):
            found = json.loads(line.removeprefix("# properties = "))
            if isinstance(found, dict):
                return found
    raise InputError(f"{jobscript}: found no line '# properties = ...', allowed: a jobscript of Snakemake")


def job_of(known: dict[str, Any]) -> Job:
    """What a job asks for, from its properties; a rule that names no memory, time or GPU gets the defaults of Job."""
    name = re.sub(r"\W+", "_", str(known.get("rule") or f"group_{known.get('groupid')}"))
    resources = known.get("resources", {})

    def asked(resource: str, default: int) -> int:
        value = resources.get(resource)
        return ceil(value) if isinstance(value, int | float) else default

    return Job(
        name if name[0].isalpha() else f"job_{name}",
        threads=int(known.get("threads", 1)),
        mem_mb=asked("mem_mb", Job.mem_mb),
        minutes=max(1, asked("runtime", Job.minutes)),
        gpu=asked("gpu", Job.gpu),
    )


def _key(known: dict[str, Any]) -> str:
    return json.dumps([known.get(name) for name in ("rule", "wildcards", "output")], sort_keys=True)


def submit(state: Path, site: Site, jobscript: Path, run: str = "", session: str = "") -> str:
    """Submit a job; while the scheduler is out, try again.

    What a crashed run left of the same job is cancelled first: with ``rerun-incomplete`` Snakemake submits it anew
    beside the one that still runs.

    Parameters
    ----------
    state
        The folder of the records.
    jobscript
        Snakemake's.
    run, session
        For the record.

    Returns
    -------
    str
        The scheduler's id of the job.

    Raises
    ------
    NoAnswer
        When the scheduler is out for longer than the site's patience.
    InputError
        When it refuses the job.
    """
    known = properties(jobscript)
    job, key, scheduler = job_of(known), _key(known), SCHEDULERS[site.scheduler]
    state.mkdir(parents=True, exist_ok=True)
    for old in records(state):
        if old.key == key:
            _give_up(state, old)
            _forget(state, old)
    began = time.time()
    while True:
        token = f"{job.name[:60]}.{os.urandom(6).hex()}"
        script = state / f"{token}.sh"
        script.write_text(wrapper(state, token, jobscript))
        script.chmod(0o755)
        try:
            done = _run(scheduler.submission(site, job, script, state / f"{token}.log"))
            found = scheduler.id_of(done.stdout) if done.returncode == 0 else None
            if found is not None:
                record = Record(found, token, key, run, session, site.scheduler, site.latency, site.patience)
                _keep(state, record)
                return found
            said = _said(done)
            failed = NoAnswer(said) if OUT.search(said) else InputError(said)
        except NoAnswer as error:
            failed = error
        # It may have been taken all the same, without an id for us: then it must not run.
        (state / f"{token}.cancelled").touch()
        script.unlink()
        if not isinstance(failed, NoAnswer) or time.time() - began > site.patience:
            raise failed
        print(f"{failed}; trying again in {PAUSE:g} s", file=sys.stderr)
        time.sleep(PAUSE)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the scheduler.

    Raises
    ------
    NoAnswer
        When it does not end within the limit.
    InputError
        When there is no such command.
    """
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"{command[0]}: no answer within {LIMIT:g} s") from None
    except OSError as error:
        raise InputError(
            f"site.yaml: scheduler: found no command {command[0]} on PATH ({error.strerror}), "
            f"allowed: the scheduler of this machine, one of {', '.join(SCHEDULERS)}"
        ) from None


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr + "\n" + done.stdout).strip().splitlines() or ["nothing"]
    return f"{done.args[0]}: exit code {done.returncode}: {lines[0].strip()}"


# --- the status of a job ------------------------------------------------------------------------------


def ask(scheduler: str, ids: Sequence[str]) -> dict[str, bool | None]:
    """Whether the scheduler knows each job as queued or running; None where it did not answer."""
    speaker = SCHEDULERS[scheduler]
    try:
        return speaker.answer(ids, _run(speaker.question(ids))) if ids else {}
    except InputError:
        return dict.fromkeys(ids)


def judge(record: Record, known: bool | None, at: float) -> tuple[str, Record]:
    """The status of a job that left no exit code, and its record afterwards.

    Parameters
    ----------
    known
        The scheduler's answer, None if there was none.
    at
        When it was asked.

    Returns
    -------
    str
        ``running``, or ``failed`` when two answers in a row, at least a latency apart, did not know it, or when the
        patience is over.
    """
    if known is None:
        silent = record.silent_since if record.silent_since is not None else at
        after = replace(record, silent_since=silent)
        return ("failed" if at - silent > record.patience else "running"), after
    if known:
        return "running", replace(record, missing_since=None, silent_since=None)
    missing = record.missing_since if record.missing_since is not None else at
    after = replace(record, missing_since=missing, silent_since=None)
    return ("failed" if at - missing >= record.latency else "running"), after


def _asked(state: Path, record: Record) -> tuple[bool | None, float]:
    """The scheduler's answer on a job, and when it gave it: one question is for all open jobs, and serves them all."""
    file = state / "answer.json"
    try:
        known, at, scheduler = (json.loads(file.read_text())[name] for name in ("known", "at", "scheduler"))
        fresh = 0 <= time.time() - at < min(FRESH, record.latency / 2) and scheduler == record.scheduler
    except (FileNotFoundError, ValueError, KeyError):
        known, at, fresh = {}, 0.0, False
    if not fresh or record.id not in known:
        at = time.time()
        ids = [other.id for other in records(state) if other.scheduler == record.scheduler]
        known = ask(record.scheduler, list(dict.fromkeys([*ids, record.id])))
        with whole(file) as part:
            part.write_text(json.dumps({"scheduler": record.scheduler, "at": at, "known": known}))
    return known[record.id], at


def status(state: Path, job: str) -> tuple[str, Callable[[], None]]:
    """The status of a job: running, success or failed; and what is to be done once it has been told.

    Parameters
    ----------
    state
        The folder of the records.
    job
        The scheduler's id.
    """
    record = _recall(_file(state, job))
    if record is None:
        print(f"job {job}: no record of it below {FOLDER}: taken as failed", file=sys.stderr)
        return "failed", lambda: None
    code, told = exit_code(state, record.token), None
    if code is None:
        known, at = _asked(state, record)
        told, after = judge(record, known, at)
        if told == "running":
            if after != record:
                _keep(state, after)
            return told, lambda: None
        code = exit_code(state, record.token)  # once more: it may have come while the scheduler was asked
        if code is None:
            why = "the scheduler does not know it" if known is False else "the scheduler has not answered for too long"
            print(f"job {job}: it left no exit code and {why}: taken as failed", file=sys.stderr)
            _give_up(state, record)
    if code == 0:
        return "success", lambda: _forget(state, record, log=True)
    return "failed", lambda: _forget(state, record)


def _forget(state: Path, record: Record, log: bool = False) -> None:
    """Remove the files of a submission that has ended; the log of one that failed stays."""
    for suffix in (".sh", ".exit", *([".log"] if log else [])):
        (state / f"{record.token}{suffix}").unlink(missing_ok=True)
    _file(state, record.id).unlink(missing_ok=True)


# --- cancelling ---------------------------------------------------------------------------------------


def _cancelled(state: Path, found: Iterable[Record]) -> None:
    groups: dict[str, list[Record]] = {}
    for record in found:
        # First of all: a job that is still queued then does not run, whatever the scheduler answers.
        (state / f"{record.token}.cancelled").touch()
        groups.setdefault(record.scheduler, []).append(record)
    for scheduler, group in groups.items():
        done = _run([*SCHEDULERS[scheduler].cancellation, *(record.id for record in group)])
        if done.returncode != 0 and OUT.search(_said(done)):  # other errors: jobs that have ended already
            raise NoAnswer(_said(done))


def _give_up(state: Path, record: Record) -> None:
    """Cancel a job that will be tried again, if it can be."""
    try:
        _cancelled(state, [record])
    except InputError as error:
        print(f"job {record.id}: not cancelled: {error}", file=sys.stderr)


def queued(folder: Path, runs: Iterable[str] | None = None) -> list[str]:
    """The jobs submitted from a folder that the scheduler still knows as queued or running.

    Parameters
    ----------
    folder
        The folder that the workflow runs in.
    runs
        The names of the runs that are asked about; all of the folder when None.

    Returns
    -------
    list of str
        The scheduler's ids.

    Raises
    ------
    NoAnswer
        When the scheduler does not say it of every job.
    """
    state = folder.absolute() / FOLDER
    by_scheduler: dict[str, list[str]] = {}
    named = None if runs is None else set(runs)
    for record in records(state):
        if (named is None or record.run in named) and exit_code(state, record.token) is None:
            by_scheduler.setdefault(record.scheduler, []).append(record.id)
    found = []
    for scheduler, ids in by_scheduler.items():
        known = ask(scheduler, ids)
        if None in known.values():
            asked = SCHEDULERS[scheduler].question([])[0]
            raise NoAnswer(f"{asked}: no answer, so {len(ids)} jobs may be queued or running")
        found += [job for job in ids if known[job]]
    return found


def cancel(folder: Path, ids: Iterable[str]) -> None:
    """Cancel jobs that were submitted from a folder; what has ended already, or is not of it, is passed over.

    Parameters
    ----------
    folder
        The folder that the workflow runs in.
    ids
        The scheduler's.

    Raises
    ------
    NoAnswer
        When the scheduler does not answer. Jobs that have not begun will not run even so.
    """
    state, wanted = folder.absolute() / FOLDER, set(ids)
    _cancelled(state, [record for record in records(state) if record.id in wanted])


def attend(state: Path) -> None:
    """Stay beside snakemake until it ends, then cancel those of its jobs that it has left open.

    On an interrupt, snakemake cancels only jobs that it is not asking for just then: with a hundred jobs that may be
    none. It ends its companion with SIGTERM, and waits for it. Of a snakemake that crashed the jobs go on.
    """
    session, parent = os.urandom(16).hex(), os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(session, flush=True)  # the plugin hands it to each submission
    while os.getppid() == parent:
        if signal.sigtimedwait({signal.SIGTERM}, 1.0):
            mine = [record for record in records(state) if record.session == session]
            _cancelled(state, [record for record in mine if exit_code(state, record.token) is None])
            return


# --- what profiles/generic/{submit,status,cancel,attend} call -----------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Submit, ask or cancel, in the folder that the workflow runs in."""
    parser = argparse.ArgumentParser(prog="advdyn.cluster.generic", description=main.__doc__)
    does = parser.add_subparsers(dest="does", required=True)
    one = does.add_parser("submit", help="submit a jobscript, print the job's id")
    one.add_argument("--site", required=True)
    one.add_argument("jobscript", type=Path)
    does.add_parser("status", help="print running, success or failed").add_argument("id")
    does.add_parser("cancel", help="cancel jobs").add_argument("ids", nargs="*")
    does.add_parser("attend", help="cancel what snakemake leaves open when it ends")
    does.add_parser("queued", help="print the ids of jobs that are queued or running")
    given, folder = parser.parse_args(arguments), Path.cwd()
    try:
        if given.does == "submit":
            names = [os.environ.get(name, "") for name in ("ADVDYN_RUN", "SNAKEMAKE_CLUSTER_SIDECAR_VARS")]
            print(submit(folder / FOLDER, load(given.site), given.jobscript.absolute(), *names))
        elif given.does == "status":
            _tell(folder / FOLDER, given.id)
        elif given.does == "cancel":
            cancel(folder, given.ids)
        elif given.does == "attend":
            attend(folder / FOLDER)
        else:
            print(*queued(folder), sep="\n")
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _tell(state: Path, job: str) -> None:
    """Print a status whatever happens: anything else ends Snakemake's waiting, for all jobs."""
    try:
        told, tidy = status(state, job)
    except Exception as error:
        print(f"job {job}: its status could not be found ({error!r}): taken as running", file=sys.stderr)
        told, tidy = "running", lambda: None
    print(told, flush=True)
    with contextlib.suppress(OSError):
        tidy()


if __name__ == "__main__":
    sys.exit(main())
