"""sacct, sacctmgr and sbatch as the executor plugin calls them, with patience. Standard library only: often started.

python -m advdyn.cluster.slurm sacct|sacctmgr|sbatch ...

profiles/slurm/bin is first on the path of a run, so the plugin meets these instead of Slurm's own commands, for what
it does not survive (snakemake-executor-plugin-slurm 2.8.0):

* Where accounting is off, sacct fails, and after five failures the plugin forgets its jobs and waits for ever. Here
  squeue is asked, too.
* The same happens when the controller is away for some seconds. Here what was last known stays true, for an hour.
* sacct says "CANCELLED by 0"; the plugin compares with "CANCELLED" and takes the job for running.
* sbatch fails at once while the controller is away, which uses up the retries of a job. Here it is tried again.
* So it does when a limit on the jobs of an account or a quality of service is reached. Here it waits until one ends.
* Before each submission sacctmgr is asked whether the account is the user's, which the profile has asked already.
* When a run is interrupted, what the plugin was about to submit is submitted all the same, and nobody cancels it.

The plugin keeps what they print to itself, so they leave it in a file, and the run prints it (``Notices``).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

ACCOUNT = "ADVDYN_ACCOUNT"  # what jobs are charged to, by the site file
OWN_JOB = "ADVDYN_OWN_JOB"  # the job that snakemake itself runs in, if it does
PATIENCE = "ADVDYN_SLURM_PATIENCE"  # seconds without an answer before a run gives up; an hour when it is not set
PAUSE = 5.0
# What is known of a run, by the name of its jobs: the run's own name, its jobs, and their states at the last answer.
MEMORY = Path(".snakemake/advdyn/slurm")
KEPT = 10 * 86400.0
BIN = Path(__file__).resolve().parents[2] / "profiles" / "slurm" / "bin"
FINAL = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"}
# The plugin waits for these to be started anew, which they are not (--no-requeue).
GONE = {"PREEMPTED": "CANCELLED", "REVOKED": "CANCELLED"}
# What sbatch says when nothing was submitted for a reason that passes, and when something may have been.
AWAY = re.compile(r"connect failure|connection refused", re.IGNORECASE)
UNCLEAR = re.compile(r"unable to contact slurm controller|socket timed out|zero bytes were transmitted", re.IGNORECASE)
# Only so many jobs may be in the queue, of a user, an account, or in all.
FULL = re.compile(r"\b(?:Assoc|QOS)\w*SubmitJob\w*|MaxSubmitJobsPerAccount|Resource temporarily unavailable")
NOTICES, SILENCE = "notices", "silence"


@dataclass
class Known:
    """What is known of the jobs of a run.

    Attributes
    ----------
    states
        Job id to state.
    absent
        Jobs that the last answer did not hold although they had not ended.
    silent
        When the first of the questions was asked that the controller did not answer (s since the epoch), or None.
    """

    states: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    silent: float | None = None


@dataclass(frozen=True)
class Answer:
    """States of the jobs of a run as Slurm words them, by job id; ``whole`` when the controller itself answered."""

    states: Mapping[str, str]
    whole: bool = True


def patience() -> float:
    """Seconds without an answer before a run gives up."""
    try:
        return float(os.environ.get(PATIENCE, 3600))
    except ValueError:
        return 3600.0


def updated(known: Known, answer: Answer | None, now: float) -> Known:
    """What is known after an answer.

    Parameters
    ----------
    answer
        None when nothing answered. After ``patience`` without the controller, jobs that had not ended count as lost
        (``ERROR``).
    now
        Seconds since the epoch.

    Returns
    -------
    Known
        A job that the controller does not know, twice in a row, has left its memory (MinJobAge), and is ``UNKNOWN``:
        Snakemake then looks whether its files are there.
    """
    words = {job: state.split()[0] for job, state in answer.states.items()} if answer else {}
    states = known.states | {job: GONE.get(word, word) for job, word in words.items()}
    if answer is None or not answer.whole:
        silent = known.silent or now
        if now - silent > patience():
            states |= {job: "ERROR" for job, state in states.items() if state not in FINAL}
        return Known(states, known.absent, silent)
    missing = [job for job, state in known.states.items() if job not in words and state not in FINAL | {"UNKNOWN"}]
    states |= {job: "UNKNOWN" for job in missing if job in known.absent}
    return Known(states, [job for job in missing if states[job] != "UNKNOWN"])


def real(command: str) -> str | None:
    """The cluster's own command, behind this one on the path."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return shutil.which(command, path=os.pathsep.join(f for f in folders if Path(f).resolve() != BIN))


def asked(command: str, *arguments: str, timeout: float = 20) -> str | None:
    """What a command printed, or None when it failed, hung or is not there."""
    program = real(command)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def states(name: str, arguments: Sequence[str]) -> Answer | None:
    """States of the jobs of a run, from the accounting as far as it goes and the controller, which knows best."""
    accounting = asked("sacct", *arguments)
    controller = asked("squeue", "--format=%i|%T", "--states=all", "--noheader", "--name", name)
    if controller is None and not (accounting or "").strip():
        return None
    lines = f"{accounting or ''}\n{controller or ''}".splitlines()
    found = {job: state for job, state in (line.split("|", 1) for line in lines if "|" in line) if state.strip()}
    return Answer(found, controller is not None)


def status(name: str, arguments: Sequence[str]) -> str:
    """The plugin's question after the jobs of a run, answered in sacct's words, whatever happens."""
    file = MEMORY / name / "known.json"
    try:
        known = Known(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        known = Known()
    for job in (MEMORY / name).glob("*.job"):  # those that no answer has named yet, too
        known.states.setdefault(job.stem, "PENDING")
    now = time.time()
    was_silent = known.silent
    known = updated(known, states(name, arguments), now)
    if known.silent:
        silence_began(name, known.silent)
    else:
        silence_ended(name)
    if known.silent and now - known.silent > patience():
        give_up(name, os.environ.get("ADVDYN_RUN", ""))
    elif known.silent and not was_silent:
        tell(name, f"Slurm does not answer; waiting, {patience():.0f} s at most, before running jobs count as failed")
    elif was_silent and not known.silent:
        tell(name, f"Slurm answers again, after {now - was_silent:.0f} s")
    with contextlib.suppress(OSError):  # a full disk is no reason to forget the jobs
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.{os.getpid()}")
        part.write_text(json.dumps(asdict(known)))
        part.replace(file)
        for old in MEMORY.iterdir():
            if now - old.stat().st_mtime > KEPT:
                shutil.rmtree(old, ignore_errors=True)
    return "".join(f"{job}|{state}\n" for job, state in known.states.items())


def silence_began(name: str, at: float) -> float:
    """When Slurm fell silent for a run, by the name of its jobs: at this time (s since the epoch), if not before."""
    file = MEMORY / name / SILENCE
    with contextlib.suppress(OSError, ValueError):
        return float(file.read_text())
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(at))
    return at


def silence_ended(name: str) -> None:
    """Note that Slurm answered a run."""
    with contextlib.suppress(OSError):
        (MEMORY / name / SILENCE).unlink()


def stopping(run: str) -> Path:
    """What is there once a run was interrupted or terminated: nothing more of it is to be submitted."""
    return MEMORY / f"stop-{run}"


def tell(name: str, text: str) -> None:
    """Leave a line for the user of a run, by the name of its jobs; the same one not twice in a row."""
    print(text, file=sys.stderr)
    if not name:
        return
    with contextlib.suppress(OSError):
        file = MEMORY / name / NOTICES
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text().splitlines()[-1:] != [text]:
            with open(file, "a") as end:
                end.write(text + "\n")


class Notices:
    """What the commands below leave for the user of a run, each line once."""

    def __init__(self, run: str) -> None:
        """Of the run of this name."""
        self.run = run
        self.shown: dict[str, int] = {}

    def new(self) -> list[str]:
        """The lines left since this was last asked."""
        lines = []
        for name in names_of(self.run):
            try:
                left = (MEMORY / name / NOTICES).read_text().splitlines()
            except OSError:
                continue
            lines += left[self.shown.get(name, 0) :]
            self.shown[name] = len(left)
        return lines


def names_of(run: str) -> list[str]:
    """The names that the jobs of a run have in the queue, as its submissions noted them."""
    found = []
    for file in MEMORY.glob("*/run"):
        with contextlib.suppress(OSError):  # swept meanwhile, or storage that lags
            if file.read_text() == run:
                found.append(file.parent.name)
    return found


def reason(job: str) -> str:
    """Why a job failed, from the accounting or else from the controller's memory."""
    number, _, step = job.partition(".")
    found = (asked("sacct", "-j", job, "--format=Reason", "--noheader") or "").strip()
    if found or step != "0":
        return found
    shown = asked("scontrol", "show", "job", number) or ""
    said = dict(re.findall(r"\b(JobState|Reason|ExitCode)=(\S+)", shown))
    return ", ".join(f"{name} {value}" for name, value in said.items() if value != "None")


def sacct(arguments: Sequence[str]) -> int:
    """Answer the plugin's questions after states and reasons; hand anything else to the cluster's sacct."""
    if "--format=JobIdRaw,State" in arguments and "--name" in arguments:
        sys.stdout.write(status(arguments[arguments.index("--name") + 1], arguments))
        return 0
    if "--format=Reason" in arguments and "-j" in arguments:
        print(reason(arguments[arguments.index("-j") + 1]))
        return 0
    return handed("sacct", arguments)


def sacctmgr(arguments: Sequence[str]) -> int:
    """Answer the plugin's question after the accounts of the user, also while nothing else does.

    The account of the site file was compared with the user's when the run began.
    """
    known = os.environ.get(ACCOUNT)
    if not known or "user" not in arguments or not any(word.startswith("format=account") for word in arguments):
        return handed("sacctmgr", arguments)
    print((asked("sacctmgr", *arguments) or "").strip() or known)
    return 0


def sbatch(arguments: Sequence[str]) -> int:
    """Submit, and try again while nothing was submitted for a reason that passes.

    That is a controller that does not answer, until patience with it ends; and a limit on the jobs in the queue, as
    long as the user has some there. The name of the jobs is noted before, and the job after it: what a crash leaves is
    found by them.
    """
    program = real("sbatch")
    if program is None:
        return handed("sbatch", arguments)
    name, run = value(arguments, "--job-name"), os.environ.get("ADVDYN_RUN", "")
    if name:
        (MEMORY / name).mkdir(parents=True, exist_ok=True)
        (MEMORY / name / "run").write_text(run)
    script = None if sys.stdin.isatty() else sys.stdin.buffer.read()
    began, unclear, said = time.time(), False, ""
    while True:
        moves = False
        refusal = not_wanted(run)
        if refusal:
            print(f"sbatch: {refusal}", file=sys.stderr)
            return 1
        there = accepted(name, value(arguments, "--comment")) if unclear else ""
        if there:
            return submitted(name, there, there + "\n")
        if there is None:
            reason = "Slurm does not answer"
        else:
            done = subprocess.run([program, *arguments], input=script, capture_output=True, check=False)
            said = done.stderr.decode(errors="replace")
            if done.returncode == 0:
                sys.stderr.write(said)
                return submitted(name, "", done.stdout.decode())
            full = FULL.search(said)
            away, lost = AWAY.search(said), UNCLEAR.search(said)
            unclear = unclear or (lost is not None and away is None)  # and stays so: it may come to be late
            if not (full or lost or away):
                sys.stderr.write(said)
                silence_ended(name)
                return done.returncode
            reason = f"no more jobs may be in the queue ({full[0]})" if full else "Slurm does not answer"
            moves = full is not None and room_will_be_made()
        now = time.time()
        if moves:
            began = now
            silence_ended(name)
        elif now - silence_began(name, now) > patience() or now - began > 2 * patience():  # the latter on a full disk
            give_up(name, run)
            sys.stderr.write(said)
            return 1
        tell(name, f"a job is not submitted yet: {reason}; trying again")
        time.sleep(PAUSE)


def room_will_be_made() -> bool:
    """Whether the user has jobs in the queue, whose ends make room; other than the one this run may be a part of."""
    found = asked("squeue", "--noheader", "--format=%A", "--user", str(os.getuid())) or ""
    return bool(set(found.split()) - {os.environ.get(OWN_JOB, "")})


def give_up(name: str, run: str) -> None:
    """Patience has ended: the run submits nothing more. What lives on would otherwise meet a second copy of itself."""
    if run:
        with contextlib.suppress(OSError):
            stopping(run).mkdir(parents=True, exist_ok=True)
    after = f"patience with Slurm has ended after {patience():.0f} s"
    tell(name, f"{after}: the run submits nothing more; make resume goes on")


def not_wanted(run: str) -> str:
    """Why nothing is to be submitted for a run any more, or nothing."""
    if run and stopping(run).exists():
        return "nothing more is submitted for this run: it was interrupted, or patience with Slurm has ended"
    if run and not Path("/proc", run.rpartition("-")[2]).exists():
        return "the snakemake that submits is gone"
    return ""


def value(arguments: Sequence[str], option: str) -> str:
    """The value of an option of a submission, or nothing."""
    words = [word.removeprefix(f"{option}=") for word in arguments if word.startswith(f"{option}=")]
    words += [after for word, after in itertools.pairwise(arguments) if word == option]
    return words[0] if words else ""


def accepted(name: str, text: str) -> str | None:
    """The job that Slurm made of a submission whose answer got lost; "" when it made none, None without an answer.

    It is known by its comment: the plugin names rule and wildcards in it.
    """
    shown = asked("squeue", "--noheader", "--states=all", "--format=%i|%k", "--name", name)
    if shown is None:
        return None
    jobs = [line.split("|", 1) for line in shown.splitlines() if "|" in line]
    new = [job for job, said in jobs if said.strip() == text and not (MEMORY / name / f"{job}.job").exists()]
    return new[-1] if new else ""


def submitted(name: str, job: str, said: str) -> int:
    """Note a job that was submitted, and tell the plugin."""
    number = job or "".join(re.findall(r"^\d+", said))
    if name:
        silence_ended(name)
    if name and number:
        with contextlib.suppress(OSError):  # the job is there: that is what the plugin must hear
            (MEMORY / name / f"{number}.job").touch()
    sys.stdout.write(said)
    return 0


def handed(command: str, arguments: Sequence[str]) -> int:
    """Run the cluster's own command."""
    program = real(command)
    if program is None:
        print(f"{command}: not found on this machine", file=sys.stderr)
        return 127
    return subprocess.run([program, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit({"sacct": sacct, "sacctmgr": sacctmgr, "sbatch": sbatch}[sys.argv[1]](sys.argv[2:]))
