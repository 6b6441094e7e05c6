"""Whether a run can be submitted as its profile says, before anything is.

python -m advdyn.cluster.check [--profile profiles/slurm] [--configfile config/paper.yaml]
"""

from __future__ import annotations

import getpass
import importlib.util
import json
import math
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from advdyn.cluster import profile, schedulers, site, slurm
from advdyn.study import run
from advdyn.study.errors import ConfigError
from advdyn.study.plan import arguments
from advdyn.study.sizes import Sizes

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("sbatch", "squeue", "scancel", "sinfo", "scontrol")
LONGEST_LOOK = 180  # seconds between two looks of the executor plugin at the queue, at most
HERE = ("collect", "assess", "tabulate", "plot")  # steps that run on the machine that submits
PATIENCE = 60  # seconds that a node may take to become free for the check of the storage
LAG = 30  # seconds that shared storage may lag


@dataclass(frozen=True)
class Finding:
    """One line of the check."""

    kind: Literal["ok", "problem", "not checked"]
    text: str

    def __str__(self) -> str:
        """The line that is printed."""
        return f"{self.kind + ':':<13}{self.text}"


def ok(text: str) -> Finding:
    """Something is as it should be."""
    return Finding("ok", text)


def problem(text: str) -> Finding:
    """Something would make a run fail."""
    return Finding("problem", text)


def unchecked(text: str) -> Finding:
    """Something could not be looked at."""
    return Finding("not checked", text)


def executor(name: str, file: str) -> Finding:
    """Whether the executor's plugin is installed."""
    package = f"snakemake-executor-plugin-{name}"
    if name == "local":
        return problem(f"{file}: executor: found {name!r}, allowed: slurm, cluster-generic; nothing would be submitted")
    if importlib.util.find_spec(package.replace("-", "_")) is None:
        return problem(f"{file}: executor: {name} is not installed here ({package}); `make env` installs it")
    return ok(f"executor {name} is installed")


def commands() -> Iterator[Finding]:
    """Whether this is a machine that submits to Slurm, and Slurm answers."""
    absent = [name for name in COMMANDS if slurm.real(name) is None]
    if absent:
        yield problem(f"not found on this machine: {', '.join(absent)}; run where jobs are submitted (a login node)")
    elif slurm.asked("scontrol", "ping") is None or slurm.asked("sinfo", "-h") is None:
        yield problem("Slurm does not answer (scontrol ping)")
    else:
        yield ok("Slurm answers")


def partitions(known: site.Site, file: str) -> Iterator[Finding]:
    """Whether the site's partitions exist, are up, and offer what the site file says."""
    found: dict[str, tuple[str, float, bool]] = {}
    for line in (slurm.asked("sinfo", "-h", "-o", "%R|%a|%l|%G") or "").splitlines():
        name, state, limit, gres = line.split("|")
        gpus = "gpu" in gres or (name in found and found[name][2])
        found[name] = (state, slurm_minutes(limit), gpus)
    for name, wanted in known.partitions.items():
        where = f"{file}: partitions.{name}"
        if name not in found:
            yield problem(f"{where}: no such partition, allowed: {', '.join(found)}")
            continue
        state, limit_there, gpus = found[name]
        most = site.minutes(wanted.max_runtime) if wanted.max_runtime is not None else 0
        if state != "up":
            yield problem(f"{where}: is {state}")
        elif most > limit_there:
            allowed = f"at most {limit_there:.0f} minutes there"
            yield problem(f"{where}.max_runtime: found {wanted.max_runtime}, allowed: {allowed}")
        elif wanted.max_gpu and not gpus:
            yield problem(f"{where}.max_gpu: found {wanted.max_gpu}, allowed: 0, the partition has no GPUs")
        else:
            yield ok(f"partition {name} is up" + (", with GPUs" if wanted.max_gpu else ""))


def slurm_minutes(text: str) -> float:
    """A time limit as sinfo words it (``infinite``, ``1-00:00:00``, ``30:00``) in minutes."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    if match is None:
        return math.inf
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return days * 1440 + hours * 60 + minutes + seconds / 60


def accounting(known: site.Site, file: str) -> Iterator[Finding]:
    """Whether the account and quality of service are the user's; without accounting, how long Slurm remembers jobs."""
    shown = slurm.asked("scontrol", "show", "config") or ""
    said = dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", shown, re.MULTILINE))
    if not said:
        yield unchecked("accounts: Slurm does not tell its settings (scontrol show config)")
        return
    if said.get("AccountingStorageType", "(null)") == "(null)" or said["AccountingStorageType"].endswith("none"):
        for key, value in (("account", known.account), ("qos", known.qos)):
            if value:
                yield problem(f"{file}: {key}: found {value!r}, allowed: null, this cluster keeps no accounts")
        remembered = int(re.sub(r"\D.*", "", said.get("MinJobAge", "")) or 0)
        if 0 < remembered <= LONGEST_LOOK:  # 0: never forgotten
            yield problem(
                f"Slurm keeps no accounts and forgets jobs {remembered} s after they ended (MinJobAge), but the queue "
                f"is looked at every {LONGEST_LOOK} s: ends of jobs would be missed; ask for a longer MinJobAge"
            )
        return
    user = getpass.getuser()
    listed = slurm.asked("sacctmgr", "-n", "-P", "show", "associations", f"user={user}", "format=account,qos")
    if not (listed or "").strip():
        yield unchecked(f"accounts of {user}: sacctmgr lists none")
        return
    rows = [line.split("|") for line in (listed or "").splitlines()]
    accounts: dict[str, set[str]] = {}
    for account, quality in rows:  # several of an account: one for each cluster and partition
        accounts.setdefault(account, set()).update(quality.split(","))
    if known.account and known.account.lower() not in {name.lower() for name in accounts}:
        yield problem(f"{file}: account: found {known.account!r}, allowed: {', '.join(accounts)}")
        return
    qualities = accounts.get(known.account or "", set().union(*accounts.values()))
    if known.qos and known.qos not in qualities:
        yield problem(f"{file}: qos: found {known.qos!r}, allowed: {', '.join(sorted(qualities))}")
        return
    yield ok(f"account {known.account or 'of the cluster (none named)'}")


def fits(known: site.Site, planned: run.Run, file: str) -> Iterator[Finding]:
    """Whether every job of the run fits into a partition at its first attempt."""
    largest, sizes = 0, Sizes(planned)
    for name, study in planned.studies.items():
        unfit: dict[str, tuple[int, int, bool]] = {}
        for job in study.all_jobs():
            if job.step.split("_")[0] in HERE:
                continue
            cost = study.cost(job.step, sizes.of(name, job.step, job.cell, job.block))
            device = study.settings.device
            gpu = device != "cpu" and (known.gpus or device == "cuda") and study.model.steps[job.step].gpu(job.point)
            asked = (cost.mem_mb(gpu=bool(gpu)), cost.runtime(), bool(gpu))
            largest = max(largest, asked[0])
            if not any(one.takes(*asked) for one in known.partitions.values()):
                unfit.setdefault(job.step, asked)
        for step, (memory, minutes, gpu) in unfit.items():
            yield problem(
                f"{file}: partitions: none takes {step} of {name}: {memory} MB, {minutes} minutes"
                + (", a GPU" if gpu else "")
            )
    yield ok(f"the largest job asks for {largest} MB")


def storage(name: str, known: site.Site, file: str) -> Finding:
    """Whether a node of a partition sees this folder, this Python and this checkout, and writes what is seen here."""
    options = ["-p", name, "-N1", "-n1", "-t2", "--mem=500", f"--immediate={PATIENCE}", "--quiet"]
    options += [f"--account={known.account}"] if known.account else []
    options += [f"--qos={known.qos}"] if known.qos else []
    if known.partitions[name].max_gpu:
        wanted = known.gpu()
        gpus = ":".join(filter(None, [str(wanted.get("gpu_model", "")), "1"]))
        options.append(f"--gres={wanted['gres']}" if "gres" in wanted else f"--gpus={gpus}")
    program = slurm.real("srun") or "srun"
    Path(".snakemake").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=".snakemake", prefix="cluster-check-") as folder:
        token = secrets.token_hex(8)
        (Path(folder) / "asked").write_text(token)
        command = [program, *options, sys.executable, "-m", "advdyn.cluster.node", str(Path(folder).resolve())]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE + 120, check=False)
        except subprocess.TimeoutExpired:
            return unchecked(f"storage on a node of {name}: srun gave no answer")
        if re.search(r"nodes are busy|immediate execution impossible", done.stderr, re.IGNORECASE):
            return unchecked(f"storage on a node of {name}: no node was free within {PATIENCE} s")
        said = re.search(r"^\{.*\}$", done.stdout, re.MULTILINE)
        if done.returncode or said is None:
            last = (done.stderr.strip().splitlines() or ["nothing was printed"])[0]
            if "allocate" in last:
                return problem(f"{file}: partitions.{name}: a job is refused there ({last})")
            return problem(
                f"partition {name}: a node does not see {Path.cwd()} or {sys.executable} as this machine does; "
                f"both must be on shared storage ({last})"
            )
        seen = json.loads(said[0])
        if seen["asked"] != token:
            return problem(f"partition {name}: {seen['node']} sees another {Path.cwd()} than this machine")
        until = time.monotonic() + LAG
        while not (Path(folder) / seen["node"]).exists():
            if time.monotonic() > until:
                return problem(f"partition {name}: what {seen['node']} writes below {Path.cwd()} is not seen here")
            time.sleep(0.5)
        if known.partitions[name].max_gpu and not seen["gpus"]:
            return problem(f"{file}: partitions.{name}.max_gpu: {seen['node']} gave a job no GPU")
    return ok(f"{seen['node']} of {name} shares this folder and Python" + (", and gave a GPU" if seen["gpus"] else ""))


def quick(folder: Path) -> list[Finding]:
    """What a profile of Slurm can be checked for in a second: done before every run, too."""
    file = str(profile.site_of(folder))
    known = site.load(file)
    found = list(commands())
    if not _bad(found):
        found += [*partitions(known, file), *accounting(known, file)]
    return found


def other_scheduler(folder: Path) -> Iterator[Finding]:
    """Whether the site file of a scheduler without a plugin is valid, and its commands are on this machine."""
    known = schedulers.load(folder / "site.yaml")
    scheduler = schedulers.SCHEDULERS[known.scheduler]
    submission = scheduler.submission(known, schedulers.Job("check"), folder, folder)
    needed = {submission[0], scheduler.question([])[0], scheduler.cancellation[0]}
    absent = sorted(name for name in needed if shutil.which(name) is None)
    if absent:
        yield problem(f"not found on this machine: {', '.join(absent)}; run where jobs are submitted (a login node)")
    else:
        yield ok(f"{folder / 'site.yaml'}: {known.scheduler}, its commands are here")
    yield unchecked("queues, accounts and shared storage: ask the scheduler for them")


def _bad(found: list[Finding]) -> bool:
    return any(one.kind == "problem" for one in found)


def findings(folder: Path, planned: run.Run) -> Iterator[Finding]:
    """Everything that is checked of a profile and a run; what is slow comes last, and only if all before is well."""
    entries = profile.settings(folder)
    name = str(entries.data.get("executor", "local"))
    first = executor(name, entries.where("executor"))
    yield first
    if first.kind == "problem":
        return
    if name != "slurm":
        yield from other_scheduler(folder)
        return
    found = quick(folder)
    yield from found
    if _bad(found):
        return
    file = str(profile.site_of(folder))
    known = site.load(file)
    yield from fits(known, planned, file)
    if shutil.which("srun") is None:
        yield unchecked("storage on the nodes: srun is not on this machine")
        return
    for partition in known.partitions:
        yield storage(partition, known, file)


def main() -> None:
    """Print what was found; exit with 1 when a run would fail."""
    parser = arguments("Whether a run can be submitted as its profile says.")
    parser.add_argument("--profile", default="profiles/slurm")
    options = parser.parse_args()
    bad = 0
    try:
        folder = profile.chosen(["--workflow-profile", options.profile], ROOT)
        if folder is None:
            raise ConfigError(f"command line: --profile: found {options.profile!r}, allowed: a folder of profiles/")
        for finding in findings(folder, run.load(options.configfile)):
            print(finding, flush=True)
            bad += finding.kind == "problem"
    except ConfigError as error:
        sys.exit(str(error))
    sys.exit(min(bad, 1))


if __name__ == "__main__":
    main()
