"""Profiles, the site file, patience with Slurm, and resuming, without a cluster."""

import io
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from checkouts import ROOT
from ruamel.yaml import YAML
from snakemake.exceptions import WorkflowError

from advdyn.atomic import whole
from advdyn.cluster import check, launch, profile, records, resume, site, slurm
from advdyn.study.errors import ConfigError

PROFILES = ROOT / "profiles"
CLUSTER = ("slurm", "generic")


def entries(name):
    return YAML(typ="safe").load((PROFILES / name / "config.yaml").read_text())


# --- profiles ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", CLUSTER)
def test_a_cluster_profile_repeats_the_default_one_but_for_the_limit_of_one_machine(name):
    default = entries("default")
    assert default.pop("resources") == {"gpu": 1}
    found = entries(name)
    assert "resources" not in found
    assert default.items() <= found.items()


@pytest.mark.parametrize("name", ["default", *CLUSTER])
def test_every_entry_of_a_profile_has_a_comment(name):
    lines = (PROFILES / name / "config.yaml").read_text().splitlines()
    for above, line in pairwise(lines):
        if re.match(r"[\w-]+:", line):
            assert above.startswith("#"), line


def test_retries_are_in_the_cluster_profiles_and_never_in_a_rule():
    # a rule's own retries would be repeated by each nested snakemake, inside the allocation of the first attempt
    assert {name: entries(name)["retries"] for name in CLUSTER} == {"slurm": 2, "generic": 2}
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        assert not re.search(r"^\s*retries\s*:", file.read_text(), re.MULTILINE)


def test_no_profile_tracks_code_by_the_time_of_its_scripts():
    for name in ("default", *CLUSTER):
        assert "code" not in entries(name)["rerun-triggers"]
    assert not {"jobs", "executor"} & set(entries("default"))


def test_no_profile_sets_what_overrides_the_users_own():
    for name in ("default", *CLUSTER):
        assert not {"cores", "default-resources", "set-resources", "slurm-array-jobs", "groups"} & set(entries(name))


def test_collection_claims_figures_and_imports_run_where_the_run_was_submitted():
    local, remote = set(), set()
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for block in re.split(r"(?m)^rule ", file.read_text())[1:]:
            (local if "localrule: True" in block else remote).add(block.split(":")[0].split("_")[0])
    assert local == {"collect", "assess", "tabulate", "plot", "import", "download"}
    assert not local & remote


@pytest.mark.parametrize("name", ["profiles/slurm", "slurm", str(PROFILES / "slurm")])
def test_a_profile_is_found_as_snakemake_finds_it(name):
    for argv in (["--workflow-profile", name, "-n"], [f"--workflow-profile={name}"]):
        assert profile.chosen(argv, ROOT).name == "slurm"
    assert profile.chosen(["-n", "--cores", "2"], ROOT).name == "default"
    assert profile.chosen(["--workflow-profile", "none"], ROOT) is None


def test_a_misspelt_profile_is_an_error():
    with pytest.raises(ConfigError, match="--workflow-profile: found 'profiles/slrum'"):
        profile.chosen(["--workflow-profile", "profiles/slrum"], ROOT)


def test_a_profile_named_as_its_file_is_the_profile():
    # Snakemake takes it; what the profile needs around it must be there, too
    assert profile.chosen(["--workflow-profile", str(PROFILES / "slurm" / "config.yaml")], ROOT) == PROFILES / "slurm"


def test_of_several_files_the_one_that_snakemake_loads_is_read(tmp_path):
    (tmp_path / "config.yaml").write_text("executor: local\n")
    (tmp_path / "config.v9+.yaml").write_text("executor: slurm\n")
    assert profile.executor([], profile.settings(tmp_path)) == "slurm"


def test_a_profile_of_slurm_without_its_site_is_an_error(tmp_path):
    (tmp_path / "config.yaml").write_text("executor: slurm\n")
    with pytest.raises(ConfigError, match=r"slurm-partition-config: found None, allowed: site\.yaml"):
        profile.site_of(tmp_path)


def test_a_folder_without_a_profile_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"no config\.yaml in it"):
        profile.chosen(["--workflow-profile", str(tmp_path)], ROOT)


# --- the site ---------------------------------------------------------------------------------------------------------
def test_the_site_file_that_is_shipped_is_valid():
    known = site.load(PROFILES / "slurm" / "site.yaml")
    assert known.gpus
    assert known.gpu() == {"gpu": 1}
    assert known.resources() == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("account: 3\npartitions: {cpu: {}}", "1: account: found 3, allowed: a text"),
        ("partitions: {}", "1: partitions: found {}, allowed: name of a partition"),
        ("account: null", "partitions: found nothing, allowed: name of a partition"),
        ("partitions:\n  cpu: {maxgpu: 1}", "2: partitions.cpu.maxgpu: found an unknown key, allowed: max_runtime, "),
        ("partitions: {cpu: null}", "1: partitions.cpu: found None, allowed: a mapping"),
        # YAML 1.1, in which the plugin reads the file, takes 24:00:00 for 86400
        ("partitions: {cpu: {max_runtime: 24:00:00}}", "max_runtime: found '24:00:00', allowed: longest job"),
        ("acount: a\npartitions: {cpu: {}}", "1: acount: found an unknown key, allowed: account, qos, "),
        ("gpu_request: cards\npartitions: {cpu: {}}", "1: gpu_request: found 'cards', allowed: how a GPU"),
    ],
)
def test_a_wrong_site_file_is_one_clear_line(tmp_path, text, said):
    (tmp_path / "site.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        site.load(tmp_path / "site.yaml")
    assert str(error.value).startswith(f"{tmp_path}/site.yaml:")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_gpu_is_asked_for_in_the_words_of_the_site(tmp_path):
    (tmp_path / "site.yaml").write_text(
        "account: lab\nqos: short\ngpu_request: gres\ngpu_model: a100\npartitions: {g: {max_gpu: 4}}"
    )
    known = site.load(tmp_path / "site.yaml")
    assert known.gpu() == {"gres": "gpu:a100:1"}
    assert known.resources() == {"slurm_account": "lab", "qos": "short"}


def partitions(text):
    return site.Site(partitions={name: site.Partition(**limits) for name, limits in text.items()})


def test_a_retry_asks_for_more_within_the_partition_that_took_the_first_attempt():
    known = partitions({"cpu": {"max_runtime": 60, "max_mem_mb": 3000}, "big": {"max_runtime": 90, "max_mem_mb": 4000}})
    assert [known.within(1000, 20, False, attempt) for attempt in (1, 2, 3)] == [(1000, 20), (2000, 40), (3000, 60)]
    assert [known.within(2500, 50, False, attempt) for attempt in (1, 2, 3)] == [(2500, 50), (4000, 90), (4000, 90)]


def test_a_retry_on_a_gpu_stays_where_the_gpus_are():
    known = partitions({"cpu": {}, "gpu": {"max_gpu": 1, "max_mem_mb": 3000}})
    assert known.within(2000, 10, True, 3) == (3000, 30)


def test_a_job_without_a_gpu_goes_where_gpus_are_only_if_nothing_else_takes_it():
    cpu, gpu = site.Partition(max_mem_mb=1000), site.Partition(max_gpu=1)
    assert (cpu.takes(500, 1, False), cpu.takes(500, 1, True), cpu.takes(2000, 1, False)) == (True, False, False)
    assert gpu.takes(2000, 1, False)


def test_a_model_that_the_plugin_would_refuse_is_refused_here(tmp_path):
    (tmp_path / "site.yaml").write_text("gpu_model: a100-sxm4\npartitions: {g: {max_gpu: 1}}")
    with pytest.raises(ConfigError, match="gpu_model: found 'a100-sxm4', allowed: model of the GPU"):
        site.load(tmp_path / "site.yaml")


@pytest.mark.parametrize(("text", "minutes"), [(90, 90), ("30m", 30), ("12h", 720), ("2d", 2880)])
def test_limits_of_time_are_minutes_for_us_as_for_the_plugin(text, minutes):
    from snakemake_executor_plugin_slurm.utils import parse_time_to_minutes

    assert site.minutes(text) == minutes == parse_time_to_minutes(text)


# --- patience with Slurm ----------------------------------------------------------------------------------------------
Answer, Known = slurm.Answer, slurm.Known


def test_the_state_of_a_cancelled_job_is_one_word():
    # the accounting says who cancelled it, which the executor plugin takes for a running job
    assert slurm.updated(Known(), Answer({"7": "CANCELLED by 0"}), 0.0).states == {"7": "CANCELLED"}


@pytest.mark.parametrize("state", ["PREEMPTED", "REVOKED"])
def test_a_job_that_slurm_will_not_start_anew_has_ended(state):
    # the plugin waits for Slurm to do so; the profile forbids it, since the retries are this workflow's
    assert slurm.updated(Known(), Answer({"7": state}), 0.0).states == {"7": "CANCELLED"}


def test_what_was_known_stays_while_slurm_is_silent_until_patience_ends(monkeypatch):
    monkeypatch.setenv(slurm.PATIENCE, "100")
    known = slurm.updated(Known(), Answer({"7": "RUNNING", "8": "COMPLETED"}), 0.0)
    for now in (10.0, 50.0, 109.0):
        known = slurm.updated(known, None, now)
        assert known.states == {"7": "RUNNING", "8": "COMPLETED"}
    known = slurm.updated(known, None, 111.0)
    assert known.states == {"7": "ERROR", "8": "COMPLETED"}


def test_a_patience_that_is_no_number_is_the_usual_one(monkeypatch):
    monkeypatch.setenv(slurm.PATIENCE, "1h")
    assert slurm.patience() == 3600


def test_patience_ends_while_only_the_accounting_answers(monkeypatch):
    # it would say for ever that a job runs
    monkeypatch.setenv(slurm.PATIENCE, "100")
    known = Known()
    for now, state in ((1.0, "RUNNING"), (99.0, "RUNNING"), (102.0, "ERROR")):
        known = slurm.updated(known, Answer({"7": "RUNNING", "8": "FAILED"}, whole=False), now)
        assert known.states == {"7": state, "8": "FAILED"}


def test_an_answer_ends_the_silence():
    known = slurm.updated(slurm.updated(Known({"7": "RUNNING"}), None, 5.0), Answer({"7": "RUNNING"}), 6.0)
    assert known.silent is None


def test_a_job_that_slurm_forgot_is_for_snakemake_to_judge_by_its_files():
    known = slurm.updated(Known({"7": "RUNNING", "8": "COMPLETED"}), Answer({}), 0.0)
    assert known.states == {"7": "RUNNING", "8": "COMPLETED"}  # perhaps only late
    known = slurm.updated(known, Answer({}), 1.0)
    assert known.states == {"7": "UNKNOWN", "8": "COMPLETED"}


def test_a_job_that_only_the_accounting_does_not_know_is_not_forgotten():
    known = Known({"7": "PENDING"})
    for now in (0.0, 1.0, 2.0):
        known = slurm.updated(known, Answer({"8": "RUNNING"}, whole=False), now)
    assert known.states == {"7": "PENDING", "8": "RUNNING"}


COMMAND = """#!{python}
import os, sys
from pathlib import Path
folder = Path({folder!r})
name = Path(sys.argv[0]).name
with open(folder / "calls", "a") as file:
    file.write(name + " " + " ".join(sys.argv[1:]) + "\\n")
answer = folder / (name + ".answer")
if not answer.exists():
    sys.exit(name + ": Unable to contact slurm controller (connect failure)")
sys.stdout.write(answer.read_text())
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A folder on the path whose commands answer what a file says, and fail where there is none."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name in (*check.COMMANDS, "sacct", "sacctmgr", "srun"):
        (folder / name).write_text(COMMAND.format(python=sys.executable, folder=str(folder)))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{slurm.BIN}:{folder}:{os.environ['PATH']}")
    monkeypatch.setenv(launch.PYTHON, sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return folder


PLUGIN_ASKS = ["sacct", "-X", "--parsable2", "--noheader", "--format=JobIdRaw,State", "--name"]


def asked(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_plugin_still_asks_as_it_is_answered_here():
    from snakemake_executor_plugin_slurm import job_status_query

    words = job_status_query.query_job_status_sacct("RUN").split()
    assert words[0] == "sacct"
    assert {"--format=JobIdRaw,State", "--name", "RUN"} <= set(words)


def test_without_accounting_the_queue_is_asked(stand_in):
    (stand_in / "squeue.answer").write_text("7|RUNNING\n8|COMPLETED\n")
    done = asked(*PLUGIN_ASKS, "RUN")
    assert (done.returncode, done.stdout) == (0, "7|RUNNING\n8|COMPLETED\n")


def test_the_controller_knows_better_than_the_accounting(stand_in):
    (stand_in / "sacct.answer").write_text("7|RUNNING\n6|CANCELLED by 1000\n")
    (stand_in / "squeue.answer").write_text("7|COMPLETED\n")
    assert asked(*PLUGIN_ASKS, "RUN").stdout == "7|COMPLETED\n6|CANCELLED\n"


def test_while_nothing_answers_the_plugin_is_told_what_was_last_known(stand_in):
    (stand_in / "squeue.answer").write_text("7|RUNNING\n")
    asked(*PLUGIN_ASKS, "RUN")
    (stand_in / "squeue.answer").unlink()
    done = asked(*PLUGIN_ASKS, "RUN")
    assert (done.returncode, done.stdout) == (0, "7|RUNNING\n")
    assert "Slurm does not answer" in done.stderr


def test_a_job_that_slurm_fell_silent_about_at_once_is_known(stand_in, monkeypatch):
    (stand_in / "sbatch.answer").write_text("12\n")
    monkeypatch.setenv(launch.RUN, f"run-{os.getpid()}")
    assert asked("sbatch", "--parsable", "--job-name", "RUN").stdout == "12\n"
    assert asked(*PLUGIN_ASKS, "RUN").stdout == "12|PENDING\n"
    assert slurm.names_of(f"run-{os.getpid()}") == ["RUN"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1}'])
def test_a_broken_memory_is_no_reason_to_forget_the_jobs(stand_in, text):
    file = Path(slurm.MEMORY) / "RUN" / "known.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    (stand_in / "squeue.answer").write_text("7|RUNNING\n")
    done = asked(*PLUGIN_ASKS, "RUN")
    assert (done.returncode, done.stdout) == (0, "7|RUNNING\n")


def test_nothing_can_be_written_and_still_the_plugin_is_answered(stand_in):
    Path(".snakemake").write_text("a file where a folder should be")
    (stand_in / "squeue.answer").write_text("7|RUNNING\n")
    done = asked(*PLUGIN_ASKS, "RUN")
    assert (done.returncode, done.stdout) == (0, "7|RUNNING\n")


SUBMISSION = """#!{python}
import sys
from pathlib import Path
words = Path("answers").read_text().splitlines()
Path("answers").write_text("\\n".join(words[1:] or words))
if words[0].isdigit():
    print(words[0])
else:
    sys.exit("sbatch: error: " + words[0] + "\\nsbatch: error: Batch job submission failed")
"""
AWAY = "Unable to contact slurm controller (connect failure)"
LOST = "Socket timed out on send/recv operation"
FULL = "AssocMaxSubmitJobLimit"
TRIES = 20 / slurm.PAUSE + 2  # until a patience of 20 s is over


@pytest.fixture
def submission(stand_in, monkeypatch):
    """Submit a job to a Slurm that gives one answer after the other, the last for ever: exit code, and tries made."""
    clock = [1e9]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setenv(launch.RUN, f"run-{os.getpid()}")
    monkeypatch.setenv(slurm.PATIENCE, "20")

    def sleep(seconds):
        clock[0] += seconds

    monkeypatch.setattr(slurm, "time", SimpleNamespace(sleep=sleep, time=lambda: clock[0]))
    (stand_in / "sbatch").write_text(SUBMISSION.format(python=sys.executable))
    (stand_in / "squeue.answer").write_text("7\n")

    def submit(*answers):
        Path("answers").write_text("\n".join(answers))
        began = clock[0]
        code = slurm.sbatch(["--parsable", "--job-name", "RUN", "--comment", "rule_a"])
        return code, (clock[0] - began) / slurm.PAUSE + 1

    return submit


def notices():
    return slurm.Notices(f"run-{os.getpid()}").new()


@pytest.mark.parametrize(
    "limit", [FULL, "AssocGrpSubmitJobsLimit", "QOSMaxSubmitJobPerUserLimit", "MaxSubmitJobsPerAccount"]
)
def test_a_limit_on_the_jobs_in_the_queue_is_waited_for_however_long(submission, capfd, limit):
    assert submission(*[limit] * 10, "12") == (0, 11)
    said = capfd.readouterr()
    assert said.out == "12\n"
    assert "submission failed" not in said.err  # by these words the plugin would take it for failed
    assert notices() == [f"a job is not submitted yet: no more jobs may be in the queue ({limit}); trying again"]
    assert submission(limit, "13") == (0, 2)
    assert len(notices()) == 1  # not once for every job


def test_a_limit_that_lets_no_job_of_the_user_in_is_not_waited_for_for_ever(submission, monkeypatch, capfd):
    monkeypatch.setenv(slurm.OWN_JOB, "7")  # snakemake itself runs in a job, and is not waited for either
    assert submission(FULL) == (1, TRIES)
    assert FULL in capfd.readouterr().err


def test_a_queue_that_is_not_told_makes_no_room(submission, stand_in):
    (stand_in / "squeue.answer").unlink()
    assert submission("Munge encode failed: Resource temporarily unavailable") == (1, TRIES)


def test_a_controller_that_is_away_is_waited_for_until_patience_ends(submission, capfd):
    assert submission(AWAY, AWAY, AWAY, "12") == (0, 4)
    assert submission(AWAY) == (1, TRIES)
    assert AWAY in capfd.readouterr().err


def test_patience_is_for_the_whole_run_and_not_for_each_job_of_it(submission):
    assert submission(AWAY, "11") == (0, 2)
    assert submission(AWAY) == (1, TRIES)
    assert "the run submits nothing more; make resume goes on" in notices()[-1]
    assert submission("12") == (1, 1)  # what runs on unseen would meet a second copy of itself


def test_patience_that_ends_while_jobs_run_ends_the_run(submission, stand_in, monkeypatch):
    assert submission("12") == (0, 1)
    (stand_in / "squeue.answer").unlink()
    assert slurm.status("RUN", []) == "12|PENDING\n"
    slurm.time.sleep(21)
    assert slurm.status("RUN", []) == "12|ERROR\n"
    assert submission("13") == (1, 1)


def test_patience_ends_on_a_full_disk_too(submission, monkeypatch):
    monkeypatch.setattr(slurm, "silence_began", lambda name, at: at)
    code, tries = submission(AWAY)
    assert (code, tries) == (1, 2 * 20 / slurm.PAUSE + 2)


def test_time_spent_at_a_limit_is_not_taken_from_the_patience_with_the_controller(submission):
    assert submission(*[FULL] * 6, AWAY, AWAY, "12") == (0, 9)


def test_a_job_that_slurm_does_not_take_fails_at_once(submission):
    assert submission("AssocMaxCpuPerJobLimit") == (1, 1)  # it may be too large for ever


@pytest.mark.parametrize("lost", [LOST, "Unable to contact slurm controller (receive failure)"])
def test_a_job_whose_answer_got_lost_is_not_submitted_twice(submission, stand_in, capfd, lost):
    (stand_in / "squeue.answer").write_text("7|rule_b\n8|rule_a\n9|rule_a\n")
    assert submission("8") == (0, 1)  # an earlier attempt of the same job
    capfd.readouterr()
    assert submission(lost, "12") == (0, 2)
    assert capfd.readouterr().out == "9\n"
    assert (Path("answers").read_text(), slurm.value(["--comment=x"], "--comment")) == ("12", "x")


def test_a_lost_answer_is_not_forgotten_over_another_reason_to_wait(submission, stand_in, monkeypatch, capfd):
    looks = []

    def accepted(name, text):  # the job comes to be late
        looks.append(name)
        return "9" if len(looks) == 3 else ""

    monkeypatch.setattr(slurm, "accepted", accepted)
    assert submission(LOST, FULL, AWAY, "12") == (0, 4)
    assert capfd.readouterr().out == "9\n"


def test_a_submission_that_left_no_job_is_made_again(submission, stand_in, capfd):
    (stand_in / "squeue.answer").write_text("7|rule_b\n")
    assert submission(LOST, "12") == (0, 2)
    assert capfd.readouterr().out == "12\n"
    (stand_in / "squeue.answer").unlink()  # nor does anything answer whether there is one
    assert submission(LOST, "13") == (1, TRIES)


def test_a_terminated_run_does_not_wait_for_a_lock_that_it_holds_itself(stand_in, monkeypatch):
    monkeypatch.setenv(launch.RUN, "a")
    lock, ended = threading.Lock(), threading.Event()

    def gracefully(*_):  # as Snakemake does
        with lock:
            ended.set()

    handlers = {}
    monkeypatch.setattr(signal, "getsignal", lambda _: gracefully)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    launch.submit_no_more_when_ended()
    with lock:
        handlers[signal.SIGTERM](signal.SIGTERM, None)
    assert ended.wait(30)


def test_nothing_is_submitted_once_a_run_is_being_ended(submission, monkeypatch):
    for number in (signal.SIGINT, signal.SIGTERM):
        monkeypatch.setenv(launch.RUN, f"{number}-{os.getpid()}")
        handlers, before = {}, []
        monkeypatch.setattr(signal, "getsignal", lambda _, before=before: lambda *given: before.append(given))
        monkeypatch.setattr(signal, "signal", handlers.__setitem__)
        launch.submit_no_more_when_ended()
        assert submission("12") == (0, 1)
        handlers[number](number, None)
        for _ in range(100):
            if not before:
                time.sleep(0.05)
        assert before == [(number, None)]  # Snakemake's own way to end follows
        assert submission("12") == (1, 1)


def test_what_the_commands_have_to_say_reaches_the_user_of_the_run(stand_in, monkeypatch):
    monkeypatch.setenv(launch.RUN, f"run-{os.getpid()}")
    said = queue.SimpleQueue()
    launch.relay(said.put, seconds=0.05)
    (stand_in / "sbatch.answer").write_text("12\n")
    asked("sbatch", "--parsable", "--job-name", "RUN")
    for _ in range(2):  # told when the silence begins
        asked(*PLUGIN_ASKS, "RUN")
    assert "Slurm does not answer; waiting, 3600 s at most" in said.get(timeout=30)
    (stand_in / "squeue.answer").write_text("12|RUNNING\n")
    asked(*PLUGIN_ASKS, "RUN")
    assert "Slurm answers again, after" in said.get(timeout=30)
    assert said.empty()
    asked("sbatch", "--job-name", "ANOTHER")
    slurm.tell("OTHER", "of another run")
    time.sleep(0.2)
    assert said.empty()


def test_nothing_is_submitted_for_a_snakemake_that_is_gone(stand_in, monkeypatch):
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setenv(launch.RUN, f"run-{gone.pid}")
    done = subprocess.run(["sbatch", "--parsable"], capture_output=True, text=True, timeout=60, input="", check=False)
    assert done.returncode == 1
    assert "the snakemake that submits is gone" in done.stderr
    assert not (stand_in / "calls").exists()


def test_a_submission_waits_for_a_controller_that_is_away(stand_in, monkeypatch):
    monkeypatch.setattr(slurm, "PAUSE", 0.01)
    monkeypatch.delenv(launch.RUN, raising=False)
    timer = threading.Timer(0.5, (stand_in / "sbatch.answer").write_text, ["12\n"])
    timer.start()
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert slurm.sbatch(["--parsable"]) == 0
    timer.join()
    assert (stand_in / "calls").read_text().count("sbatch --parsable") > 1


def test_a_refused_submission_is_not_tried_again(stand_in, monkeypatch):
    monkeypatch.delenv(launch.RUN, raising=False)
    (stand_in / "sbatch").write_text(
        "#!/bin/sh\necho call >> calls\necho 'sbatch: error: invalid account' >&2\nexit 1\n"
    )
    done = subprocess.run(["sbatch"], capture_output=True, text=True, timeout=60, input="", check=False)
    assert done.returncode == 1
    assert "invalid account" in done.stderr
    assert Path("calls").read_text() == "call\n"


def test_the_plugin_finds_the_account_valid_while_nothing_answers(stand_in, monkeypatch):
    from snakemake_executor_plugin_slurm.accounts import validate_account

    monkeypatch.setenv(slurm.ACCOUNT, "lab")
    assert validate_account("lab", None) == "lab"
    (stand_in / "sacctmgr.answer").write_text("other\n")
    with pytest.raises(WorkflowError, match="lab appears to be invalid"):
        validate_account("lab", None)
    assert asked("sacctmgr", "list", "qos").stdout == "other\n"  # any other question is the cluster's own


def test_any_other_question_goes_to_the_clusters_own_sacct(stand_in):
    (stand_in / "sacct.answer").write_text("lab\n")
    assert asked("sacct", "-nu", "me", "-o", "Account").stdout == "lab\n"


def test_the_reason_of_a_failure_is_found_without_accounting(stand_in):
    (stand_in / "scontrol.answer").write_text("JobId=7 JobState=TIMEOUT Reason=TimeLimit ExitCode=0:1\n")
    assert asked("sacct", "-j", "7.0", "--format=Reason", "--noheader").stdout == (
        "JobState TIMEOUT, Reason TimeLimit, ExitCode 0:1\n"
    )


# --- the check before anything is submitted ---------------------------------------------------------------------------
CONFIG = "AccountingStorageType = accounting_storage/slurmdbd\nMinJobAge = 300 sec\n"


@pytest.fixture
def well(stand_in):
    """Stand-in commands of a cluster that is as its site file says, with accounts."""
    answers = {
        "scontrol": CONFIG, "squeue": "", "sacctmgr": "lab|short,normal\n",
        "sinfo": "cpu|up|1-00:00:00|(null)\ngpu|up|infinite|gpu:a100:4\n",
    }  # fmt: skip
    for name, text in answers.items():
        (stand_in / f"{name}.answer").write_text(text)
    return stand_in


def told(text):
    """The problems of a site file."""
    folder = Path("profiles-slurm")
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text("executor: slurm\nslurm-partition-config: site.yaml\n")
    (folder / "site.yaml").write_text(text)
    return [finding.text for finding in check.quick(folder) if finding.kind == "problem"]


GOOD = "account: lab\nqos: short\npartitions:\n  cpu: {max_runtime: 24h}\n  gpu: {max_gpu: 1}\n"


def test_a_site_as_the_cluster_says_has_no_problem(well):
    assert told(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("account: lab", "account: lap", "site.yaml: account: found 'lap', allowed: lab"),
        ("qos: short", "qos: long", "site.yaml: qos: found 'long', allowed: normal, short"),
        ("  cpu:", "  cpus:", "site.yaml: partitions.cpus: no such partition, allowed: cpu, gpu"),
        ("24h", "25h", "site.yaml: partitions.cpu.max_runtime: found 25h, allowed: at most 1440 minutes there"),
        ("{max_runtime: 24h}", "{max_gpu: 1}", "site.yaml: partitions.cpu.max_gpu: found 1, allowed: 0"),
    ],
)
def test_what_the_cluster_does_not_know_is_named_with_what_it_does(well, old, new, said):
    (found,) = told(GOOD.replace(old, new))
    assert said in found


def test_an_account_with_several_associations_has_the_qualities_of_all(well):
    (well / "sacctmgr.answer").write_text("lab|short\nlab|normal\nother|long\n")
    assert told(GOOD) == []


def test_settings_that_slurm_does_not_tell_say_nothing_about_accounts(well):
    (well / "scontrol.answer").write_text("\n")
    assert told(GOOD) == []


@pytest.mark.parametrize("none", ["accounting_storage/none", "(null)"])
def test_an_account_on_a_cluster_without_accounts_is_a_problem(well, none):
    # the executor plugin would refuse every job
    (well / "scontrol.answer").write_text(f"AccountingStorageType = {none}\nMinJobAge = 0 sec\n")
    assert told("account: lab\npartitions:\n  cpu: {}\n") == [
        "profiles-slurm/site.yaml: account: found 'lab', allowed: null, this cluster keeps no accounts"
    ]


def test_a_partition_that_is_down_is_a_problem(well):
    (well / "sinfo.answer").write_text("cpu|down|infinite|(null)\ngpu|up|infinite|gpu:1\n")
    assert told(GOOD) == ["profiles-slurm/site.yaml: partitions.cpu: is down"]


def test_a_cluster_that_forgets_jobs_between_two_looks_is_a_problem(well):
    (well / "scontrol.answer").write_text("AccountingStorageType = (null)none\nMinJobAge = 60 sec\n")
    (found,) = told("partitions:\n  cpu: {}\n")
    assert "forgets jobs 60 s after they ended" in found


def test_a_machine_that_does_not_submit_is_named(well, monkeypatch):
    monkeypatch.setenv("PATH", str(slurm.BIN))
    (found,) = told(GOOD)
    assert found.startswith("not found on this machine: sbatch, squeue, scancel, sinfo, scontrol")


def test_a_cluster_that_does_not_answer_is_a_problem(well):
    (well / "sinfo.answer").unlink()
    assert told(GOOD) == ["Slurm does not answer (scontrol ping)"]


def test_storage_that_cannot_be_looked_at_is_not_called_well(well, monkeypatch):
    told(GOOD)
    monkeypatch.setattr(check, "fits", lambda *_: [])
    (well / "srun").unlink()
    monkeypatch.setenv("PATH", f"{slurm.BIN}:{well}")  # the srun of a Slurm on this machine is not meant
    *_, last = check.findings(Path("profiles-slurm"), None)
    assert str(last) == "not checked: storage on the nodes: srun is not on this machine"


def test_an_executor_that_is_not_installed_is_named():
    assert check.executor("slurm", "x").kind == "ok"
    found = check.executor("slurmy", "profiles/slurm/config.yaml:1")
    assert found.kind == "problem"
    assert "slurmy is not installed here (snakemake-executor-plugin-slurmy)" in found.text


@pytest.mark.parametrize(
    ("text", "minutes"), [("infinite", float("inf")), ("30:00", 30), ("2:00:00", 120), ("1-01:00:00", 1500)]
)
def test_time_limits_are_read_as_sinfo_words_them(text, minutes):
    assert check.slurm_minutes(text) == minutes


# --- what a crash leaves ----------------------------------------------------------------------------------------------
@pytest.fixture
def noted(tmp_path, monkeypatch):
    """A folder in which this process has begun a run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.log").write_text("x\nSLURM run ID: advdyn_abc\ny\n")
    records.begin("one", "results", "run.log")
    return tmp_path


def test_a_run_that_goes_on_is_not_resumed(noted):
    with pytest.raises(ConfigError, match=rf"a run of results goes on \(process {os.getpid()} on "):
        resume.stopped("results")


def test_a_run_of_other_results_is_left_alone(noted):
    assert resume.stopped("results-smoke") == []


def test_the_names_of_a_run_that_ended_are_known(noted):
    records.end("one")
    (found,) = resume.stopped("results")
    assert found.scheduler_names() == ["advdyn_abc"]


def changed(noted, **values):
    file = noted / records.FOLDER / "one.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_another_process_with_the_number_of_a_killed_one_is_not_taken_for_it(noted):
    changed(noted, started="1")
    assert len(resume.stopped("results")) == 1


def test_a_run_begun_on_another_machine_is_not_taken_for_dead(noted):
    changed(noted, host=f"not-{socket.gethostname()}")
    with pytest.raises(ConfigError, match=r"was begun on another machine and has not ended.*remove .*one\.json"):
        resume.stopped("results")


def test_a_run_whose_log_says_nothing_is_known_by_its_submissions(noted):
    # as with --quiet all
    (noted / "run.log").write_text("")
    folder = noted / slurm.MEMORY / "advdyn_def"
    folder.mkdir(parents=True)
    (folder / "run").write_text("one")
    records.end("one")
    (found,) = resume.stopped("results")
    assert found.scheduler_names() == ["advdyn_def"]


def test_resuming_waits_until_the_queue_is_empty():
    held = [["7", "8"], ["7", "8"], ["8"], []]
    cancelled = []
    queue = resume.Queue(lambda: held.pop(0) if held else [], cancelled.append)
    assert resume.emptied(queue, wait=60, pause=0.0) == ["7", "8"]
    assert cancelled == [["7", "8"], ["7", "8"], ["8"]]


def test_a_job_that_does_not_go_is_named():
    queue = resume.Queue(lambda: ["7"], lambda jobs: None)
    with pytest.raises(ConfigError, match="still in the queue 0 s after they were cancelled: 7"):
        resume.emptied(queue, wait=0.0, pause=0.01)


def test_a_silent_scheduler_is_no_empty_queue(stand_in):
    with pytest.raises(ConfigError, match="Slurm does not answer"):
        resume.slurm_queue(["advdyn_abc"]).held()


# --- two copies of a job ----------------------------------------------------------------------------------------------
WRITE = """
import sys
from advdyn.atomic import whole
for _ in range(40):
    with whole("file") as part:
        with open(part, "w") as out:
            for _ in range(200):
                out.write(sys.argv[1] * 1000)
                out.flush()
"""


def test_writers_at_the_same_time_leave_one_whole_file(tmp_path):
    # as on two nodes, where two copies may have one process number: names must not come from it
    one = [sys.executable, "-c", "import os; os.getpid = lambda: 1" + WRITE]
    writers = [
        subprocess.Popen([*one, letter], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}) for letter in "abc"
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "file").exists():
            text = (tmp_path / "file").read_text()
            assert len(text) == 200_000
            assert len(set(text)) == 1
            seen.add(text[0])
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(seen) > 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_writer_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "file").write_text("before")

    def write():
        with whole(tmp_path / "file") as part:
            part.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write()
    assert (tmp_path / "file").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
