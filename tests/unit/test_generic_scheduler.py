"""Schedulers without a plugin: command lines as they document them, and a status that nothing can keep from being told."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from advdyn.cluster import generic, schedulers
from advdyn.cluster.generic import NoAnswer, Record
from advdyn.cluster.schedulers import Job
from advdyn.errors import InputError
from advdyn.study.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "profiles" / "generic"
SCRIPT, LOG = Path("/shared/my run/job.sh"), Path("/shared/my run/job.log")
JOB = Job("simulate_mixture", threads=2, mem_mb=3001, minutes=95)


def load(folder, text):
    file = folder / "site.yaml"
    file.write_text(text)
    return schedulers.load(file)


def command(folder, text, job=JOB):
    site = load(folder, text)
    return schedulers.SCHEDULERS[site.scheduler].submission(site, job, SCRIPT, LOG)


def answered(*words, rc=0, out="", err=""):
    return subprocess.CompletedProcess(list(words), rc, out, err)


# --- command lines ------------------------------------------------------------------------------------


def test_a_job_of_pbs(tmp_path):
    assert command(tmp_path, "scheduler: pbs\nqueue: batch\naccount: phys-01\n") == [
        *("qsub", "-N", "simulate_mixtur", "-S", "/bin/sh", "-r", "n", "-j", "oe", "-o", str(LOG)),
        *("-q", "batch", "-A", "phys-01"),
        *("-l", "select=1:ncpus=2:mem=3001mb", "-l", "walltime=01:35:00", str(SCRIPT)),
    ]


def test_a_job_of_sge_asks_for_memory_by_slot(tmp_path):
    assert command(tmp_path, "scheduler: sge\nqueue: all.q\naccount: phys\n") == [
        *("qsub", "-terse", "-N", "simulate_mixture", "-S", "/bin/sh", "-r", "n", "-j", "y", "-o", str(LOG)),
        *("-q", "all.q", "-P", "phys"),
        *("-pe", "smp", "2", "-l", "h_rt=01:35:00,h_vmem=2501M", str(SCRIPT)),
    ]


def test_a_job_of_lsf_names_its_units_and_quotes_its_script(tmp_path):
    assert command(tmp_path, "scheduler: lsf\nqueue: normal\naccount: phys\n") == [
        *("bsub", "-J", "simulate_mixture", "-rn", "-o", str(LOG), "-q", "normal", "-P", "phys"),
        *("-n", "2", "-M", "3001MB", "-R", "span[hosts=1] rusage[mem=3001MB]", "-W", "95"),
        "'/shared/my run/job.sh'",
    ]


@pytest.mark.parametrize(
    ("scheduler", "asked"),
    [
        ("pbs", "-l select=1:ncpus=2:mem=3001mb:ngpus=1 -l walltime=01:35:00"),
        ("sge", "-pe smp 2 -l h_rt=01:35:00,mem_free=1501M,gpu=1"),
        ("lsf", "-n 2 -M 3001MB -R 'span[hosts=1] rusage[mem=3001MB]' -W 95 -gpu num=1"),
    ],
)
def test_a_job_with_a_gpu_goes_where_they_are(tmp_path, scheduler, asked):
    words = command(tmp_path, f"scheduler: {scheduler}\nqueue: cpu\ngpu_queue: fast\n", replace(JOB, gpu=1))
    assert words[words.index("-q") + 1 : -1] == ["fast", *shlex.split(asked)]


def test_a_site_that_names_nothing_says_nothing(tmp_path):
    for scheduler in schedulers.SCHEDULERS:
        assert not {"-q", "-A", "-P"} & set(command(tmp_path, f"scheduler: {scheduler}\n"))


def test_a_site_has_its_own_way_of_asking(tmp_path):
    text = 'scheduler: pbs\ncpu_options: ["-l nodes=1:ppn={threads}", "-W \'x y\'", "-l pmem={mem_mb_slot}mb"]\n'
    assert command(tmp_path, text)[-7:-1] == ["-l", "nodes=1:ppn=2", "-W", "x y", "-l", "pmem=1501mb"]


@pytest.mark.parametrize(
    ("scheduler", "printed", "job"),
    [
        ("pbs", "123.pbs01.example.org\n", "123.pbs01.example.org"),
        ("pbs", "a notice of the site\n123\n", "123"),
        ("sge", "123\n", "123"),
        ("sge", 'Your job 123 ("simulate") has been submitted\n', "123"),
        ("lsf", "Job <123> is submitted to default queue <normal>.\n", "123"),
        ("lsf", "Memory reservation is (MB): 3001\nJob <123> is submitted to queue <gpu>.\n", "123"),
        ("lsf", "Request aborted by esub. Job not submitted.\n", None),
    ],
)
def test_the_id_is_read_from_what_a_submission_prints(scheduler, printed, job):
    assert schedulers.SCHEDULERS[scheduler].id_of(printed) == job


TORQUE = """\
Job Id: 1.server.org
    Job_Name = a
    job_state = Q

Job Id: 2.server.org
    Job_Name = job_state
    job_state = C
"""
SGE = """\
job-ID  prior   name       user         state submit/start at     queue       slots ja-task-ID
-----------------------------------------------------------------------------------------------
      1 0.55500 simulate_m me           qw    11/22/2026 02:00:00                 1
      2 0.55500 simulate_m me           Eqw   11/22/2026 02:00:00                 1
"""
LSF = """\
JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME
1       me      PEND  normal     login                   simulate   Nov 22 02:00
2       me      EXIT  normal     login       node01      simulate   Nov 22 02:00
"""


@pytest.mark.parametrize(
    ("scheduler", "done"),
    [
        ("pbs", answered("qstat", rc=153, out=TORQUE, err="qstat: Unknown Job Id 3.server.org\n")),
        ("pbs", answered("qstat", rc=153, out=TORQUE, err="qstat: Unknown Job Id Error 3.server.org (errno=1)\n")),
        (
            "pbs",
            answered("qstat", rc=153, out=TORQUE, err="qstat: 3.server.org Job has finished, use -x or -H to ...\n"),
        ),
        ("sge", answered("qstat", out=SGE)),
        ("lsf", answered("bjobs", rc=255, out=LSF, err="Job <3> is not found\n")),
    ],
)
def test_a_scheduler_knows_a_queued_job_and_neither_an_ended_nor_a_foreign_one(scheduler, done):
    server = ".server.org" if scheduler == "pbs" else ""
    ids = [f"{n}{server}" for n in (1, 2, 3)]
    assert schedulers.SCHEDULERS[scheduler].answer(ids, done) == dict(zip(ids, [True, False, False], strict=True))


@pytest.mark.parametrize(
    ("scheduler", "done"),
    [
        (
            "pbs",
            answered("qstat", rc=255, err="Connection refused\nqstat: cannot connect to server pbs01 (errno=111)\n"),
        ),
        ("sge", answered("qstat", rc=1, err="error: commlib error: got select error (Connection refused)\n")),
        ("lsf", answered("bjobs", rc=255, err="batch system daemon not responding ... still trying\n")),
    ],
)
def test_an_error_is_no_answer(scheduler, done):
    assert schedulers.SCHEDULERS[scheduler].answer(["111", "3"], done) == {"111": None, "3": None}


# --- the site file ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queue: a\n", r"scheduler: found nothing, allowed: pbs, sge, lsf"),
        ("scheduler: slurm\n", r"site.yaml:1: scheduler: found 'slurm', allowed: pbs, sge, lsf"),
        ("scheduler: [pbs]\n", r"site.yaml:1: scheduler: found \['pbs'\], allowed: pbs"),
        ("scheduler: pbs\nqeue: a\n", r"site.yaml:2: qeue: found an unknown key, allowed: scheduler, queue"),
        ("scheduler: pbs\nqueue: a b\n", r"site.yaml:2: queue: found 'a b', allowed: a name"),
        ("scheduler: pbs\naccount: -x\n", r"site.yaml:2: account: found '-x', allowed: a name"),
        ("scheduler: pbs\ncpu_options: -l x\n", r"site.yaml:2: cpu_options: found '-l x', allowed: a list"),
        (
            "scheduler: pbs\ngpu_options: ['-l m={memory}']\n",
            r"gpu_options: found '-l m={memory}', allowed: .*{mem_mb}",
        ),
        ("scheduler: pbs\ngpu_options: ['-l m={mem_mb']\n", r"gpu_options: found '-l m={mem_mb', allowed: quotes and"),
        ("scheduler: pbs\ngpu_options: ['-l m={}']\n", r"gpu_options: found '-l m={}', allowed: in braces one of"),
        (
            'scheduler: pbs\ncpu_options: ["-R \'x"]\n',
            r"cpu_options: found \"-R 'x\", allowed: quotes and braces in pairs",
        ),
        ("scheduler: pbs\nlatency_seconds: 0\n", r"site.yaml:2: latency_seconds: found 0, allowed: a number above 0"),
        ("scheduler: pbs\npatience_minutes: yes please\n", r"patience_minutes: found 'yes please', allowed: a number"),
    ],
)
def test_a_wrong_site_is_said_in_one_line(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said) as error:
        load(tmp_path, text)
    assert "\n" not in str(error.value)


def test_the_site_file_that_is_shipped_is_right_and_names_the_defaults():
    file = PROFILE / "site.yaml"
    site = schedulers.load(file)
    assert (site.queue, site.gpu_queue, site.gpus, site.latency, site.patience) == (None, None, False, 60, 3600)
    text = " ".join(file.read_text().split())
    for scheduler in schedulers.SCHEDULERS.values():
        for option in (*scheduler.cpu_options, *scheduler.gpu_options):
            assert option in text, option


def test_a_number_may_be_an_account(tmp_path):
    assert load(tmp_path, "scheduler: pbs\naccount: 4711\n").account == "4711"


# --- what a job asks for ------------------------------------------------------------------------------


def jobscript(folder, **changed):
    known = {"rule": "simulate", "wildcards": {"cell": "a"}, "output": ["a.nc"], "threads": 2}
    known |= {"resources": {"mem_mb": 700, "runtime": 5, "gpu": 0, "tmpdir": "<TBD>"}} | changed
    file = folder / "snakejob.simulate.1.sh"
    file.write_text(f"#!/bin/sh\n# properties = {json.dumps(known)}\ntrue\n")
    return file


def test_what_a_job_asks_for_is_read_from_snakemakes_jobscript(tmp_path):
    assert generic.job_of(generic.properties(jobscript(tmp_path))) == Job("simulate", 2, 700, 5, 0)


def test_a_job_that_names_no_resources_gets_the_defaults(tmp_path):
    known = generic.properties(jobscript(tmp_path, rule=None, groupid="0a-1", resources={"mem_mb": "<TBD>"}))
    assert generic.job_of(known) == Job("group_0a_1", 2, 1000, 60, 0)


def test_a_script_that_is_not_snakemakes_is_an_error(tmp_path):
    (tmp_path / "x.sh").write_text("true\n")
    with pytest.raises(InputError, match=r"x.sh: found no line '# properties"):
        generic.properties(tmp_path / "x.sh")


# --- the life of a submission -------------------------------------------------------------------------

RECORD = Record("7", "simulate.0", "key", "run", "session", "pbs", latency=10, patience=100)


class Scheduler:
    """Answers for the scheduler's commands; ``known`` is what it says of every job, None that it is out."""

    def __init__(self, monkeypatch):
        self.known, self.commands, self.submissions, self.meanwhile = True, [], [], lambda: None
        monkeypatch.setattr(generic, "_run", self.run)
        self.now = 1000.0
        monkeypatch.setattr(generic.time, "time", lambda: self.now)
        monkeypatch.setattr(generic.time, "sleep", self.sleep)

    def sleep(self, seconds):
        self.now += seconds

    def run(self, command):
        self.commands.append(list(command))
        self.meanwhile()
        if command[0] == "qsub":
            answer = self.submissions.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if self.known is None:
            raise NoAnswer(f"{command[0]}: no answer within 60 s")
        if command[0] == "qstat":
            if self.known:
                return answered("qstat", out="".join(f"Job Id: {job}\n    job_state = R\n" for job in command[2:]))
            return answered("qstat", rc=153, err="".join(f"qstat: Unknown Job Id {job}\n" for job in command[2:]))
        return answered(*command)


@pytest.fixture
def scheduler(monkeypatch):
    return Scheduler(monkeypatch)


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / generic.FOLDER
    folder.mkdir(parents=True)
    generic._keep(folder, RECORD)
    return folder


def told(state, job="7"):
    """The status, as Snakemake asks for it."""
    answer, tidy = generic.status(state, job)
    tidy()
    return answer


@pytest.mark.parametrize(("code", "answer"), [("0\n", "success"), ("1\n", "failed"), ("137\n", "failed")])
def test_an_exit_code_decides_and_the_scheduler_is_not_asked(state, scheduler, code, answer):
    (state / "simulate.0.exit").write_text(code)
    (state / "simulate.0.log").touch()
    assert told(state) == answer
    assert scheduler.commands == []
    assert [p.name for p in state.iterdir()] == ([] if answer == "success" else ["simulate.0.log"])


def test_a_job_that_is_known_is_running_for_ever(state, scheduler):
    for _ in range(100):
        scheduler.now += 3600
        assert told(state) == "running"


def test_a_job_that_two_answers_a_latency_apart_do_not_know_has_failed(state, scheduler, capsys):
    scheduler.known = False
    assert told(state) == "running"
    scheduler.now += 9
    assert told(state) == "running"
    scheduler.now += 6  # more than an answer is kept for
    assert told(state) == "failed"
    assert "left no exit code and the scheduler does not know it" in capsys.readouterr().err
    assert scheduler.commands[-1] == ["qdel", "7"]


def test_the_answers_must_be_in_a_row(state, scheduler):
    for known in (False, True, False):
        scheduler.known = known
        assert told(state) == "running"
        scheduler.now += 60
    assert told(state) == "failed"


def test_an_exit_code_that_storage_shows_late_still_counts(state, scheduler):
    scheduler.known = False
    assert told(state) == "running"
    scheduler.now += 60
    scheduler.meanwhile = lambda: (state / "simulate.0.exit").write_text("0\n")
    assert told(state) == "success"


def test_a_scheduler_that_does_not_answer_fails_jobs_only_when_patience_is_over(state, scheduler, capsys):
    scheduler.known = None
    for _ in range(10):
        assert told(state) == "running"
        scheduler.now += 10
    assert told(state) == "running"
    assert capsys.readouterr().err == ""
    scheduler.now += 10
    assert told(state) == "failed"
    assert "has not answered for too long" in capsys.readouterr().err


def test_patience_begins_again_with_every_answer(state, scheduler):
    for _ in range(5):
        scheduler.known = None
        assert told(state) == "running"
        scheduler.now += 90
        scheduler.known = True
        assert told(state) == "running"
        scheduler.now += 90


def test_one_question_serves_all_jobs_that_are_open(state, scheduler):
    for n in range(8, 12):
        generic._keep(state, replace(RECORD, id=str(n), token=f"simulate.{n}"))
    assert [told(state, str(n)) for n in range(7, 12)] == ["running"] * 5
    assert scheduler.commands == [["qstat", "-f", "10", "11", "7", "8", "9"]]
    scheduler.now += 6
    told(state)
    assert len(scheduler.commands) == 2


def test_a_job_without_a_record_has_failed(state, scheduler, capsys):
    assert told(state, "99") == "failed"
    assert "no record" in capsys.readouterr().err


def test_a_status_is_told_whatever_happens(state, monkeypatch, capsys):
    def broken(*_):
        raise OSError("stale file handle")

    monkeypatch.setattr(generic, "exit_code", broken)
    monkeypatch.chdir(state.parents[1])
    assert generic.main(["status", "7"]) == 0
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("running\n", 1)
    assert "stale file handle" in err


def test_a_submission_is_recorded_with_its_run(state, scheduler, tmp_path):
    scheduler.submissions = [answered("qsub", out="8.server\n")]
    site = load(tmp_path, "scheduler: pbs\n")
    assert generic.submit(state, site, jobscript(tmp_path), 'my "run"', "mine") == "8.server"
    (record,) = [record for record in generic.records(state) if record.id == "8.server"]
    assert (record.run, record.session, record.scheduler, record.patience) == ('my "run"', "mine", "pbs", 3600)
    assert told(state, "8.server") == "running"


def test_a_refused_job_is_an_error_at_once(state, scheduler, tmp_path):
    scheduler.submissions = [answered("qsub", rc=170, err="qsub: Unknown queue\n")]
    with pytest.raises(InputError, match="qsub: exit code 170: qsub: Unknown queue"):
        generic.submit(state, load(tmp_path, "scheduler: pbs\n"), jobscript(tmp_path))
    assert scheduler.now == 1000


def test_a_scheduler_that_is_out_is_waited_for_and_what_it_may_have_taken_unseen_will_not_run(
    state, scheduler, tmp_path, capsys
):
    out = answered("qsub", rc=1, err="qsub: cannot connect to server pbs01 (errno=15010)\n")
    scheduler.submissions = [out, NoAnswer("qsub: no answer within 60 s"), answered("qsub", out="8\n")]
    assert generic.submit(state, load(tmp_path, "scheduler: pbs\n"), jobscript(tmp_path)) == "8"
    assert scheduler.now == 1000 + 2 * generic.PAUSE
    assert capsys.readouterr().err.count("trying again") == 2
    scripts = [Path(words[-1]).stem for words in scheduler.commands]
    assert [(state / f"{token}.cancelled").exists() for token in scripts] == [True, True, False]


def test_waiting_for_a_scheduler_has_an_end(state, scheduler, tmp_path):
    scheduler.submissions = [answered("qsub", rc=1, err="qsub: cannot connect to server\n")] * 100
    with pytest.raises(NoAnswer, match="cannot connect"):
        generic.submit(state, load(tmp_path, "scheduler: pbs\npatience_minutes: 1\n"), jobscript(tmp_path))


def test_a_job_is_submitted_only_after_what_an_earlier_run_left_of_it_was_cancelled(state, scheduler, tmp_path):
    scheduler.submissions = [answered("qsub", out=f"{n}\n") for n in (8, 9, 10)]
    site = load(tmp_path, "scheduler: pbs\n")
    generic.submit(state, site, jobscript(tmp_path))
    generic.submit(state, site, jobscript(tmp_path, wildcards={"cell": "b"}))
    generic.submit(state, site, jobscript(tmp_path))
    assert [words[:2] for words in scheduler.commands if words[0] == "qdel"] == [["qdel", "8"]]
    assert [words[0] for words in scheduler.commands] == ["qsub", "qsub", "qdel", "qsub"]
    assert sorted(record.id for record in generic.records(state)) == ["10", "7", "9"]


def test_the_wrapper_keeps_the_exit_code_and_runs_nothing_that_was_given_up(tmp_path):
    state = tmp_path / "it's a folder"
    state.mkdir()
    script, marks = state / "job.sh", tmp_path / "marks"
    script.write_text(f"echo ran >> {shlex.quote(str(marks))}; exit 3\n")
    wrapper = generic.wrapper(state, "token", script)
    assert subprocess.run(["sh", "-c", wrapper], timeout=60, check=False).returncode == 3
    assert generic.exit_code(state, "token") == 3
    (state / "other.cancelled").touch()
    assert (
        subprocess.run(["sh", "-c", generic.wrapper(state, "other", script)], timeout=60, check=False).returncode == 1
    )
    assert generic.exit_code(state, "other") is None
    assert marks.read_text() == "ran\n"
    assert sorted(p.name for p in state.iterdir()) == ["job.sh", "other.cancelled", "token.exit"]


def test_what_a_crashed_run_left_is_named_and_cancelled(state, scheduler):
    folder = state.parents[1]
    generic._keep(state, replace(RECORD, id="8", token="simulate.8"))
    (state / "simulate.8.exit").write_text("0\n")
    assert generic.queued(folder) == ["7"]
    generic.cancel(folder, ["7", "99"])
    assert scheduler.commands[-1] == ["qdel", "7"]
    assert (state / "simulate.0.cancelled").exists()
    scheduler.known = False
    assert generic.queued(folder) == []


def test_no_answer_is_never_taken_for_nothing_left(state, scheduler):
    scheduler.known = None
    with pytest.raises(NoAnswer, match="qstat: no answer, so 1 jobs"):
        generic.queued(state.parents[1])
    with pytest.raises(NoAnswer):
        generic.cancel(state.parents[1], ["7"])
    assert (state / "simulate.0.cancelled").exists()


def test_a_folder_without_submissions_has_nothing_queued(tmp_path):
    assert generic.queued(tmp_path) == []
    generic.cancel(tmp_path, [])


def test_a_command_that_hangs_gives_no_answer(monkeypatch):
    monkeypatch.setattr(generic, "LIMIT", 0.1)
    with pytest.raises(NoAnswer, match=r"sleep: no answer within 0\.1 s"):
        generic._run(["sleep", "60"])


def test_a_missing_command_is_said_in_one_line():
    with pytest.raises(InputError, match=r"scheduler: found no command no-such-qsub on PATH .* pbs, sge, lsf"):
        generic._run(["no-such-qsub"])


# --- the profile --------------------------------------------------------------------------------------


def test_the_profile_repeats_the_default_and_finds_its_commands():
    profile, default = (
        yaml.safe_load((ROOT / "profiles" / n / "config.yaml").read_text()) for n in ("generic", "default")
    )
    default.pop("resources")
    assert {key: profile.get(key) for key in default} == default
    commands = {key: value for key, value in profile.items() if key.startswith("cluster-generic-")}
    assert len(commands) == 4
    assert all(os.access(PROFILE / command, os.X_OK) for command in commands.values())


def status(environment, folder):
    """What the profile's status command does in an environment."""
    return subprocess.run(
        [PROFILE / "status", "7"],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_commands_run_with_the_python_that_runs_snakemake(tmp_path):
    python = tmp_path / "my python"
    python.write_text(f'#!/bin/sh\necho used >> "{tmp_path}/used"\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    environment = {"PATH": os.defpath, "ADVDYN_PYTHON": str(python)}
    done = status(environment, tmp_path)
    assert (done.returncode, done.stdout) == (0, "failed\n"), done.stderr  # no record of it here
    assert (tmp_path / "used").read_text() == "used\n"


def test_a_python_that_does_not_start_fails_no_job(tmp_path):
    environment = {"PATH": os.defpath, "ADVDYN_PYTHON": str(tmp_path / "nothing")}
    done = status(environment, tmp_path)
    assert (done.returncode, done.stdout) == (0, "running\n")


def test_a_mistake_in_the_site_file_reaches_the_user_in_one_line(tmp_path):
    (tmp_path / "site.yaml").write_text("scheduler: slurm\n")
    done = subprocess.run(
        [sys.executable, "-m", "advdyn.cluster.generic", "submit", "--site", tmp_path / "site.yaml", jobscript(tmp_path)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "scheduler: found 'slurm', allowed: pbs, sge, lsf" in done.stderr
