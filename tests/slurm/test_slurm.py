"""What a run through Slurm promises, on a real one; the short set, for every change."""

import shutil
import subprocess
import sys

import pytest
from checkouts import tiny_checkout
from clusters import Cluster, jobs, until

pytestmark = pytest.mark.slurm

SAMPLE = "results/data/mixture.nc"
# the jobs that use a GPU where there is one
ON_GPU = [f"results/mixture/simulation/dimension~{n}/simulator~full/seeds~0-1.nc" for n in (20, 30)]
SCALE = "results/mixture/scaling/whole.nc"
LIMIT = 600  # seconds for a run that hangs


def test_a_study_of_twenty_jobs_ends_with_the_bytes_of_a_run_on_one_machine(tiny: Cluster):
    more = [f"more{n}" for n in range(11)]
    config = tiny.folder / "config" / "config.yaml"
    lines = [f"  {name}: {{source: mixture, dimension: 3, n: {n + 5}}}\n" for n, name in enumerate(more)]
    config.write_text(config.read_text() + "".join(lines))
    asked = ["results/claims.csv", "results/mixture/mixture.nc", SAMPLE, *(f"results/data/{name}.nc" for name in more)]
    done = tiny.submit("--", *asked, timeout=LIMIT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    submitted = jobs(tiny)
    assert len(submitted) == 20
    assert {job["JobState"] for job in submitted} == {"COMPLETED"}
    # collection and claims stay where the run was submitted from
    assert {job["rule"].split("_")[0] for job in submitted} == {"simulate", "integrate", "scale", "sample"}
    through_slurm = tiny.digests()
    for folder in ("results", "logs", ".snakemake"):
        shutil.rmtree(tiny.folder / folder)
    tiny.make("--", *asked)
    assert tiny.digests() == through_slurm


@pytest.fixture(scope="module")
def troubled(lab, tmp_path_factory):
    """A run in which one job is cancelled, one exits non-zero twice, and one takes more memory than it asked for."""
    cluster = Cluster(tiny_checkout(tmp_path_factory.mktemp("troubled") / "checkout").folder)
    cluster.watch("sample_mixture")
    cluster.watch("scale_mixture", 'if _runs("begin") < 3:\n    raise SystemExit("this attempt fails")')
    cluster.watch(
        "integrate_mixture",
        'if _runs("begin") < 2:\n'
        '    more = b"x" * ((int(os.environ["SLURM_MEM_PER_NODE"]) + 300) * 2**20)\n'
        "    time.sleep(60)",
    )
    cluster.hold("sample_mixture")
    integrated = "results/mixture/theory/whole.nc"
    with cluster.submitting("--", SAMPLE, SCALE, integrated) as process:
        until(lambda: cluster.begun("sample_mixture") == 1, process=process)
        subprocess.run(["scancel", cluster.executions("sample_mixture")[0]["job"]], check=True, timeout=20)
        cluster.release()
        process.wait(LIMIT)
    return cluster, process.returncode


def attempts(cluster, rule):
    """State and memory of the jobs of a rule, in the order of their submission."""
    return [(job["JobState"], int(job["MinMemoryNode"].rstrip("M"))) for job in jobs(cluster) if job["rule"] == rule]


def test_a_run_with_troubled_jobs_ends_well(troubled):
    cluster, status = troubled
    assert status == 0, cluster.said[-3000:]
    assert (cluster.folder / SAMPLE).exists()
    assert (cluster.folder / SCALE).exists()


def test_a_cancelled_job_is_submitted_again_and_asks_for_more(troubled):
    (first, memory), (second, more) = attempts(troubled[0], "sample_mixture")
    assert (first, second) == ("CANCELLED", "COMPLETED")
    assert more == 2 * memory


def test_a_job_that_fails_twice_is_one_job_each_time_and_asks_for_more_each_time(troubled):
    states, memory = zip(*attempts(troubled[0], "scale_mixture"), strict=True)
    assert states == ("FAILED", "FAILED", "COMPLETED")
    assert memory == (memory[0], 2 * memory[0], 3 * memory[0])
    # retries inside an allocation would multiply the executions
    assert troubled[0].begun("scale_mixture") == 3


def test_a_job_over_its_memory_is_killed_and_submitted_with_more(troubled):
    (first, memory), (second, more) = attempts(troubled[0], "integrate_mixture")
    assert first in ("FAILED", "OUT_OF_MEMORY")
    assert second == "COMPLETED"
    assert more == 2 * memory
    assert troubled[0].begun("integrate_mixture") == 2


def test_gpu_jobs_ask_the_scheduler_and_wait_for_the_card(tiny: Cluster):
    tiny.watch("simulate_mixture")
    tiny.hold("simulate_mixture")
    with tiny.submitting("--", *ON_GPU) as process:
        until(lambda: tiny.begun("simulate_mixture") == 1, process=process)
        until(lambda: len(jobs(tiny)) == 2, process=process)
        running, waiting = jobs(tiny)
        assert (running["JobState"], waiting["JobState"], waiting["Reason"]) == ("RUNNING", "PENDING", "Resources")
        assert {job["Partition"] for job in (running, waiting)} == {"gpu"}
        assert {job["TresPerJob"] for job in (running, waiting)} == {"gres:gpu:1"}
        tiny.release()
        assert process.wait(LIMIT) == 0, tiny.said[-3000:]


def test_a_site_without_gpus_trains_on_cpus(tiny: Cluster):
    site = tiny.folder / "profiles" / "slurm" / "site.yaml"
    site.write_text(site.read_text().split("  gpu:\n")[0])
    done = tiny.submit("--", ON_GPU[0])
    assert done.returncode == 0, done.stderr[-3000:]
    (job,) = jobs(tiny)
    assert job["Partition"] == "cpu"
    assert "TresPerJob" not in job


def check(cluster, *arguments):
    """`make cluster-check` in a checkout."""
    return subprocess.run(
        [sys.executable, "-m", "advdyn.cluster.check", *arguments],
        cwd=cluster.folder, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip


def test_the_check_finds_nothing_wrong_with_a_cluster_that_is_as_its_site_file_says(tiny: Cluster):
    done = check(tiny)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "problem" not in done.stdout
    assert "shares this folder and Python, and gave a GPU" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  gpu:\n", "  gpus:\n", "partitions.gpus: no such partition, allowed: cpu, gpu"),
        (
            "max_runtime: 24h\n  gpu",
            "max_runtime: 9d\n  gpu",
            "partitions.cpu.max_runtime: found 9d, allowed: at most 2880",
        ),
        ("    max_gpu: 1", "    max_mem_mb: 100\n    max_gpu: 1", "none takes simulate of mixture: "),
        ("  cpu:\n    max_runtime: 24h\n", "  cpu: {max_gpu: 1}\n", "partitions.cpu.max_gpu: found 1, allowed: 0"),
    ],
    ids=["partition", "time", "memory", "gpu"],
)
def test_the_check_names_what_the_cluster_does_not_offer(tiny: Cluster, old, new, said):
    tiny.edit("profiles/slurm/site.yaml", old, new)
    done = check(tiny)
    assert done.returncode == 1
    assert said in done.stdout


def test_nothing_is_submitted_to_a_partition_that_does_not_exist(tiny: Cluster):
    tiny.edit("profiles/slurm/site.yaml", "  gpu:\n", "  gpus:\n")
    for dry in ([], ["-n"]):
        done = tiny.submit(*dry, "--", SAMPLE)
        assert done.returncode == 1
        assert "partitions.gpus: no such partition, allowed: cpu, gpu" in done.stdout + done.stderr
    assert jobs(tiny) == []


def test_the_check_finds_storage_that_a_node_does_not_share(tiny: Cluster):
    # a file system mounted over the checkout, for the process that submits only
    mounted = f"mount -t tmpfs none {tiny.folder} && cp -r {tiny.folder}.copy/. {tiny.folder}"
    shutil.copytree(tiny.folder, f"{tiny.folder}.copy")
    run = f"cd {tiny.folder} && exec {sys.executable} -m advdyn.cluster.check"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{mounted} && {run}"], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()[-100:]}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "both must be on shared storage" in done.stdout
