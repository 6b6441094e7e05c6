"""Cost of the default run: from nothing, with nothing to do, and the memory of its jobs.

Run as ``python benchmarks/workflow.py [--cores 2]``. It copies the checkout to a temporary folder, runs the default
configuration there, and runs it again; times are those of the whole process, the children included.
"""

import argparse
import csv
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "workflow", "scripts", "advdyn", "config", "envs", "profiles")


def timed(folder: Path, cores: int) -> tuple[float, float]:
    """Wall and processor seconds of one snakemake call."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--quiet", "all"]
    subprocess.run(command, cwd=folder, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, processor


def memory(logs: Path) -> list[tuple[float, str]]:
    """Peak resident memory of each job in MB, from Snakemake's benchmark tables, largest first."""
    found = []
    for path in logs.rglob("*.benchmark.tsv"):
        with path.open(newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if row["max_rss"] not in ("NA", "-"):
                    name = str(path.relative_to(logs)).removesuffix(".benchmark.tsv")
                    found.append((float(row["max_rss"]), name))
    return sorted(found, reverse=True)


def shares(logs: Path) -> dict[str, float]:
    """Seconds of the jobs of each study, from Snakemake's benchmark tables."""
    found: dict[str, float] = {}
    for path in logs.rglob("*.benchmark.tsv"):
        study = path.relative_to(logs).parts[0]
        with path.open(newline="") as file:
            found[study] = found.get(study, 0.0) + sum(float(row["s"]) for row in csv.DictReader(file, delimiter="\t"))
    return {study: found[study] for study in sorted(found) if (logs / study).is_dir()}


def main() -> None:
    """Print the costs of the default run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / part, folder / part)
        wall, processor = timed(folder, options.cores)
        print(f"default run from nothing on {options.cores} cores: {wall:.0f} s wall, {processor:.0f} s processor")
        again = [timed(folder, options.cores) for _ in range(options.repeats)]
        print(
            f"nothing to do, median of {options.repeats}: {statistics.median(w for w, _ in again):.1f} s wall, "
            f"{statistics.median(p for _, p in again):.1f} s processor"
        )
        for study, seconds in shares(folder / "logs").items():
            print(f"jobs of {study}: {seconds:.0f} s, {seconds / options.cores:.0f} s on {options.cores} cores")
        jobs = memory(folder / "logs")
        print(f"peak memory of the {len(jobs)} measured jobs: {jobs[0][0]:.0f} MB ({jobs[0][1]})")


if __name__ == "__main__":
    main()
