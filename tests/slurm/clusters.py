"""Copies of the checkout whose runs go through sbatch, and what Slurm says of their jobs."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checkouts import Checkout

# A job's script tells when it begins and ends, and waits while a file `hold` is there.
WATCHED = """\
import os, time
from pathlib import Path as _Path

def _note(word):
    rule = os.environ.get("SLURM_JOB_ID", "here")
    memory = os.environ.get("SLURM_MEM_PER_NODE", "")
    with open("executions.txt", "a") as file:
        file.write(f"{word} {snakemake.rule} {snakemake.output[0]} {rule} {memory} {time.time():.2f}\\n")

def _runs(word):
    text = _Path("executions.txt").read_text()
    return text.count(f"{word} {snakemake.rule} {snakemake.output[0]} ")

if __name__ == "__main__":
    _note("begin")
    while _Path(f"hold.{snakemake.rule}").exists():
        time.sleep(0.1)
"""


class Cluster(Checkout):
    """A copy of the checkout whose runs go through sbatch."""

    def arguments(self, *more: str) -> list[str]:
        """Arguments of a run through the profile that looks at the queue often."""
        return ["--workflow-profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "2", *more]

    def submit(self, *more: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run through Slurm to the end."""
        return self.snakemake(*self.arguments(*more), timeout=timeout)

    @contextmanager
    def submitting(self, *more: str) -> Iterator[subprocess.Popen[str]]:
        """A run through Slurm in a process group of its own, ended with the block."""
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        with open(self.folder / "snakemake.out", "a") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *self.arguments(*more)],
                cwd=self.folder, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    @property
    def said(self) -> str:
        """What the runs of ``submitting`` printed."""
        return (self.folder / "snakemake.out").read_text()

    def watch(self, script: str, then: str = "") -> None:
        """Make a rule's script note its executions, wait while it is held, and then do something more."""
        file = self.folder / "scripts" / f"{script}.py"
        head, _, tail = file.read_text().partition('if __name__ == "__main__":\n')
        ending = '\n    _note("end")\n'
        doing = "".join(f"    {line}\n" for line in then.splitlines())
        docstring, body = re.match(r'("""(?:.|\n)*?"""\n)((?:.|\n)*)', head).groups()
        file.write_text(docstring + body + WATCHED + doing + tail.rstrip() + ending)

    def hold(self, *rules: str) -> None:
        """Let the jobs of these rules wait once they run."""
        for rule in rules:
            (self.folder / f"hold.{rule}").touch()

    def release(self) -> None:
        """Let all jobs go on."""
        for file in self.folder.glob("hold.*"):
            file.unlink()

    def executions(self, rule: str = "") -> list[dict[str, str]]:
        """What the watched scripts noted: word, rule, output, job, memory, time."""
        file = self.folder / "executions.txt"
        names = ("word", "rule", "output", "job", "memory", "time")
        rows = (
            [dict(zip(names, line.split(" "), strict=True)) for line in file.read_text().splitlines()]
            if file.exists()
            else []
        )
        return [row for row in rows if rule in ("", row["rule"])]

    def begun(self, rule: str) -> int:
        """How often the script of a rule began."""
        return sum(row["word"] == "begin" for row in self.executions(rule))


def until(true, seconds: float = 120, process: subprocess.Popen[str] | None = None) -> None:
    """Wait for something to become true, at most so long, and not beyond the end of a process."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not true after {seconds} s"
        assert process is None or process.poll() is None, "the run ended before"
        time.sleep(0.1)


def jobs(checkout: Checkout) -> list[dict[str, str]]:
    """What Slurm knows of the jobs submitted from a checkout."""
    shown = subprocess.run(["scontrol", "show", "job"], capture_output=True, text=True, timeout=20, check=False).stdout
    found = [dict(re.findall(r"(\w+)=(\S*)", block)) for block in shown.split("\n\n")]
    mine = [job for job in found if job.get("WorkDir") == str(Path(checkout.folder).resolve())]
    for job in mine:
        job["rule"] = re.sub(r"^rule_|_wildcards_.*", "", job.get("Comment", ""))
    return sorted(mine, key=lambda job: int(job["JobId"]))
