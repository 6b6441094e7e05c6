"""profiles/generic, with a stand-in scheduler of two slots that really runs the jobs."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkouts import ROOT, tiny_checkout

from advdyn.cluster import generic

pytestmark = pytest.mark.workflow

LIMIT = 120.0  # seconds for anything that hangs; nothing here takes a quarter of it
COMMANDS = ("qsub", "qstat", "qdel", "bsub", "bjobs", "bkill")

STAND_IN = r'''#!{python}
"""One program under six names; its queue is a folder, and each job a folder in it."""
import fcntl, json, os, re, shlex, signal, subprocess, sys, time
from pathlib import Path

QUEUE = Path({queue!r})
does, given = Path(sys.argv[0]).name, sys.argv[1:]


def known(job):  # 123 or 123.server; the server is not part of the folder
    file = QUEUE / job.split(".")[0] / "state"
    return file.read_text() if file.exists() else None


def run(job):
    folder = QUEUE / job
    while True:
        for slot in "01":
            lock = open(QUEUE / f"slot{{slot}}", "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            (folder / "state").write_text("R")
            told = json.loads((folder / "told.json").read_text())
            with open(told[told.index("-o") + 1], "w") as log:
                # As on a node: a fresh login, with nothing of the environment that submitted (LSF hands it on).
                env = None if (folder / "inherits").exists() else {{"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"]}}
                subprocess.run(["/bin/sh", folder / "script"], stdout=log, stderr=log, env=env, cwd="/")
            (folder / "state").unlink()
            return
        time.sleep(0.05)


if (QUEUE / f"refuses.{{does}}").exists():
    sys.exit("error: commlib error: cannot connect to server: Connection refused")
if given[:1] == ["--run"]:
    run(given[1])
elif does in ("qsub", "bsub"):
    with open(QUEUE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        job = str(101 + sum(p.is_dir() for p in QUEUE.iterdir()))
        folder = QUEUE / job
        folder.mkdir()
    script = Path(shlex.split(given[-1])[0] if does == "bsub" else given[-1])
    (folder / "script").write_text(script.read_text())
    (folder / "told.json").write_text(json.dumps([does, *given]))
    if does == "bsub":
        (folder / "inherits").touch()
    (folder / "state").write_text("Q")
    null = subprocess.DEVNULL
    runner = subprocess.Popen([sys.argv[0], "--run", job], stdin=null, stdout=null, stderr=null, start_new_session=True)
    (folder / "group").write_text(str(runner.pid))
    print(job if "-terse" in given else f"Job <{{job}}> is submitted to default queue <normal>." if does == "bsub" else f"{{job}}.server")
elif does in ("qdel", "bkill"):
    for job in given:
        if known(job):
            (QUEUE / job.split(".")[0] / "state").unlink()
            os.killpg(int((QUEUE / job.split(".")[0] / "group").read_text()), signal.SIGKILL)
elif given[0] == "-f":  # PBS
    for job in given[1:]:
        if known(job):
            print(f"Job Id: {{job}}\n    Job_Name = x\n    job_state = {{known(job)}}\n")
        else:
            print(f"qstat: Unknown Job Id {{job}}", file=sys.stderr)
    sys.exit(0 if all(map(known, given[1:])) else 153)
elif given[0] == "-u":  # SGE
    print("job-ID  prior   name  user  state submit/start at  queue  slots\n" + "-" * 60)
    for folder in QUEUE.iterdir():
        if folder.is_dir() and known(folder.name):
            print(f"{{folder.name}} 0.555 job root {{'r' if known(folder.name) == 'R' else 'qw'}} 11/22/2026 02:00:00 1")
elif given[0] == "-w":  # LSF
    print("JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME")
    for job in given[1:]:
        if known(job):
            print(f"{{job}}     root    {{'RUN' if known(job) == 'R' else 'PEND'}}   normal  login  -  job  Nov 22 02:00")
        else:
            print(f"Job <{{job}}> is not found", file=sys.stderr)
'''


class Cluster:
    """The stand-in scheduler, and runs of snakemake that use it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queue, self.runs = folder / "queue", []
        self.queue.mkdir(parents=True)
        bin_ = folder / "bin"
        bin_.mkdir()
        for name in COMMANDS:
            (bin_ / name).write_text(STAND_IN.format(python=sys.executable, queue=str(self.queue)))
            (bin_ / name).chmod(0o755)
        monkeypatch.setenv("PATH", os.pathsep.join([str(bin_), str(Path(sys.executable).parent), os.environ["PATH"]]))
        monkeypatch.delenv("PYTHONPATH", raising=False)

    def start(self, folder: Path, *arguments: str) -> subprocess.Popen[str]:
        """Start snakemake with the profile, asking often."""
        often = (
            "--workflow-profile",
            "profiles/generic",
            "--seconds-between-status-checks",
            "1",
            "--latency-wait",
            "20",
        )
        with (folder / "log").open("w") as log:
            run = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *often, *arguments],
                cwd=folder, stdout=log, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        self.runs.append(run)
        return run

    def jobs(self, name: str) -> list[list[str]]:
        """How the jobs of a rule were submitted, in order."""
        folders = sorted((p for p in self.queue.iterdir() if p.is_dir()), key=lambda p: int(p.name))
        told = [json.loads((p / "told.json").read_text()) for p in folders]
        return [words for words in told if name in words]

    def id_of(self, name: str) -> str:
        """The id of the latest job of a rule."""
        return max(
            (p.name for p in self.queue.iterdir() if p.is_dir() and name in json.loads((p / "told.json").read_text())),
            key=int,
        )

    def end(self) -> None:
        """End whatever is still there."""
        groups = [run.pid for run in self.runs] + [int(file.read_text()) for file in self.queue.glob("*/group")]
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for run in self.runs:
            run.wait()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    found = Cluster(tmp_path / "cluster", monkeypatch)
    yield found
    found.end()


def until(condition: Callable[[], object], run: subprocess.Popen[str] | None = None) -> None:
    """Wait for something to be so."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < LIMIT, "never came to be"
        assert run is None or run.poll() is None, "the run ended before"
        time.sleep(0.05)


def site(folder: Path, scheduler: str) -> None:
    """State the scheduler, and short times, in the one file that users edit."""
    file = folder / "profiles" / "generic" / "site.yaml"
    text = file.read_text()
    for key, value in (("scheduler", scheduler), ("latency_seconds", "2"), ("patience_minutes", "1")):
        text, n = re.subn(rf"^{key}: .*$", f"{key}: {value}", text, flags=re.M)
        assert n == 1
    file.write_text(text)


def small_workflow(folder: Path, scheduler: str, rules: str) -> Path:
    """A folder with the profile and a few rules of a second each."""
    folder.mkdir()
    for part in ("advdyn", "profiles"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "Snakefile").write_text(rules)
    site(folder, scheduler)
    return folder


def files_kept(folder: Path) -> list[str]:
    """What is left of submissions that have ended, besides logs and the marks of those given up."""
    files = (folder / generic.FOLDER).iterdir()
    return sorted(p.name for p in files if p.suffix not in (".log", ".cancelled") and p.name != "answer.json")


def test_the_study_runs_on_a_cluster_and_gives_the_bytes_of_one_machine(cluster, tmp_path):
    here, there = (tiny_checkout(tmp_path / name) for name in ("here", "there"))
    targets = ["results/data/mixture.nc", "results/mixture/simulation/dimension~20/simulator~lumped/seeds~0-1.nc"]
    site(there.folder, "pbs")
    run = cluster.start(there.folder, *targets)
    here.make(*targets)
    assert run.wait(LIMIT) == 0, (there.folder / "log").read_text()[-3000:]
    made = there.digests()
    assert {target: made[target] for target in targets} == {target: here.digests()[target] for target in targets}
    assert len(cluster.jobs("sample_mixture")) == len(cluster.jobs("simulate_mixtur")) == 1
    assert files_kept(there.folder) == []


TROUBLE = """
rule all:
    input: "fails.txt", "killed.txt"
rule fails:
    output: "fails.txt"
    resources: mem_mb=lambda wildcards, attempt: 300 * attempt, runtime=lambda wildcards, attempt: 90 * attempt
    shell: "echo {resources.mem_mb} > {output}; test {resources.mem_mb} -gt 300"
rule killed:
    output: "killed.txt"
    shell: "if [ -e was_killed ]; then echo done > {output}; else touch begun; sleep 300; fi"
"""


def test_a_failing_and_a_killed_job_are_seen_and_tried_again_with_more_and_a_silent_scheduler_ends_nothing(
    cluster, tmp_path
):
    folder = small_workflow(tmp_path / "run", "sge", TROUBLE)
    run = cluster.start(folder)
    until((folder / "begun").exists, run)
    refuses = cluster.queue / "refuses.qstat"
    refuses.touch()
    record = folder / generic.FOLDER / f"{cluster.id_of('killed')}.json"
    until(lambda: json.loads(record.read_text())["silent_since"], run)  # it was asked, and did not answer
    (folder / "was_killed").touch()
    subprocess.run(["qdel", cluster.id_of("killed")], check=True, timeout=LIMIT)
    time.sleep(3)  # more than the latency: silence is no answer
    assert run.poll() is None
    assert record.exists()
    refuses.unlink()
    assert run.wait(LIMIT) == 0, (folder / "log").read_text()[-3000:]
    assert (folder / "fails.txt").read_text() == "600\n"
    asked = [next(word for word in told if "h_rt" in word) for told in cluster.jobs("fails")]
    assert asked == ["h_rt=01:30:00,h_vmem=2300M", "h_rt=03:00:00,h_vmem=2600M"]
    assert len(cluster.jobs("killed")) == 2
    assert files_kept(folder) == []


CRASH = """
rule all:
    input: "one.txt", "two.txt"
rule slow:
    output: "{name}.txt"
    shell: "echo begun >> {wildcards.name}.runs; sleep 300; echo done > {output}"
"""


def test_what_a_crashed_run_left_is_cancelled_before_it_is_repeated_and_an_interrupted_run_leaves_nothing(
    cluster, tmp_path, monkeypatch
):
    monkeypatch.setenv("ADVDYN_RUN", 'my "run"')
    folder = small_workflow(tmp_path / "run", "lsf", CRASH)
    crashed = cluster.start(folder)
    until(lambda: (folder / "one.runs").exists() and (folder / "two.runs").exists(), crashed)
    crashed.kill()
    crashed.wait(LIMIT)
    assert sorted(generic.queued(folder)) == ["101", "102"]
    assert {record.run for record in generic.records(folder / generic.FOLDER)} == {'my "run"'}
    generic.cancel(folder, ["101"])
    assert generic.queued(folder) == ["102"]
    again = cluster.start(folder, "--nolock")
    until(lambda: "104" in generic.queued(folder), again)
    # Snakemake re-attaches to nothing with rerun-incomplete; the submission has ended the job it repeats.
    assert sorted(generic.queued(folder)) == ["103", "104"]
    assert not (cluster.queue / "102" / "state").exists()
    until(lambda: (folder / "one.runs").read_text() + (folder / "two.runs").read_text() == "begun\n" * 4, again)
    again.send_signal(signal.SIGINT)
    again.wait(LIMIT)
    assert "Resuming incomplete job" not in (folder / "log").read_text()
    assert not any((cluster.queue / job / "state").exists() for job in ("103", "104"))
    assert generic.queued(folder) == []
