"""Runs on a Slurm that keeps accounts in a database, as most clusters do, and forgets a job soon after it ended."""

import signal
import subprocess
import time

import lab as slurm
import pytest
from clusters import Cluster, until
from test_slurm import ON_GPU, SAMPLE, SCALE, check
from test_slurm_long import SILENT

pytestmark = [pytest.mark.slurm, pytest.mark.slurm_long]

LIMIT = 600  # seconds for a run that hangs


@pytest.fixture(scope="module", autouse=True)
def accounts(lab):
    """The cluster with a database, in place of the one without."""
    if slurm.without_database():
        pytest.skip(f"no accounting database: {slurm.without_database()}")
    slurm.down()
    try:
        slurm.up(database=True)
        yield
    finally:  # for the tests that come after these
        slurm.down()
        slurm.up()


@pytest.fixture
def charged(tiny: Cluster) -> Cluster:
    """The tiny mixture study on a site with an account and a quality of service."""
    tiny.edit("profiles/slurm/site.yaml", "account: null", f"account: {slurm.ACCOUNT}")
    tiny.edit("profiles/slurm/site.yaml", "qos: null", f"qos: {slurm.QOS}")
    return tiny


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def accounted(checkout: Cluster) -> list[dict[str, str]]:
    """What the database knows of the jobs of a checkout, in the order of their submission."""
    names = ["JobIDRaw", "Account", "QOS", "State", "AllocTRES", "WorkDir"]
    rows = [line.split("|") for line in ask("sacct", "-XPn", "-S", "now-1hour", "-o", ",".join(names)).splitlines()]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [job for job in found if job["WorkDir"] == str(checkout.folder.resolve())]


def states(checkout: Cluster, expected: list[str]) -> None:
    """The jobs of a checkout ended so; the database hears of it a little later."""
    until(lambda: [job["State"] for job in accounted(checkout)] == expected, 30)


def test_jobs_are_charged_to_the_account_and_run_with_the_quality_of_service_of_the_site(charged: Cluster):
    done = charged.submit("--", SAMPLE, ON_GPU[0], timeout=LIMIT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    states(charged, ["COMPLETED"] * 2)
    found = accounted(charged)
    assert [(job["Account"], job["QOS"], job["State"]) for job in found] == [("lab", "short", "COMPLETED")] * 2
    assert sum("gres/gpu=1" in job["AllocTRES"] for job in found) == 1


def test_the_check_finds_nothing_wrong_with_an_account_and_a_quality_of_service_that_are_yours(charged: Cluster):
    done = check(charged)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "problem" not in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("account: lab", "account: lap", "account: found 'lap', allowed: lab"),
        ("qos: short", "qos: long", "qos: found 'long', allowed: normal, short"),
    ],
    ids=["account", "qos"],
)
def test_nothing_is_submitted_with_an_account_or_a_quality_of_service_that_are_not_yours(charged, old, new, said):
    charged.edit("profiles/slurm/site.yaml", old, new)
    for done in (check(charged), charged.submit("--", SAMPLE)):
        assert done.returncode == 1
        assert said in done.stdout + done.stderr
    assert accounted(charged) == []


def cancelled(charged: Cluster, process: subprocess.Popen[str]):
    """Cancel the first execution of a held job, and let the next one go on."""
    until(lambda: charged.begun("sample_mixture") == 1, process=process)
    subprocess.run(["scancel", charged.executions("sample_mixture")[0]["job"]], check=True, timeout=20)
    # the database hears of it a little later
    until(lambda: "CANCELLED by 0" in [job["State"] for job in accounted(charged)], process=process)
    charged.release()


def test_a_cancelled_job_is_seen_though_the_accounting_words_it_otherwise(charged: Cluster):
    charged.watch("sample_mixture")
    charged.hold("sample_mixture")
    with charged.submitting("--", SAMPLE) as process:
        cancelled(charged, process)
        assert process.wait(LIMIT) == 0, charged.said[-3000:]
    states(charged, ["CANCELLED by 0", "COMPLETED"])


def test_without_the_patient_commands_a_cancelled_job_is_waited_for_for_ever(charged: Cluster):
    # the control: the plugin meets Slurm's own sacct
    charged.edit("advdyn/cluster/launch.py", "path = [str(slurm.BIN), *", "path = [*")
    charged.watch("sample_mixture")
    charged.hold("sample_mixture")
    with charged.submitting("--", SAMPLE) as process:
        cancelled(charged, process)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(60)
    assert [job["State"] for job in accounted(charged)] == ["CANCELLED by 0"]


def test_a_run_survives_a_controller_that_is_away_while_the_accounting_answers(charged: Cluster):
    for rule in ("sample_mixture", "scale_mixture"):
        charged.watch(rule)
        charged.hold(rule)
    with charged.submitting("--", SAMPLE, SCALE) as process:
        until(lambda: charged.begun("sample_mixture") == charged.begun("scale_mixture") == 1, process=process)
        slurm.stop_controller()
        try:
            time.sleep(25)
            until(lambda: SILENT in charged.said, process=process)
            charged.release()
        finally:
            slurm.start_controller()
        assert process.wait(LIMIT) == 0, charged.said[-3000:]
    states(charged, ["COMPLETED", "COMPLETED"])
    assert charged.said.index(SILENT) < charged.said.index("Slurm answers again")


@pytest.fixture
def limited():
    """Two jobs of the account may be in the queue."""
    command = ["sacctmgr", "-i", "modify", "user", "root", "where", f"account={slurm.ACCOUNT}", "set"]
    ask(*command, "MaxSubmitJobs=2")
    yield
    ask(*command, "MaxSubmitJobs=-1")


@pytest.fixture
def five(charged: Cluster) -> list[str]:
    """Outputs of five independent jobs."""
    more = [f"more{n}" for n in range(5)]
    config = charged.folder / "config" / "config.yaml"
    lines = [f"  {name}: {{source: mixture, dimension: 3, n: 5}}\n" for name in more]
    config.write_text(config.read_text() + "".join(lines))
    return [f"results/data/{name}.nc" for name in more]


TOLD = "no more jobs may be in the queue (AssocMaxSubmitJobLimit); trying again"


def test_a_limit_on_submitted_jobs_slows_a_run_down_and_fails_no_job(charged: Cluster, five, limited):
    with charged.submitting("--", *five) as process:
        assert process.wait(LIMIT) == 0, charged.said[-3000:]
    states(charged, ["COMPLETED"] * len(five))
    assert TOLD in charged.said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_a_run_that_is_ended_submits_none_of_the_jobs_that_wait_for_a_limit(charged: Cluster, five, limited, number):
    charged.watch("sample_mixture")
    charged.hold("sample_mixture")
    with charged.submitting("--", *five) as process:
        until(lambda: charged.begun("sample_mixture") == 2 and TOLD in charged.said, process=process)
        process.send_signal(number)
        if number == signal.SIGTERM:  # it waits for them
            time.sleep(3)
            charged.release()
        assert process.wait(120) == 1
    until(lambda: slurm.queue() == [], 30)
    ended = {signal.SIGINT: "CANCELLED by 0", signal.SIGTERM: "COMPLETED"}[number]
    states(charged, [ended] * 2)
    assert charged.begun("sample_mixture") == 2
