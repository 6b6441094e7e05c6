"""What a job costs on a cluster beside its work: jobs that do next to nothing, here and through Slurm, side by side.

python benchmarks/cluster.py [--jobs 200]

It brings up the throw-away cluster of the tests (tests/slurm/lab.py: root, and Slurm's Debian packages). Processor time
is the whole machine's, for the jobs of a cluster are nobody's children: run it on an idle one.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "slurm")]

import lab  # type: ignore[import-not-found]  # noqa: E402  (found through the line above)
from checkouts import Checkout, copy_checkout  # type: ignore[import-not-found]  # noqa: E402

CONFIG = "results: results\npartial: false\nstudies:\n  mixture: {}\ndata:\n  mnist: {source: bundled}\n"
PROFILE = ("--workflow-profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "5", "--jobs", "400")


def processor_seconds() -> float:
    """Processor seconds of this machine so far, those of all processes."""
    with open("/proc/stat") as file:
        user, nice, system = (int(part) for part in file.readline().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def measured(checkout: Checkout, jobs: int, *arguments: str) -> tuple[float, float]:
    """Wall and processor seconds of a run of so many independent jobs."""
    names = [f"m{n}" for n in range(jobs)]
    definitions = "".join(f"  {name}: {{source: mixture, dimension: 2, n: 10}}\n" for name in ["mixture", *names])
    (checkout.folder / "config" / "config.yaml").write_text(CONFIG + definitions)
    wall, processor = time.perf_counter(), processor_seconds()
    done = checkout.snakemake(*arguments, "--", *(f"results/data/{name}.nc" for name in names), timeout=3600)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return time.perf_counter() - wall, processor_seconds() - processor


def main() -> None:
    """Print wall and processor seconds per job, here and through Slurm."""
    parser = argparse.ArgumentParser(description="What a job costs on a cluster beside its work.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 20, 200])
    counts = parser.parse_args().jobs
    if lab.missing():
        sys.exit(f"no Slurm: {lab.missing()}")
    cores = os.cpu_count() or 1
    lab.up()
    try:
        print(f"{'jobs':>5} {'where':<16} {'wall s':>8} {'s per job':>10} {'CPU s':>8} {'CPU s per job':>14}")
        for jobs in counts:
            for where, arguments in ((f"here, {cores} cores", ("--cores", str(cores))), ("through Slurm", PROFILE)):
                with tempfile.TemporaryDirectory() as folder:
                    checkout = copy_checkout(Path(folder) / "checkout")
                    wall, processor = measured(checkout, jobs, *arguments)
                each = f"{wall:>8.1f} {wall / jobs:>10.2f} {processor:>8.1f} {processor / jobs:>14.2f}"
                print(f"{jobs:>5} {where:<16} {each}", flush=True)
    finally:
        lab.down()


if __name__ == "__main__":
    main()
