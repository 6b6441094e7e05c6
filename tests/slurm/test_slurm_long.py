"""What a run through Slurm promises, on a real one; the whole list, by `make test-slurm`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import lab as slurm
import pytest
from checkouts import ROOT, copy_checkout, tiny_checkout
from clusters import Cluster, jobs, until

pytestmark = [pytest.mark.slurm, pytest.mark.slurm_long]

SAMPLE = "results/data/mixture.nc"
SCALE = "results/mixture/scaling/whole.nc"
THEORY = "results/mixture/theory/whole.nc"
RULES = {"sample_mixture": SAMPLE, "scale_mixture": SCALE}
SMOKE = ("--configfile", "config/smoke.yaml")
LIMIT = 600  # seconds for a run that hangs
SILENT = "Slurm does not answer; waiting, 3600 s at most"


def test_all_studies_give_the_bytes_of_a_run_on_one_machine(tmp_path):
    cluster = Cluster(copy_checkout(tmp_path / "through").folder)
    local = Cluster(copy_checkout(tmp_path / "local").folder)
    local.make(*SMOKE)
    # bytes of the operating system are drawn once, and are an input like any other
    shutil.copytree(local.folder / "resources", cluster.folder / "resources")
    done = cluster.submit(*SMOKE, timeout=2400)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {job["JobState"] for job in jobs(cluster)} == {"COMPLETED"}
    one, two = local.digests("results-smoke"), cluster.digests("results-smoke")
    assert set(one) == set(two)
    sandbox = "results-smoke/degeneration/sandbox/"  # its token is random
    assert [name for name in one if one[name] != two[name] and not name.startswith(sandbox)] == []


def test_a_job_over_its_time_is_ended_and_submitted_with_more(tiny: Cluster):
    tiny.watch("sample_mixture", 'if _runs("begin") < 2:\n    time.sleep(600)')
    done = tiny.submit("--set-resources", "sample_mixture:runtime=attempt", "--", SAMPLE, timeout=LIMIT)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = jobs(tiny)
    assert (first["JobState"], second["JobState"]) == ("TIMEOUT", "COMPLETED")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:01:00", "00:02:00")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The bytes that two watched jobs leave on one machine."""
    local = Cluster(tiny_checkout(tmp_path_factory.mktemp("expected") / "checkout").folder)
    for rule in RULES:
        local.watch(rule)
    local.make("--", SAMPLE, SCALE)
    return {name: digest for name, digest in local.digests().items() if name in RULES.values()}


def held(tiny: Cluster):
    """Two jobs are watched, and wait once they run."""
    for rule in RULES:
        tiny.watch(rule)
    tiny.hold(*RULES)


def running(tiny: Cluster):
    """Whether both jobs run."""
    return all(tiny.begun(rule) == 1 for rule in RULES)


def at_once(tiny: Cluster, output: str) -> int:
    """The most executions that worked on an output at the same time; one that was killed ends with its job."""
    rows = [row for row in tiny.executions() if row["output"] == output]
    ends = {row["job"]: float(row["time"]) for row in rows if row["word"] == "end"}
    for job in jobs(tiny):
        if job["JobId"] not in ends:
            ends[job["JobId"]] = time.mktime(time.strptime(job["EndTime"], "%Y-%m-%dT%H:%M:%S"))
    spans = [(float(row["time"]), ends[row["job"]]) for row in rows if row["word"] == "begin"]
    return max(sum(a <= begin < b for a, b in spans) for begin, _ in spans)


def left(tiny: Cluster):
    return {name: digest for name, digest in tiny.digests().items() if name in RULES.values()}


def rerun(tiny: Cluster):
    done = tiny.submit("--", SAMPLE, SCALE, timeout=LIMIT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


def test_an_interrupted_run_cancels_its_jobs_and_is_completed_by_the_next(tiny: Cluster, expected):
    held(tiny)
    with tiny.submitting("--", SAMPLE, SCALE) as process:
        until(lambda: running(tiny), process=process)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 1
    until(lambda: slurm.queue() == [], 30)
    assert {job["JobState"] for job in jobs(tiny)} == {"CANCELLED"}
    assert left(tiny) == {}
    tiny.release()
    rerun(tiny)
    assert left(tiny) == expected
    assert {at_once(tiny, output) for output in RULES.values()} == {1}


def test_a_terminated_run_waits_for_its_jobs_and_keeps_what_they_made(tiny: Cluster, expected):
    held(tiny)
    with tiny.submitting("--", SAMPLE, SCALE) as process:
        until(lambda: running(tiny), process=process)
        process.send_signal(signal.SIGTERM)
        time.sleep(3)
        assert process.poll() is None
        tiny.release()
        assert process.wait(LIMIT) == 1
    assert left(tiny) == expected
    rerun(tiny)
    assert left(tiny) == expected
    assert len(jobs(tiny)) == 2


def make_resume(tiny: Cluster):
    """What `make resume` does before it goes on."""
    return subprocess.run(
        [sys.executable, "-m", "advdyn.cluster.resume"],
        cwd=tiny.folder, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip


def test_after_a_killed_run_resuming_cancels_what_still_runs_and_completes(tiny: Cluster, expected):
    held(tiny)
    with tiny.submitting("--", SAMPLE, SCALE) as process:
        until(lambda: running(tiny), process=process)
        refused = make_resume(tiny)
        assert refused.returncode == 1
        assert f"goes on (process {process.pid} " in refused.stderr
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT)
    assert len(slurm.queue()) == 2
    done = make_resume(tiny)
    assert done.returncode == 0, done.stderr
    assert "cancelled 2 jobs" in done.stdout
    assert slurm.queue() == []
    tiny.release()
    tiny.snakemake("--unlock")
    rerun(tiny)
    assert left(tiny) == expected
    assert {at_once(tiny, output) for output in RULES.values()} == {1}


def test_two_copies_of_a_job_at_once_leave_one_whole_file(tiny: Cluster, expected):
    held(tiny)
    with tiny.submitting("--", SAMPLE, SCALE) as process:
        until(lambda: running(tiny), process=process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT)
    tiny.snakemake("--unlock")
    # not resumed but begun again: the jobs of the killed run live on beside the new ones
    with tiny.submitting("--", SAMPLE, SCALE) as process:
        until(lambda: all(tiny.begun(rule) == 2 for rule in RULES), process=process)
        tiny.release()
        assert process.wait(LIMIT) == 0, tiny.said[-3000:]
    until(lambda: slurm.queue() == [], 60)
    assert max(at_once(tiny, output) for output in RULES.values()) == 2
    assert left(tiny) == expected
    assert not list((tiny.folder / "results").rglob("*.part*"))


def test_a_run_survives_a_controller_that_is_away(tiny: Cluster, expected):
    held(tiny)
    with tiny.submitting("--", SAMPLE, SCALE) as process:
        until(lambda: running(tiny), process=process)
        slurm.stop_controller()
        try:
            time.sleep(25)
            until(lambda: SILENT in tiny.said, process=process)  # the queue may be looked at only half a minute later
            tiny.release()  # one job may end while the controller is away
        finally:
            slurm.start_controller()
        assert process.wait(LIMIT) == 0, tiny.said[-3000:]
    assert left(tiny) == expected
    assert [job["JobState"] for job in jobs(tiny)] == ["COMPLETED", "COMPLETED"]
    assert tiny.said.index(SILENT) < tiny.said.index("Slurm answers again")


def test_a_controller_that_stays_away_ends_the_run_with_an_error(tiny: Cluster, monkeypatch):
    held(tiny)
    monkeypatch.setenv("ADVDYN_SLURM_PATIENCE", "10")
    with tiny.submitting("--", SAMPLE, SCALE) as process:
        until(lambda: running(tiny), process=process)
        slurm.stop_controller()
        try:
            assert process.wait(LIMIT) == 1
        finally:
            slurm.start_controller()
    assert "status is: 'ERROR'" in tiny.said
    assert "patience with Slurm has ended after 10 s: the run submits nothing more" in tiny.said


def test_without_the_patient_commands_a_run_without_accounting_hangs(tiny: Cluster):
    # the control: the plugin meets Slurm's own sacct
    tiny.edit("advdyn/cluster/launch.py", "path = [str(slurm.BIN), *", "path = [*")
    with tiny.submitting("--", SAMPLE) as process:
        until(lambda: any(job["JobState"] == "COMPLETED" for job in jobs(tiny)), process=process)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(60)


def test_make_resume_goes_on_with_the_run(tiny: Cluster):
    shutil.copy2(ROOT / "Makefile", tiny.folder)
    tiny.edit("config/studies/mixture.yaml", "simulator: [lumped, full]", "simulator: [lumped]")
    tiny.watch("sample_mixture")
    tiny.hold("sample_mixture")
    with tiny.submitting() as process:
        until(lambda: tiny.begun("sample_mixture") == 1, process=process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT)
    tiny.release()
    # the environment is this one: nothing is to be installed
    command = ["make", "-o", "env", "resume", f"BIN={Path(sys.executable).parent}"]
    done = subprocess.run(command, cwd=tiny.folder, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "results: cancelled " in done.stdout
    assert (tiny.folder / "results" / "claims.csv").exists()
