"""Copies of the checkout, each in a folder of its own, in which the real snakemake runs."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "workflow", "scripts", "advdyn", "config", "envs", "profiles")

TINY = """\
results: results
partial: false
studies:
  mixture: {}
data:
  mnist: {source: bundled}
  mixture: {source: mixture, dimension: 20, n: 50}
"""

TINY_MIXTURE = """\
settings:
  alpha: [0.0, 1.0, 2.0]
  eps: {linspace: [0.0, 2.0, 5]}
  full_alpha_max: 2.0
  full_seeds: 2
  test_examples: 400
  scaling_dimensions: [10, 20]
  scaling_alpha: 1.0
  scaling_seeds: 4
  potential_dimensions: [2, 5]
  potential_examples: 50
cells:
  simulator: [lumped, full]
  dimension: [20, 30]
lanes:
  prior: [0.5, 0.7]
  eps_train: [0.0, 1.0]
seeds: {count: 4, block: 2}
"""


class Checkout:
    """A copy of the checkout in which snakemake runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def snakemake(self, *arguments: str, timeout: float = 1500) -> subprocess.CompletedProcess[str]:
        """Run snakemake to its end (the limit is for a run that hangs); nothing of the outer environment's Python path reaches it."""
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def make(self, *arguments: str) -> None:
        """Run snakemake and expect it to succeed."""
        done = self.snakemake("--cores", "2", *arguments)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    def planned(self, *arguments: str) -> Counter[str]:
        """The jobs of a dry run, by rule, the target rule aside."""
        done = self.snakemake("-n", "--cores", "2", *arguments)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        text = done.stdout + done.stderr
        if "Nothing to be done" in text:
            return Counter()
        table = text.split("Job stats:")[1].split("total")[0]
        jobs = {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
        jobs.pop("all", None)
        return Counter(jobs)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands in a file exactly once."""
        file = self.folder / name
        text = file.read_text()
        assert text.count(old) == 1, (name, old, text.count(old))
        file.write_text(text.replace(old, new))

    def digests(self, below: str = "results") -> dict[str, str]:
        """sha256 of every file below a folder."""
        files = sorted(p for p in (self.folder / below).rglob("*") if p.is_file())
        return {str(p.relative_to(self.folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def copy_checkout(to: Path) -> Checkout:
    """A copy of the checkout, without results."""
    to.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, to / part, ignore=shutil.ignore_patterns("__pycache__", "*.sif"))
        else:
            shutil.copy2(source, to / part)
    return Checkout(to)


def tiny_checkout(to: Path) -> Checkout:
    """A copy of the checkout whose default run is a tiny mixture study."""
    checkout = copy_checkout(to)
    (to / "config" / "config.yaml").write_text(TINY)
    (to / "config" / "studies" / "mixture.yaml").write_text(TINY_MIXTURE)
    return checkout
