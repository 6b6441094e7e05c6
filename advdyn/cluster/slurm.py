"""sacct and sbatch as the executor plugin calls them, with patience. Standard library only: started at every poll.

python -m advdyn.cluster.slurm sacct|sbatch ...

profiles/slurm/bin is first on the path of a run, so the plugin meets these instead of Slurm's own commands, for four
things it does not survive (snakemake-executor-plugin-slurm 2.8.0):

* Where accounting is off, sacct fails, and after five failures the plugin forgets its jobs and waits for ever. Here
  squeue is asked, too.
* The same happens when the controller is away for some seconds. Here what was last known stays true, for an hour.
* sacct says "CANCELLED by 0"; the plugin compares with "CANCELLED" and takes the job for running.
* sbatch fails at once while the controller is away, which uses up the retries of a job. Here it is tried again.
"""

from __future__ import annotations

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

PATIENCE = float(os.environ.get("ADVDYN_SLURM_PATIENCE", 3600))  # seconds without an answer before a run gives up
PAUSE = 5.0
MEMORY = Path(".snakemake/advdyn/slurm")  # what was last known of the jobs of a run, by its name
KEPT = 10 * 86400.0
BIN = Path(__file__).resolve().parents[2] / "profiles" / "slurm" / "bin"
FINAL = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"}
AWAY = re.compile(r"unable to contact slurm controller|connect failure|connection refused", re.IGNORECASE)


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
        When the first of the unanswered questions was asked (s since the epoch), or None.
    """

    states: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    silent: float | None = None


def updated(known: Known, answer: Mapping[str, str] | None, now: float, patience: float = PATIENCE) -> Known:
    """What is known after an answer.

    Parameters
    ----------
    answer
        Job id to state as Slurm words it; None when it did not answer.
    now
        Seconds since the epoch.
    patience
        Seconds without an answer after which jobs that had not ended count as lost (``ERROR``).

    Returns
    -------
    Known
        A job that is missing in two answers in a row has left Slurm's memory (MinJobAge), and is ``UNKNOWN``:
        Snakemake then looks whether its files are there.
    """
    if answer is None:
        silent = known.silent or now
        states = dict(known.states)
        if now - silent > patience:
            states |= {job: "ERROR" for job, state in states.items() if state not in FINAL}
        return Known(states, known.absent, silent)
    states = known.states | {job: state.split()[0] for job, state in answer.items()}
    missing = [job for job, state in known.states.items() if job not in answer and state not in FINAL | {"UNKNOWN"}]
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


def states(run: str, arguments: Sequence[str]) -> dict[str, str] | None:
    """States of the jobs of a run, from the accounting as far as it goes and the controller, which knows best."""
    accounting = asked("sacct", *arguments)
    controller = asked("squeue", "--format=%i|%T", "--states=all", "--noheader", "--name", run)
    if controller is None and not (accounting or "").strip():
        return None
    lines = f"{accounting or ''}\n{controller or ''}".splitlines()
    return {job: state for job, state in (line.split("|", 1) for line in lines if "|" in line) if state.strip()}


def status(run: str, arguments: Sequence[str]) -> str:
    """The plugin's question after the jobs of a run, answered in sacct's words."""
    file = MEMORY / f"{run}.json"
    known = Known(**json.loads(file.read_text())) if file.exists() else Known()
    now = time.time()
    known = updated(known, states(run, arguments), now)
    if known.silent == now:
        print(f"{run}: Slurm does not answer; waiting up to {PATIENCE:.0f} s", file=sys.stderr)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.write_text(json.dumps(asdict(known)))
    part.replace(file)
    for old in MEMORY.glob("*.json"):
        if now - old.stat().st_mtime > KEPT:
            old.unlink(missing_ok=True)
    return "".join(f"{job}|{state}\n" for job, state in known.states.items())


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


def sbatch(arguments: Sequence[str]) -> int:
    """Submit, and try again while the controller cannot be reached: then, and only then, nothing was submitted."""
    program = real("sbatch")
    if program is None:
        return handed("sbatch", arguments)
    given = None if sys.stdin.isatty() else sys.stdin.buffer.read()
    until = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run([program, *arguments], input=given, capture_output=True, check=False)
        if done.returncode == 0 or not AWAY.search(done.stderr.decode()) or time.monotonic() > until:
            sys.stdout.buffer.write(done.stdout)
            sys.stderr.buffer.write(done.stderr)
            return done.returncode
        time.sleep(PAUSE)


def handed(command: str, arguments: Sequence[str]) -> int:
    """Run the cluster's own command."""
    program = real(command)
    if program is None:
        print(f"{command}: not found on this machine", file=sys.stderr)
        return 127
    return subprocess.run([program, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit({"sacct": sacct, "sbatch": sbatch}[sys.argv[1]](sys.argv[2:]))
